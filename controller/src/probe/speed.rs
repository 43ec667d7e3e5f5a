//! The rates of a hub from this machine: files are uploaded and read back, several at a time, by a worker's code.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use hf2ms_hub::http::HttpOptions;
use hf2ms_hub::{
    Action, Blob, BlobTransport, Body, ByteStream, Commit, Content, Destination, Digest, Error,
    File, Hub, Kind, RepoPath, Sha256, Side, Source, open_destination_over, open_source_over,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::scratch::Scratch;
use super::side_of;
use crate::settings::{Access, Settings};
use crate::ui::screen::{Screen, rate, size};

/// How many go at a time.
pub const AT_A_TIME: [usize; 3] = [1, 8, 32];
/// Bytes of each file unless another size is asked for.
pub const FILE: u64 = 8 << 20;
/// A piece of a body.
const PIECE: usize = 64 << 10;

/// One rate, or why there is none.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Speed {
    /// Of which hub.
    pub hub: Hub,
    /// `PUT`, `GET`, `PUT by Xet` or `GET by Xet`.
    pub what: String,
    /// How many at a time.
    pub at_a_time: usize,
    /// The rate of all together.
    pub bytes_per_second: Option<f64>,
    /// Why there is none.
    pub why: Option<String>,
}

/// Bytes that a speed test sends and reads in all, of one hub.
pub fn bytes_of(hub: Hub, file: u64) -> u64 {
    let ways = hub.profile().transports.len() as u64;
    AT_A_TIME.iter().sum::<usize>() as u64 * file * 2 * ways
}

/// Uploads files to the scratch repo and reads them, by each transport of the hub.
pub async fn measure(
    scratch: &Scratch,
    access: &Access,
    settings: &Settings,
    file: u64,
    screen: &Screen,
) -> Vec<Speed> {
    let mut speeds = Vec::new();
    for transport in scratch.hub.profile().transports {
        for at_a_time in AT_A_TIME {
            let told = match side_of(scratch.hub, scratch.kind, access, &scratch.id()) {
                Ok(side) if scratch.base.why.is_none() => round(
                    scratch,
                    &side,
                    settings.http(),
                    *transport,
                    (at_a_time, file),
                )
                .await
                .map_err(|error| error.to_string()),
                Ok(_) => Err(scratch.base.why.clone().unwrap_or_default()),
                Err(failure) => Err(failure.to_string()),
            };
            let failed = told.is_err();
            let rows = both(scratch, *transport, at_a_time, told);
            rows.iter().for_each(|speed| screen.status(line(speed)));
            speeds.extend(rows);
            if failed {
                break;
            }
        }
    }
    speeds
}

/// A row for what was stored and one for what was read.
fn both(
    scratch: &Scratch,
    transport: BlobTransport,
    at_a_time: usize,
    told: Result<[f64; 2], String>,
) -> [Speed; 2] {
    let by = if transport == BlobTransport::Xet {
        " by Xet"
    } else {
        ""
    };
    let why = told.as_ref().err().map(|why| scratch.without_names(why));
    let rates = told.map_or([None; 2], |rates| rates.map(Some));
    let row = |what: &str, bytes_per_second| Speed {
        hub: scratch.hub,
        what: format!("{what}{by}"),
        at_a_time,
        bytes_per_second,
        why: why.clone(),
    };
    [row("PUT", rates[0]), row("GET", rates[1])]
}

fn line(speed: &Speed) -> String {
    let told = match (&speed.bytes_per_second, &speed.why) {
        (Some(told), _) => rate(*told as u64, 1.0),
        (None, why) => format!("not measured: {}", why.as_deref().unwrap_or("-")),
    };
    format!(
        "{}: {}, {} at a time: {told}",
        speed.hub, speed.what, speed.at_a_time
    )
}

/// Stores `at_a_time` new files together, commits them, and reads them together: both rates.
async fn round(
    scratch: &Scratch,
    side: &Side,
    http: HttpOptions,
    transport: BlobTransport,
    (at_a_time, file): (usize, u64),
) -> Result<[f64; 2], Error> {
    let destination = open_destination_over(side, http.clone(), transport)?;
    let contents: Vec<Bytes> = (0..at_a_time).map(|_| fresh(file)).collect();
    let blobs: Vec<Blob> = contents
        .iter()
        .map(|bytes| Blob {
            sha256: Sha256::of(bytes),
            size: bytes.len() as u64,
        })
        .collect();
    if let Some((_, error)) = destination
        .missing(&blobs)
        .await?
        .refused
        .into_iter()
        .next()
    {
        return Err(error);
    }
    let total = (at_a_time as u64 * file) as f64;
    let begun = Instant::now();
    let puts = blobs
        .iter()
        .zip(contents)
        .map(|(blob, bytes)| put(Arc::clone(&destination), *blob, bytes));
    stream::iter(puts)
        .buffer_unordered(at_a_time)
        .try_collect::<Vec<()>>()
        .await?;
    let stored = total / begun.elapsed().as_secs_f64();
    let files = commit(scratch, &*destination, &blobs, transport).await?;
    let source = open_source_over(side, http, transport)?;
    let begun = Instant::now();
    source.locate(&blobs).await?;
    let reads = files.iter().map(|file| read(&*source, file));
    stream::iter(reads)
        .buffer_unordered(at_a_time)
        .try_collect::<Vec<()>>()
        .await?;
    Ok([stored, total / begun.elapsed().as_secs_f64()])
}

/// Bytes that no hub has yet, and that nothing packs.
fn fresh(length: u64) -> Bytes {
    let mut bytes = vec![0; length as usize];
    fastrand::Rng::new().fill(&mut bytes);
    bytes.into()
}

async fn put(destination: Arc<dyn Destination>, blob: Blob, bytes: Bytes) -> Result<(), Error> {
    let again = bytes.clone();
    let body = Body::from(pieces(bytes))
        .reopened_by(move |range| pieces(again.slice(range.start as usize..range.end as usize)));
    destination.put(blob, body).await
}

fn pieces(bytes: Bytes) -> ByteStream {
    let length = bytes.len();
    stream::iter(
        (0..length)
            .step_by(PIECE)
            .map(move |at| Ok(bytes.slice(at..length.min(at + PIECE)))),
    )
    .boxed()
}

/// Commits the blobs as files, and returns those.
async fn commit(
    scratch: &Scratch,
    destination: &dyn Destination,
    blobs: &[Blob],
    transport: BlobTransport,
) -> Result<Vec<File>, Error> {
    tokio::time::sleep(scratch.pause).await;
    let named = |(number, blob): (usize, &Blob)| {
        let path = format!("speed/{transport:?}-{}-{number}.bin", blobs.len()).to_lowercase();
        let path: RepoPath = path
            .parse()
            .map_err(|bad| Error::new(Kind::Invalid, format!("{bad}")))?;
        Ok(File {
            path,
            size: blob.size,
            digest: Digest::Sha256(blob.sha256),
        })
    };
    let files: Vec<File> = blobs
        .iter()
        .enumerate()
        .map(named)
        .collect::<Result<_, Error>>()?;
    let action = |(file, blob): (&File, &Blob)| Action::Put {
        path: file.path.clone(),
        exists: false,
        content: Content::Stored(*blob),
    };
    let actions = files.iter().zip(blobs).map(action).collect();
    destination
        .commit(&Commit {
            message: "hf2ms probe --speed".to_owned(),
            actions,
            parent: None,
        })
        .await?;
    Ok(files)
}

async fn read(source: &dyn Source, file: &File) -> Result<(), Error> {
    let mut body = source.read(file, 0..file.size).await?;
    let mut count = 0;
    while let Some(piece) = body.try_next().await? {
        count += piece.len() as u64;
    }
    match count == file.size {
        true => Ok(()),
        false => Err(Error::new(
            Kind::Transient,
            format!("{} came of {}", size(count), size(file.size)),
        )),
    }
}
