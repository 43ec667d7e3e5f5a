//! Deletions in a batch: agreed to for each repo.

use super::*;

#[test]
fn a_repo_whose_deletions_nobody_agreed_to_costs_only_itself() {
    let world = world(&[("alice/one", 1000), ("alice/two", 2000)]);
    let batch = |more: &[&str]| {
        let args = ["batch", "alice/one", "alice/two", "--json"];
        world.run(&[&args[..], more].concat())
    };
    let alone = batch(&["--prune"]);
    let message = alone.event("error")["message"].to_string();
    assert!(
        alone.code == 2 && message.contains("without --force"),
        "{message}"
    );
    assert_eq!(batch(&[]).code, 0);
    let theirs = json!({"hub": "ms", "kind": "model", "id": "alice/one", "message": "m",
        "files": [{"path": "old.txt", "text": "old"}]});
    world.seed(&theirs.to_string());
    let refused = batch(&["--force", "--prune"]);
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    assert_eq!(states(&refused), ["failed", "there_already"]);
    let agreed = batch(&["--force", "--prune", "--yes"]);
    assert_eq!(states(&agreed), ["moved", "there_already"]);
    assert!(
        world
            .stored("ms", "model", "alice/one")
            .is_some_and(|repo| !repo.to_string().contains("old.txt"))
    );
}
