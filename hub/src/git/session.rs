//! libgit2's transfers, carried by the project's own HTTP client: its redirects, stall timeout and redaction hold here too.
//!
//! libgit2 finds a transport by the scheme of an address, for the whole process and once. So one private scheme is registered
//! ([`scheme`]). An address of that scheme names the session of one operation, which has the server and the credentials.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use git2::transport::{Service as Wanted, SmartSubtransport, SmartSubtransportStream, Transport};
use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::failure::error_of;
use super::limits::GitLimits;
use super::pack_check::PackCheck;
use super::remote::{GitRepo, RefsResponse, Service, below, expect};
use crate::http::{Request, Response, user_agent};
use crate::{ByteStream, Error, Kind, Result};

const SCHEME: &str = "hf2ms-session";
/// How long a server may work on a pack before the first byte of its response.
const PATIENCE: Duration = Duration::from_secs(300);
/// Pieces of a pack on their way to the server.
const PIECES: usize = 4;
/// Bytes of such a piece: libgit2 writes a few at a time.
const PIECE: usize = 64 << 10;

static SESSIONS: Mutex<Option<HashMap<u64, Arc<Session>>>> = Mutex::new(None);

/// One operation with a server. It lives on libgit2's thread; the async runtime sends its requests.
pub(super) struct Session {
    repo: GitRepo,
    runtime: Handle,
    /// Becomes true, or is dropped, when the caller no longer waits for the operation.
    cut: watch::Receiver<bool>,
    /// The address at which the repo answered.
    base: Mutex<Option<Url>>,
    /// An advertisement that was read before; the first question takes it.
    told: Mutex<Option<RefsResponse>>,
    /// How much may be taken.
    limits: GitLimits,
    /// Bytes that the server may still send.
    room: AtomicU64,
    failure: Mutex<Option<Error>>,
}

/// A session that libgit2 can find, until this value is dropped.
pub(super) struct OpenSession {
    number: u64,
    session: Arc<Session>,
}

impl Session {
    /// Opens a session with `repo` that keeps to `limits` and ends when `cut` becomes true. `told` is an advertisement that was read
    /// before.
    ///
    /// # Errors
    /// [`Kind::Refused`] when libgit2 can't be set up.
    pub(super) fn open(
        repo: &GitRepo,
        told: Option<RefsResponse>,
        limits: GitLimits,
        cut: watch::Receiver<bool>,
    ) -> Result<OpenSession> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        scheme()?;
        let session = Arc::new(Self {
            repo: repo.clone(),
            runtime: Handle::current(),
            cut,
            base: Mutex::new(None),
            told: Mutex::new(told),
            limits,
            room: limits.pack_bytes.into(),
            failure: Mutex::new(None),
        });
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
        sessions
            .get_or_insert_default()
            .insert(number, session.clone());
        Ok(OpenSession { number, session })
    }

    /// Waits for `work` and keeps its error: libgit2 only knows that the transfer failed.
    fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> io::Result<T> {
        let mut cut = self.cut.clone();
        let done = self.runtime.block_on(async {
            tokio::select! {
                // First: once nobody waits, the runtime may be ending, and its timers with it.
                biased;
                _ = cut.wait_for(|cut| *cut) => Err(Error::new(Kind::Transient, "the Git transfer was given up")),
                done = work => done,
            }
        });
        done.map_err(|error| {
            self.failure
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(error);
            io::Error::other("the transfer failed")
        })
    }

    fn advertised(&self, service: Service) -> io::Result<Bytes> {
        let told = self
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let told = match told {
            Some(told) => told,
            None => self.wait(self.repo.advertisement(service))?,
        };
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = Some(told.base);
        Ok(told.bytes)
    }

    fn url(&self, service: Service) -> Result<Url> {
        let base = self
            .base
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        below(
            &base.ok_or_else(|| Error::new(Kind::Refused, "Git asked for objects before refs"))?,
            service.name(),
        )
    }

    /// Sends one request of the fetch protocol; the response is a pack, or a step towards one.
    async fn ask(&self, question: Bytes) -> Result<ByteStream> {
        let service = Service::UploadPack;
        let request = Request::post(self.url(service)?)
            .headers(user_agent::git())
            .accept(service.result_type())
            .body(service.request_type(), question);
        let patience = PATIENCE.max(self.repo.http.options().stall);
        answer(
            self.repo.http.send(request.patience(patience)).await?,
            service,
        )
    }

    /// Counts the received bytes against the limit.
    fn take(&self, bytes: usize) -> Result<()> {
        let left = self.room.load(Ordering::Relaxed).checked_sub(bytes as u64);
        self.room.store(left.unwrap_or(0), Ordering::Relaxed);
        left.map(|_| ()).ok_or_else(|| {
            Error::new(
                Kind::Refused,
                "the Git server sends more than is taken from a repo",
            )
        })
    }
}

fn answer(response: Response, service: Service) -> Result<ByteStream> {
    expect(&response, service.result_type())?;
    Ok(response.into_stream())
}

impl OpenSession {
    /// The address by which libgit2 finds this session.
    pub(super) fn address(&self) -> String {
        format!("{SCHEME}://{}", self.number)
    }

    /// The error of an operation: its transfer's, or else libgit2's. The token is redacted.
    pub(super) fn failed(&self, error: &git2::Error) -> Error {
        let met = self
            .session
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        met.unwrap_or_else(|| error_of(error))
            .without(self.session.repo.http.redactor())
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        SESSIONS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .map(|sessions| sessions.remove(&self.number));
    }
}

/// Registers the scheme. libgit2 reads no settings of this machine, maps small windows and keeps no cache.
fn scheme() -> Result<()> {
    static DONE: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    let done = DONE.get_or_init(|| set_up().map_err(|error| error.message().to_owned()));
    done.clone()
        .map_err(|error| Error::new(Kind::Refused, format!("Git can't be set up: {error}")))
}

/// Bytes of packs that may be mapped at a time.
const WINDOW: usize = 4 << 20;
const WINDOWS: usize = 32 << 20;

// These set globals of libgit2, which must not happen at the same time as its other calls: the lock of `scheme` lets this run
// once, before the first operation.
#[allow(unsafe_code)]
fn set_up() -> std::result::Result<(), git2::Error> {
    use git2::ConfigLevel::{Global, ProgramData, System, XDG};
    git2::opts::enable_caching(false);
    unsafe {
        for level in [ProgramData, System, XDG, Global] {
            git2::opts::set_search_path(level, "")?;
        }
        git2::opts::set_mwindow_size(WINDOW)?;
        git2::opts::set_mwindow_mapped_limit(WINDOWS)?;
        git2::transport::register(SCHEME, |remote| {
            Transport::smart(remote, true, HttpTransport)
        })
    }
}

/// The transport that libgit2 finds by the scheme.
struct HttpTransport;

impl SmartSubtransport for HttpTransport {
    fn action(
        &self,
        url: &str,
        wanted: Wanted,
    ) -> std::result::Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let session =
            session_of(url).ok_or_else(|| git2::Error::from_str("the session has ended"))?;
        let failed = |error: io::Error| git2::Error::from_str(&error.to_string());
        Ok(match wanted {
            Wanted::UploadPackLs => Box::new(RefsStream(
                session.advertised(Service::UploadPack).map_err(failed)?,
            )),
            Wanted::ReceivePackLs => Box::new(RefsStream(
                session.advertised(Service::ReceivePack).map_err(failed)?,
            )),
            Wanted::UploadPack => Box::new(FetchStream {
                check: PackCheck::new(session.limits),
                session,
                question: Vec::new(),
                answer: None,
                piece: Bytes::new(),
            }),
            Wanted::ReceivePack => Box::new(PushStream::new(session).map_err(failed)?),
        })
    }

    fn close(&self) -> std::result::Result<(), git2::Error> {
        Ok(())
    }
}

fn session_of(url: &str) -> Option<Arc<Session>> {
    let number = url
        .strip_prefix(SCHEME)?
        .strip_prefix("://")?
        .parse()
        .ok()?;
    SESSIONS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .as_ref()?
        .get(&number)
        .cloned()
}

fn read_piece(piece: &mut Bytes, into: &mut [u8]) -> usize {
    let count = piece.len().min(into.len());
    piece.copy_to_slice(&mut into[..count]);
    count
}

/// An advertisement, as libgit2 reads it.
struct RefsStream(Bytes);

impl Read for RefsStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(read_piece(&mut self.0, into))
    }
}

impl Write for RefsStream {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("nothing is asked here"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A fetch request and its response. The request is sent whole when the response is first read, so that a redirect can repeat it.
struct FetchStream {
    session: Arc<Session>,
    question: Vec<u8>,
    answer: Option<ByteStream>,
    check: PackCheck,
    piece: Bytes,
}

impl Read for FetchStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut answer = match self.answer.take() {
            Some(answer) => answer,
            None => self
                .session
                .wait(self.session.ask(std::mem::take(&mut self.question).into()))?,
        };
        if self.piece.is_empty() {
            let (session, check) = (&self.session, &mut self.check);
            self.piece = session.wait(async {
                let piece = answer.next().await.transpose()?.unwrap_or_default();
                session.take(piece.len())?;
                check.take(&piece).map(|()| piece)
            })?;
        }
        self.answer = Some(answer);
        Ok(read_piece(&mut self.piece, into))
    }
}

impl Write for FetchStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.question.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A push and the server's report. A small push is sent whole, with its length: some servers answer 400, 411 or 501 to a body
/// without one, and git does the same below this size (`http.postBuffer`). A larger push is sent while libgit2 writes it.
struct PushStream {
    session: Arc<Session>,
    url: Url,
    /// Bytes that libgit2 has written and that are not sent yet.
    piece: Vec<u8>,
    pieces: Option<mpsc::Sender<Result<Bytes>>>,
    sent: Sent,
    said: Bytes,
}

/// The state of a push's request.
enum Sent {
    Nothing,
    Begun(JoinHandle<Result<Bytes>>),
    Answered,
}

/// Bytes of a push that goes whole.
const WHOLE: usize = 1 << 20;

/// The report of a push has one line for each ref.
const LONGEST_REPORT: u64 = 64 << 20;

impl PushStream {
    fn new(session: Arc<Session>) -> io::Result<Self> {
        let url = session
            .url(Service::ReceivePack)
            .map_err(io::Error::other)?;
        Ok(Self {
            session,
            url,
            piece: Vec::new(),
            pieces: None,
            sent: Sent::Nothing,
            said: Bytes::new(),
        })
    }

    /// Begins a request whose body is still to be made.
    fn begin(&mut self) {
        let (pieces, taken) = mpsc::channel::<Result<Bytes>>(PIECES);
        let body = futures_util::stream::unfold(taken, |mut taken| async move {
            Some((taken.recv().await?, taken))
        })
        .boxed();
        let (http, url) = (self.session.repo.http.clone(), self.url.clone());
        self.pieces = Some(pieces);
        self.send(async move { http.post_stream(url, headers(), body).await });
    }

    /// Sends the whole push.
    fn send_whole(&mut self) {
        let (http, url, push) = (
            self.session.repo.http.clone(),
            self.url.clone(),
            std::mem::take(&mut self.piece),
        );
        self.send(async move { http.post_bytes(url, headers(), push.into()).await });
    }

    fn send(&mut self, request: impl Future<Output = Result<Response>> + Send + 'static) {
        self.sent = Sent::Begun(self.session.runtime.spawn(async move {
            let response = request.await?;
            expect(&response, Service::ReceivePack.result_type())?;
            response.bytes(LONGEST_REPORT).await
        }));
    }

    /// Sends the piece. A server that has answered already takes no more: its response is read instead.
    fn hand_on(&mut self) -> io::Result<()> {
        if matches!(self.sent, Sent::Nothing) {
            self.begin();
        }
        let piece = std::mem::take(&mut self.piece);
        let sent = match &self.pieces {
            Some(pieces) if !piece.is_empty() => self
                .session
                .wait(async { Ok(pieces.send(Ok(piece.into())).await.is_ok()) })?,
            _ => true,
        };
        if sent { Ok(()) } else { self.hear() }
    }

    /// Ends the body and waits for the answer.
    fn hear(&mut self) -> io::Result<()> {
        self.pieces = None;
        if let Sent::Begun(answer) = std::mem::replace(&mut self.sent, Sent::Answered) {
            let broken = |_| Error::new(Kind::Transient, "the push was given up");
            self.said = self.session.wait(async { answer.await.map_err(broken)? })?;
        }
        Ok(())
    }
}

fn headers() -> HeaderMap {
    let mut headers = user_agent::git();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(Service::ReceivePack.request_type()),
    );
    headers.insert(
        ACCEPT,
        HeaderValue::from_static(Service::ReceivePack.result_type()),
    );
    headers
}

impl Read for PushStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.sent {
            Sent::Nothing => self.send_whole(),
            _ => self.hand_on()?,
        }
        self.hear()?;
        Ok(read_piece(&mut self.said, into))
    }
}

impl Write for PushStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        let most = if matches!(self.sent, Sent::Nothing) {
            WHOLE
        } else {
            PIECE
        };
        if self.piece.len() >= most {
            self.hand_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PushStream {
    /// A push that was broken off must not look like one that has ended.
    fn drop(&mut self) {
        if let Sent::Begun(answer) = &self.sent {
            answer.abort();
        }
    }
}
