//! Puts repos and files there that nobody uploaded, honest ones and others.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Outcome, Which};
use crate::call::{Call, Origin};
use crate::content::{Content, fill};
use crate::digest::{Digest, Oid};
use crate::hf::rules;
use crate::hub::{Change, Hub, apply_at};
use crate::repo::{Kind, Repo, Visibility};
use crate::tree::{File, Mode, Writer};
use crate::world::World;

/// One commit to make, and the repo for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    hub: Which,
    kind: Kind,
    id: String,
    private: Option<bool>,
    visibility: Option<Visibility>,
    revision: Option<String>,
    message: Option<String>,
    /// When the commit is made, as `2026-11-20T09:16:00Z`.
    date: Option<String>,
    /// What runs the app of a space.
    sdk: Option<String>,
    /// A space's secrets.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// A space's variables.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// More branches that stand at the commit, taken verbatim.
    #[serde(default)]
    branches: Vec<String>,
    /// Tags of the commit, taken verbatim.
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    files: Vec<Spec>,
    /// What a dataset of the old kind keeps beside its repo.
    #[serde(default)]
    oss: Vec<Spec>,
    #[serde(default)]
    delete: Vec<String>,
    generate: Option<Generate>,
    /// Whether an absent repo is made with the platform's own first files.
    #[serde(default)]
    platform_files: bool,
}

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    seed: u64,
    text: Option<String>,
    base64: Option<String>,
    /// Made whenever it is read instead of written to a file.
    #[serde(default, rename = "virtual")]
    is_virtual: bool,
    lfs: Option<bool>,
    declare: Option<Declared>,
    #[serde(default)]
    missing: bool,
    #[serde(default)]
    mode: Mode,
}

/// What a listing says instead of the truth.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    size: Option<u64>,
    sha256: Option<Digest>,
    git_sha1: Option<Oid>,
}

/// Many files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Generate {
    count: u64,
    #[serde(default)]
    folders: u64,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    suffix: String,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    seed: u64,
    /// How many different contents there are; all for none.
    distinct: Option<u64>,
    lfs: Option<bool>,
}

impl Generate {
    fn specs(&self) -> impl Iterator<Item = Spec> {
        (0..self.count).map(|n| {
            let folder = if self.folders > 0 {
                format!("{:05}/", n % self.folders)
            } else {
                String::new()
            };
            Spec {
                path: format!("{}{folder}{n:07}{}", self.prefix, self.suffix),
                size: self.size,
                seed: self.seed + self.distinct.map_or(n, |distinct| n % distinct.max(1)),
                text: None,
                base64: None,
                is_virtual: false,
                lfs: self.lfs,
                declare: None,
                missing: false,
                mode: Mode::File,
            }
        })
    }
}

/// `POST /seed`.
pub async fn seed(world: &Arc<World>, seed: Seed) -> Outcome {
    let world = Arc::clone(world);
    tokio::task::spawn_blocking(move || plant(&world, seed))
        .await
        .map_err(|error| (500, error.to_string()))?
}

fn plant(world: &World, seed: Seed) -> Outcome {
    let hub = seed.hub.of(world);
    let private = if seed.private == Some(true) {
        Visibility::Private
    } else {
        Visibility::Public
    };
    let first_files = match seed.hub {
        Which::Ms if seed.platform_files => crate::ms::seeds(seed.kind),
        _ => &[],
    };
    let made = hub
        .create(
            seed.kind,
            &seed.id,
            seed.visibility.unwrap_or(private),
            first_files,
        )
        .map_err(|error| (500, error.to_string()))?;
    let repo = made.unwrap_or_else(|there| there);
    let generated = seed.generate.iter().flat_map(Generate::specs);
    let mut changes: Vec<Change> = seed.delete.into_iter().map(Change::Remove).collect();
    for spec in seed.files.into_iter().chain(generated) {
        changes.push(planted(hub, seed.hub, &repo, spec)?);
    }
    let beside = seed
        .oss
        .iter()
        .map(|spec| Ok((spec.path.clone(), store(hub, spec)?)))
        .collect::<io::Result<Vec<_>>>();
    let beside = beside.map_err(|error| (500, error.to_string()))?;
    let message = seed.message.as_deref().unwrap_or("seeded");
    let mut state = repo.state();
    state.sdk = seed.sdk.or(state.sdk.take());
    state.beside.extend(
        beside
            .into_iter()
            .map(|(key, stored)| (key, (stored.digest, stored.size))),
    );
    state.secrets.extend(seed.secrets);
    state.variables.extend(seed.variables);
    let branch = seed.revision.as_deref().unwrap_or(hub.branch);
    let date = match seed.date.as_deref().map(str::parse::<jiff::Timestamp>) {
        None => SystemTime::now(),
        Some(date) => {
            let date = date.map_err(|error| (400, error.to_string()))?;
            SystemTime::UNIX_EPOCH + Duration::from_secs(date.as_second().unsigned_abs())
        }
    };
    let commit = apply_at(date, &mut state, &repo.first_id, (branch, message), changes);
    state
        .branches
        .extend(seed.branches.into_iter().map(|name| (name, commit.id)));
    state
        .tags
        .extend(seed.tags.into_iter().map(|name| (name, commit.id)));
    Ok(json!({"commit": commit.id}))
}

fn planted(hub: &Hub, which: Which, repo: &Repo, spec: Spec) -> Result<Change, (u16, String)> {
    let stored = store(hub, &spec).map_err(|error| (400, format!("{}: {error}", spec.path)))?;
    let declared = spec.declare.as_ref();
    let size = declared
        .and_then(|declared| declared.size)
        .unwrap_or(stored.size);
    let digest = declared
        .and_then(|declared| declared.sha256)
        .unwrap_or(stored.digest);
    if digest != stored.digest
        && let Some(content) = hub.store.get(&stored.digest)
    {
        hub.store.put(digest, content);
    }
    if spec.missing {
        hub.store.remove(&digest);
    }
    let lfs = spec.mode == Mode::File
        && spec
            .lfs
            .unwrap_or_else(|| is_lfs(which, &spec.path, size, &stored.sample));
    let oid = declared.and_then(|declared| declared.git_sha1);
    let oid = match oid {
        Some(oid) => oid,
        None if lfs => Oid::of_blob(digest.pointer(size).as_bytes()),
        None => git_oid(hub, &stored).map_err(|error| (500, error.to_string()))?,
    };
    if lfs {
        repo.state().stored.insert(digest);
    }
    Ok(Change::Put(
        spec.path,
        File {
            size,
            digest,
            oid,
            lfs,
            mode: spec.mode,
            commit: Writer::default(),
        },
    ))
}

struct Stored {
    digest: Digest,
    size: u64,
    sample: Vec<u8>,
}

fn store(hub: &Hub, spec: &Spec) -> io::Result<Stored> {
    let bytes: Bytes = match (&spec.text, &spec.base64) {
        (Some(text), _) => text.clone().into(),
        (_, Some(encoded)) => base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .map_err(io::Error::other)?
            .into(),
        (None, None) => {
            let mut sample = vec![0; spec.size.min(512) as usize];
            fill(spec.seed, 0, &mut sample);
            let known = spec.declare.as_ref().and_then(|declared| declared.sha256);
            let digest = match spec.is_virtual {
                true => hub.store.put_virtual(spec.seed, spec.size, known)?,
                false => hub.store.put_seeded(spec.seed, spec.size)?,
            };
            return Ok(Stored {
                digest,
                size: spec.size,
                sample,
            });
        }
    };
    let (size, sample) = (bytes.len() as u64, bytes[..bytes.len().min(512)].to_vec());
    Ok(Stored {
        digest: hub.store.put_bytes(bytes)?,
        size,
        sample,
    })
}

/// Git's id of what is stored; of nothing if it is not.
fn git_oid(hub: &Hub, stored: &Stored) -> io::Result<Oid> {
    let content = hub
        .store
        .get(&stored.digest)
        .unwrap_or(Content::Memory(Bytes::new()));
    Ok(Oid::of_blob(&content.read()?))
}

/// ModelScope's own files are never in LFS; others are by size and suffix.
fn is_lfs(which: Which, path: &str, size: u64, sample: &[u8]) -> bool {
    const INLINE: [&str; 10] = [
        "readme.md",
        ".gitattributes",
        ".gitignore",
        "configuration.json",
        "configuration.yaml",
        "configuration.yml",
        "dataset_infos.json",
        "config.json",
        ".msc",
        ".mdl",
    ];
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    match which {
        Which::Hf => rules::is_lfs(path, size, sample),
        Which::Ms => {
            !INLINE.contains(&name.as_str())
                && (size > 64 << 10 || rules::is_lfs(path, size, sample))
        }
    }
}

/// Someone else's commit of `files` to the repo that `call` is about.
pub fn overtaking(call: &Call, files: &Value) -> Option<Seed> {
    let hub = if call.origin == Origin::Hf {
        "hf"
    } else {
        "ms"
    };
    let at = call
        .segments
        .iter()
        .position(|segment| Kind::from_plural(segment).is_some())?;
    let [kind, owner, name, ..] = &call.segments[at..] else {
        return None;
    };
    // Git and LFS write `.git` after the name.
    let name = name.trim_end_matches(".git");
    let asked = json!({"hub": hub, "kind": Kind::from_plural(kind), "id": format!("{owner}/{name}"), "files": files, "message": "someone else's"});
    serde_json::from_value(asked)
        .inspect_err(|why| tracing::warn!("moved: {why}"))
        .ok()
}
