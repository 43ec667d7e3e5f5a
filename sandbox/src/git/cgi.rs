//! `git http-backend`, spoken to as a web server does: the request in its environment and standard input, the answer on its output.

use std::io;
use std::path::Path;
use std::process::Stdio;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::shape::Frames;

/// A request for a repository in a folder.
pub struct Request<'a> {
    /// The repository.
    pub folder: &'a Path,
    /// What is asked below it: `/git-upload-pack`.
    pub path: &'a str,
    /// The query.
    pub query: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// Whether pushes are taken.
    pub writes: bool,
}

/// Keeps this machine's settings out of `git`, and tells it the repository.
pub fn alone(git: &mut std::process::Command, folder: &Path) {
    git.env("GIT_DIR", folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
}

/// What `git http-backend` answers.
pub async fn served(request: &Request<'_>, body: Frames) -> io::Result<Response<Body>> {
    let mut git = command(request).spawn()?;
    if let Some(stdin) = git.stdin.take() {
        tokio::spawn(fed(stdin, body));
    }
    let output = git
        .stdout
        .take()
        .ok_or_else(|| io::Error::other("no standard output"))?;
    let mut output = BufReader::with_capacity(64 << 10, output);
    let mut response = Response::new(Body::empty());
    head(&mut output, &mut response).await?;
    *response.body_mut() = Body::from_stream(pieces(output, git));
    Ok(response)
}

fn command(request: &Request<'_>) -> Command {
    let Request {
        folder,
        path,
        query,
        method,
        headers,
        writes,
    } = *request;
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let mut git = std::process::Command::new("git");
    git.args([
        "-c",
        if writes {
            "http.receivepack=true"
        } else {
            "http.receivepack=false"
        },
        "http-backend",
    ]);
    git.env("GIT_PROJECT_ROOT", folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    git.env("REQUEST_METHOD", method.as_str())
        .env("CONTENT_TYPE", header("content-type"))
        .env_remove("CONTENT_LENGTH");
    git.env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"));
    git.env("REMOTE_USER", "sandbox")
        .env("REMOTE_ADDR", "127.0.0.1");
    git.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut git = Command::from(git);
    git.kill_on_drop(true);
    git
}

/// Hands the body on; a `git` that has heard enough closes its end.
async fn fed(mut stdin: ChildStdin, mut body: Frames) {
    while let Some(Ok(frame)) = body.next().await {
        if stdin.write_all(&frame).await.is_err() {
            return;
        }
    }
}

/// Reads the headers; `Status` is the answer's.
async fn head(
    output: &mut BufReader<ChildStdout>,
    response: &mut Response<Body>,
) -> io::Result<()> {
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).await? == 0 {
            return Err(io::Error::other("git http-backend said nothing"));
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            return Ok(());
        };
        if name.eq_ignore_ascii_case("status") {
            let status = value
                .split(' ')
                .next()
                .and_then(|status| status.parse().ok());
            *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        } else if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name), HeaderValue::try_from(value))
        {
            response.headers_mut().insert(name, value);
        }
    }
}

/// The rest of the output, until `git` ends.
fn pieces(
    output: BufReader<ChildStdout>,
    git: Child,
) -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold(Some((output, git)), |both| async move {
        let (mut output, mut git) = both?;
        let mut piece = vec![0; 64 << 10];
        match output.read(&mut piece).await {
            Ok(0) => match git.wait().await {
                Ok(status) if status.success() => None,
                _ => Some((Err(io::Error::other("git http-backend failed")), None)),
            },
            Ok(count) => {
                piece.truncate(count);
                Some((Ok(Bytes::from(piece)), Some((output, git))))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
}
