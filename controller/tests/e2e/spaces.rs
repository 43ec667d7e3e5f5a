//! Spaces from end to end: skipped unless asked for, made into studios with what runs them, and what can't be copied is named.

use crate::common::{Ran, World};
use serde_json::{Value, json};

const HF_ALICE: (&str, &str) = ("HF_TOKEN", "hf_sandboxAliceWrite");
const HF_BOB: (&str, &str) = ("HF_TOKEN", "hf_sandboxBobWrite");

/// A world whose Hugging Face has the Space `alice/app`.
fn with_space(more: &Value) -> World {
    let world = World::new();
    let mut seed = json!({
        "hub": "hf", "kind": "space", "id": "alice/app", "sdk": "gradio",
        "files": [
            {"path": "README.md", "text": "---\ntitle: App\nsdk: gradio\n---\n# App\n"}, {"path": "app.py", "text": "import gradio"},
            {"path": "w.safetensors", "size": 300_000, "seed": 1}, {"path": "copy.safetensors", "size": 300_000, "seed": 1},
        ],
    });
    seed.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    world.seed(&seed.to_string());
    world
}

fn run(world: &World, args: &[&str]) -> Ran {
    world.run_with(args, &[HF_ALICE])
}

fn as_studio(world: &World) -> Ran {
    run(
        world,
        &["migrate", "alice/app", "--spaces-as", "studio", "--json"],
    )
}

fn warnings(ran: &Ran) -> String {
    ran.event("report")["warnings"].to_string()
}

#[test]
fn a_space_becomes_a_studio_that_runs_by_the_same() {
    for sdk in ["gradio", "streamlit", "static", "docker"] {
        let world = with_space(&json!({"sdk": sdk}));
        let ran = as_studio(&world);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let studio = world.stored("ms", "space", "alice/app").unwrap();
        assert_eq!(
            (&studio["sdk"], &studio["visibility"]),
            (&json!(sdk), &json!("public"))
        );
        assert!(world.is_copied("space", "alice/app", "alice/app"));
        assert_eq!(
            (
                world.requests("ms_storage.put"),
                world.requests("ms.commit")
            ),
            (1, 1),
            "equal blobs move once, all in one commit"
        );
    }
}

#[test]
fn a_second_run_moves_nothing_and_verify_compares() {
    let world = with_space(&json!({}));
    assert_eq!(as_studio(&world).code, 0);
    world.admin("POST", "/counters/reset", "");
    assert_eq!(as_studio(&world).event("report")["unchanged"], 4);
    assert_eq!(
        (
            world.requests("ms_storage.put"),
            world.requests("ms.commit")
        ),
        (0, 0)
    );
    assert_eq!(
        run(&world, &["verify", "alice/app", "--spaces-as", "studio"]).code,
        0
    );
}

#[test]
fn who_may_see_it_stays_as_it_is() {
    for visibility in ["private", "protected"] {
        let world = with_space(&json!({"visibility": visibility}));
        assert_eq!(as_studio(&world).code, 0);
        assert_eq!(
            world.stored("ms", "space", "alice/app").unwrap()["visibility"],
            visibility
        );
        world
            .admin(
                "POST",
                "/repo",
                r#"{"hub":"ms","kind":"space","id":"alice/app","visibility":"public"}"#,
            )
            .unwrap();
        let again = run(&world, &["migrate", "alice/app", "--spaces-as", "studio"]);
        again.refused_with(3, "is public at the destination");
    }
}

#[test]
fn secrets_and_variables_are_named_and_their_values_go_nowhere() {
    let world = with_space(
        &json!({"secrets": {"API_KEY": "canary-secret"}, "variables": {"MODEL": "canary-value", "A\u{1b}[2J": "x"}}),
    );
    let ran = as_studio(&world);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let told = warnings(&ran);
    assert!(
        told.contains("secrets are not copied")
            && told.contains("API_KEY")
            && told.contains("MODEL"),
        "{told}"
    );
    let state = std::process::Command::new("grep")
        .args(["-r", "canary"])
        .arg(world.path("state"))
        .output()
        .unwrap();
    assert!(
        !ran.stdout.contains("canary")
            && !ran.stdout.contains("\\u001b")
            && state.stdout.is_empty()
    );
    let stranger = world.run_with(
        &[
            "migrate",
            "alice/app",
            "--spaces-as",
            "studio",
            "--dest",
            "alice/other",
            "--json",
        ],
        &[HF_BOB],
    );
    let told = warnings(&stranger);
    assert!(
        told.contains("may not see which secrets") && told.contains("/spaces/alice/app/settings"),
        "{told}"
    );
}

#[test]
fn an_sdk_that_is_not_known_is_refused_before_anything_is_created() {
    let world = with_space(&json!({"sdk": "shiny"}));
    let command = ["migrate", "alice/app", "--spaces-as", "studio"];
    run(&world, &command).refused_with(
        3,
        "'shiny' is no SDK that is known here: gradio, streamlit, static and docker are",
    );
    let world = World::new();
    world.seed(
        r#"{"hub":"hf","kind":"space","id":"alice/app","files":[{"path":"app.py","text":"x"}]}"#,
    );
    run(&world, &command).refused_with(3, "does not say what runs it");
    assert!(world.stored("ms", "space", "alice/app").is_none());
}

#[test]
fn without_the_option_it_is_refused_and_as_a_model_only_its_files_go() {
    let world = with_space(&json!({}));
    run(&world, &["migrate", "alice/app"])
        .refused_with(2, "--spaces-as studio makes a studio of it");
    assert!(world.stored("ms", "space", "alice/app").is_none());
    assert_eq!(
        run(&world, &["migrate", "alice/app", "--repo-type", "model"]).code,
        0
    );
    assert!(
        world.stored("ms", "model", "alice/app").is_some()
            && world.stored("ms", "space", "alice/app").is_none()
    );
}

#[test]
fn a_space_goes_to_another_owner_on_hugging_face() {
    let world = with_space(&json!({"sdk": "docker", "private": true}));
    let ran = run(
        &world,
        &[
            "migrate",
            "hf:alice/app",
            "--to",
            "hf",
            "--dest",
            "acme/app",
            "--spaces-as",
            "space",
            "--json",
        ],
    );
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let space = world.stored("hf", "space", "acme/app").unwrap();
    assert_eq!(
        (
            &space["sdk"],
            &space["private"],
            space["files"].as_array().unwrap().len()
        ),
        (&json!("docker"), &json!(true), 5)
    );
}

/// A world whose ModelScope has the studio `alice/app`.
fn with_studio(card: &str, more: &Value) -> World {
    let world = World::new();
    let mut seed = json!({
        "hub": "ms", "kind": "space", "id": "alice/app", "sdk": "gradio",
        "files": [
            {"path": "README.md", "text": card}, {"path": "app.py", "text": "import gradio"},
            {"path": "w.safetensors", "size": 300_000, "seed": 1},
        ],
    });
    seed.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    world.seed(&seed.to_string());
    world
}

const AS_SPACE: [&str; 5] = [
    "migrate",
    "ms:studios/alice/app",
    "--spaces-as",
    "space",
    "--json",
];

/// Whether the Space `alice/app` holds this card.
fn has_card(world: &World, card: &str) -> bool {
    let space = world.stored("hf", "space", "alice/app").unwrap();
    let sha256 = json!(hf2ms_hub::Sha256::of(card.as_bytes()).to_string());
    let mut files = space["files"].as_array().unwrap().iter();
    files.any(|file| file["path"] == "README.md" && file["sha256"] == sha256)
}

#[test]
fn a_studio_becomes_a_space_whose_card_names_what_runs_it() {
    let world = with_studio("---\nlicense: mit\n---\n# App\n", &json!({}));
    let ran = run(&world, &AS_SPACE);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let space = world.stored("hf", "space", "alice/app").unwrap();
    assert_eq!(space["sdk"], "gradio");
    let card = "---\nsdk: gradio\nlicense: mit\n---\n# App\n";
    assert!(has_card(&world, card), "{space}");
    assert!(
        warnings(&ran).contains("'sdk: gradio' is written"),
        "{}",
        ran.stdout
    );
    world.admin("POST", "/counters/reset", "");
    let again = run(&world, &AS_SPACE);
    assert_eq!(
        (again.code, world.requests("hf.commit")),
        (0, 0),
        "a card that was mended before is unchanged: {}",
        again.stdout
    );
}

#[test]
fn a_studios_card_that_names_its_sdk_or_is_to_be_kept_is_sent_as_it_is() {
    let named = "---\ntitle: App\nsdk: gradio\n---\n# App\n";
    for (card, more) in [(named, None), ("# plain\n", Some("--keep-readme"))] {
        let world = with_studio(card, &json!({}));
        let args: Vec<&str> = AS_SPACE.into_iter().chain(more).collect();
        let ran = run(&world, &args);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(has_card(&world, card), "{card}");
    }
}

#[test]
fn a_studio_of_an_sdk_that_is_not_known_is_refused_before_anything_is_written() {
    for (sdk, words) in [
        (json!("shiny"), "'shiny' is no SDK that is known here"),
        (Value::Null, "does not say what runs it"),
    ] {
        let world = with_studio("# App\n", &json!({"sdk": sdk}));
        run(&world, &AS_SPACE[..4]).refused_with(3, words);
        assert!(world.stored("hf", "space", "alice/app").is_none());
        assert_eq!(world.requests("hf.create"), 0);
    }
}

#[test]
fn an_owners_studios_become_spaces_with_their_branches() {
    let world = with_studio("# App\n", &json!({"branches": ["dev"]}));
    let batch = ["batch", "--owner", "ms:alice", "--repo-type", "space"];
    let more = ["--spaces-as", "space", "--all-revisions", "--json"];
    let ran = run(&world, &[&batch[..], &more].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let space = world.stored("hf", "space", "alice/app").unwrap();
    let branches = space["branches"].as_object().unwrap();
    assert!(
        branches.contains_key("main") && branches.contains_key("dev"),
        "{space}"
    );
}

#[test]
fn what_does_not_fit_together_is_refused_in_one_line() {
    let world = with_space(&json!({}));
    world.seed(r#"{"hub":"ms","kind":"space","id":"alice/studio","sdk":"gradio","files":[{"path":"app.py","text":"x"}]}"#);
    let refused = |args: &[&str], code, words: &str| {
        run(&world, &[&["migrate"], args].concat()).refused_with(code, words)
    };
    refused(
        &["alice/app", "--spaces-as", "space"],
        2,
        "give --spaces-as studio",
    );
    refused(
        &[
            "hf:alice/app",
            "--to",
            "hf",
            "--dest",
            "acme/a",
            "--spaces-as",
            "studio",
        ],
        2,
        "give --spaces-as space",
    );
    refused(
        &["alice/app", "--spaces-as", "studio", "--repo-type", "model"],
        2,
        "leave one of them out",
    );
    refused(
        &["ms:studios/alice/studio", "--spaces-as", "studio"],
        2,
        "give --spaces-as space",
    );
    let skipped = run(&world, &["migrate", "ms:studios/alice/studio"]);
    assert!(
        skipped.code == 2
            && skipped
                .stderr
                .contains("ms:studios/alice/studio is a Space: --spaces-as space makes one of it"),
        "{}",
        skipped.stderr
    );
    let emitted = run(
        &world,
        &[
            "plan",
            "alice/app",
            "--spaces-as",
            "studio",
            "--emit",
            "kubernetes",
        ],
    );
    emitted.refused_with(2, "can't be created from a cluster");
}

#[test]
fn an_owners_spaces_are_copied_where_something_becomes_of_them() {
    let world = with_space(&json!({}));
    world.seed(
        r#"{"hub":"hf","kind":"model","id":"alice/model","files":[{"path":"a.txt","text":"x"}]}"#,
    );
    let rows = |ran: &Ran| ran.event("batch")["repos"].as_array().unwrap().len();
    let plain = run(&world, &["batch", "--owner", "alice", "--json"]);
    assert_eq!((plain.code, rows(&plain)), (0, 1), "{}", plain.stdout);
    assert!(
        plain.stdout.contains("Spaces are left out"),
        "{}",
        plain.stdout
    );
    let all = run(
        &world,
        &[
            "batch",
            "--owner",
            "alice",
            "--spaces-as",
            "studio",
            "--json",
        ],
    );
    assert_eq!((all.code, rows(&all)), (0, 2), "{}", all.stdout);
    assert_eq!(
        world.stored("ms", "space", "alice/app").unwrap()["sdk"],
        "gradio"
    );
}

#[test]
fn a_plan_from_a_file_makes_the_studio_too() {
    let world = with_space(&json!({"sdk": "static"}));
    let file = world.path("plan.json").display().to_string();
    assert_eq!(
        run(
            &world,
            &["plan", "alice/app", "--spaces-as", "studio", "--out", &file]
        )
        .code,
        0
    );
    let ran = run(&world, &["migrate", "--plan", &file]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(
        world.stored("ms", "space", "alice/app").unwrap()["sdk"],
        "static"
    );
}

#[test]
fn a_space_takes_its_branches_along() {
    let world = with_space(&json!({"branches": ["dev"], "tags": ["v1"]}));
    let ran = run(
        &world,
        &[
            "migrate",
            "alice/app",
            "--spaces-as",
            "studio",
            "--all-revisions",
            "--json",
        ],
    );
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let studio = world.stored("ms", "space", "alice/app").unwrap();
    assert_eq!(
        (
            &studio["sdk"],
            studio["branches"].as_object().unwrap().len()
        ),
        (&json!("gradio"), 2)
    );
}
