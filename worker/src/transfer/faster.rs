//! Which of two transports blobs take to the destination: LFS over HTTP, or Xet. Either is the faster one at some places. So both are
//! measured on the first blobs, and the faster one goes on. It decides by what it is told, the time included.

use std::time::Duration;

use hf2ms_hub::BlobTransport;

use crate::protocol::TransportReason;

/// A transport is known once each of its streams has taken so many bytes or blobs, or has run for so long. What the system's buffers
/// take at first says little.
const BYTES_A_STREAM: u64 = 16 << 20;
const BLOBS_A_STREAM: u64 = 2;
const TIME_A_STREAM: Duration = Duration::from_secs(10);
/// Xet has to be faster by this factor, since it takes more computing.
const CLEARLY: f64 = 1.5;

/// Both, in the order in which they are tried.
const BOTH: [BlobTransport; 2] = [BlobTransport::Http, BlobTransport::Xet];

/// How an upload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadEnd {
    /// The blob is stored.
    Stored,
    /// Nothing moved until a timeout.
    Stalled,
    /// The destination failed otherwise.
    Failed,
    /// It says nothing about the transport: the source failed, or the upload was given up.
    GivenUp,
}

/// The transport from now on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransportChange {
    /// HTTP or Xet.
    pub transport: BlobTransport,
    /// Why.
    pub reason: TransportReason,
    /// Bytes a second of a stream, by HTTP and by Xet; 0 where nothing was measured.
    pub rates: [f64; 2],
}

/// The choice between both. Times are those since the worker began.
#[derive(Debug, Clone, Default)]
pub struct FasterTransport {
    measured: [Measured; 2],
    chosen: Option<BlobTransport>,
    now: Duration,
}

/// What was seen of one transport.
#[derive(Debug, Clone, Copy, Default)]
struct Measured {
    begun: u64,
    bytes: u64,
    blobs: u64,
    /// Streams in use, and the most that were.
    streams: u32,
    most: u32,
    /// The times of all streams added up.
    time: Duration,
}

impl Measured {
    fn is_enough(&self) -> bool {
        let streams = self.most.max(1);
        self.bytes >= BYTES_A_STREAM * u64::from(streams)
            || self.blobs >= BLOBS_A_STREAM * u64::from(streams)
            || self.time >= TIME_A_STREAM * streams
    }

    /// Bytes a second of a stream.
    fn rate(&self) -> f64 {
        match self.time.as_secs_f64() {
            0.0 => 0.0,
            seconds => self.bytes as f64 / seconds,
        }
    }
}

fn index(transport: BlobTransport) -> usize {
    usize::from(transport == BlobTransport::Xet)
}

impl FasterTransport {
    /// The transport of the next upload, which begins now.
    pub fn begin(&mut self, now: Duration) -> BlobTransport {
        self.advance(now);
        let fewer = |transport: &BlobTransport| {
            let measured = &self.measured[index(*transport)];
            (measured.streams, measured.begun)
        };
        let next = self
            .chosen
            .or_else(|| BOTH.into_iter().min_by_key(fewer))
            .unwrap_or_default();
        let measured = &mut self.measured[index(next)];
        measured.begun += 1;
        measured.streams += 1;
        measured.most = measured.most.max(measured.streams);
        next
    }

    /// So many more bytes were sent.
    pub fn sent(&mut self, transport: BlobTransport, bytes: u64) {
        self.measured[index(transport)].bytes += bytes;
    }

    /// An upload that this transport has begun ended.
    pub fn ended(
        &mut self,
        transport: BlobTransport,
        now: Duration,
        end: UploadEnd,
    ) -> Option<TransportChange> {
        self.advance(now);
        let measured = &mut self.measured[index(transport)];
        measured.streams = measured.streams.saturating_sub(1);
        match end {
            UploadEnd::Stored => {
                measured.blobs += 1;
                self.decide(now)
            }
            UploadEnd::Stalled => self.turn_from(transport, TransportReason::Stall),
            // HTTP is what all hubs have: what fails by it is tried again as everywhere.
            UploadEnd::Failed if transport == BlobTransport::Xet => {
                self.turn_from(transport, TransportReason::Failure)
            }
            UploadEnd::Failed | UploadEnd::GivenUp => None,
        }
    }

    /// The choice, once both are known well enough.
    pub fn decide(&mut self, now: Duration) -> Option<TransportChange> {
        self.advance(now);
        if self.chosen.is_some() || !self.measured.iter().all(Measured::is_enough) {
            return None;
        }
        let [http, xet] = self.rates();
        let faster = if xet > http * CLEARLY {
            BlobTransport::Xet
        } else {
            BlobTransport::Http
        };
        Some(self.choose(faster, TransportReason::Faster))
    }

    /// Whether the choice is made.
    pub fn is_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// Whether an upload that has sent so much of its blob ends sooner if it begins again by the transport that was chosen.
    pub fn ends_sooner_again(&self, transport: BlobTransport, sent: u64, size: u64) -> bool {
        let Some(chosen) = self.chosen.filter(|chosen| *chosen != transport) else {
            return false;
        };
        let rates = self.rates();
        let (slow, fast) = (rates[index(transport)], rates[index(chosen)]);
        let left = size.saturating_sub(sent) as f64;
        fast > 0.0 && left * fast > size as f64 * slow
    }

    /// Bytes a second of a stream, by HTTP and by Xet.
    fn rates(&self) -> [f64; 2] {
        self.measured.map(|measured| measured.rate())
    }

    fn advance(&mut self, now: Duration) {
        let span = now.saturating_sub(self.now);
        self.now = self.now.max(now);
        for measured in &mut self.measured {
            measured.time += span * measured.streams;
        }
    }

    /// The other transport goes on, unless this one was left before: uploads that it had begun say nothing new.
    fn turn_from(
        &mut self,
        transport: BlobTransport,
        reason: TransportReason,
    ) -> Option<TransportChange> {
        let other = BOTH[1 - index(transport)];
        if self.chosen == Some(other) {
            return None;
        }
        Some(self.choose(other, reason))
    }

    fn choose(&mut self, transport: BlobTransport, reason: TransportReason) -> TransportChange {
        self.chosen = Some(transport);
        TransportChange {
            transport,
            reason,
            rates: self.rates(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BlobTransport::{Http, Xet};

    const MB: u64 = 1_000_000;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Two uploads by each, which send so many bytes a second each until it is decided.
    fn measured(http: u64, xet: u64) -> (FasterTransport, Option<TransportChange>, f64) {
        let mut faster = FasterTransport::default();
        let begun: Vec<_> = (0..4).map(|_| faster.begin(Duration::ZERO)).collect();
        assert_eq!(begun, [Http, Xet, Http, Xet]);
        for second in 1..100 {
            faster.sent(Http, 2 * http);
            faster.sent(Xet, 2 * xet);
            let change = faster.decide(seconds(f64::from(second)));
            if change.is_some() {
                return (faster, change, f64::from(second));
            }
        }
        (faster, None, 100.0)
    }

    #[test]
    fn the_faster_one_goes_on_and_says_the_rates() {
        let (mut faster, change, _) = measured(5 * MB, 20 * MB);
        let expected = TransportChange {
            transport: Xet,
            reason: TransportReason::Faster,
            rates: [5e6, 20e6],
        };
        assert_eq!(change, Some(expected));
        assert_eq!([0; 3].map(|_| faster.begin(seconds(100.0))), [Xet; 3]);
        assert_eq!(faster.decide(seconds(200.0)), None, "once");
    }

    #[test]
    fn http_goes_on_unless_xet_is_clearly_faster() {
        for (http, xet, transport) in [(10, 14, Http), (10, 16, Xet), (10, 1, Http), (0, 0, Http)] {
            let (_, change, _) = measured(http * MB, xet * MB);
            assert_eq!(change.unwrap().transport, transport, "{http} {xet}");
        }
    }

    #[test]
    fn a_transport_that_crawls_is_not_waited_for() {
        let (_, change, took) = measured(MB / 10, 30 * MB);
        assert_eq!((change.unwrap().transport, took), (Xet, 10.0));
    }

    #[test]
    fn small_blobs_are_a_sample_too() {
        let mut faster = FasterTransport::default();
        let mut changes = Vec::new();
        for number in 0..16 {
            let transport = faster.begin(seconds(f64::from(number)));
            faster.sent(transport, 1_000);
            let spent = if transport == Xet { 0.1 } else { 0.9 };
            let now = seconds(f64::from(number) + spent);
            changes.extend(faster.ended(transport, now, UploadEnd::Stored));
        }
        assert_eq!((changes.len(), changes[0].transport), (1, Xet));
    }

    #[test]
    fn a_stall_turns_to_the_other_at_once_and_stragglers_change_nothing() {
        let mut faster = FasterTransport::default();
        (0..4).for_each(|_| {
            faster.begin(Duration::ZERO);
        });
        let now = seconds(60.0);
        let change = faster.ended(Http, now, UploadEnd::Stalled).unwrap();
        assert_eq!(
            (change.transport, change.reason),
            (Xet, TransportReason::Stall)
        );
        assert_eq!(faster.ended(Http, now, UploadEnd::Stalled), None);
        assert_eq!(faster.begin(now), Xet);
        let back = faster.ended(Xet, now, UploadEnd::Stalled).unwrap();
        assert_eq!(back.transport, Http);
    }

    #[test]
    fn a_failure_of_xet_turns_to_http_and_none_of_http_or_of_the_source_turns() {
        let mut faster = FasterTransport::default();
        (0..4).for_each(|_| {
            faster.begin(Duration::ZERO);
        });
        assert_eq!(faster.ended(Http, seconds(1.0), UploadEnd::Failed), None);
        assert_eq!(faster.ended(Xet, seconds(1.0), UploadEnd::GivenUp), None);
        let change = faster.ended(Xet, seconds(1.0), UploadEnd::Failed).unwrap();
        assert_eq!(
            (change.transport, change.reason),
            (Http, TransportReason::Failure)
        );
    }

    #[test]
    fn an_upload_begins_again_only_where_it_ends_sooner_so() {
        let (faster, ..) = measured(5 * MB, 20 * MB);
        let again = |transport, sent| faster.ends_sooner_again(transport, sent * MB, 1_000 * MB);
        // All of it takes 50 s by Xet, and what is left of it 200 s and 40 s.
        assert!(again(Http, 0) && !again(Http, 800));
        assert!(!again(Xet, 0), "it goes by Xet already");
    }
}
