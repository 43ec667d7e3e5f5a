//! Listeners and connections, and the layers every request passes on its way to a handler and back.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::{Request, Response, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::answer::empty;
use crate::call::{Call, Origin};
use crate::clock;
use crate::counters::Underway;
use crate::faults::bodies::{End, Line, cut, flipped};
use crate::faults::{Kind, answers};
use crate::shape::{frames, slowed};
use crate::world::World;
use crate::{admin, hf, ms, xet};

/// Serves `origin` on `listener` until the task is dropped.
pub async fn serve(world: Arc<World>, origin: Origin, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(Arc::clone(&world), origin, stream))),
            // Out of descriptors, most likely: others have to end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn connection(world: Arc<World>, origin: Origin, stream: TcpStream) {
    stream.set_nodelay(true).ok();
    if origin != Origin::Admin {
        pause(world.settings().connections.connect_ms).await;
    }
    let line = Arc::new(Line::default());
    let wire = Wire {
        stream,
        line: Arc::clone(&line),
    };
    let service = service_fn(move |request| {
        let (world, line) = (Arc::clone(&world), Arc::clone(&line));
        async move { answer(world, origin, request, line).await }
    });
    // A connection that ends in an error is the client's to notice.
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(256 << 10)
        .serve_connection(TokioIo::new(wire), service)
        .await
        .ok();
}

async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// The connection is dropped instead of an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dropped on request")
    }
}

impl std::error::Error for Dropped {}

async fn answer(
    world: Arc<World>,
    origin: Origin,
    request: Request<Incoming>,
    line: Arc<Line>,
) -> Result<Response<Body>, Dropped> {
    let settings = world.settings();
    let (parts, body) = request.into_parts();
    let call = Call::new(
        origin,
        parts,
        Body::new(body),
        Duration::from_secs(settings.url_ttl_s),
    );
    if origin == Origin::Admin {
        return Ok(admin::handle(&world, call).await);
    }
    pause(settings.latency_ms).await;
    let route = route_name(&call);
    let underway = world.counters.begin(route);
    let mut memory = memory_of(&call);
    let answered = exchange(&world, route, call, &underway, &line, &mut memory).await;
    let status = answered
        .as_ref()
        .map_or(0, |response| response.status().as_u16());
    underway.answered(status);
    world.counters.remember(with_status(memory, status));
    Ok(metered(&world, origin, answered?, underway))
}

/// The name under which a request is counted and made to fail.
fn route_name(call: &Call) -> &'static str {
    match (call.origin, call.method.as_str()) {
        (Origin::Hf, _) => hf::route(call).name(),
        (Origin::Ms, _) => ms::route(call).name(),
        (Origin::HfStorage, "PUT") => "hf_storage.put",
        (Origin::HfStorage, _) => "hf_storage.get",
        (Origin::MsStorage, "PUT") => "ms_storage.put",
        (Origin::MsStorage, _) => "ms_storage.get",
        (Origin::Admin, _) => "admin",
        (Origin::HfCas, _) => xet::door::route(call),
    }
}

async fn exchange(
    world: &Arc<World>,
    route: &'static str,
    mut call: Call,
    underway: &Underway,
    line: &Arc<Line>,
    memory: &mut Value,
) -> Result<Response<Body>, Dropped> {
    if is_busy(world, call.origin) {
        // The request is heard out first, so that the answer is not lost to a reset.
        call.bytes_dropped().await;
        return Ok(empty(429));
    }
    let kinds = world.faults.take(route, &call.target);
    let uploads =
        call.method == "PUT" || (call.origin, call.method.as_str()) == (Origin::HfCas, "POST");
    let mut body = underway.incoming(frames(std::mem::take(&mut call.body)));
    if let Some(lines) = world.lines(call.origin) {
        body = lines.up(body);
    }
    for kind in kinds.iter().filter(|_| uploads) {
        body = disturbed_upload(body, kind, line);
    }
    call.body = Body::from_stream(body);
    let target = call.target.clone();
    for kind in &kinds {
        if let Some(response) = before(world, kind, &mut call, line, uploads).await? {
            return Ok(response);
        }
    }
    if let Some(pause) = kinds.iter().find_map(later) {
        return work_later(world, call, pause).await;
    }
    memory["handled_us"] = clock::micros(SystemTime::now()).into();
    let response = dispatch(world, call).await;
    if line.is_reset() {
        return Err(Dropped);
    }
    after(response, &kinds, &target, line, uploads).await
}

/// Whether the hub works on as many requests as it takes at a time, this one left out.
fn is_busy(world: &World, origin: Origin) -> bool {
    world
        .most_at_once(origin)
        .is_some_and(|(hub, most)| world.counters.under_way(hub) > most)
}

fn later(kind: &Kind) -> Option<Duration> {
    match kind {
        Kind::WorkLater { ms } => Some(Duration::from_millis(*ms)),
        _ => None,
    }
}

/// Answers 504 once the request was heard out, and does its work after a pause.
async fn work_later(
    world: &Arc<World>,
    mut call: Call,
    pause: Duration,
) -> Result<Response<Body>, Dropped> {
    let body = axum::body::to_bytes(std::mem::take(&mut call.body), usize::MAX).await;
    call.body = Body::from(body.map_err(|_| Dropped)?);
    let world = Arc::clone(world);
    tokio::spawn(async move {
        tokio::time::sleep(pause).await;
        dispatch(&world, call).await;
    });
    Ok(empty(504))
}

/// What goes wrong before the request is looked at.
async fn before(
    world: &Arc<World>,
    kind: &Kind,
    call: &mut Call,
    line: &Line,
    uploads: bool,
) -> Result<Option<Response<Body>>, Dropped> {
    match kind {
        Kind::Delay { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
        Kind::Reset { after: 0 } if !uploads => {
            line.reset();
            return Err(Dropped);
        }
        Kind::IgnoreRange => drop(call.headers.remove(header::RANGE)),
        Kind::Expired => call.ttl = Duration::ZERO,
        Kind::Moved { files } => {
            if let Some(commit) = admin::seed::overtaking(call, files) {
                admin::seed::seed(world, commit).await.ok();
            }
        }
        Kind::Meanwhile { method, path, body } => {
            admin::act(world, method, path, body).await;
            world.faults.acted(method, path, body);
        }
        _ => {}
    }
    let instead = answers::instead(kind, &call.target);
    if instead.is_some() {
        // The request is heard out first, so that the answer is not lost to a reset.
        call.bytes_dropped().await;
    }
    Ok(instead)
}

/// What goes wrong with an answer on its way back.
async fn after(
    mut response: Response<Body>,
    kinds: &[Kind],
    target: &str,
    line: &Arc<Line>,
    uploads: bool,
) -> Result<Response<Body>, Dropped> {
    for kind in kinds {
        if matches!(kind, Kind::LoseAnswer) {
            line.reset();
            return Err(Dropped);
        }
        response = answers::changed(response, kind, target).await;
        if !uploads {
            response = answers::disturbed(response, kind, || End::Reset(Arc::clone(line)));
        }
    }
    Ok(response)
}

fn disturbed_upload(
    body: crate::shape::Frames,
    kind: &Kind,
    line: &Arc<Line>,
) -> crate::shape::Frames {
    match kind {
        Kind::Reset { after } => cut(body, *after, End::Reset(Arc::clone(line))),
        Kind::Stall { after } => cut(body, *after, End::Stalled),
        Kind::Slow { bytes_per_second } => slowed(body, *bytes_per_second),
        Kind::Corrupt { at } => flipped(body, *at),
        _ => body,
    }
}

async fn dispatch(world: &Arc<World>, call: Call) -> Response<Body> {
    match call.origin {
        Origin::Hf => hf::handle(world, call).await,
        Origin::HfStorage => hf::storage::handle(world, call).await,
        Origin::Ms => ms::handle(world, call).await,
        Origin::MsStorage => ms::storage::handle(world, call).await,
        Origin::Admin => admin::handle(world, call).await,
        Origin::HfCas => xet::door::handle(world, call).await,
    }
}

/// The response at its link's rate, counted.
fn metered(
    world: &World,
    origin: Origin,
    response: Response<Body>,
    underway: Underway,
) -> Response<Body> {
    let declared = http_body::Body::size_hint(response.body()).exact();
    let mut response = response.map(|body| {
        let body = frames(body);
        let body = match world.lines(origin) {
            Some(lines) => lines.down(body),
            None => body,
        };
        Body::from_stream(underway.outgoing(body))
    });
    let undeclared = response.version() == axum::http::Version::HTTP_10;
    if let (Some(len), false) = (declared, undeclared) {
        response
            .headers_mut()
            .entry(header::CONTENT_LENGTH)
            .or_insert(len.into());
    }
    response
}

fn memory_of(call: &Call) -> Value {
    let headers: Map<String, Value> = call
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into(),
            )
        })
        .collect();
    let at = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as u64;
    json!({"origin": call.origin.name(), "method": call.method.as_str(), "path": call.target, "headers": headers, "at_ms": at})
}

fn with_status(mut memory: Value, status: u16) -> Value {
    memory["status"] = status.into();
    memory["answered_us"] = clock::micros(SystemTime::now()).into();
    memory
}

/// A connection that ends with a reset when its line says so.
struct Wire {
    stream: TcpStream,
    line: Arc<Line>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.line.is_reset() {
            self.stream.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
