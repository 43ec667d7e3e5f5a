//! The toy hub's server: a thread, a connection each request, all content in memory. It answers the suites' own questions (`/seed`,
//! `/repo`, `/counters`) as the sandbox does.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hf2ms_hub::Sha256;
use serde_json::{Value, json};

/// Who owns `alice/..`.
pub const ALICE: &str = "toy-alice-write";
/// Who owns `bob/..`.
pub const BOB: &str = "toy-bob-write";

/// A running server; it ends with the process.
pub struct ToyServer {
    /// Its address.
    pub endpoint: String,
}

#[derive(Default)]
struct State {
    /// By `kind/owner/name`.
    repos: HashMap<String, StoredRepo>,
    blobs: HashMap<String, Vec<u8>>,
    commits: u64,
    /// Blobs that were sent.
    puts: u64,
}

#[derive(Default)]
struct StoredRepo {
    private: bool,
    /// Each commit with its files: path to digest, and whether the file is a blob. The last is the branch's head.
    history: Vec<(String, Files)>,
}

type Files = BTreeMap<String, (String, bool)>;

struct Asked {
    method: String,
    path: String,
    query: String,
    user: Option<&'static str>,
    has_token: bool,
    range: Option<(usize, usize)>,
    body: Vec<u8>,
}

struct Reply {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl ToyServer {
    /// Starts a server on a port of this machine.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { endpoint }
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let Some(asked) = read(&mut reader) else {
        return;
    };
    let Reply {
        status,
        headers,
        body,
    } = state.lock().unwrap().answer(&asked);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    let mut stream = stream;
    let _ = stream.write_all(&[head.into_bytes(), body].concat());
}

/// A whole request; `None` when the connection ends before.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = HashMap::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(Ok(0), |told| told.parse());
    let mut body = vec![0; length.ok()?];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let token = headers
        .get("authorization")
        .map(|told| told.replace("Bearer ", ""));
    let range = headers.get("range").and_then(|told| {
        let (first, last) = told.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    Some(Asked {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        has_token: token.is_some(),
        user: match token.as_deref() {
            Some(ALICE) => Some("alice"),
            Some(BOB) => Some("bob"),
            _ => None,
        },
        range,
        body,
    })
}

impl Asked {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

fn good(value: &Value) -> Reply {
    Reply {
        status: 200,
        headers: "Content-Type: application/json\r\n".to_owned(),
        body: value.to_string().into_bytes(),
    }
}

fn refused(status: u16) -> Reply {
    Reply {
        status,
        headers: String::new(),
        body: Vec::new(),
    }
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        if asked.has_token && asked.user.is_none() {
            return refused(401);
        }
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["api", "account"]) => match asked.user {
                Some(name) => good(&json!({"name": name})),
                None => refused(401),
            },
            ("GET", ["blobs", sha256]) => self.blob(sha256, asked.range),
            ("PUT", ["blobs", sha256]) => self.store(sha256, asked),
            (_, ["api", kind, owner, name, rest @ ..]) => {
                let key = format!("{}/{owner}/{name}", kind.trim_end_matches('s'));
                self.repo(asked, &key, asked.user == Some(*owner), rest)
            }
            _ => self.admin(asked),
        }
    }

    fn blob(&self, sha256: &str, range: Option<(usize, usize)>) -> Reply {
        let Some(bytes) = self.blobs.get(sha256) else {
            return refused(404);
        };
        match range {
            None => Reply {
                status: 200,
                headers: String::new(),
                body: bytes.clone(),
            },
            Some((first, last)) if last < bytes.len() => Reply {
                status: 206,
                headers: format!("Content-Range: bytes {first}-{last}/{}\r\n", bytes.len()),
                body: bytes[first..=last].to_vec(),
            },
            Some(_) => refused(416),
        }
    }

    fn store(&mut self, sha256: &str, asked: &Asked) -> Reply {
        if asked.user.is_none() {
            return refused(403);
        }
        if Sha256::of(&asked.body).to_string() != sha256 {
            return refused(422);
        }
        self.puts += 1;
        self.blobs.insert(sha256.to_owned(), asked.body.clone());
        good(&json!({}))
    }

    fn repo(&mut self, asked: &Asked, key: &str, is_owner: bool, rest: &[&str]) -> Reply {
        let repo = self.repos.get(key).filter(|repo| is_owner || !repo.private);
        match (asked.method.as_str(), rest, repo) {
            ("POST", [], Some(_)) => refused(409),
            ("POST", [], None) if !is_owner => refused(403),
            ("POST", [], None) => {
                let private = asked.json()["private"] == true;
                self.commit(key, Files::new());
                self.repos.get_mut(key).unwrap().private = private;
                good(&json!({}))
            }
            (_, _, None) => refused(404),
            ("GET", [], Some(repo)) => self.described(repo, &asked.query),
            (_, _, Some(_)) if !is_owner => refused(403),
            ("POST", ["missing"], _) => {
                let told = asked.json()["sha256"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                let is_missing =
                    |sha256: &&Value| !self.blobs.contains_key(sha256.as_str().unwrap());
                let missing: Vec<&Value> = told.iter().filter(is_missing).collect();
                good(&json!({"sha256": missing}))
            }
            ("POST", ["commit"], Some(repo)) => {
                let (head, mut files) = repo.history.last().cloned().unwrap();
                let question = asked.json();
                if question["parent"]
                    .as_str()
                    .is_some_and(|parent| parent != head)
                {
                    return refused(409);
                }
                for action in question["actions"].as_array().unwrap() {
                    self.change(&mut files, action);
                }
                good(&json!({"commit": self.commit(key, files)}))
            }
            _ => refused(404),
        }
    }

    fn described(&self, repo: &StoredRepo, query: &str) -> Reply {
        let revision = query.strip_prefix("revision=").unwrap_or("trunk");
        let found = match revision {
            "trunk" => repo.history.last(),
            commit => repo.history.iter().find(|(id, _)| id == commit),
        };
        let Some((commit, files)) = found else {
            return refused(404);
        };
        let files: Vec<Value> = files.iter().map(|file| self.entry(file)).collect();
        good(&json!({"commit": commit, "head": commit, "private": repo.private, "files": files}))
    }

    fn entry(&self, (path, (sha256, lfs)): (&String, &(String, bool))) -> Value {
        json!({"path": path, "sha256": sha256, "lfs": lfs, "size": self.blobs[sha256].len()})
    }

    fn change(&mut self, files: &mut Files, action: &Value) {
        let path = action["path"].as_str().unwrap().to_owned();
        match action["do"].as_str().unwrap() {
            "stored" => {
                let sha256 = action["sha256"].as_str().unwrap().to_owned();
                files.insert(path, (sha256, true));
            }
            "inline" => {
                let content = action["content"].as_str().unwrap();
                let sha256 = self.keep(BASE64_STANDARD.decode(content).unwrap());
                files.insert(path, (sha256, false));
            }
            _ => {
                files.remove(&path);
            }
        }
    }

    fn keep(&mut self, bytes: Vec<u8>) -> String {
        let sha256 = Sha256::of(&bytes).to_string();
        self.blobs.insert(sha256.clone(), bytes);
        sha256
    }

    fn commit(&mut self, key: &str, files: Files) -> String {
        self.commits += 1;
        let commit = format!("{:040x}", self.commits);
        let repo = self.repos.entry(key.to_owned()).or_default();
        repo.history.push((commit.clone(), files));
        commit
    }

    /// What the suites ask beside the hub's API.
    fn admin(&mut self, asked: &Asked) -> Reply {
        let told = asked.json();
        let key = |told: &Value| {
            let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
            format!("{}/{}", text("kind"), text("id"))
        };
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/seed") => {
                let commit = self.seed(&key(&told), &told);
                good(&json!({"commit": commit}))
            }
            ("POST", "/repo") => {
                self.repos.entry(key(&told)).or_default().private = told["visibility"] == "private";
                good(&json!({}))
            }
            ("GET", "/repo") => {
                let pairs = asked
                    .query
                    .split('&')
                    .filter_map(|pair| pair.split_once('='));
                let told: HashMap<&str, &str> = pairs.collect();
                match self.repos.get(&format!("{}/{}", told["kind"], told["id"])) {
                    Some(repo) => self.described(repo, ""),
                    None => refused(404),
                }
            }
            ("GET", "/counters") => good(&json!({"toy_storage.put": {"requests": self.puts}})),
            ("POST", "/settings") => good(&json!({})),
            _ => refused(404),
        }
    }

    fn seed(&mut self, key: &str, told: &Value) -> String {
        let history = self.repos.get(key).map(|repo| &repo.history);
        let head = history.and_then(|history| history.last());
        let mut files = head.map(|(_, files)| files.clone()).unwrap_or_default();
        for file in told["files"].as_array().into_iter().flatten() {
            let (bytes, lfs) = match file["text"].as_str() {
                Some(text) => (text.as_bytes().to_vec(), false),
                None => (
                    generated(file["size"].as_u64().unwrap(), file["seed"].as_u64()),
                    true,
                ),
            };
            let path = file["path"].as_str().unwrap().to_owned();
            files.insert(path, (self.keep(bytes), lfs));
        }
        for number in 0..told["generate"]["count"].as_u64().unwrap_or(0) {
            let sha256 = self.keep(generated(10, Some(number)));
            files.insert(format!("many/{number}.txt"), (sha256, false));
        }
        self.commit(key, files)
    }
}

/// Bytes that differ by seed.
fn generated(size: u64, seed: Option<u64>) -> Vec<u8> {
    let mut number = seed.unwrap_or(0).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number.to_le_bytes()[3]
    };
    std::iter::repeat_with(next)
        .take(usize::try_from(size).unwrap())
        .collect()
}
