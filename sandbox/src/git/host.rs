//! A Git server of its own: every bare repository in a folder, read and written by one user with a password. Its side for
//! large files is somebody else's.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::cgi;
use crate::answer::{settle, typed, with};

/// A Git server that runs until this value goes.
pub struct GitHost {
    /// `http://127.0.0.1:PORT`; a repository's folder is its path.
    pub url: String,
    task: JoinHandle<()>,
}

struct Folder {
    root: PathBuf,
    /// What the one who may use it sends.
    basic: String,
}

impl GitHost {
    /// Serves the bare repositories below `root` to `user` with `password`.
    pub async fn start(root: &Path, user: &str, password: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let basic = format!(
            "Basic {}",
            BASE64_STANDARD.encode(format!("{user}:{password}"))
        );
        let folder = Arc::new(Folder {
            root: root.to_owned(),
            basic,
        });
        Ok(Self {
            url,
            task: tokio::spawn(serve(listener, folder)),
        })
    }
}

impl Drop for GitHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, folder: Arc<Folder>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, Arc::clone(&folder)));
    }
}

async fn connection(stream: TcpStream, folder: Arc<Folder>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let folder = Arc::clone(&folder);
        async move { Ok::<_, std::convert::Infallible>(folder.answer(request.map(Body::new)).await) }
    });
    hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}

impl Folder {
    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let (query, headers) = (parts.uri.query().unwrap_or_default(), &parts.headers);
        if headers
            .get("authorization")
            .is_none_or(|sent| sent.as_bytes() != self.basic.as_bytes())
        {
            return with(
                typed(401, "text/plain", "who are you?\n"),
                "www-authenticate",
                "Basic realm=\"git\"",
            );
        }
        let (path, method) = (parts.uri.path(), &parts.method);
        let asked = cgi::Request {
            folder: &self.root,
            path,
            query,
            method,
            headers,
            writes: true,
        };
        let answer = cgi::served(&asked, crate::shape::frames(body)).await;
        answer.unwrap_or_else(|error| settle(Err(super::no_git(&error))))
    }
}
