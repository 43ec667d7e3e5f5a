//! The standard input of an attached worker: its job, and then what is news to it. That is a wait that a host has asked others for, and the
//! number of workers that share a limit. It stays open until the worker is to stop.

use std::io::Result;
use std::time::Duration;

use hf2ms_hub::http::HttpOptions;
use hf2ms_worker::protocol::{HostWait, Notice};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use crate::stop::Stop;

/// The number of workers that move blobs now.
pub type WorkersAtWork = watch::Receiver<u32>;

/// What a worker is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct WorkerInput<'a> {
    /// Its first lines: the job, perhaps after settings.
    pub lines: &'a str,
    /// How many share a limit with it, if there is one.
    pub at_work: Option<&'a WorkersAtWork>,
}

/// Writes the first lines, and the news as they become known: waits to the clients with these options. Returns when a stop is asked for.
pub async fn feed(
    input: &mut (impl AsyncWrite + Unpin),
    told: WorkerInput<'_>,
    http: &HttpOptions,
    stop: &Stop,
) {
    tokio::select! {
        // A worker that died early is noticed by its end.
        Err(_) = tell(input, told, http) => stop.asked().await,
        () = stop.asked() => (),
    }
}

async fn tell(
    input: &mut (impl AsyncWrite + Unpin),
    told: WorkerInput<'_>,
    http: &HttpOptions,
) -> Result<std::convert::Infallible> {
    let mut news = http.new_waits();
    let mut at_work = told.at_work.cloned();
    write(input, told.lines).await?;
    loop {
        // What the worker knows already changes nothing there.
        let workers = at_work.as_mut().map(|number| *number.borrow_and_update());
        let workers = workers.map(|number| Notice::Workers(number).line());
        write(input, &workers.unwrap_or_default()).await?;
        write(input, &lines(http.waits_of_now())).await?;
        tokio::select! {
            changed = news.changed() => changed.map_err(std::io::Error::other)?,
            () = changed(&mut at_work) => (),
        }
    }
}

/// Returns when the number has changed; never where there is none, or nobody changes it any more.
async fn changed(at_work: &mut Option<WorkersAtWork>) {
    let changed = match at_work {
        Some(number) => number.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending().await
    }
}

fn lines(waits: Vec<(String, Duration)>) -> String {
    let notice = |(host, wait)| Notice::RateLimited(HostWait::new(host, wait)).line();
    waits.into_iter().map(notice).collect()
}

async fn write(input: &mut (impl AsyncWrite + Unpin), text: &str) -> Result<()> {
    input.write_all(text.as_bytes()).await?;
    input.flush().await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader, duplex};

    use super::*;

    fn lines_of(lines: &str) -> WorkerInput<'_> {
        WorkerInput {
            lines,
            at_work: None,
        }
    }

    /// The notice of the next line.
    async fn next(lines: &mut (impl AsyncBufReadExt + Unpin)) -> (String, f64) {
        let mut line = Vec::new();
        lines.read_until(b'\n', &mut line).await.unwrap();
        let Some(Notice::RateLimited(told)) = Notice::of_line(&line) else {
            panic!("{}", String::from_utf8_lossy(&line));
        };
        (told.host, told.seconds)
    }

    #[tokio::test]
    async fn a_worker_hears_of_the_waits_of_now_and_of_later_ones_until_it_is_to_stop() {
        let (http, stop) = (HttpOptions::default(), Stop::default());
        http.hear_wait("a", Duration::from_secs(40));
        let (mut input, output) = duplex(1 << 10);
        let heard = async {
            let mut lines = BufReader::new(output);
            let mut job = String::new();
            lines.read_line(&mut job).await.unwrap();
            assert_eq!(job, "job\n");
            let (host, seconds) = next(&mut lines).await;
            assert!(host == "a" && (30.0..40.0).contains(&seconds), "{seconds}");
            http.hear_wait("a", Duration::from_secs(20));
            http.hear_wait("a", Duration::from_secs(90));
            let (host, seconds) = next(&mut lines).await;
            assert!(host == "a" && seconds > 80.0, "{seconds}");
            stop.ask();
            lines
        };
        let (mut lines, ()) =
            tokio::join!(heard, feed(&mut input, lines_of("job\n"), &http, &stop));
        drop(input);
        let mut rest = String::new();
        lines.read_line(&mut rest).await.unwrap();
        assert_eq!(rest, "");
    }

    #[tokio::test]
    async fn a_worker_hears_how_many_share_its_limit_at_first_and_at_each_change() {
        let (http, stop) = (HttpOptions::default(), Stop::default());
        let (number, at_work) = watch::channel(2);
        let (mut input, output) = duplex(1 << 10);
        let told = WorkerInput {
            lines: "job\n",
            at_work: Some(&at_work),
        };
        let heard = async {
            let mut lines = BufReader::new(output).lines();
            let mut next = async || lines.next_line().await.unwrap().unwrap();
            assert_eq!([next().await, next().await], ["job", r#"{"workers":2}"#]);
            number.send_replace(5);
            assert_eq!(next().await, r#"{"workers":5}"#);
            drop(number);
            stop.ask();
        };
        tokio::join!(heard, feed(&mut input, told, &http, &stop));
    }

    #[tokio::test]
    async fn a_worker_that_does_not_read_is_no_reason_to_wait() {
        let (http, stop) = (HttpOptions::default(), Stop::default());
        let (mut input, _output) = duplex(1);
        stop.ask();
        feed(
            &mut input,
            lines_of("a job that does not fit"),
            &http,
            &stop,
        )
        .await;
        let (mut input, output) = duplex(1);
        drop(output);
        feed(
            &mut input,
            lines_of("a job that nobody takes"),
            &http,
            &stop,
        )
        .await;
    }
}
