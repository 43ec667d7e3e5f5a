//! What is refused before anything is created.

use super::*;

#[test]
fn a_private_source_stays_private() {
    let world = World::new();
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/secret","private":true,"message":"m","files":[{"path":"a.txt","text":"x"}]}"#);
    let token = [("HF_TOKEN", "hf_sandboxAliceWrite")];
    assert_eq!(world.run_with(&["migrate", "alice/secret"], &token).code, 0);
    assert_eq!(
        world.stored("ms", "model", "alice/secret").unwrap()["visibility"],
        "private"
    );
    world.admin(
        "POST",
        "/repo",
        r#"{"hub":"ms","kind":"model","id":"alice/secret","visibility":"public"}"#,
    );
    world
        .run_with(&["migrate", "alice/secret"], &token)
        .refused_with(3, "alice/secret is public at the destination");
    assert_eq!(
        world
            .run_with(&["migrate", "alice/secret", "--public"], &token)
            .code,
        0
    );
}

/// Arguments, environment, exit code, words.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

const REFUSED: [Case<'static>; 10] = [
    (&["not-an-id"], &[], 2, "'not-an-id' is not a repo id"),
    (
        &["alice/absent"],
        &[],
        3,
        "no model, dataset or space alice/absent was found on Hugging Face",
    ),
    (
        &["alice/model", "--revision", "v9"],
        &[],
        3,
        "has no revision v9: check --revision",
    ),
    (
        &["alice/model"],
        &[("MODELSCOPE_TOKEN", "")],
        3,
        "MODELSCOPE_TOKEN is not set: get one at",
    ),
    (
        &["alice/model"],
        &[("MODELSCOPE_TOKEN", "ms-wrong")],
        3,
        "ModelScope refuses MODELSCOPE_TOKEN",
    ),
    (
        &["alice/model"],
        &[("MODELSCOPE_TOKEN", "a\r\nb")],
        2,
        "MODELSCOPE_TOKEN can't be used",
    ),
    (
        &["alice/model"],
        &[("HF_TOKEN", "hf_wrong")],
        3,
        "Hugging Face refuses HF_TOKEN",
    ),
    (
        &["alice/model"],
        &[("MODELSCOPE_TOKEN", BOB)],
        3,
        "use --dest",
    ),
    (
        &["bob/gated"],
        &[("HF_TOKEN", "hf_sandboxAliceWrite")],
        3,
        "is gated or private: ask for access at",
    ),
    (
        &["ms:alice/model"],
        &[],
        3,
        "HF_TOKEN is not set: get one at",
    ),
];

#[test]
fn what_is_refused_is_refused_in_one_line_and_creates_nothing() {
    let world = World::with_model();
    world.seed(r#"{"hub":"hf","kind":"model","id":"bob/gated","message":"m","files":[{"path":"a.txt","text":"x"}]}"#);
    world.admin(
        "POST",
        "/repo",
        r#"{"hub":"hf","kind":"model","id":"bob/gated","gated":true}"#,
    );
    for (args, environment, code, words) in REFUSED {
        let args: Vec<&str> = std::iter::once("migrate")
            .chain(args.iter().copied())
            .collect();
        world.run_with(&args, environment).refused_with(code, words);
    }
    assert_eq!(
        world.admin("GET", "/repos?hub=ms", "").unwrap(),
        serde_json::json!([])
    );
    assert_eq!(world.requests("ms_storage.put"), 0);
}

#[test]
fn a_namespace_of_someone_else_is_refused_before_any_byte_moves() {
    let world = World::with_model();
    world.seed(r#"{"hub":"ms","kind":"model","id":"alice/model","message":"m","files":[{"path":"x.txt","text":"x"}]}"#);
    world
        .run_with(&["migrate", "alice/model"], &[("MODELSCOPE_TOKEN", BOB)])
        .refused_with(3, "use --dest");
    assert_eq!(
        (
            world.requests("hf_storage.get"),
            world.requests("ms_storage.put")
        ),
        (0, 0)
    );
}

#[test]
fn a_folder_too_wide_to_be_listed_is_refused_before_any_byte_moves() {
    let world = World::new();
    for kind in ["model", "dataset"] {
        world.seed(&format!(
            r#"{{"hub":"hf","kind":"{kind}","id":"alice/wide","files":[{{"path":"a.bin","size":100000,"seed":1}}],"generate":{{"count":3100,"folders":1,"size":10,"prefix":"x/","suffix":".txt","seed":1}}}}"#
        ));
    }
    let ran = world.run(&["migrate", "alice/wide", "--repo-type", "model"]);
    ran.refused_with(3, "3100 entries");
    assert!(
        world.stored("ms", "model", "alice/wide").is_none()
            && world.requests("hf_storage.get") == 0
    );
    assert_eq!(
        world
            .run(&["migrate", "alice/wide", "--repo-type", "dataset"])
            .code,
        0,
        "datasets are listed page by page"
    );
}
