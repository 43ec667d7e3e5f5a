//! What goes wrong in a test's world, and what was asked of it meanwhile.

use serde_json::{Value, json};

use crate::common::{Ran, World};

/// Pauses before another try last next to nothing.
pub const IMPATIENT: (&str, &str) = ("HF2MS_RETRY_BASE", "0.01");
/// A transfer in which nothing moves for two seconds is given up. A busy machine stands still for less.
pub const STALL: (&str, &str) = ("HF2MS_STALL", "2");
/// A server may ask to wait for a minute at most.
pub const MINUTE: (&str, &str) = ("HF2MS_LONGEST_WAIT", "60");

/// Verified by the listing, so that each content that is read is read for the copy.
const MIGRATE: [&str; 5] = ["migrate", "alice/model", "--json", "--verify", "listing"];
/// What ModelScope itself puts into a new repo.
const OF_PLATFORM: [&str; 3] = ["README.md", ".gitattributes", "configuration.json"];

impl World {
    /// A world whose `alice/model` has one blob of `size` bytes, `w.safetensors`, and a README.md.
    pub fn with_blob(size: u64) -> Self {
        Self::new().holding_blob(size)
    }

    /// This world with the same.
    pub fn holding_blob(self, size: u64) -> Self {
        let files = json!([{"path": "w.safetensors", "size": size, "seed": 7}, {"path": "README.md", "text": "# W\n"}]);
        self.seed_model(&files);
        self
    }

    /// A world whose `alice/model` has `count` blobs of `size` bytes.
    pub fn with_blobs(count: u64, size: u64) -> Self {
        let world = Self::new();
        let blobs =
            json!({"count": count, "size": size, "prefix": "blob-", "suffix": ".bin", "lfs": true});
        world.seed(
            &json!({"hub": "hf", "kind": "model", "id": "alice/model", "generate": blobs})
                .to_string(),
        );
        world
    }

    pub fn seed_model(&self, files: &Value) {
        self.seed(&json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "files": files}).to_string());
    }

    /// Puts a fault in force, for as many requests as it says.
    pub fn strike(&self, route: &str, kind: Value, when: Value) {
        let mut rule = json!({"route": route, "kind": kind});
        rule.as_object_mut()
            .unwrap()
            .extend(when.as_object().unwrap().clone());
        self.admin("POST", "/faults", &rule.to_string())
            .unwrap_or_else(|| panic!("{rule}"));
    }

    /// The same, for one request.
    pub fn once(&self, route: &str, kind: Value) {
        self.strike(route, kind, json!({"count": 1}));
    }

    /// The same, for all requests.
    pub fn always(&self, route: &str, kind: Value) {
        self.strike(route, kind, json!({}));
    }

    pub fn set(&self, settings: Value) {
        self.admin("POST", "/settings", &settings.to_string())
            .unwrap();
    }

    pub fn clear_faults(&self) {
        self.admin("DELETE", "/faults", "");
    }

    /// Whether every fault that was put in force has struck.
    pub fn all_struck(&self) -> bool {
        let faults = self.admin("GET", "/faults", "").unwrap();
        faults
            .as_array()
            .unwrap()
            .iter()
            .all(|fault| fault["fired"].as_u64() > Some(0))
    }

    /// Copies `alice/model`, its retries following at once.
    pub fn migrate(&self) -> Ran {
        self.migrate_with(&[])
    }

    pub fn migrate_with(&self, environment: &[(&str, &str)]) -> Ran {
        self.run_with(&MIGRATE, &[&[IMPATIENT], environment].concat())
    }

    /// The same command again, now that nothing goes wrong: it finishes the work.
    pub fn finishes(&self) {
        self.clear_faults();
        let ran = self.migrate();
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(self.is_whole());
    }

    /// Whether ModelScope has all of `alice/model`, byte for byte.
    pub fn is_whole(&self) -> bool {
        self.is_copied("model", "alice/model", "alice/model")
    }

    /// The paths of `alice/model` that ModelScope has, equal to the original.
    pub fn arrived(&self) -> Vec<String> {
        self.compared()
            .into_iter()
            .filter(|(_, equal)| *equal)
            .map(|(path, _)| path)
            .collect()
    }

    /// The paths that ModelScope has with other bytes than the original's: there are never any.
    pub fn wrong(&self) -> Vec<String> {
        self.compared()
            .into_iter()
            .filter(|(path, equal)| !equal && !OF_PLATFORM.contains(&path.as_str()))
            .map(|(path, _)| path)
            .collect()
    }

    fn compared(&self) -> Vec<(String, bool)> {
        let (here, there) = (self.digests("hf"), self.digests("ms"));
        let of = |(path, sha256): (String, String)| {
            let (_, original) = here.iter().find(|(other, _)| *other == path)?;
            Some((path, *original == sha256))
        };
        there.into_iter().filter_map(of).collect()
    }

    fn digests(&self, hub: &str) -> Vec<(String, String)> {
        let repo = self.stored(hub, "model", "alice/model").unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        repo["files"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|file| (text(&file["path"]), text(&file["sha256"])))
            .collect()
    }

    /// Requests of this origin (`hf_storage`, say) and method, in the order in which they came.
    pub fn asked(&self, origin: &str, method: &str) -> Vec<Value> {
        let all = self.admin("GET", "/requests", "").unwrap();
        let is_meant =
            |request: &&Value| request["origin"] == origin && request["method"] == method;
        let mut asked: Vec<Value> = all
            .as_array()
            .unwrap()
            .iter()
            .filter(is_meant)
            .cloned()
            .collect();
        asked.sort_by_key(|request| request["at_ms"].as_u64());
        asked
    }

    /// The Range of every download from Hugging Face's storage, in order; empty where none was asked for.
    pub fn ranges(&self) -> Vec<String> {
        let range = |request: &Value| {
            request["headers"]["range"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        self.asked("hf_storage", "GET").iter().map(range).collect()
    }

    /// Bytes that a route was sent in all.
    pub fn bytes_in(&self, route: &str) -> u64 {
        self.admin("GET", "/counters", "").unwrap()[route]["bytes_in"]
            .as_u64()
            .unwrap_or(0)
    }

    /// Bytes that a route's answers had in all.
    pub fn bytes_out(&self, route: &str) -> u64 {
        self.admin("GET", "/counters", "").unwrap()[route]["bytes_out"]
            .as_u64()
            .unwrap()
    }
}

impl Ran {
    /// It copied everything and said so.
    pub fn done(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.event("report")
    }

    /// It ended with `code`, and with a report in which exactly these files failed, for these reasons. Files that were held back
    /// for them don't count.
    pub fn failed(&self, code: i32, files: &[&str], words: &str) -> Value {
        let report = self.event("report");
        let failed = self.failures();
        let paths: Vec<_> = failed
            .iter()
            .map(|failed| failed["path"].as_str().unwrap())
            .collect();
        assert_eq!(
            (self.code, paths.as_slice()),
            (code, files),
            "{}{}",
            self.stdout,
            self.stderr
        );
        let says = |failed: &Value| failed["error"].as_str().unwrap().contains(words);
        assert!(failed.iter().all(says), "{words:?} in {failed:?}");
        report
    }

    /// It ended with `code` and these words, before or after there was anything to report.
    pub fn ended(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert!(
            self.stdout.contains(words) || self.stderr.contains(words),
            "{words:?} in {}{}",
            self.stdout,
            self.stderr
        );
    }
}
