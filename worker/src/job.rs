//! Where a worker's job comes from: its standard input, a file, or an address; and how it notices that
//! whoever gave it has gone.

use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Stdin};

use crate::protocol::VERSION;

/// Why a job could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum BadJob {
    /// It could not be read.
    #[error("the job could not be read from {place}: {error}")]
    Unreadable {
        /// From where.
        place: String,
        /// Why.
        error: String,
    },
    /// It is no such job.
    #[error("the job is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It speaks another version.
    #[error("the job is of protocol version {0}, this worker speaks {VERSION}: use a worker of the controller's version")]
    Version(u64),
}

/// The lifeline of an attached worker: standard input, kept open by whoever gave the job.
pub struct Lifeline(Option<BufReader<Stdin>>);

impl Lifeline {
    /// Of a worker that nobody attends.
    pub fn none() -> Self {
        Self(None)
    }

    /// Returns when the other end is gone; never for a worker that is not attached.
    pub async fn cut(self) {
        match self.0 {
            None => std::future::pending().await,
            Some(mut stdin) => {
                let mut rest = [0; 64];
                while matches!(stdin.read(&mut rest).await, Ok(read) if read > 0) {}
            }
        }
    }
}

/// Takes the job: from `chunk` (a file or an address), else from standard input. An attached worker takes its
/// first line and watches the rest.
///
/// # Errors
/// [`BadJob`]
pub async fn take<T: DeserializeOwned>(chunk: Option<&str>, attached: bool) -> Result<(T, Lifeline), BadJob> {
    match chunk {
        Some(place) if place != "-" => Ok((parse(&read_place(place).await?)?, Lifeline(None))),
        _ => {
            let mut stdin = BufReader::new(tokio::io::stdin());
            let mut text = String::new();
            let read = if attached { stdin.read_line(&mut text).await } else { stdin.read_to_string(&mut text).await };
            read.map_err(|error| unreadable("standard input", &error))?;
            Ok((parse(text.as_bytes())?, Lifeline(attached.then_some(stdin))))
        }
    }
}

async fn read_place(place: &str) -> Result<Vec<u8>, BadJob> {
    if place.starts_with("http://") || place.starts_with("https://") {
        return hf2ms_hub::http::fetch_once(place).await.map(|bytes| bytes.to_vec()).map_err(|error| BadJob::Unreadable {
            place: place.split('?').next().unwrap_or_default().to_owned(),
            error: error.to_string(),
        });
    }
    tokio::fs::read(Path::new(place)).await.map_err(|error| unreadable(place, &error))
}

fn unreadable(place: &str, error: &io::Error) -> BadJob {
    BadJob::Unreadable { place: place.to_owned(), error: error.to_string() }
}

/// Checks the version before the shape: a job of another version may have another shape.
fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, BadJob> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: u64,
    }
    let Versioned { version } = serde_json::from_slice(text)?;
    if version != u64::from(VERSION) {
        return Err(BadJob::Version(version));
    }
    Ok(serde_json::from_slice(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Chunk;

    #[test]
    fn another_version_is_said_before_anything_else() {
        let error = parse::<Chunk>(br#"{"version":2,"new":"shape"}"#).unwrap_err();
        assert!(error.to_string().contains("version 2"), "{error}");
    }

    #[test]
    fn a_malformed_job_says_where() {
        let error = parse::<Chunk>(br#"{"version":1,"run":}"#).unwrap_err();
        assert!(error.to_string().contains("line 1 column"), "{error}");
    }
}
