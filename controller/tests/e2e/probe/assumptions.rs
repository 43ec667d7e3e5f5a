//! Each assumption differs once the hub does something else.

use super::*;

fn other(route: &'static str, skip: u64, kind: Value) -> Slot {
    Slot::Fault(route, skip, kind)
}

fn good(data: Value) -> Value {
    json!({"Code": 200, "Success": true, "Data": data})
}

/// Turns each, and sees it differ.
fn differ(slots: Vec<(&str, Slot)>, hub: &str, kind: &str) {
    let world = world();
    let usual = world.admin("GET", "/settings", "").unwrap();
    for (id, turn) in slots {
        match &turn {
            Slot::Setting(changes) => drop(
                world
                    .admin("POST", "/settings", &changes.to_string())
                    .expect(id),
            ),
            Slot::Fault(route, skip, kind) => {
                let rule = json!({"route": route, "skip": skip, "kind": kind});
                world.admin("POST", "/faults", &rule.to_string()).expect(id);
            }
        }
        let ran = probe(
            &world,
            &["--hub", hub, "--repo-type", kind, "--only", id],
            BOTH,
        );
        let rows = rows(&ran);
        assert_eq!(
            rows.get(id).map(|(verdict, _)| verdict.as_str()),
            Some("differs"),
            "{id}: {rows:?} {}",
            ran.stderr
        );
        assert_eq!((rows.len(), ran.code), (1, 1), "{id}");
        world
            .admin("POST", "/settings", &usual.to_string())
            .unwrap();
        world.admin("DELETE", "/faults", "").unwrap();
    }
}

fn hugging_face_repos() -> Vec<(&'static str, Slot)> {
    vec![
        (
            "hf-whoami",
            answers("hf.whoami", 0, 200, json!({"name": "alice"})),
        ),
        ("hf-create", answers("hf.create", 0, 202, json!({}))),
        ("hf-visible", answers("hf.info", 0, 404, json!({}))),
        ("hf-create-again", answers("hf.create", 1, 200, json!({}))),
        ("hf-first-files", answers("hf.tree", 0, 200, json!([]))),
        ("hf-stranger", answers("hf.info", 1, 404, json!({}))),
        ("hf-absent-repo", answers("hf.info", 1, 401, json!({}))),
        ("hf-wrong-token", answers("hf.info", 1, 200, json!({}))),
        (
            "hf-rate-limit",
            setting(r#"{"hf_rate_limit_headers":false}"#),
        ),
        (
            "hf-siblings",
            answers("hf.info", 1, 200, json!({"sha": "x", "siblings": []})),
        ),
        (
            "hf-card-refused",
            answers("hf.validate_yaml", 0, 200, json!({})),
        ),
        (
            "hf-card-other",
            answers("hf.validate_yaml", 0, 400, json!({})),
        ),
    ]
}

fn hugging_face_files() -> Vec<(&'static str, Slot)> {
    vec![
        ("hf-tree", answers("hf.tree", 1, 200, json!([]))),
        (
            "hf-tree-pages",
            other(
                "hf.tree",
                1,
                json!({"do": "next", "url": "http://127.0.0.1:1/"}),
            ),
        ),
        ("hf-tree-limit", answers("hf.tree", 1, 200, json!([]))),
        ("hf-paths-info", answers("hf.paths_info", 0, 404, json!({}))),
        ("hf-absent-file", answers("hf.resolve", 0, 404, json!({}))),
        ("hf-absent-revision", answers("hf.info", 1, 404, json!({}))),
        (
            "hf-read-by-commit",
            answers("hf.resolve", 0, 404, json!({})),
        ),
        (
            "hf-small-file",
            answers("hf.resolve", 0, 200, json!("other")),
        ),
        (
            "hf-small-range",
            other("hf.*", 0, json!({"do": "ignore_range"})),
        ),
        (
            "hf-large-file",
            answers("hf.resolve", 0, 200, json!("content")),
        ),
        (
            "hf-storage-range",
            other("hf_storage.get", 0, json!({"do": "ignore_range"})),
        ),
    ]
}

fn hugging_face_blobs() -> Vec<(&'static str, Slot)> {
    vec![
        (
            "hf-lfs-download",
            answers("hf.lfs_batch", 1, 404, json!({})),
        ),
        ("hf-lfs-upload", answers("hf.lfs_batch", 0, 500, json!({}))),
        ("hf-lfs-put", answers("hf_storage.put", 0, 500, json!({}))),
        ("hf-lfs-verify", answers("hf.lfs_verify", 0, 404, json!({}))),
        ("hf-lfs-life", setting(r#"{"url_ttl_s":60}"#)),
        ("hf-lfs-stored", answers("hf.lfs_batch", 1, 500, json!({}))),
        (
            "hf-lfs-broken",
            answers("hf.lfs_batch", 2, 200, json!({"objects": []})),
        ),
        (
            "hf-lfs-parts",
            setting(r#"{"hf_multipart_above":1099511627776}"#),
        ),
        (
            "hf-git-lfs",
            setting(r#"{"hf_multipart_above":1099511627776}"#),
        ),
        (
            "hf-xet-token",
            answers("hf.xet_write_token", 0, 200, json!({})),
        ),
    ]
}

fn hugging_face_writes() -> Vec<(&'static str, Slot)> {
    vec![
        ("hf-commit-id", answers("hf.commit", 0, 200, json!({}))),
        (
            "hf-preupload",
            answers("hf.preupload", 0, 200, json!({"files": []})),
        ),
        (
            "hf-lfs-suffixes",
            answers("hf.preupload", 0, 200, json!({"files": []})),
        ),
        ("hf-commit-parent", answers("hf.commit", 1, 200, json!({}))),
        (
            "hf-commit-absent-blob",
            answers("hf.commit", 1, 200, json!({})),
        ),
        (
            "hf-commit-unnamed-lfs",
            answers("hf.commit", 1, 400, json!({})),
        ),
        (
            "hf-commit-binary",
            setting(r#"{"hf_refuses_binary":false}"#),
        ),
        ("hf-commit-1000", answers("hf.commit", 1, 504, json!({}))),
        ("hf-commit-delete", answers("hf.commit", 2, 500, json!({}))),
        (
            "hf-commit-back-to-back",
            answers("hf.commit", 2, 409, json!({})),
        ),
        ("hf-branch", answers("hf.branch", 0, 500, json!({}))),
        ("hf-empty-list", answers("hf.tree", 1, 404, json!({}))),
        ("hf-branch-delete", answers("hf.branch", 1, 404, json!({}))),
        ("hf-tag", answers("hf.tag", 0, 409, json!({}))),
        ("hf-refs", answers("hf.refs", 0, 200, json!({}))),
        ("hf-git", answers("hf.git_refs", 0, 403, json!({}))),
        (
            "hf-git-commit",
            answers("hf.git_upload_pack", 0, 403, json!({})),
        ),
        ("hf-git-write", setting(r#"{"hf_git_write":false}"#)),
        ("hf-delete", answers("hf.delete", 0, 403, json!({}))),
    ]
}

#[test]
fn each_assumption_about_hugging_face_differs_once_it_does_something_else() {
    let parts = [
        hugging_face_repos(),
        hugging_face_files(),
        hugging_face_blobs(),
        hugging_face_writes(),
    ];
    let slots = parts.into_iter().flatten().collect();
    differ(slots, "hf", "model");
}

fn modelscope_repos() -> Vec<(&'static str, Slot)> {
    vec![
        ("ms-me", answers("ms.me", 0, 200, json!({}))),
        (
            "ms-create",
            answers("ms.create", 0, 200, json!({"Code": 500, "Success": false})),
        ),
        ("ms-visible", answers("ms.info", 0, 404, json!({}))),
        (
            "ms-create-again",
            answers("ms.create", 1, 200, good(json!({}))),
        ),
        (
            "ms-first-files",
            answers("ms.files", 0, 200, good(json!({"Files": []}))),
        ),
        ("ms-stranger", answers("ms.info", 1, 403, json!({}))),
        ("ms-absent-repo", answers("ms.info", 1, 404, json!({}))),
        ("ms-wrong-token", answers("ms.me", 1, 200, json!({}))),
    ]
}

fn modelscope_files() -> Vec<(&'static str, Slot)> {
    let none =
        json!({"objects": [{"oid": "x", "actions": {"upload": {"href": "x", "offset": 131_072}}}]});
    vec![
        ("ms-listing", setting(r#"{"ms_sha256":false}"#)),
        ("ms-listing-commit", setting(r#"{"ms_commit_id":true}"#)),
        ("ms-commits", setting(r#"{"ms_commits":"none"}"#)),
        ("ms-commits-absent", setting(r#"{"ms_commits":"none"}"#)),
        (
            "ms-absent-revision",
            answers("ms.files", 1, 200, good(json!({"Files": []}))),
        ),
        ("ms-list-by-commit", answers("ms.files", 1, 404, json!({}))),
        (
            "ms-read-by-commit",
            answers("ms.download", 0, 404, json!({})),
        ),
        (
            "ms-small-file",
            other("ms.download", 0, json!({"do": "corrupt", "at": 0})),
        ),
        ("ms-small-range", setting(r#"{"ms_range_206":true}"#)),
        ("ms-absent-file", answers("ms.download", 0, 404, json!({}))),
        (
            "ms-large-file",
            answers("ms.download", 0, 200, json!("content")),
        ),
        (
            "ms-storage-range",
            other("ms_storage.get", 0, json!({"do": "ignore_range"})),
        ),
        ("ms-blob-check", answers("ms.batch", 0, 500, json!({}))),
        ("ms-blob-put", setting(r#"{"ms_uploads_at_hub":false}"#)),
        ("ms-blob-token", setting(r#"{"ms_uploads_at_hub":false}"#)),
        ("ms-blob-stored", answers("ms.batch", 1, 500, json!({}))),
        ("ms-blob-size", setting(r#"{"ms_check_by_size":false}"#)),
        ("ms-blob-broken", answers("ms.batch", 2, 200, good(none))),
    ]
}

fn modelscope_writes() -> Vec<(&'static str, Slot)> {
    vec![
        (
            "ms-commit-id",
            answers("ms.commit", 0, 200, good(json!({}))),
        ),
        ("ms-commit-pace", answers("ms.commit", 2, 500, json!({}))),
        ("ms-commit-300", answers("ms.commit", 1, 413, json!({}))),
        (
            "ms-commit-2001",
            answers("ms.commit", 1, 200, good(json!({}))),
        ),
        ("ms-commit-8mib", answers("ms.commit", 1, 413, json!({}))),
        ("ms-commit-delete", answers("ms.commit", 2, 500, json!({}))),
        ("ms-commit-delete-absent", setting(r#"{"ms_policy":false}"#)),
        ("ms-commit-git-path", setting(r#"{"ms_policy":false}"#)),
        (
            "ms-commit-absent-blob",
            setting(r#"{"ms_checks_blobs":true}"#),
        ),
        ("ms-git-agent", setting(r#"{"ms_git_agent":false}"#)),
        ("ms-git", answers("ms.git_refs", 0, 403, json!({}))),
        (
            "ms-git-commit",
            answers("ms.git_upload_pack", 0, 403, json!({})),
        ),
        ("ms-git-lfs", answers("ms.git_lfs", 0, 404, json!({}))),
        ("ms-git-write", answers("ms.git_push", 0, 403, json!({}))),
        ("ms-git-branch", answers("ms.git_push", 0, 403, json!({}))),
        (
            "ms-git-branch-delete",
            answers("ms.git_push", 1, 403, json!({})),
        ),
        ("ms-tag", answers("ms.tag", 0, 400, json!({}))),
        ("ms-revisions", answers("ms.revisions", 0, 200, json!({}))),
        (
            "ms-commit-no-branch",
            answers("ms.commit", 1, 200, good(json!({}))),
        ),
        (
            "ms-commit-tag",
            answers("ms.commit", 1, 200, good(json!({}))),
        ),
        ("ms-delete", answers("ms.delete", 0, 200, good(json!({})))),
    ]
}

#[test]
fn each_assumption_about_modelscope_differs_once_it_does_something_else() {
    let parts = [modelscope_repos(), modelscope_files(), modelscope_writes()];
    let slots = parts.into_iter().flatten().collect();
    differ(slots, "ms", "model");
    differ(
        vec![(
            "ms-pages",
            answers("ms.files", 1, 200, good(json!({"Files": []}))),
        )],
        "ms",
        "dataset",
    );
}
