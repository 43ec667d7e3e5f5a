//! `plan --emit kubernetes`: what it writes is read as a cluster would read it, and played with the real worker.

use std::process::Command;

use crate::common::{ALICE, Ran, World, binary};
use serde_json::{Value, json};

/// The objects that a plan became.
struct Emitted(Vec<Value>);

impl Emitted {
    fn by(world: &World, args: &[&str]) -> Self {
        let args = [&["plan", "alice/model", "--emit", "kubernetes"], args].concat();
        let ran = world.run(&args);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(!ran.stdout.contains(ALICE), "a token in {}", ran.stdout);
        Self(serde_saphyr::from_multiple(&ran.stdout).unwrap())
    }

    fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |object| object["kind"] == kind)
    }

    fn job(&self, ending: &str) -> &Value {
        self.all("Job")
            .find(|job| {
                job["metadata"]["name"]
                    .as_str()
                    .unwrap()
                    .ends_with("-finish")
                    == (ending == "-finish")
            })
            .unwrap()
    }

    /// Puts the chunks where the pods would find them.
    fn mount(&self, world: &World) {
        let folder = world.path("chunks");
        std::fs::create_dir(&folder).unwrap();
        for (name, content) in self
            .all("ConfigMap")
            .flat_map(|map| map["data"].as_object().unwrap())
        {
            std::fs::write(folder.join(name), content.as_str().unwrap()).unwrap();
        }
    }
}

/// Runs a Job's container as the kubelet would: with its arguments expanded, its environment, and the Secret's.
fn pod(world: &World, job: &Value, index: u64) -> Ran {
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let chunks = world.path("chunks").display().to_string();
    let expanded = |arg: &Value| {
        arg.as_str()
            .unwrap()
            .replace("$(JOB_COMPLETION_INDEX)", &index.to_string())
            .replace("/chunks", &chunks)
    };
    let mut command = Command::new(binary("hf2ms-worker"));
    command
        .args(container["args"].as_array().unwrap().iter().map(expanded))
        .env_clear()
        .env("MODELSCOPE_TOKEN", ALICE);
    for variable in container["env"].as_array().into_iter().flatten() {
        command.env(
            variable["name"].as_str().unwrap(),
            variable["value"].as_str().unwrap(),
        );
    }
    Ran::of(command.output().unwrap())
}

#[test]
fn the_jobs_of_a_plan_make_a_whole_copy() {
    let world = World::new();
    let mut files: Vec<Value> = (0..6)
        .map(|n| json!({"path": format!("part {n}.bin"), "size": 300_000, "seed": n, "lfs": true}))
        .collect();
    files.push(json!({"path": "README.md", "text": "# Hello\n"}));
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "files": files})
            .to_string(),
    );
    let emitted = Emitted::by(&world, &["--containers", "3"]);
    let (chunks, last) = (emitted.job(""), emitted.job("-finish"));
    assert_eq!(
        (
            &chunks["spec"]["completions"],
            &chunks["spec"]["parallelism"]
        ),
        (&json!(3), &json!(3))
    );
    assert!(
        world.stored("ms", "model", "alice/model").is_none(),
        "a plan creates nothing"
    );

    emitted.mount(&world);
    // All at once, each of them finding no destination; one pod is run twice, as a cluster may.
    std::thread::scope(|scope| {
        let pods: Vec<_> = [0, 1, 2, 2]
            .map(|index| {
                scope.spawn({
                    let world = &world;
                    move || pod(world, chunks, index)
                })
            })
            .into();
        for running in pods {
            let ran = running.join().unwrap();
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        }
    });
    assert!(
        !world.is_copied("model", "alice/model", "alice/model"),
        "blobs are invisible until they are committed"
    );
    let sent = world.uploads().len();

    let ran = pod(&world, last, 0);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.event("verified")["equal"], 7);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
    assert_eq!(
        world.uploads().len(),
        sent,
        "the last Job finds the blobs there"
    );
}

#[test]
fn a_chunk_that_was_lost_is_made_up_for_by_the_last_job() {
    let world = World::with_model();
    let emitted = Emitted::by(&world, &["--containers", "2", "--private"]);
    emitted.mount(&world);
    assert_eq!(pod(&world, emitted.job(""), 0).code, 0);
    assert_eq!(pod(&world, emitted.job("-finish"), 0).code, 0);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
    assert_eq!(
        world.stored("ms", "model", "alice/model").unwrap()["visibility"],
        "private"
    );
}

#[test]
fn a_destination_that_shows_what_is_hidden_is_refused_by_every_pod() {
    let world = World::with_model();
    let emitted = Emitted::by(&world, &["--private"]);
    emitted.mount(&world);
    world.seed(r#"{"hub":"ms","kind":"model","id":"alice/model","message":"m","files":[{"path":"x.txt","text":"x"}]}"#);
    for job in emitted.all("Job") {
        let ran = pod(&world, job, 0);
        assert!(
            ran.code == 3 && format!("{}{}", ran.stdout, ran.stderr).contains("is public"),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
    }
    assert_eq!(world.requests("ms_storage.put"), 0);
    world
        .run(&["plan", "alice/model", "--emit", "kubernetes", "--private"])
        .refused_with(3, "is public at the destination");
}

#[test]
fn what_a_cluster_can_not_do_is_refused() {
    let world = World::with_model();
    for args in [
        &["--prune"][..],
        &["--include", "*.bin"],
        &["--exclude", "*.bin"],
        &["--secret", "Not A Name"],
    ] {
        let args = [&["plan", "alice/model", "--emit", "kubernetes"], args].concat();
        assert_eq!(world.run(&args).code, 2, "{args:?}");
    }
    assert_eq!(
        world
            .run(&["plan", "alice/model", "--emit", "frobnicate"])
            .code,
        2
    );
}

#[test]
fn the_yaml_goes_to_a_file_too() {
    let world = World::with_model();
    let ran = world.run(&[
        "plan",
        "alice/model",
        "--emit",
        "kubernetes",
        "--image",
        "registry.example/worker:9",
        "--secret",
        "mine",
        "--out",
        "job.yaml",
    ]);
    assert!(
        ran.code == 0 && ran.stdout.contains("written to job.yaml"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let yaml = std::fs::read_to_string(world.path("job.yaml")).unwrap();
    assert!(
        yaml.starts_with("# Copies hf:alice/model to ms:alice/model"),
        "{yaml}"
    );
    for job in Emitted(serde_saphyr::from_multiple(&yaml).unwrap()).all("Job") {
        let container = &job["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(
            (
                &container["image"],
                &container["envFrom"][0]["secretRef"]["name"]
            ),
            (&json!("registry.example/worker:9"), &json!("mine"))
        );
    }
}
