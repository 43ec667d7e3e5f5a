//! What `hf2ms inventory` says of who may read a copy, and of repos that their hub has disabled.

use serde_json::{Value, json};

use crate::common::{Ran, World};

/// Of the account at Hugging Face.
const TOKEN: [(&str, &str); 1] = [("HF_TOKEN", "hf_sandboxAliceWrite")];

fn seed(world: &World, hub: &str, kind: &str, id: &str) {
    let files = json!([{"path": "a.bin", "size": 300_000, "seed": 1}]);
    let mut repo = json!({"hub": hub, "kind": kind, "id": id, "files": files});
    if kind == "space" {
        repo["sdk"] = json!("gradio");
    }
    world.seed(&repo.to_string());
}

/// Changes a repo at its hub.
fn set(world: &World, hub: &str, kind: &str, id: &str, flag: &str, value: Value) {
    let change = json!({"hub": hub, "kind": kind, "id": id, flag: value});
    world.admin("POST", "/repo", &change.to_string()).unwrap();
}

fn inventory(world: &World, more: &[&str]) -> Ran {
    world.run_with(&[&["inventory", "alice"], more].concat(), &TOKEN)
}

/// The repos whose copies show more, with the words for that.
fn exposed(ran: &Ran) -> Vec<(String, String)> {
    let events = ran.all_events().into_iter();
    let text = |event: &Value, key: &str| event[key].as_str().map(str::to_owned);
    let rows = events.filter(|event| event["event"] == "inventory_repo");
    rows.filter_map(|row| Some((text(&row, "repo")?, text(&row, "copy_shows_more")?)))
        .collect()
}

#[test]
fn a_copy_that_shows_more_than_its_source_is_named_and_fails_the_inventory() {
    let world = World::new();
    let id = |name: &str| format!("alice/{name}");
    for name in ["gated", "hidden", "members", "open"] {
        seed(&world, "hf", "model", &id(name));
        let copied = world.run_with(&["migrate", &id(name)], &TOKEN);
        assert_eq!(copied.code, 0, "{}", copied.stderr);
    }
    seed(&world, "hf", "space", &id("app"));
    seed(&world, "ms", "space", &id("app"));
    let model = |hub: &str, name: &str, flag: &str, value: Value| {
        set(&world, hub, "model", &id(name), flag, value);
    };
    assert_eq!(inventory(&world, &["--repo-type", "model"]).code, 0);
    model("hf", "gated", "gated", json!("auto"));
    model("hf", "hidden", "private", json!(true));
    model("hf", "members", "private", json!(true));
    model("ms", "members", "visibility", json!("internal"));
    for hub in ["hf", "ms"] {
        let protected = json!("protected");
        set(&world, hub, "space", &id("app"), "visibility", protected);
    }
    let ran = inventory(&world, &["--json"]);
    let expected = [
        ("gated", "open, and the source behind a gate"),
        ("hidden", "public, and the source private"),
        ("members", "internal, and the source private"),
    ];
    let expected = expected.map(|(name, more)| (id(name), more.to_owned()));
    assert_eq!(exposed(&ran), expected, "{}", ran.stdout);
    let totals = ran.event("inventory");
    assert_eq!((ran.code, &totals["exposed"]), (1, &json!(3)), "{totals}");
    assert_eq!(totals["counts"]["equal"], 5, "what a run has proven, too");
    let models = |more: &[&str]| inventory(&world, &[&["--repo-type", "model"], more].concat());
    assert_eq!(models(&[]).code, 1);
    assert_eq!(models(&["--fail-on", "different,none"]).code, 0);
    assert_eq!(models(&["--fail-on", "exposed"]).code, 1);
    let shown = models(&["--only", "exposed"]).stdout;
    assert!(
        shown.contains("EXPOSED: the copy is public, and the source private")
            && shown.contains("4 repos: 3 EXPOSED; 4 equal; ")
            && !shown.contains("alice/open"),
        "{shown}"
    );
    assert!(
        models(&["--summary"])
            .stdout
            .contains("EXPOSED     3 (copies")
    );
    let csv = models(&["--format", "csv"]).stdout;
    let line = csv.lines().find(|line| line.contains("alice/hidden"));
    let last = ",public,,\"public, and the source private\"";
    assert!(line.is_some_and(|line| line.ends_with(last)), "{csv}");
    model("ms", "hidden", "private", json!(true));
    assert_eq!(
        exposed(&inventory(&world, &["--json"])).len(),
        2,
        "as it is now"
    );
}

#[test]
fn a_copy_that_no_list_names_is_asked_who_may_read_it() {
    let world = World::new();
    seed(&world, "hf", "model", "alice/hidden");
    set(
        &world,
        "hf",
        "model",
        "alice/hidden",
        "private",
        json!(true),
    );
    seed(&world, "ms", "model", "alice/hidden");
    world.always("ms.list", json!({"do": "status", "status": 404}));
    for _ in 0..2 {
        let ran = inventory(&world, &["--json"]);
        let more = "public, and the source private".to_owned();
        assert_eq!(
            exposed(&ran),
            [("alice/hidden".to_owned(), more)],
            "{}",
            ran.stdout
        );
    }
}

#[test]
fn a_side_that_its_hub_has_disabled_is_named_and_nothing_proven_of_it_is_called_equal() {
    let world = World::new();
    for id in ["alice/off", "alice/on"] {
        seed(&world, "hf", "model", id);
        assert_eq!(world.run(&["migrate", id]).code, 0);
    }
    seed(&world, "hf", "model", "alice/new");
    let states = |ran: &Ran| {
        let events = ran.all_events().into_iter();
        let rows = events.filter(|event| event["event"] == "inventory_repo");
        let row = |row: Value| ["repo", "state"].map(|key| row[key].as_str().unwrap().to_owned());
        rows.map(|found| row(found).join(" ")).collect::<Vec<_>>()
    };
    for id in ["alice/off", "alice/new"] {
        set(&world, "hf", "model", id, "disabled", json!(true));
    }
    world.admin("POST", "/counters/reset", "").unwrap();
    let ran = inventory(&world, &["--json"]);
    let expected = ["alice/new disabled", "alice/off disabled", "alice/on equal"];
    assert_eq!(
        (ran.code, states(&ran)),
        (1, expected.map(str::to_owned).into())
    );
    assert_eq!(world.requests("hf.tree") + world.requests("hf.info"), 0);
    assert_eq!(ran.event("inventory")["counts"]["disabled"], 2);
    let shown = inventory(&world, &["--only", "disabled"]).stdout;
    let words = "Hugging Face has disabled model alice/off";
    assert!(
        shown.contains(words) && !shown.contains("alice/on"),
        "{shown}"
    );
    // The other way, the same repos are copies.
    let ran = world.run_with(&["inventory", "ms:alice", "--json"], &TOKEN);
    assert_eq!(states(&ran)[0], "alice/off disabled", "{}", ran.stdout);
}
