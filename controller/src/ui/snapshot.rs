//! How far a run is at one moment: what the bar, the lines, the events and `progress.json` of a run say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ui::numbers::{duration, rate, size};

/// The narrowest room that is made use of.
const NARROWEST: usize = 24;
/// The shortest and the longest bar.
const BAR: std::ops::RangeInclusive<usize> = 10..=30;

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// What is done: `copying`, `finishing`, `verifying`.
    #[serde(rename = "step")]
    pub verb: String,
    /// Files that are done.
    #[serde(rename = "done")]
    pub files: u64,
    /// All of them.
    #[serde(rename = "total")]
    pub of_files: u64,
    /// Files that failed.
    #[serde(default, rename = "failed_files")]
    pub failed: u64,
    /// Bytes that are there.
    #[serde(rename = "done_bytes")]
    pub bytes: u64,
    /// All of them.
    #[serde(rename = "total_bytes")]
    pub of_bytes: u64,
    /// Workers at work.
    pub workers: u64,
    /// Blobs that they move at a time, where two small ones count as one; 0 until one of them tells that it has changed the number.
    #[serde(default, skip_serializing_if = "is_untold")]
    pub streams: u64,
    /// Seconds since the first worker began.
    pub seconds: f64,
    /// Bytes a second in the last seconds.
    #[serde(default)]
    pub bytes_per_second: f64,
    /// Seconds that the rest takes at this rate; absent where nobody can know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<f64>,
    /// Workers that wait before another try.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// Whether files and bytes are counted one by one; a commit or a comparison ends as a whole.
    #[serde(default)]
    pub counted: bool,
}

/// A worker that waits before another try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Wait {
    /// The worker's chunk.
    pub worker: u32,
    /// Seconds until the next try.
    pub seconds: f64,
    /// Why.
    pub error: String,
}

/// Whether a number of streams is not known.
pub(super) fn is_untold(streams: &u64) -> bool {
    *streams == 0
}

/// A part of a line. Those of the lowest rank stay where there is little room.
struct Field {
    rank: u8,
    text: String,
}

fn field(rank: u8, text: impl Into<String>) -> Field {
    let text = text.into();
    Field { rank, text }
}

impl Snapshot {
    /// Both together, as the total of several runs.
    pub fn and(mut self, other: &Self) -> Self {
        self.files += other.files;
        self.of_files += other.of_files;
        self.failed += other.failed;
        self.bytes += other.bytes;
        self.of_bytes += other.of_bytes;
        self.workers += other.workers;
        self.streams += other.streams;
        self.seconds = self.seconds.max(other.seconds);
        self.bytes_per_second += other.bytes_per_second;
        self.waits.extend(other.waits.iter().cloned());
        self.counted |= other.counted;
        self
    }

    /// The same with the time that the rest takes at this rate, where nothing waits and something moves.
    pub fn with_time_left(self) -> Self {
        let rest = self.of_bytes.saturating_sub(self.bytes) as f64;
        let is_known = self.counted && self.waits.is_empty() && self.bytes_per_second >= 1.0;
        Self {
            seconds_left: (is_known && rest > 0.0).then(|| rest / self.bytes_per_second),
            ..self
        }
    }

    /// The longest wait, if each worker waits.
    fn wait(&self) -> Option<&Wait> {
        let all = !self.waits.is_empty() && self.waits.len() as u64 >= self.workers;
        self.waits
            .iter()
            .filter(|_| all)
            .max_by(|a, b| a.seconds.total_cmp(&b.seconds))
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        if self.counted {
            let bytes = format!("{} of {}", size(self.bytes), size(self.of_bytes));
            fields.push(field(1, self.percent()));
            fields.push(field(4, bytes));
        } else if self.of_files > 0 {
            let all = format!("{}, {}", count(self.of_files, "file"), size(self.of_bytes));
            fields.push(field(4, all));
        }
        if self.failed > 0 {
            fields.push(field(2, format!("{} failed", self.failed)));
        }
        match (self.wait(), self.seconds_left) {
            (Some(wait), _) => fields.push(field(3, format!("waiting {}", duration(wait.seconds)))),
            (None, Some(left)) => fields.push(field(3, format!("{} left", duration(left)))),
            (None, None) if !self.counted => fields.push(field(5, duration(self.seconds))),
            (None, None) => (),
        }
        if self.counted {
            if self.wait().is_none() && self.bytes_per_second >= 1.0 {
                fields.push(field(5, rate(self.bytes_per_second as u64, 1.0)));
            }
            let files = format!("{}/{} files", self.files, self.of_files);
            fields.push(field(6, files));
            if self.workers > 0 {
                fields.push(field(7, count(self.workers, "worker")));
            }
            if self.streams > 0 {
                fields.push(field(8, count(self.streams, "stream")));
            }
        }
        fields
    }

    fn share(&self) -> f64 {
        match self.of_bytes {
            0 => 0.0,
            of => (self.bytes as f64 / of as f64).min(1.0),
        }
    }

    fn percent(&self) -> String {
        format!("{:.0}%", (self.share() * 100.0).floor())
    }

    /// One line for a pipe, or for `status`.
    pub fn line(&self) -> String {
        let fields: Vec<String> = self.fields().into_iter().map(|field| field.text).collect();
        format!("{}: {}", self.verb, fields.join(", "))
    }

    /// One line of at most `room` columns: the title, a bar where there is room for it, and what matters most.
    pub fn bar(&self, title: &str, room: usize) -> String {
        let room = room.max(NARROWEST);
        let title = shortened(title, (room / 2).max(NARROWEST / 2));
        let mut fields = self.fields();
        let length = |fields: &[Field]| {
            let texts = fields.iter().map(|field| field.text.chars().count() + 2);
            width(&title) + texts.sum::<usize>()
        };
        while length(&fields) > room {
            let Some(least) = fields.iter().map(|field| field.rank).max() else {
                break;
            };
            fields.retain(|field| field.rank != least);
        }
        let free = room.saturating_sub(length(&fields) + 4).min(*BAR.end());
        let drawn = if self.counted && free >= *BAR.start() {
            let full = (self.share() * free as f64) as usize;
            format!("  [{}{}]", "=".repeat(full), " ".repeat(free - full))
        } else {
            String::new()
        };
        let fields: String = fields
            .into_iter()
            .map(|field| format!("  {}", field.text))
            .collect();
        format!("{title}{drawn}{fields}")
    }
}

fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// `1 file`, `2 files`.
pub fn count(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A title that fits: its end is what tells one repo from another.
fn shortened(title: &str, room: usize) -> String {
    let over = width(title).saturating_sub(room);
    if over == 0 {
        return title.to_owned();
    }
    let mut rest = title;
    while width(rest) + 2 > room {
        let mut chars = rest.chars();
        chars.next();
        rest = chars.as_str();
    }
    format!("..{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        Snapshot {
            verb: "copying".into(),
            files: 12,
            of_files: 1400,
            failed: 3,
            bytes: 1_234_000_000_000,
            of_bytes: 3_300_000_000_000,
            workers: 128,
            seconds: 900.0,
            bytes_per_second: 1_400_000_000.0,
            counted: true,
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_line_fits_any_width_and_says_what_matters_most() {
        let long = "an-organisation-of-many/a-model-with-a-very-long-name-70b-instruct";
        let wait = Wait {
            worker: 0,
            seconds: 3599.0,
            error: "429".into(),
        };
        let waiting = Snapshot {
            waits: vec![wait; 128],
            ..snapshot()
        };
        for room in 24..=200 {
            for title in ["copying", long, "组织/模型-模型-模型-模型-模型"] {
                for snapshot in [snapshot().with_time_left(), waiting.clone()] {
                    let line = snapshot.bar(title, room);
                    assert!(width(&line) <= room, "{room}: {line}");
                    assert!(room < 36 || line.contains("37%"), "{room}: {line}");
                }
            }
        }
        assert_eq!(
            snapshot().with_time_left().bar("copying", 40),
            "copying  37%  3 failed  24 min 36 s left"
        );
        assert_eq!(waiting.bar("copying", 30), "copying  37%  3 failed");
        let roomy = waiting.bar("copying", 36);
        assert!(
            roomy.starts_with("copying  [===") && roomy.ends_with("]  37%  3 failed"),
            "{roomy}"
        );
    }

    #[test]
    fn nothing_is_said_to_be_left_while_all_wait_or_nothing_moves() {
        let left = |snapshot: Snapshot| snapshot.with_time_left().seconds_left;
        assert!(left(snapshot()).is_some());
        let (error, seconds) = ("429".to_owned(), 55.0);
        let wait = Wait {
            worker: 0,
            seconds,
            error,
        };
        let waiting = Snapshot {
            waits: vec![wait],
            workers: 1,
            ..snapshot()
        };
        assert!(
            waiting.line().contains("waiting 55.0 s"),
            "{}",
            waiting.line()
        );
        assert_eq!(left(waiting), None);
        assert_eq!(
            left(Snapshot {
                bytes_per_second: 0.0,
                ..snapshot()
            }),
            None
        );
        assert_eq!(
            left(Snapshot {
                bytes: 3_300_000_000_000,
                ..snapshot()
            }),
            None
        );
    }
}
