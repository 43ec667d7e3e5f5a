//! Which repos and sites a cleanup is about: what was named, and not what a slip or a folder's file makes of it.

use serde_json::json;

use super::{DELETE, TOKEN, copied, is_there, run};
use crate::common::history::seed;
use crate::common::{ALICE, Ran, World};

const AGREED: [&str; 4] = ["--history-may-go", "--delete", "--yes-delete", "1"];

/// No repo is removed by these words, which are refused.
fn is_refused(world: &World, words: &[&str], line: &str) {
    let ran = run(world, &[words, &AGREED].concat());
    ran.refused_with(2, line);
    assert_eq!(world.requests("hf.delete"), 0, "{words:?}");
}

#[test]
fn a_copy_is_no_source_beside_what_it_is_a_copy_of() {
    let world = copied();
    let copy = ["migrate", "hf:alice/model", "hf:alice/other"];
    assert_eq!(run(&world, &copy).code, 0);
    let files = json!([{"path": "a.txt", "text": "x"}]);
    seed(&world, "hf", "acme/model", "main", &files, &json!({}));
    let list = world.path("list");
    // As other verbs take a source and a destination, by a run of this machine, and by the list itself.
    is_refused(
        &world,
        &["cleanup", "hf:acme/model", "hf:alice/model"],
        "hf:alice/model is, or may be, the copy of hf:acme/model",
    );
    is_refused(
        &world,
        &["cleanup", "hf:alice/model", "hf:alice/other"],
        "the copy of hf:alice/model",
    );
    std::fs::write(&list, "hf:acme/model hf:alice/model\nhf:alice/model\n").unwrap();
    is_refused(
        &world,
        &["cleanup", "--file", list.to_str().unwrap()],
        "the copy of hf:acme/model",
    );
    // Which kind the first one is is not known yet.
    let chain = "hf:acme/data hf:alice/Model\nhf:datasets/alice/model ms:alice/model\n";
    std::fs::write(&list, chain).unwrap();
    is_refused(
        &world,
        &["cleanup", "--file", list.to_str().unwrap()],
        "the copy of hf:acme/data",
    );
    assert!(is_there(&world, "alice/model") && is_there(&world, "alice/other"));
}

#[test]
fn the_address_of_another_site_than_the_one_that_is_asked_removes_nothing() {
    let world = copied();
    let list = world.path("list");
    for (line, words) in [
        ("https://huggingface.co/alice/model", "is on huggingface.co"),
        (
            "alice/model https://modelscope.cn/models/alice/model",
            "is on modelscope.cn",
        ),
    ] {
        std::fs::write(&list, line).unwrap();
        is_refused(
            &world,
            &["cleanup", "--file", list.to_str().unwrap()],
            words,
        );
    }
    let typed = ["https://huggingface.co/alice/model", "ms:alice/model"];
    let then = ["--then", "cleanup", "--history-may-go", "--yes-delete", "1"];
    let ran = run(&world, &[&["migrate"], &typed[..], &then].concat());
    ran.refused_with(2, "is on huggingface.co");
    let ran = run(&world, &[&["batch", typed[0]], &then[..]].concat());
    ran.refused_with(2, "is on huggingface.co");
    let own = format!("{}/alice/model", world.address("hf"));
    let ran = run(&world, &[&["cleanup", &own], &AGREED[..]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!is_there(&world, "alice/model"));
}

#[test]
fn a_site_that_a_file_of_the_folder_names_is_no_reason_to_remove_anything() {
    let world = copied();
    let settings = format!(
        "MODELSCOPE_ENDPOINT={}\nMODELSCOPE_TOKEN={ALICE}\n",
        world.address("ms")
    );
    std::fs::write(world.path(".env"), &settings).unwrap();
    let cleanup = |file: &[&str]| {
        let mut command = world.command(&[file, &DELETE].concat());
        command
            .env_remove("MODELSCOPE_ENDPOINT")
            .env_remove("MODELSCOPE_TOKEN")
            .env(TOKEN.0, TOKEN.1);
        Ran::of(command.output().unwrap())
    };
    let ran = cleanup(&[]);
    let words = ".env of this folder sets MODELSCOPE_ENDPOINT";
    assert!(
        ran.code == 2 && ran.stdout.contains(words),
        "{}",
        ran.stdout
    );
    assert!(is_there(&world, "alice/model"));
    // The same file counts where the command line names it.
    let ran = cleanup(&["--env-file", ".env"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_target_that_is_the_copy_or_that_of_another_source_is_refused_before_any_request() {
    let world = World::new();
    let list = world.path("list");
    let pairs =
        "hf:alice/a ms:alice/one\nhf:acme/a ms:alice/two\nhf:datasets/bob/a ms:alice/data\n";
    std::fs::write(&list, pairs).unwrap();
    let same = [
        "--file",
        list.to_str().unwrap(),
        "--move-to",
        "acme/Old-NAME",
    ];
    let copy = [
        "hf:alice/a",
        "--against",
        "hf:acme",
        "--move-to",
        "acme/NAME",
    ];
    for (words, line) in [
        (&same[..], "both alice/a and acme/a would be acme/Old-a"),
        (&copy, "acme/a is the copy of alice/a"),
    ] {
        let args = [&["cleanup"], words, &["--yes-delete", "2"]].concat();
        run(&world, &args).refused_with(2, line);
    }
    assert_eq!(world.all_requests(), 0);
}
