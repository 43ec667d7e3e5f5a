//! The standard input of an attached worker: its job, and then each wait that a host has asked another worker or this process for.
//! It stays open until the worker is to stop.

use std::io::Result;
use std::time::Duration;

use hf2ms_hub::http::HttpOptions;
use hf2ms_worker::protocol::{HostWait, Notice};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::stop::Stop;

/// Writes `told`, and the waits as they become known to the clients with these options. Returns when a stop is asked for.
pub async fn feed(
    input: &mut (impl AsyncWrite + Unpin),
    told: &str,
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
    told: &str,
    http: &HttpOptions,
) -> Result<std::convert::Infallible> {
    let mut news = http.new_waits();
    write(input, told).await?;
    loop {
        // A wait that the worker knows already changes nothing there.
        write(input, &lines(http.waits_of_now())).await?;
        news.changed().await.map_err(std::io::Error::other)?;
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
        let (mut lines, ()) = tokio::join!(heard, feed(&mut input, "job\n", &http, &stop));
        drop(input);
        let mut rest = String::new();
        lines.read_line(&mut rest).await.unwrap();
        assert_eq!(rest, "");
    }

    #[tokio::test]
    async fn a_worker_that_does_not_read_is_no_reason_to_wait() {
        let (http, stop) = (HttpOptions::default(), Stop::default());
        let (mut input, _output) = duplex(1);
        stop.ask();
        feed(&mut input, "a job that does not fit", &http, &stop).await;
        let (mut input, output) = duplex(1);
        drop(output);
        feed(&mut input, "a job that nobody takes", &http, &stop).await;
    }
}
