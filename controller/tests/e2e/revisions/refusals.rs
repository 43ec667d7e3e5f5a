//! Options that do not fit together.

use super::*;

#[test]
fn what_does_not_fit_together_is_refused_before_anything_happens() {
    let world = with_history("hf", "main");
    let refused = |args: &[&str], words: &str| {
        run(&world, &[&ALL[..3], args].concat()).refused_with(2, words)
    };
    refused(&["--detach"], "--detach needs --on modal");
    let address = format!("{}/alice/model/tree/v1", world.address("hf"));
    run(&world, &["migrate", &address, "--all-revisions"])
        .refused_with(2, "SOURCE names a revision");
    assert_eq!(
        run(&world, &[&ALL[..], &["--revision", "v1"]].concat()).code,
        2
    );
    run(&world, &["migrate", "alice/none", "--all-revisions"])
        .refused_with(3, "alice/none was found");
    assert!(world.stored("ms", "model", "alice/model").is_none());
}
