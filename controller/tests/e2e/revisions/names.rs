//! Names that can not be taken, tags and branches that stand already.

use super::*;

#[test]
fn names_that_can_not_be_taken_cost_only_themselves() {
    let world = with_history("hf", "main");
    seed(
        &world,
        "hf",
        "master",
        &json!([blob("m.bin", 7)]),
        &json!({"branches": ["a b", "x..y"], "tags": ["dev/x", "v\u{1b}[31m"]}),
    );
    let ran = run(&world, &ALL);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let rows = rows(&ran);
    assert_eq!(
        rows.iter().filter(|row| row.ends_with(" copied")).count(),
        5,
        "{rows:?}"
    );
    assert_eq!(
        rows.iter().filter(|row| row.ends_with(" failed")).count(),
        5,
        "{rows:?}"
    );
    assert!(
        reason(&ran, "a b").contains("none that Git allows")
            && reason(&ran, "master").contains("to which main goes"),
        "{}",
        ran.stdout
    );
    assert!(
        !ran.stdout.contains("\\u001b") && !ran.stdout.contains('\u{1b}'),
        "escaped for the screen"
    );
    is_copied(&world, ("hf", "dev/x"), ("ms", "dev/x"));
}

#[test]
fn a_tag_that_stands_elsewhere_is_not_moved() {
    let world = with_history("hf", "main");
    let theirs = seed(
        &world,
        "ms",
        "master",
        &json!([{"path": "other.txt", "text": "theirs"}]),
        &json!({"tags": ["v0"]}),
    );
    let ran = run(&world, &ALL);
    assert_eq!(ran.code, 1, "{}{:?}", ran.stdout, rows(&ran));
    assert!(
        reason(&ran, "v0").contains("tags are not moved"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        world.stored("ms", "model", "alice/model").unwrap()["tags"]["v0"],
        theirs.as_str()
    );
    is_copied(&world, ("hf", "dev/x"), ("ms", "dev/x"));
    assert!(
        holds(&world, "ms", "master").contains_key("other.txt"),
        "nothing is deleted from what was there"
    );
}

#[test]
fn a_branch_that_stands_there_is_written_where_it_is() {
    let world = with_history("hf", "main");
    done(&run(&world, &ALL));
    seed(
        &world,
        "hf",
        "dev/x",
        &json!([{"path": "new.txt", "text": "since"}]),
        &json!({"delete": ["notes.txt"]}),
    );
    seed(
        &world,
        "ms",
        "dev/x",
        &json!([{"path": "theirs.txt", "text": "theirs"}]),
        &json!({}),
    );
    let pushes = world.requests("ms.git_push");
    let ran = run(&world, &ALL);
    done(&ran);
    assert_eq!(
        rows(&ran)
            .iter()
            .filter(|row| row.ends_with(" copied"))
            .collect::<Vec<_>>(),
        ["branch dev/x copied"]
    );
    let there = holds(&world, "ms", "dev/x");
    assert!(
        ["new.txt", "theirs.txt", "notes.txt"]
            .iter()
            .all(|path| there.contains_key(*path)),
        "nothing is deleted unasked: {there:?}"
    );
    assert_eq!(world.requests("ms.git_push"), pushes, "no branch is made");
    let prune = run(&world, &[&ALL[..], &["--prune"]].concat());
    let message = prune.event("error")["message"].to_string();
    assert!(
        prune.code == 2 && message.contains("theirs.txt"),
        "{message}"
    );
    let agreed = run(&world, &[&ALL[..], &["--prune", "--yes"]].concat());
    let listed = agreed.event("deletions");
    assert_eq!(
        (agreed.code, &listed["revision"], &listed["paths"]),
        (
            0,
            &json!("branch dev/x"),
            &json!(["notes.txt", "theirs.txt"])
        )
    );
    is_copied(&world, ("hf", "dev/x"), ("ms", "dev/x"));
}
