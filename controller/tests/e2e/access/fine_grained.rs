//! Fine-grained tokens of Hugging Face: `doctor` and a refused copy name the same permission.

use super::*;

const FINE_GRAINED: (&str, &str) = ("HF_TOKEN", "hf_sandboxAliceFine");

/// A world whose ModelScope has a model of acme.
fn with_models() -> World {
    let world = World::new();
    let files = json!([{"path": "a.bin", "size": 5000, "seed": 1}]);
    seed(&world, "ms", "model", "acme/model", &files);
    world
}

#[test]
fn the_doctor_and_a_refused_copy_name_the_missing_permission_and_its_page() {
    let world = with_models();
    let private = json!({"hub": "hf", "kind": "dataset", "id": "alice/kept", "private": true, "message": "m",
        "files": [{"path": "a.bin", "size": 3_000_000, "seed": 2}]});
    world.seed(&private.to_string());
    let page = format!("{}/settings/tokens", world.address("hf"));
    let lacks = format!("it lacks repo.write for acme; add that at {page}");
    let doctor = world.run_with(&["doctor"], &[FINE_GRAINED]);
    let said = &doctor.stdout;
    for line in [
        "is alice on Hugging Face, in acme; a fine-grained token".to_owned(),
        "writes to alice\n".to_owned(),
        format!("can't write to acme (admin): {lacks}"),
        format!("it lacks access to public gated repositories; add that at {page}"),
        "private storage: 3 MB of 100 GB used (plan free), 100.00 GB left".to_owned(),
        "not told: what the token may do".to_owned(),
    ] {
        assert!(said.contains(&line), "{line}: {said}");
    }
    let json = world.run_with(&["doctor", "--json"], &[FINE_GRAINED]);
    let checks = json.events();
    let token = |name: &str| &checks.iter().find(|one| one["what"] == name).unwrap()["token"];
    let (hf, ms) = (token("HF_TOKEN"), token("MODELSCOPE_TOKEN"));
    assert_eq!(
        (&hf["level"], &hf["page"]),
        (&"fine-grained".into(), &page.into())
    );
    assert_eq!(hf["owners"][0]["writes"], true);
    assert_eq!(hf["owners"][1]["missing"], json!(["repo.write"]));
    assert_eq!(ms["level"], "untold");

    let refused = world.run_with(&["migrate", "ms:acme/model"], &[FINE_GRAINED]);
    refused.refused_with(3, &format!("{lacks}, or use --dest alice/model"));
    assert_eq!(world.requests("hf.create"), 0);
    let own = ["migrate", "ms:acme/model", "--dest", "alice/model"];
    assert_eq!(world.run_with(&own, &[FINE_GRAINED]).code, 0);
}

#[test]
fn a_refusal_of_the_hub_names_the_permission_where_nobody_said_whose_the_token_is() {
    let world = with_models();
    let limited =
        json!({"route": "hf.whoami", "kind": {"do": "status", "status": 429, "body": ""}});
    fault(&world, &limited);
    let ran = world.run_with(&["migrate", "ms:acme/model"], &[FINE_GRAINED, QUICK]);
    ran.refused_with(3, "give it write permission (repo.write for acme) at http");
    let words = "You don't have the rights to create a model under the namespace \"acme\"";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    seed(
        &world,
        "hf",
        "model",
        "acme/model",
        &json!([{"path": "b.txt", "text": "b"}]),
    );
    let ran = world.run_with(&["migrate", "ms:acme/model"], &[FINE_GRAINED, QUICK]);
    ran.refused_with(3, "give it write permission (repo.write for acme) at http");
    assert_eq!(world.requests("hf_storage.put"), 0);
}

#[test]
fn a_gated_source_that_the_token_may_not_read_is_told_by_the_setting_and_its_page() {
    let world = World::new();
    seed(
        &world,
        "hf",
        "model",
        "bob/gated",
        &json!([{"path": "a.bin", "size": 5000, "seed": 1}]),
    );
    let gate = json!({"hub": "hf", "kind": "model", "id": "bob/gated", "gated": true, "granted": ["alice"]});
    world.admin("POST", "/repo", &gate.to_string());
    let migrate = ["migrate", "bob/gated", "--dest", "alice/gated"];
    let ran = world.run_with(&migrate, &[FINE_GRAINED]);
    ran.refused_with(3, "give this one the permission at http");
    assert!(
        ran.stderr
            .contains("Please enable access to public gated repositories"),
        "{}",
        ran.stderr
    );
    let whole = ("HF_TOKEN", "hf_sandboxAliceRead");
    assert_eq!(world.run_with(&migrate, &[whole]).code, 0);
}
