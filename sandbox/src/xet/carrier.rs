//! Requests carried to the CAS server and its answers back, as they are.

use std::io;
use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::failed;
use crate::call::Call;

/// What the server at `address` says to `call`. The Host goes along: the server makes its URLs of it.
pub async fn carried(address: SocketAddr, call: &mut Call) -> io::Result<Response<Body>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    tokio::spawn(connection);
    let mut request = Request::new(std::mem::take(&mut call.body));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = call.target.parse().map_err(failed)?;
    *request.headers_mut() = call.headers.clone();
    request.headers_mut().remove(header::CONNECTION);
    let mut response = sender
        .send_request(request)
        .await
        .map_err(failed)?
        .map(Body::new);
    response.headers_mut().remove(header::CONNECTION);
    Ok(response)
}
