//! README.md files whose license Hugging Face refuses.

use super::*;

#[test]
fn a_card_that_hugging_face_refuses_is_mended_and_that_is_said() {
    let world = with_model();
    seed(
        &world,
        "ms",
        "model",
        &json!([{"path": "README.md", "text": APACHE}]),
    );
    let report = done(&run(&world, &["ms:alice/model"]));
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("Apache License 2.0") && warnings.contains("apache-2.0"),
        "{warnings}"
    );
    let (here, there) = (
        holds(&world, "ms", "model", "alice/model"),
        holds(&world, "hf", "model", "alice/model"),
    );
    let differ: Vec<_> = here
        .iter()
        .filter(|(path, sha256)| there.get(*path) != Some(sha256))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(differ, ["README.md"], "the one difference");
    let mended = hf2ms_hub::Sha256::of(
        APACHE
            .replacen("Apache License 2.0", "apache-2.0", 1)
            .as_bytes(),
    )
    .to_string();
    assert_eq!(there["README.md"], mended);
    let verified = world.run_with(
        &["verify", "ms:alice/model", "--json"],
        &[("HF_TOKEN", HF_ALICE)],
    );
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    std::fs::remove_dir_all(world.path("state")).unwrap();
    assert_eq!(
        done(&run(&world, &["ms:alice/model"]))["commits"],
        0,
        "known again without a record of the first run"
    );
}

#[test]
fn a_card_that_is_to_be_kept_fails_alone() {
    let world = with_model();
    seed(
        &world,
        "ms",
        "model",
        &json!([{"path": "README.md", "text": APACHE}]),
    );
    let ran = run(&world, &["ms:alice/model", "--keep-readme"]);
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            report["failed"][0]["path"].as_str(),
            report["failed"].as_array().unwrap().len()
        ),
        (1, Some("README.md"), 1),
        "{report}"
    );
    assert!(holds(&world, "hf", "model", "alice/model").contains_key("b.safetensors"));
    done(&run(&world, &["ms:alice/model"]));
}

#[test]
fn a_licence_that_nobody_knows_is_other_by_its_name() {
    let world = World::new();
    seed(
        &world,
        "ms",
        "dataset",
        &json!([{"path": "README.md", "text": "---\nlicense: Qwen Research\n---\n"}, {"path": "d.txt", "text": "d"}]),
    );
    done(&run(&world, &["ms:alice/model"]));
    let mended = hf2ms_hub::Sha256::of(b"---\nlicense: other\nlicense_name: qwen-research\n---\n")
        .to_string();
    assert_eq!(
        holds(&world, "hf", "dataset", "alice/model")["README.md"],
        mended
    );
}
