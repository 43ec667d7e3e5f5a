//! Reports for people: the verdict first, only what is not zero, a cause once.

use crate::common::faults::IMPATIENT;
use crate::common::{SMALL_MODEL, World};
use serde_json::json;

#[test]
fn a_report_begins_with_the_verdict_and_leaves_out_what_is_zero() {
    let world = World::new();
    world.seed(SMALL_MODEL);
    let ran = world.run(&["migrate", "alice/model"]);
    let report = ran.stdout.split("\n\n").last().unwrap().to_owned();
    assert!(report.starts_with("done and verified"), "{report}");
    for words in [
        "  moved       2 blobs, 5 MB\n",
        "  duplicates  1 file of the same content as another\n",
        "  inline      3 files inside 1 commit\n",
        "  visible     to anyone (public)\n",
        "    extra             2  .gitattributes and configuration.json",
    ] {
        assert!(report.contains(words), "{words:?} in {report}");
    }
    for zero in [
        "reused",
        "unchanged",
        "deleted",
        "retries",
        "replaced",
        "missing",
        "different",
        "unread",
    ] {
        assert!(!report.contains(zero), "{zero} in {report}");
    }
    let again = world.run(&["migrate", "alice/model"]).stdout;
    assert!(
        again.contains("  unchanged   6 files\n") && !again.contains("moved  "),
        "{again}"
    );
}

#[test]
fn verify_ends_with_its_verdict() {
    let world = World::new();
    world.seed(SMALL_MODEL);
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    let last = |ran: &crate::common::Ran| ran.stdout.trim_end().lines().last().unwrap().to_owned();
    assert_eq!(
        last(&world.run(&["verify", "alice/model"])),
        "equal: 6 files on both sides"
    );
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/model","message":"m","files":[{"path":"config.json","text":"{1}"},{"path":"new.txt","text":"x"}]}"#);
    let differs = world.run(&["verify", "alice/model"]);
    assert_eq!(differs.code, 4, "{}{}", differs.stdout, differs.stderr);
    let verdict = last(&differs);
    assert!(
        verdict.starts_with("NOT EQUAL: of ")
            && verdict.ends_with("; hf2ms migrate alice/model ms:alice/model copies what differs"),
        "{verdict}"
    );
    // A command without the filters would copy more than was compared.
    let part = last(&world.run(&["verify", "alice/model", "--exclude", "*.safetensors"]));
    assert!(
        part.contains("the filters of this command") && !part.contains("migrate alice/model"),
        "{part}"
    );
}

#[test]
fn many_failures_with_one_cause_are_said_once_with_what_to_do() {
    let world = World::with_blobs(300, 2000);
    let lost =
        json!({"do": "status", "status": 404, "body": "<Error><Code>NoSuchKey</Code></Error>"});
    world.always("hf_storage.get", lost);
    let ran = world.run_with(&["migrate", "alice/model"], &[IMPATIENT]);
    let report = ran.stdout.split("\n\n").last().unwrap();
    let all = format!("{}{}", ran.stderr, ran.stdout);
    assert!(all.lines().count() <= 10, "{all}");
    assert!(
        report.contains("  visible     0 of 300 files, to anyone (public)\n"),
        "{report}"
    );
    assert!(
        report.starts_with("incomplete: the same command alone does not bring the rest"),
        "{report}"
    );
    assert_eq!(report.matches("NoSuchKey").count(), 1, "{report}");
    assert!(
        report.contains("300 files (blob-") && report.contains("leave it out with --exclude"),
        "{report}"
    );
}

#[test]
fn five_thousand_files_that_a_hub_refuses_to_commit_have_one_line_and_what_is_visible_another() {
    let world = World::new();
    let texts = json!({"count": 5000, "size": 20, "prefix": "text-", "suffix": ".txt"});
    let data = json!({"hub": "hf", "kind": "dataset", "id": "alice/data", "generate": texts});
    world.seed(&data.to_string());
    world.always(
        "ms.commit",
        json!({"do": "status", "status": 403, "body": "no"}),
    );
    let ran = world.run_with(&["migrate", "datasets/alice/data"], &[IMPATIENT]);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    let all = format!("{}{}", ran.stderr, ran.stdout);
    // A busy machine takes long enough for lines of progress.
    let lines = all
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("finishing"));
    assert!(lines.count() <= 10, "{all}");
    for words in [
        "  visible     0 of 5,000 files, to anyone (public)\n",
        "  failed      5,000 files (text-",
        "give it the permission",
    ] {
        assert!(all.contains(words), "{words} in {all}");
    }
}

#[test]
fn a_lost_file_among_others_is_named_with_what_can_be_seen() {
    let world = World::with_blob(1000);
    let lost =
        json!({"do": "status", "status": 404, "body": "<Error><Code>NoSuchKey</Code></Error>"});
    world.always("hf_storage.get", lost);
    let ran = world.run_with(&["migrate", "alice/model"], &[IMPATIENT]);
    for words in [
        "incomplete: the same command alone does not bring the rest",
        "  visible     1 of 2 files, to anyone (public)\n",
        "  failed      w.safetensors: ",
    ] {
        assert!(ran.stdout.contains(words), "{words} in {}", ran.stdout);
    }
}

#[test]
fn the_words_of_reports_are_defined() {
    let world = World::new();
    let words = world.run(&["help", "words"]).stdout;
    for word in [
        "inline",
        "duplicate",
        "chunk",
        "extra",
        "unread",
        "refused",
        "held back",
    ] {
        assert!(words.contains(&format!("\n  {word} ")), "{word}");
    }
    assert!(
        world
            .run(&["help", "verify"])
            .stdout
            .contains("Usage: hf2ms verify")
    );
    world
        .run(&["help", "nothing"])
        .refused_with(2, "there is no verb and no topic nothing");
}

#[test]
fn a_state_folder_that_is_a_file_says_what_to_do() {
    let world = World::new();
    world.seed(SMALL_MODEL);
    std::fs::write(world.path("state"), "x").unwrap();
    let ran = world.run(&["migrate", "alice/model"]);
    assert!(
        ran.code != 0 && ran.stderr.contains("a file is where a folder has to be"),
        "{}",
        ran.stderr
    );
    assert!(world.stored("ms", "model", "alice/model").is_none());
}
