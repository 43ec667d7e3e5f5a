//! Branches and tags where an API is locked or Git is closed.

use super::*;

#[test]
fn where_gits_door_is_closed_new_branches_are_named_as_not_copied_and_tags_of_master_are_made() {
    let world = with_history("hf", "main");
    for route in ["ms.git_push", "ms.git_refs"] {
        world.fault(&json!({"route": route, "kind": {"do": "status", "status": 403}}).to_string());
    }
    let ran = run(&world, &ALL);
    assert_eq!(ran.code, 3, "{}", ran.stdout);
    assert!(
        reason(&ran, "dev/x").contains("makes branches by Git only"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        refs(&world, "ms"),
        (vec!["master".to_owned()], vec!["v1".to_owned()])
    );
    is_copied(&world, ("hf", "main"), ("ms", "master"));
}

#[test]
fn branches_and_tags_are_read_by_git_where_it_is_asked_for_or_the_api_is_locked() {
    for locked in [false, true] {
        let world = with_history("hf", "main");
        if locked {
            world
                .admin(
                    "POST",
                    "/repo",
                    r#"{"hub":"hf","kind":"model","id":"alice/model","storage_locked":"patterns"}"#,
                )
                .unwrap();
        }
        let asked: &[&str] = if locked { &[] } else { &["--use-git"] };
        done(&run(&world, &[&ALL[..], asked].concat()));
        for (from, to) in [
            ("main", "master"),
            ("dev/x", "dev/x"),
            ("v0", "v0"),
            ("v1", "v1"),
        ] {
            is_copied(&world, ("hf", from), ("ms", to));
        }
        assert_eq!(
            (
                world.requests("hf.resolve"),
                world.requests("ms_storage.put")
            ),
            (0, 3),
            "small files come in packs"
        );
    }
}
