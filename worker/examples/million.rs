//! Plans a repo of a million files and says how long it took and how much memory: `cargo run --release --example million`.

use std::time::Instant;

use hf2ms_hub::{Digest, File, GitSha1, Listed, Listing, Placement, Sha256, Visibility};
use hf2ms_worker::plan::{DigestCache, MaxDelete, Plan, PlanRequest};
use hf2ms_worker::protocol::{Chunking, Creation, WorkerOptions};

const FILES: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (source, destination) = (listing(FILES, 0)?, listing(FILES / 2, 7)?);
    let order = order()?;
    let start = Instant::now();
    let plan = Plan::make(
        order,
        source,
        &destination,
        |_, _| Placement::Blob,
        &DigestCache::new(),
    );
    println!(
        "planned {FILES} files in {:.2?}: {:?}",
        start.elapsed(),
        plan.summary()
    );
    let start = Instant::now();
    let json = serde_json::to_vec(&plan)?;
    println!(
        "wrote {} bytes of JSON in {:.2?}",
        json.len(),
        start.elapsed()
    );
    drop(plan);
    let start = Instant::now();
    serde_json::from_slice::<Plan>(&json)?.check()?;
    println!("read it again in {:.2?}", start.elapsed());
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!(
        "{}",
        status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap_or("peak memory unknown")
    );
    Ok(())
}

/// Half of them known by Git's id only, as Hugging Face lists; every `changed`th content differs.
fn listing(files: u64, changed: u64) -> Result<Listing, Box<dyn std::error::Error>> {
    let file = |i: u64| {
        let content = if changed > 0 && i.is_multiple_of(changed) {
            i + FILES
        } else {
            i
        }
        .to_le_bytes();
        let lfs = changed > 0 || i.is_multiple_of(2);
        let digest = if lfs {
            Digest::Sha256(Sha256::of(&content))
        } else {
            Digest::GitSha1(GitSha1::of(&content))
        };
        let path = format!(
            "data/train/part-{:04}/sample-{i:08}-of-{FILES:08}.json",
            i / 1000
        )
        .parse()?;
        Ok(Listed {
            file: File {
                path,
                size: 1000 + i % 5000,
                digest,
            },
            lfs,
        })
    };
    Ok(Listing {
        files: (0..files)
            .map(file)
            .collect::<Result<_, Box<dyn std::error::Error>>>()?,
        ..Listing::default()
    })
}

fn order() -> Result<PlanRequest, serde_json::Error> {
    let at = |hub: &str, revision: &str| {
        serde_json::from_value(serde_json::json!({
            "hub": hub, "endpoint": "http://localhost", "kind": "dataset", "id": "org/name", "revision": revision
        }))
    };
    Ok(PlanRequest {
        source: at("huggingface", &"a".repeat(40))?,
        asked: serde_json::from_str("\"main\"")?,
        destination: at("modelscope", "master")?,
        creation: Creation {
            visibility: Visibility::Public,
            gate: None,
            exists: true,
            sdk: None,
        },
        chunking: Chunking::Even { containers: 100 },
        prune: Some(MaxDelete::default()),
        options: WorkerOptions::default(),
    })
}
