//! What is taken for the repo that was named, and when one that is not seen is "gone already".

use serde_json::json;

use super::{DELETE, TOKEN, copied, is_there, row, run, stays};
use crate::common::{Ran, World};

/// Someone else at Hugging Face, who sees no private repo of alice.
const BOB: (&str, &str) = ("HF_TOKEN", "hf_sandboxBobWrite");
const AGREED: [&str; 3] = ["--yes-delete", "1", "--json"];

fn as_bob(world: &World, args: &[&str]) -> Ran {
    world.run_with(args, &[BOB])
}

#[test]
fn an_answer_that_does_not_say_what_an_id_is_keeps_the_repo() {
    let world = copied();
    let files = json!([{"path": "x", "text": "x"}]);
    let dataset = json!({"hub": "hf", "kind": "dataset", "id": "alice/model", "files": files});
    world.seed(&dataset.to_string());
    let page = json!({"do": "status", "status": 200, "body": "<html>"});
    let denied = json!({"do": "status", "status": 403});
    // A warning that a dataset has the same id asks once more.
    for (kind, count, answer, words) in [
        ("models", 1, &denied, "may not"),
        ("models", 1, &page, "Hugging Face"),
        ("datasets", 2, &denied, "may not"),
        ("datasets", 2, &page, "Hugging Face"),
    ] {
        world.clear_faults();
        let when = json!({"count": count, "path": format!("{kind}/alice/model")});
        world.strike("hf.info", answer.clone(), when);
        let ran = run(&world, &DELETE);
        assert!(world.all_struck(), "{kind} {answer}");
        stays(&world, &ran, 2, "stays", words);
    }
    assert_eq!(world.requests("hf.delete"), 0);
}

#[test]
fn a_repo_that_another_account_does_not_see_is_not_called_gone() {
    let world = copied();
    let private = [&["cleanup", "alice/model", "--make-private"][..], &AGREED];
    let private = run(&world, &private.concat());
    assert_eq!(private.code, 0, "{}{}", private.stdout, private.stderr);
    let ran = as_bob(&world, &DELETE[..4]);
    ran_not_found(&ran);
    for copy in ["migrate", "batch"] {
        let then = [copy, "alice/model", "--then", "cleanup", "--history-may-go"];
        let ran = as_bob(&world, &then);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(ran.code == 3 && !said.contains("gone already"), "{said}");
    }
    let moved = ["cleanup", "alice/model", "--move-to", "hidden"];
    let moved = run(&world, &[&moved[..], &AGREED].concat());
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    ran_not_found(&as_bob(&world, &DELETE[..4]));
    assert!(is_there(&world, "alice/hidden"));
}

fn ran_not_found(ran: &Ran) {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(ran.code == 3 && said.contains("not found"), "{said}");
}

#[test]
fn only_the_kind_and_the_account_of_a_deletion_are_gone_already() {
    let world = copied();
    assert_eq!(run(&world, &DELETE).code, 0);
    let again = run(&world, &[&DELETE[..4], &["--json"]].concat());
    assert_eq!((again.code, &row(&again)["state"]), (0, &json!("gone")));
    ran_not_found(&as_bob(&world, &DELETE[..4]));
    let dataset = ["cleanup", "datasets/alice/model"];
    ran_not_found(&run(&world, &dataset));
    // Another repo of that id, which a run of this machine has read since, and which somebody else has hidden.
    world.seed_small_model();
    let copy = ["migrate", "alice/model", "ms:alice/second"];
    assert_eq!(world.run_with(&copy, &[TOKEN]).code, 0);
    world.admin("DELETE", "/repo?hub=hf&kind=model&id=alice/model", "");
    ran_not_found(&run(&world, &DELETE[..4]));
}
