//! Repos with a history: branches and tags that share blobs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::World;

/// One commit on a branch of a repo, and what else stands there; its id.
pub fn seed(
    world: &World,
    hub: &str,
    id: &str,
    branch: &str,
    files: &Value,
    more: &Value,
) -> String {
    let mut seed =
        json!({"hub": hub, "kind": "model", "id": id, "revision": branch, "files": files});
    seed.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    world.seed(&seed.to_string())["commit"]
        .as_str()
        .unwrap()
        .to_owned()
}

pub fn blob(path: &str, seed: u64) -> Value {
    json!({"path": path, "size": 300_000, "seed": seed})
}

/// Gives a repo a history: `main` (with `v1` and a twin), what it was before (`v0`), and `dev/x`, which shares a blob with it.
/// Its blobs are those of three seeds from `first` on. The commit of `dev/x`.
pub fn give_history(world: &World, hub: &str, id: &str, main: &str, first: u64) -> String {
    let text = |text: &str| json!({"path": "README.md", "text": text});
    let notes = json!({"path": "notes.txt", "text": "same everywhere"});
    seed(
        world,
        hub,
        id,
        main,
        &json!([
            text("# old\n"),
            blob("a.bin", first),
            blob("gone.bin", first + 1)
        ]),
        &json!({"tags": ["v0"]}),
    );
    let changes = json!({"delete": ["gone.bin"], "tags": ["v1"], "branches": ["twin"]});
    seed(
        world,
        hub,
        id,
        main,
        &json!([text("# new\n"), blob("b.bin", first + 2), notes]),
        &changes,
    );
    seed(
        world,
        hub,
        id,
        "dev/x",
        &json!([text("# dev\n"), blob("shared.bin", first), notes]),
        &json!({}),
    )
}

/// Path and digest of what stands at a revision; nothing where there is none.
pub fn holds(world: &World, hub: &str, id: &str, revision: &str) -> BTreeMap<String, String> {
    let repo = world
        .admin(
            "GET",
            &format!("/repo?hub={hub}&kind=model&id={id}&revision={revision}"),
            "",
        )
        .unwrap_or_default();
    let files = repo["files"].as_array().into_iter().flatten();
    files
        .map(|file| {
            (
                file["path"].as_str().unwrap().to_owned(),
                file["sha256"].as_str().unwrap_or("lost").to_owned(),
            )
        })
        .collect()
}

/// The files at a revision there are those at one here, but for what the hub itself puts into a new repo.
pub fn is_copied(world: &World, id: &str, from: (&str, &str), to: (&str, &str)) {
    let (here, there) = (
        holds(world, from.0, id, from.1),
        holds(world, to.0, id, to.1),
    );
    let missing: Vec<_> = here
        .iter()
        .filter(|(path, sha256)| there.get(*path) != Some(sha256))
        .collect();
    assert!(
        !here.is_empty() && missing.is_empty(),
        "{to:?} of {id} lacks {missing:?}, has {there:?}"
    );
    let own = [".gitattributes", "configuration.json", "README.md"];
    let extra: Vec<_> = there
        .keys()
        .filter(|path| !here.contains_key(*path) && !own.contains(&path.as_str()))
        .collect();
    assert!(extra.is_empty(), "{to:?} of {id} has {extra:?}");
}

/// All of [`give_history`]'s branches and tags stand at ModelScope as they do here, and no other branch does.
pub fn all_copied(world: &World, id: &str) {
    for (from, to) in [
        ("main", "master"),
        ("dev/x", "dev/x"),
        ("v0", "v0"),
        ("v1", "v1"),
        ("twin", "twin"),
    ] {
        is_copied(world, id, ("hf", from), ("ms", to));
    }
    assert_eq!(refs(world, "ms", id).0, ["dev/x", "master", "twin"]);
}

/// The names of its branches and of its tags.
pub fn refs(world: &World, hub: &str, id: &str) -> (Vec<String>, Vec<String>) {
    let repo = world.stored(hub, "model", id).unwrap();
    let names = |key: &str| repo[key].as_object().unwrap().keys().cloned().collect();
    (names("branches"), names("tags"))
}
