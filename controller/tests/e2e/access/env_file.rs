//! Which file names tokens and endpoints, and which of them go together; and a demo that knows none.

use super::*;

/// A migration whose environment has nothing of Hugging Face.
fn without_hugging_face(world: &World) -> std::process::Command {
    let mut command = world.command(&["migrate", "alice/model", "--dry-run"]);
    command.env_remove("HF_ENDPOINT");
    command
}

#[test]
fn a_file_of_a_folder_above_names_nothing() {
    let world = World::with_model();
    std::fs::write(
        world.path(".env"),
        format!(
            "HF_ENDPOINT={}\nHF_TOKEN={READER}\nMODELSCOPE_TOKEN={ALICE}\n",
            world.address("hf")
        ),
    )
    .unwrap();
    std::fs::create_dir(world.path("below")).unwrap();
    let mut command = world.command(&["migrate", "alice/model"]);
    command
        .current_dir(world.path("below"))
        .env_remove("MODELSCOPE_TOKEN");
    Ran::of(command.output().unwrap()).refused_with(3, "MODELSCOPE_TOKEN is not set");
    assert!(!json!(requests(&world)).to_string().contains(READER));
}

#[test]
fn an_endpoint_of_a_file_gets_no_token_of_the_environment() {
    let world = World::with_model();
    let endpoint = format!("HF_ENDPOINT={}\n", world.address("hf"));
    std::fs::write(world.path(".env"), &endpoint).unwrap();
    let ran = Ran::of(
        without_hugging_face(&world)
            .env("HF_TOKEN", READER)
            .output()
            .unwrap(),
    );
    ran.refused_with(2, ".env sets HF_ENDPOINT without its token");
    assert!(requests(&world).is_empty());
    std::fs::write(world.path(".env"), format!("{endpoint}HF_TOKEN={READER}\n")).unwrap();
    let ran = Ran::of(without_hugging_face(&world).output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        ran.stderr
            .matches("settings from .env: HF_TOKEN, HF_ENDPOINT")
            .count(),
        1,
        "{}",
        ran.stderr
    );
}

#[test]
fn a_named_file_is_read_by_any_verb_instead_of_the_usual_one() {
    let world = World::with_model();
    std::fs::write(world.path(".env"), "HF_TOKEN: nothing\n").unwrap();
    std::fs::write(world.path("mine"), format!("HF_TOKEN={READER}\n")).unwrap();
    let ran = world.run(&["--env-file", "mine", "migrate", "alice/model", "--dry-run"]);
    assert!(
        ran.code == 0 && ran.stderr.contains("settings from mine: HF_TOKEN"),
        "{}",
        ran.stderr
    );
    assert!(json!(requests(&world)).to_string().contains(READER));
    let ran = world.run(&["doctor", "--env-file", "nowhere"]);
    ran.refused_with(2, "nowhere can't be read");
}

#[test]
fn a_token_of_the_source_stays_away_from_a_hub() {
    let world = World::with_model();
    let target = format!("{}/alice/target", world.address("hf"));
    world.run_with(
        &["mirror", "-s", "hf:alice/model", "-t", &target, "--dry-run"],
        &[("SOURCE_TOKEN", "canary-of-elsewhere"), QUICK],
    );
    let all = json!(requests(&world)).to_string();
    assert!(
        all.contains("info/refs") && !all.contains("authorization"),
        "{all}"
    );
}

#[test]
fn a_demo_knows_no_token_and_no_site_of_the_user() {
    let world = World::new();
    let mine = [
        ("MODELSCOPE_DESTINATION_TOKEN", "ms-canary-of-mine"),
        ("MODELSCOPE_DESTINATION_ENDPOINT", world.address("ms")),
        ("HF_DESTINATION_ENDPOINT", world.address("hf")),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
    ];
    let ran = world.run_with(&["demo"], &mine);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(requests(&world).is_empty());
}
