//! What goes wrong, and when: rules that match requests by route and path.

pub mod answers;
pub mod bodies;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock;
use crate::sync::Guarded;

/// One thing that goes wrong. Offsets are into the body of a response, or of a request that uploads.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// Another answer instead of the real one.
    Status {
        /// Its status.
        status: u16,
        /// Its headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Its body: a string as it is, anything else as JSON.
        body: Option<Value>,
        /// ModelScope's envelope for a body.
        envelope: Option<Envelope>,
        /// A body of this many letters.
        body_bytes: Option<usize>,
    },
    /// ModelScope's way to fail with a 200.
    Envelope {
        /// Its code.
        code: i64,
        /// Its message.
        message: String,
    },
    /// A web page.
    Html,
    /// A redirect; to itself for `loop`, without a Location for none.
    Redirect {
        /// Where to.
        location: Option<String>,
    },
    /// JSON arrays in each other.
    Nested {
        /// How many.
        depth: usize,
    },
    /// The connection is reset after so many bytes; before the response head for 0.
    Reset {
        /// Bytes that still pass.
        #[serde(default)]
        after: u64,
    },
    /// The connection is closed after so many bytes of a body whose length was declared.
    Truncate {
        /// Bytes that still pass.
        after: u64,
    },
    /// No length is declared, and the body ends after so many bytes as if that were all.
    Undeclared {
        /// Bytes that still pass; all for none.
        after: Option<u64>,
    },
    /// Nothing more comes, and the connection stays open.
    Stall {
        /// Bytes that still pass.
        #[serde(default)]
        after: u64,
    },
    /// The body goes this slowly.
    Slow {
        /// The rate.
        bytes_per_second: u64,
    },
    /// The whole body answers a Range request.
    IgnoreRange,
    /// A Content-Range that is not what was asked.
    WrongRange,
    /// A Content-Encoding nobody asked for.
    Encoding {
        /// The encoding.
        name: String,
    },
    /// One byte is flipped.
    Corrupt {
        /// Which.
        #[serde(default)]
        at: u64,
    },
    /// There are more bytes, and the length says so.
    Longer {
        /// How many more.
        extra: u64,
    },
    /// The work is done, and the connection dropped without an answer.
    LoseAnswer,
    /// A gateway answers 504 at once, and the work is done so much later.
    WorkLater {
        /// How much later.
        ms: u64,
    },
    /// The answer takes longer.
    Delay {
        /// How much longer.
        ms: u64,
    },
    /// The URLs handed out are over already.
    Expired,
    /// This URL is handed out instead.
    Href {
        /// The URL.
        href: String,
    },
    /// One object of a batch is refused.
    ObjectError {
        /// Which.
        #[serde(default)]
        index: usize,
        /// Its error's code.
        code: i64,
        /// Its error's message.
        message: String,
    },
    /// One object of a batch is left out.
    OmitObject {
        /// Which.
        #[serde(default)]
        index: usize,
    },
    /// A batch has an object nobody asked for.
    ForeignObject,
    /// A batch has an object twice.
    DuplicateObject,
    /// A batch says another size.
    WrongSize,
    /// A batch says another hash algorithm.
    WrongAlgo,
    /// The next page is elsewhere; on this one for `loop`.
    Next {
        /// Where.
        url: String,
    },
    /// The next page is not told of.
    LoseNext,
    /// A listing has only its first entries, and says nothing of it.
    Cut {
        /// How many.
        entries: usize,
    },
    /// Someone else commits to the repo first.
    Moved {
        /// What they commit, as in `POST /seed`.
        files: Value,
    },
    /// Something else is changed first, by a request of the admin.
    Meanwhile {
        /// Its method.
        method: String,
        /// Its path and query.
        path: String,
        /// Its body.
        #[serde(default)]
        body: Value,
    },
}

/// ModelScope's code and message.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Envelope {
    /// The code.
    pub code: i64,
    /// The message.
    pub message: String,
}

/// When something goes wrong.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A route's name; `hf.*` for all of an origin, `*` for all.
    pub route: String,
    /// What goes wrong.
    pub kind: Kind,
    /// How often; for ever if absent.
    pub count: Option<u64>,
    /// How many matching requests pass first.
    #[serde(default)]
    pub skip: u64,
    /// Of so many matching requests one is hit; each if absent.
    pub every: Option<u64>,
    /// How likely it is.
    #[serde(default = "always")]
    pub probability: f64,
    /// What the URL has to contain.
    pub path: Option<String>,
}

fn always() -> f64 {
    1.0
}

#[derive(Debug)]
struct Armed {
    id: u64,
    rule: Rule,
    seen: u64,
    fired: u64,
    /// When it fired last, or had made its change.
    at: Option<SystemTime>,
}

/// The rules in force.
#[derive(Default)]
pub struct Faults {
    armed: Mutex<(u64, Vec<Armed>)>,
}

impl Faults {
    /// Puts a rule in force and returns its id.
    pub fn arm(&self, rule: Rule) -> u64 {
        let (last, armed) = &mut *self.armed.guarded();
        *last += 1;
        armed.push(Armed {
            id: *last,
            rule,
            seen: 0,
            fired: 0,
            at: None,
        });
        *last
    }

    /// Takes all rules back, or the one with this id.
    pub fn clear(&self, id: Option<u64>) {
        self.armed
            .guarded()
            .1
            .retain(|armed| id.is_some_and(|id| armed.id != id));
    }

    /// The rules with how often each fired, as JSON.
    pub fn listed(&self) -> Value {
        let of = |armed: &Armed| json!({"id": armed.id, "rule": armed.rule, "seen": armed.seen, "fired": armed.fired, "at_us": armed.at.map(clock::micros)});
        self.armed.guarded().1.iter().map(of).collect()
    }

    /// Notes that a change is made which a rule asks for: from now on answers show it.
    pub fn acted(&self, method: &str, path: &str, body: &Value) {
        for armed in &mut self.armed.guarded().1 {
            if let Kind::Meanwhile {
                method: by,
                path: at,
                body: with,
            } = &armed.rule.kind
                && (by.as_str(), at.as_str(), with) == (method, path, body)
            {
                armed.at = Some(SystemTime::now());
            }
        }
    }

    /// What goes wrong with this request.
    pub fn take(&self, route: &str, target: &str) -> Vec<Kind> {
        let armed = &mut self.armed.guarded().1;
        armed
            .iter_mut()
            .filter_map(|armed| armed.fire(route, target))
            .collect()
    }
}

impl Armed {
    fn fire(&mut self, route: &str, target: &str) -> Option<Kind> {
        let rule = &self.rule;
        if !matches(&rule.route, route)
            || rule
                .path
                .as_ref()
                .is_some_and(|path| !target.contains(path.as_str()))
        {
            return None;
        }
        self.seen += 1;
        if self.seen <= rule.skip
            || rule
                .every
                .is_some_and(|every| !self.seen.is_multiple_of(every.max(1)))
            || rule.count.is_some_and(|count| self.fired >= count)
            || chance() >= rule.probability
        {
            return None;
        }
        self.fired += 1;
        self.at = Some(SystemTime::now());
        Some(rule.kind.clone())
    }
}

fn matches(pattern: &str, route: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => route.starts_with(prefix),
        None => route == pattern,
    }
}

/// A number from 0 up to 1.
fn chance() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0_u8) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Rule {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn fires_as_often_as_told_where_told() {
        let faults = Faults::default();
        faults.arm(rule(
            r#"{"route":"hf.*","kind":{"do":"reset"},"skip":1,"count":2,"path":"a.bin"}"#,
        ));
        let fired = |route, target| !faults.take(route, target).is_empty();
        assert!(!fired("hf.tree", "/a.bin"), "skipped");
        assert!(
            !fired("ms.files", "/a.bin")
                && !fired("hf.tree", "/b.bin")
                && !fired("hf_storage.get", "/a.bin")
        );
        assert!(
            fired("hf.tree", "/a.bin")
                && fired("hf.resolve", "/x/a.bin")
                && !fired("hf.tree", "/a.bin")
        );
        faults.clear(None);
        assert_eq!(faults.listed(), json!([]));
    }

    #[test]
    fn one_of_so_many_is_hit() {
        let faults = Faults::default();
        faults.arm(rule(r#"{"route":"*","kind":{"do":"reset"},"every":3}"#));
        let hit = [(); 7].map(|()| !faults.take("hf.tree", "/").is_empty());
        assert_eq!(hit, [false, false, true, false, false, true, false]);
    }

    #[test]
    fn reads_what_tests_write() {
        rule(
            r#"{"route":"ms.commit","kind":{"do":"status","status":409,"envelope":{"code":10030000001,"message":"branch changed"}}}"#,
        );
        rule(
            r#"{"route":"*","kind":{"do":"redirect","location":null},"probability":0.5,"count":null}"#,
        );
        assert!(serde_json::from_str::<Rule>(r#"{"route":"*","kind":{"do":"nonsense"}}"#).is_err());
    }
}
