//! A small HTTP server for tests: it records what it is sent and answers with whatever bytes the test
//! scripts, lawful or not. One request a connection. Not a hub: it knows nothing but bytes.

#![allow(dead_code)] // what one test module leaves out another uses

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

use super::HttpOptions;
use super::retry::RetryPolicy;
use crate::clock::tests::ManualClock;

/// Options under which nothing waits: pauses are counted by `clock`. A stall is far off, since a busy machine stands still, too.
pub(crate) fn quick(clock: &Arc<ManualClock>) -> HttpOptions {
    let retry = RetryPolicy {
        retries: 3,
        ..RetryPolicy::default()
    };
    HttpOptions {
        unreached: None,
        retry,
        stall: Duration::from_secs(60),
        clock: clock.clone(),
        ..HttpOptions::default()
    }
}

/// The same, but what stands still for two seconds is a stall.
pub(crate) fn impatient() -> HttpOptions {
    HttpOptions {
        stall: Duration::from_secs(2),
        ..quick(&ManualClock::new())
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Seen {
    /// The header of this name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// `GET /path?query`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// The path without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The body as JSON; null when it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What happens after the last byte.
#[derive(Debug, Clone, Copy)]
enum End {
    Close,
    Reset,
    Hold,
}

/// An answer: bytes with a pause before each piece, and an end.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pieces: Vec<(Duration, Bytes)>,
    end: End,
}

impl Reply {
    /// These very bytes, status line and all; then the connection is closed.
    pub(crate) fn raw(bytes: impl Into<Bytes>) -> Self {
        Self {
            pieces: vec![(Duration::ZERO, bytes.into())],
            end: End::Close,
        }
    }

    /// A lawful answer with its length declared.
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let length = body.as_ref().len().to_string();
        let mut all = vec![("Content-Length", length.as_str())];
        all.extend(headers);
        Self::headed(status, &all, body)
    }

    /// An answer with these headers only: its length is undeclared, or declared as the test likes.
    pub(crate) fn headed(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let mut bytes =
            format!("HTTP/1.1 {status} Scripted\r\n{lines}Connection: close\r\n\r\n").into_bytes();
        bytes.extend_from_slice(body.as_ref());
        Self::raw(bytes)
    }

    /// 200 with this JSON.
    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::new(
            200,
            &[("Content-Type", "application/json")],
            value.to_string(),
        )
    }

    /// More bytes, after a pause.
    pub(crate) fn then(mut self, pause: Duration, bytes: impl Into<Bytes>) -> Self {
        self.pieces.push((pause, bytes.into()));
        self
    }

    /// The connection is reset after the last byte.
    pub(crate) fn reset(mut self) -> Self {
        self.end = End::Reset;
        self
    }

    /// The connection stays open after the last byte, and nothing more comes.
    pub(crate) fn hold(mut self) -> Self {
        self.end = End::Hold;
        self
    }

    async fn write(self, mut stream: TcpStream) -> std::io::Result<()> {
        for (pause, bytes) in self.pieces {
            tokio::time::sleep(pause).await;
            stream.write_all(&bytes).await?;
            stream.flush().await?;
        }
        match self.end {
            End::Close => stream.shutdown().await,
            End::Reset => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                stream.set_zero_linger()
            }
            End::Hold => std::future::pending().await,
        }
    }
}

type Handler = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// When requests are answered.
struct Manners {
    together: Barrier,
    interruption: Mutex<Option<Reply>>,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            together: Barrier::new(1),
            interruption: Mutex::default(),
        }
    }
}

/// The server; it ends when dropped.
pub(crate) struct Server {
    url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers each request by what `handler` makes of it.
    pub(crate) async fn answering(
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start(handler, Manners::default()).await
    }

    /// The same, but answers none of `count` requests before it has heard all of them.
    pub(crate) async fn answering_together(
        count: usize,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start(
            handler,
            Manners {
                together: Barrier::new(count),
                ..Manners::default()
            },
        )
        .await
    }

    /// The same, but gives this answer to the first request before its body has come.
    pub(crate) async fn interrupting(
        first: Reply,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start(
            handler,
            Manners {
                interruption: Mutex::new(Some(first)),
                ..Manners::default()
            },
        )
        .await
    }

    async fn start(
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
        manners: Manners,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let task = tokio::spawn(serve(
            listener,
            seen.clone(),
            Arc::new(handler),
            Arc::new(manners),
        ));
        Self { url, seen, task }
    }

    /// Answers the first request with the first reply and so on; 418 when there are no more.
    pub(crate) async fn scripted(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        Self::answering(move |_| {
            replies
                .lock()
                .unwrap()
                .pop_front()
                .unwrap_or_else(|| Reply::new(418, &[], "the script is over"))
        })
        .await
    }

    /// `http://127.0.0.1:PORT/`.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The same without the trailing slash, as endpoints are written.
    pub(crate) fn endpoint(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Every request so far as `GET /path?query`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    listener: TcpListener,
    seen: Arc<Mutex<Vec<Seen>>>,
    handler: Handler,
    manners: Arc<Manners>,
) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (seen, handler, manners) = (seen.clone(), handler.clone(), manners.clone());
        connections.spawn(async move {
            let mut stream = BufReader::new(stream);
            let Some(mut request) = head(&mut stream).await else {
                return;
            };
            let interruption = manners.interruption.lock().unwrap().take();
            if interruption.is_none() && body(&mut stream, &mut request).await.is_none() {
                return;
            }
            seen.lock().unwrap().push(request.clone());
            manners.together.wait().await;
            let reply = interruption.unwrap_or_else(|| handler(&request));
            let _ = reply.write(stream.into_inner()).await;
        });
    }
}

async fn head(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let first = line(stream).await?;
    let mut words = first.split(' ').map(str::to_owned);
    let mut seen = Seen {
        method: words.next()?,
        target: words.next()?,
        headers: Vec::new(),
        body: Bytes::new(),
    };
    loop {
        let text = line(stream).await?;
        let Some((name, value)) = text.split_once(": ") else {
            break;
        };
        seen.headers.push((name.to_owned(), value.to_owned()));
    }
    Some(seen)
}

async fn body(stream: &mut BufReader<TcpStream>, seen: &mut Seen) -> Option<()> {
    let length = seen
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    seen.body = body.into();
    Some(())
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = String::new();
    let read = stream.read_line(&mut text).await.ok()?;
    (read > 0).then(|| text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Http, PlainErrorDecoder, Request};

    #[tokio::test]
    async fn replies_come_in_order_and_requests_are_kept() {
        let server = Server::scripted([
            Reply::new(503, &[], ""),
            Reply::json(&serde_json::json!({"a": 1})),
        ])
        .await;
        let http = Http::new(
            server.url(),
            Default::default(),
            PlainErrorDecoder,
            quick(&ManualClock::new()),
        )
        .unwrap();
        let request = Request::post(server.url().join("/x?y").unwrap()).body("text/plain", "hello");
        let answer: serde_json::Value = http.send(request).await.unwrap().json().await.unwrap();
        assert_eq!(answer["a"], 1);
        assert_eq!(server.lines(), ["POST /x?y", "POST /x?y"]);
        assert_eq!(
            (
                server.seen()[1].header("CONTENT-type"),
                &server.seen()[1].body[..]
            ),
            (Some("text/plain"), &b"hello"[..])
        );
    }
}
