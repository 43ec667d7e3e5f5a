//! Commits: what they take, how much of it, and how they refuse.

use std::time::Instant;

use serde_json::{Value, json};

use super::{api, commit, deleted, file, head, lfs_file};
use crate::probe::assumption::Assumption;
use crate::probe::finding::{NotTried, Tried, not_tried, seen};
use crate::probe::scratch::{NOTES, Scratch, ScratchBlob};
use crate::probe::wire::{Ask, brief, json as read};

pub const LINES: &[Assumption] = &[
    Assumption {
        id: "hf-commit-id",
        says: "A commit's answer names the commit",
        look: |s| Box::pin(id(s)),
    },
    Assumption {
        id: "hf-preupload",
        says: "preupload sends to LFS by suffix and above 10 MiB, and no small text",
        look: |s| Box::pin(preupload(s)),
    },
    Assumption {
        id: "hf-lfs-suffixes",
        says: "preupload sends every suffix of the plan to LFS",
        look: |s| Box::pin(suffixes(s)),
    },
    Assumption {
        id: "hf-commit-parent",
        says: "A parent that is not the head is refused: 412",
        look: |s| Box::pin(parent(s)),
    },
    Assumption {
        id: "hf-commit-absent-blob",
        says: "A blob that is not there is refused in words: 400",
        look: |s| Box::pin(absent_blob(s)),
    },
    Assumption {
        id: "hf-commit-unnamed-lfs",
        says: "An LFS file that .gitattributes does not name is taken as it is",
        look: |s| Box::pin(unnamed(s)),
    },
    Assumption {
        id: "hf-commit-binary",
        says: "A binary file that belongs in LFS is named: by preupload, or 400",
        look: |s| Box::pin(binary(s)),
    },
    Assumption {
        id: "hf-commit-1000",
        says: "A commit takes 1,000 files",
        look: |s| Box::pin(thousand(s)),
    },
    Assumption {
        id: "hf-commit-delete",
        says: "A commit takes a file away",
        look: |s| Box::pin(delete(s)),
    },
    Assumption {
        id: "hf-commit-back-to-back",
        says: "Commits follow one another without a pause",
        look: |s| Box::pin(back_to_back(s)),
    },
];

/// Suffixes by which a plan takes a file for a blob: Hugging Face's every new .gitattributes has them.
const SUFFIXES: &str = "7z arrow bin bz2 ckpt ftz gz h5 joblib mlmodel model msgpack npy npz onnx ot parquet pb pickle pkl pt pth rar \
                        safetensors tar tflite tgz wasm xz zip zst";

async fn id(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.committed)?;
    if answer.status == 400 && brief(answer).contains("storage limit") {
        return not_tried(brief(answer));
    }
    let id = read(answer)["commitOid"].as_str().is_some_and(is_commit);
    seen(
        answer.status == 200 && id,
        format!("{}, commitOid: {id}", brief(answer)),
    )
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// The upload mode that preupload returns for each file of this path and size, with a sample of text or of bytes.
async fn modes(
    scratch: &Scratch,
    files: &[(String, u64, bool)],
) -> Result<Vec<(String, String)>, NotTried> {
    scratch.ready()?;
    let sample = |is_text: bool| if is_text { "dGV4dA==" } else { "AAECAwQFBgf/" };
    let files: Vec<Value> = files
        .iter()
        .map(
            |(path, size, is_text)| json!({"path": path, "size": size, "sample": sample(*is_text)}),
        )
        .collect();
    let answer = scratch
        .send(Ask::post(
            api(scratch, "/preupload/main"),
            &json!({"files": files}),
        ))
        .await?;
    let told = read(&scratch.good("answer preupload", answer)?);
    let mode = |file: &Value| {
        Some((
            file["path"].as_str()?.to_owned(),
            file["uploadMode"].as_str()?.to_owned(),
        ))
    };
    Ok(told["files"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(mode)
        .collect())
}

async fn preupload(scratch: &Scratch) -> Tried {
    let asked = [
        ("a.txt", 100, true),
        ("a.safetensors", 100, false),
        ("large.txt", 11 << 20, true),
    ];
    let told = modes(
        scratch,
        &asked.map(|(path, size, is_text)| (path.to_owned(), size, is_text)),
    )
    .await?;
    let expected = [
        ("a.txt", "regular"),
        ("a.safetensors", "lfs"),
        ("large.txt", "lfs"),
    ];
    let good = expected.iter().all(|(path, mode)| {
        told.iter()
            .any(|(told, as_mode)| told == path && as_mode == mode)
    });
    seen(
        good,
        told.iter()
            .map(|(path, mode)| format!("{path} {mode}"))
            .collect::<Vec<_>>()
            .join(", "),
    )
}

async fn suffixes(scratch: &Scratch) -> Tried {
    let asked: Vec<_> = SUFFIXES
        .split_whitespace()
        .map(|suffix| (format!("x.{suffix}"), 100, false))
        .collect();
    let told = modes(scratch, &asked).await?;
    let others: Vec<&str> = told
        .iter()
        .filter(|(_, mode)| mode != "lfs")
        .map(|(path, _)| path.as_str())
        .collect();
    let words = if others.is_empty() {
        "none other".to_owned()
    } else {
        format!("otherwise: {}", others.join(", "))
    };
    seen(
        others.is_empty() && told.len() == asked.len(),
        format!("{} told, {words}", told.len()),
    )
}

async fn parent(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let wrong = "0123456789abcdef0123456789abcdef01234567";
    let answer = commit(scratch, "main", Some(wrong), &[file("never.txt", b"never")]).await?;
    seen(answer.status == 412, brief(&answer))
}

async fn absent_blob(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let blob = ScratchBlob::fresh(1000);
    let answer = commit(
        scratch,
        "main",
        None,
        &[lfs_file("absent.safetensors", &blob.oid(), blob.size())],
    )
    .await?;
    seen(
        answer.status == 400 && brief(&answer).contains("does not exist"),
        brief(&answer),
    )
}

async fn unnamed(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = commit(
        scratch,
        "main",
        None,
        &[lfs_file(
            "unnamed.xyz",
            &scratch.blob.oid(),
            scratch.blob.size(),
        )],
    )
    .await?;
    if answer.status != 200 {
        return seen(false, brief(&answer));
    }
    let after = scratch
        .send(Ask::post(
            api(scratch, "/paths-info/main"),
            &json!({"paths": [".gitattributes", "unnamed.xyz"]}),
        ))
        .await?;
    let entries = read(&after);
    let entry = |path: &str| {
        entries
            .as_array()
            .into_iter()
            .flatten()
            .find(|entry| entry["path"] == path)
            .cloned()
            .unwrap_or_default()
    };
    let first = read(scratch.need(&scratch.base.first_files)?)[0]["oid"].clone();
    let (same, in_lfs) = (
        entry(".gitattributes")["oid"] == first,
        entry("unnamed.xyz")["lfs"]["oid"] == scratch.blob.oid(),
    );
    seen(
        same && in_lfs,
        format!(
            "{}, in LFS: {in_lfs}, .gitattributes as before: {same}",
            answer.status
        ),
    )
}

async fn binary(scratch: &Scratch) -> Tried {
    let blob = ScratchBlob::fresh(300_000);
    let told = modes(scratch, &[("binary.xyz".to_owned(), blob.size(), false)]).await?;
    if told.iter().any(|(_, mode)| mode == "lfs") {
        return seen(true, "preupload says lfs");
    }
    let answer = commit(scratch, "main", None, &[file("binary.xyz", &blob.bytes)]).await?;
    let named =
        answer.status == 400 && String::from_utf8_lossy(&answer.body).contains("binary.xyz");
    seen(
        named,
        format!("preupload says regular, the commit {}", brief(&answer)),
    )
}

async fn thousand(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let files: Vec<Value> = (0..1000)
        .map(|number| {
            file(
                &format!("many/{number:04}.txt"),
                number.to_string().as_bytes(),
            )
        })
        .collect();
    let begun = Instant::now();
    let answer = commit(scratch, "main", None, &files).await?;
    seen(
        answer.status == 200,
        format!(
            "{} after {:.1} s",
            brief(&answer),
            begun.elapsed().as_secs_f64()
        ),
    )
}

async fn delete(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let made = commit(scratch, "main", None, &[file("to-go.txt", b"soon gone")]).await?;
    if made.status != 200 {
        return not_tried(format!("no file could be made ({})", brief(&made)));
    }
    let answer = commit(scratch, "main", None, &[deleted("to-go.txt")]).await?;
    let after = scratch
        .send(Ask::post(
            api(scratch, "/paths-info/main"),
            &json!({"paths": ["to-go.txt"]}),
        ))
        .await?;
    seen(
        answer.status == 200 && read(&after) == json!([]),
        format!("{}; afterwards {}", brief(&answer), read(&after)),
    )
}

async fn back_to_back(scratch: &Scratch) -> Tried {
    let first = head(scratch)?;
    let begun = Instant::now();
    let one = commit(
        scratch,
        "main",
        None,
        &[file(NOTES, format!("first {first}").as_bytes())],
    )
    .await?;
    let other = commit(scratch, "main", None, &[file(NOTES, &scratch.notes())]).await?;
    let words = format!(
        "{}, {} within {:.1} s",
        brief(&one),
        brief(&other),
        begun.elapsed().as_secs_f64()
    );
    seen(one.status == 200 && other.status == 200, words)
}
