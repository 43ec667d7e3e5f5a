//! The object storage behind Hugging Face: blobs and parts behind signed URLs.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;

use crate::answer::{Answer, Refusal, broken, content, empty, settle, typed, with};
use crate::call::{Call, Origin};
use crate::digest::{Digest, Oid};
use crate::multiparts::Part;
use crate::repo::Kind;
use crate::sign::Refused;
use crate::world::World;

/// Answers a request.
pub async fn handle(world: &Arc<World>, call: Call) -> Response<Body> {
    settle(answer(world, call).await)
}

async fn answer(world: &Arc<World>, mut call: Call) -> Answer {
    let method = admitted(world, &mut call).await?;
    let segments: Vec<String> = call.segments.clone();
    match (
        method,
        segments
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .as_slice(),
    ) {
        ("GET", [_, _, _, digest]) => get(world, &call, digest),
        ("PUT", [kind, owner, name, digest]) => {
            put(world, call, kind, &format!("{owner}/{name}"), digest).await
        }
        ("PUT", ["parts", upload, number]) => put_part(world, call, upload, number).await,
        _ => Err(failure(
            405,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )),
    }
}

/// The method of a request whose signed URL opens.
pub async fn admitted(world: &World, call: &mut Call) -> Result<&'static str, Refusal> {
    let method = match call.method.as_str() {
        "GET" | "HEAD" => "GET",
        "PUT" => "PUT",
        _ => {
            return Err(failure(
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            ));
        }
    };
    let Err(refused) = world
        .signer
        .check(method, &call.path, |name| call.param(name))
    else {
        return Ok(method);
    };
    // Storage hears an upload out before it refuses, so that the answer is not lost to a reset.
    call.bytes_dropped().await;
    Err(forbidden(&refused))
}

/// A refusal in object storage's XML.
pub fn failure(status: u16, code: &str, message: &str) -> Refusal {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>sandbox</RequestId></Error>"
    );
    typed(status, "application/xml", body).into()
}

/// Why a signed URL does not open.
pub fn forbidden(refused: &Refused) -> Refusal {
    match refused {
        Refused::Expired => failure(403, "AccessDenied", "Request has expired"),
        Refused::Forged => failure(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        ),
    }
}

fn get(world: &World, call: &Call, digest: &str) -> Answer {
    let stored = Digest::parse(digest).and_then(|digest| world.hf.store.get(&digest));
    let stored =
        stored.ok_or_else(|| failure(404, "NoSuchKey", "The specified key does not exist."))?;
    if world
        .settings()
        .hf_bridge_limit
        .is_some_and(|limit| stored.len() > limit)
    {
        return Err(failure(
            400,
            "InvalidRequest",
            "The file is too large to be served this way.",
        ));
    }
    Ok(with(
        content(call, &stored)?,
        "etag",
        &format!("\"{digest}\""),
    ))
}

/// The length that was declared; storage takes nothing without.
pub fn declared_length(call: &Call) -> Result<u64, Refusal> {
    if call.headers.contains_key("transfer-encoding") {
        return Err(failure(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented: Transfer-Encoding",
        ));
    }
    let length = call
        .header("content-length")
        .and_then(|text| text.parse().ok());
    length.ok_or_else(|| {
        failure(
            411,
            "MissingContentLength",
            "You must provide the Content-Length HTTP header.",
        )
    })
}

/// The body was not what its head said.
pub fn incomplete(_: std::io::Error) -> Refusal {
    failure(
        400,
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}

async fn put(world: &Arc<World>, mut call: Call, kind: &str, id: &str, digest: &str) -> Answer {
    let length = declared_length(&call)?;
    let (digest, repo) = Digest::parse(digest)
        .zip(Kind::from_plural(kind).and_then(|kind| world.hf.repo(kind, id)))
        .ok_or_else(|| failure(404, "NoSuchBucket", "The specified bucket does not exist."))?;
    let mut upload = world
        .hf
        .store
        .upload(length, world.settings().uploads)
        .map_err(|error| broken(&error))?;
    let mut body = crate::shape::frames(std::mem::take(&mut call.body));
    while let Some(frame) = futures_util::StreamExt::next(&mut body).await {
        upload
            .write(&frame.map_err(incomplete)?)
            .map_err(incomplete)?;
    }
    world
        .hf
        .store
        .put(digest, upload.finish().map_err(incomplete)?);
    repo.state().stored.insert(digest);
    Ok(with(empty(200), "etag", &format!("\"{digest}\"")))
}

async fn put_part(world: &Arc<World>, mut call: Call, upload: &str, number: &str) -> Answer {
    let length = declared_length(&call)?;
    let gone = || failure(404, "NoSuchUpload", "The specified upload does not exist.");
    let Part { file, offset, len } = number
        .parse()
        .ok()
        .and_then(|number| world.multiparts.part(upload, number))
        .ok_or_else(gone)?;
    if length != len {
        return Err(failure(
            400,
            "EntityTooSmall",
            "Your proposed upload is not of the size of a part.",
        ));
    }
    let out = file
        .map(|file| std::fs::OpenOptions::new().write(true).open(file.path()))
        .transpose()
        .map_err(|error| broken(&error))?;
    let mut body = crate::shape::frames(std::mem::take(&mut call.body));
    let mut written = 0;
    while let Some(frame) = futures_util::StreamExt::next(&mut body).await {
        let frame = frame.map_err(incomplete)?;
        if written + frame.len() as u64 > len {
            return Err(incomplete(std::io::ErrorKind::InvalidData.into()));
        }
        if let Some(out) = &out {
            crate::platform::write_all_at(out, &frame, offset + written)
                .map_err(|error| broken(&error))?;
        }
        written += frame.len() as u64;
    }
    if written != len {
        return Err(incomplete(std::io::ErrorKind::UnexpectedEof.into()));
    }
    let etag = format!(
        "\"{}\"",
        Oid::made_of(&[
            upload,
            number,
            &world.base(Origin::HfStorage).len().to_string()
        ])
    );
    world.multiparts.done(upload, number, &etag);
    Ok(with(empty(200), "etag", &etag))
}
