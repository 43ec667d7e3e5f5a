//! The source of a worker's job: standard input, a file, or an address; and the lifeline, by which the worker notices that its
//! controller has ended.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::protocol::{Notice, VERSION};

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
    /// Whoever carries it could change it.
    #[error("the job at {0} is not taken: plain http is for this machine only, use https")]
    Open(String),
    /// It is no such job.
    #[error("the job is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The settings before it are none. They hold tokens: nothing of them is repeated.
    #[error(
        "the settings on standard input are not one line of JSON that gives each variable a text"
    )]
    Settings,
    /// It speaks another version.
    #[error(
        "the job is of protocol version {0}, this worker speaks {VERSION}: use a worker of the controller's version"
    )]
    Version(u64),
}

/// Settings by the names of environment variables.
pub type VariableMap = HashMap<String, String>;

/// The longest line that a controller sends after a job.
const LONGEST_NOTICE: u64 = 64 << 10;

/// The lifeline of an attached worker: standard input, which the controller keeps open, and on which it sends notices.
pub struct Lifeline(Option<Box<dyn AsyncBufRead + Send + Unpin>>);

impl Lifeline {
    /// The lifeline of a worker that is not attached; it is never cut.
    pub fn none() -> Self {
        Self(None)
    }

    /// Takes notices until the other end is gone, and returns then; never for a worker that is not attached. Lines that are no
    /// notices are passed over: the controller may be newer.
    pub async fn follow(self, mut take: impl FnMut(Notice)) {
        let Some(mut stdin) = self.0 else {
            return std::future::pending().await;
        };
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut bounded = (&mut stdin).take(LONGEST_NOTICE);
            match bounded.read_until(b'\n', &mut line).await {
                Ok(1..) => Notice::of_line(&line).into_iter().for_each(&mut take),
                _ => return,
            }
        }
    }
}

/// Takes the first line of `stdin`: a JSON object of variables. So tokens reach a worker whose environment and arguments others can read.
///
/// # Errors
/// [`BadJob::Unreadable`], [`BadJob::Settings`]
pub fn variables(stdin: &mut impl io::BufRead) -> Result<VariableMap, BadJob> {
    let mut line = String::new();
    stdin
        .read_line(&mut line)
        .map_err(|error| unreadable("standard input", &error))?;
    serde_json::from_str(&line).map_err(|_| BadJob::Settings)
}

/// The input from which a worker takes its job.
pub struct Input(Box<dyn AsyncBufRead + Send + Unpin>);

impl Input {
    /// Standard input. It is read when something is taken from it.
    pub fn standard() -> Self {
        Self(Box::new(BufReader::new(tokio::io::stdin())))
    }

    /// Takes the job: from `chunk` (a file or an address), else from here. An attached worker takes the next line and
    /// watches the rest.
    ///
    /// # Errors
    /// [`BadJob`]
    pub async fn take<T: DeserializeOwned>(
        mut self,
        chunk: Option<&str>,
        attached: bool,
    ) -> Result<(T, Lifeline), BadJob> {
        match chunk {
            Some(place) if place != "-" => Ok((parse(&read_place(place).await?)?, Lifeline(None))),
            _ if attached => Ok((
                parse(self.line().await?.as_bytes())?,
                Lifeline(Some(self.0)),
            )),
            _ => {
                let mut text = String::new();
                self.0
                    .read_to_string(&mut text)
                    .await
                    .map_err(|error| unreadable("standard input", &error))?;
                Ok((parse(text.as_bytes())?, Lifeline(None)))
            }
        }
    }

    async fn line(&mut self) -> Result<String, BadJob> {
        let mut text = String::new();
        self.0
            .read_line(&mut text)
            .await
            .map_err(|error| unreadable("standard input", &error))?;
        Ok(text)
    }
}

async fn read_place(place: &str) -> Result<Vec<u8>, BadJob> {
    if place.starts_with("http://") && !hf2ms_hub::http::is_loopback(place) {
        return Err(BadJob::Open(shown(place)));
    }
    if place.starts_with("http://") || place.starts_with("https://") {
        return hf2ms_hub::http::fetch_once(place)
            .await
            .map(|bytes| bytes.to_vec())
            .map_err(|error| BadJob::Unreadable {
                place: shown(place),
                error: error.to_string(),
            });
    }
    tokio::fs::read(Path::new(place))
        .await
        .map_err(|error| unreadable(place, &error))
}

/// An address without its query, which may be a signature.
fn shown(place: &str) -> String {
    place.split('?').next().unwrap_or_default().to_owned()
}

fn unreadable(place: &str, error: &io::Error) -> BadJob {
    BadJob::Unreadable {
        place: place.to_owned(),
        error: error.to_string(),
    }
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
    use crate::protocol::{Chunk, HostWait};

    #[test]
    fn another_version_is_said_before_anything_else() {
        let error = parse::<Chunk>(br#"{"version":2,"new":"shape"}"#).unwrap_err();
        assert!(error.to_string().contains("version 2"), "{error}");
    }

    const JOB: &str = r#"{"version":1,"run":"r","source":{"hub":"huggingface","endpoint":"http://h","kind":"model","id":"a/b","revision":"m"},
        "destination":{"hub":"modelscope","endpoint":"http://h","kind":"model","id":"a/b","revision":"m"},"files":[]}"#;

    #[tokio::test]
    async fn settings_come_in_the_line_before_the_job_and_the_rest_is_the_lifeline() {
        let mut stdin = io::Cursor::new(format!(
            "{{\"MODELSCOPE_TOKEN\":\"t\"}}\n{}\nrest",
            JOB.replace('\n', "")
        ));
        assert_eq!(
            variables(&mut stdin).unwrap(),
            VariableMap::from([("MODELSCOPE_TOKEN".to_owned(), "t".to_owned())])
        );
        let (job, lifeline) = Input(Box::new(BufReader::new(stdin)))
            .take::<crate::protocol::VerifyJob>(None, true)
            .await
            .unwrap();
        assert_eq!(job.run, "r");
        lifeline.follow(|notice| panic!("{notice:?}")).await;
    }

    #[tokio::test]
    async fn notices_are_taken_from_among_other_lines_until_the_end() {
        let notice = |host: &str| {
            let wait = std::time::Duration::from_secs(55);
            Notice::RateLimited(HostWait::new(host, wait))
        };
        let long = "x".repeat(100_000);
        let (first, second) = (notice("a").line(), notice("b").line());
        let torn = &first[..first.len() - 10];
        let lines = format!("{JOB}\n{first}{{\"later\":1}}\n\n{long}\n\u{fffd}\n{second}{torn}");
        let lines = lines.replacen(",\n", ",", 1);
        let stdin = Input(Box::new(BufReader::new(io::Cursor::new(lines))));
        let (_, lifeline) = stdin
            .take::<crate::protocol::VerifyJob>(None, true)
            .await
            .unwrap();
        let mut taken = Vec::new();
        lifeline.follow(|notice| taken.push(notice)).await;
        assert_eq!(taken, [notice("a"), notice("b")]);
    }

    #[tokio::test]
    async fn a_job_is_not_taken_over_plain_http_from_another_machine() {
        for place in [
            "http://jobs.example/a?sig=x",
            "http://10.0.0.1/a",
            "http://127.0.0.1.example/a",
        ] {
            let error = read_place(place).await.unwrap_err().to_string();
            assert!(
                error.contains("plain http is for this machine only") && !error.contains("sig"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_job_is_taken_over_plain_http_from_this_machine() {
        use tokio::io::AsyncWriteExt as _;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = format!("http://{}/a", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.write_all(answer).await.unwrap();
        });
        assert_eq!(read_place(&place).await.unwrap(), b"{}");
        server.await.unwrap();
    }

    #[test]
    fn settings_that_are_none_are_refused_without_being_shown() {
        for line in [
            "",
            "\"ms-secret\"\n",
            "{\"MODELSCOPE_TOKEN\":[\"ms-secret\"]}\n",
            "{\"ms-secret\n",
        ] {
            let error = variables(&mut line.as_bytes()).unwrap_err().to_string();
            assert!(
                error.contains("settings on standard input") && !error.contains("secret"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_malformed_job_says_where() {
        let error = parse::<Chunk>(br#"{"version":1,"run":}"#).unwrap_err();
        assert!(error.to_string().contains("line 1 column"), "{error}");
    }
}
