//! What a migration will take, said, refused or asked about before it starts; and the simulation.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::common::{Ran, World};
use serde_json::Value;

/// A worker that moves nothing and says so: whether it was started is the question.
const NO_WORKER: &str =
    r#"read job; echo '{"event":"failed","error":"no bytes today","kind":"invalid"}'; exit 3"#;

/// A world whose Hugging Face lists three files of 40 GB, made of nothing.
fn with_120_gb() -> World {
    let world = World::new();
    let file = |n: u8| {
        format!(
            r#"{{"path":"{n}.bin","size":40000000000,"virtual":true,"seed":{n},"declare":{{"sha256":"{}"}}}}"#,
            n.to_string().repeat(64)
        )
    };
    let files = [1, 2, 3].map(file).join(",");
    world.seed(&format!(
        r#"{{"hub":"hf","kind":"model","id":"alice/model","message":"m","files":[{files}]}}"#
    ));
    world
}

fn nothing_was_created(world: &World) -> bool {
    world.stored("ms", "model", "alice/model").is_none() && !world.path("state").exists()
}

/// Runs `hf2ms` with a terminal for everything, at which someone types this.
fn at_a_terminal(world: &World, args: &[&str], typed: &str, environment: &[(&str, &str)]) -> Ran {
    let command = world.command(args);
    let line = format!("{} {}", command.get_program().display(), args.join(" "));
    let mut script = Command::new("script");
    script
        .args(["-qefc", &line, "/dev/null"])
        .current_dir(world.path("."))
        .env_clear();
    script
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .envs(environment.iter().copied());
    let mut child = script
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(typed.as_bytes())
        .unwrap();
    Ran::of(child.wait_with_output().unwrap())
}

#[test]
fn it_is_said_before_it_starts_what_it_will_take() {
    let world = World::with_model();
    let ran = world.run(&["migrate", "alice/model"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    for words in [
        "5 MB to move for 6 files\n",
        "expected: 1 worker, about",
        "assumed: 5.24 MB/s a file, 125 MB/s in all",
    ] {
        assert!(ran.stdout.contains(words), "{words} in {}", ran.stdout);
    }
    assert!(
        ran.stdout.find("expected: ") < ran.stdout.find("created public"),
        "{}",
        ran.stdout
    );
    assert!(
        !ran.stdout.contains('$'),
        "a machine of one's own costs nothing: {}",
        ran.stdout
    );
    let ran = world.run(&["migrate", "alice/model"]);
    assert!(
        !ran.stdout.contains("expected"),
        "nothing to do, nothing to expect: {}",
        ran.stdout
    );
}

#[test]
fn earlier_runs_on_the_same_engine_tell_the_rate() {
    let world = World::new();
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/model","message":"m","files":[{"path":"a.bin","size":70000000,"seed":1}]}"#);
    let assumed = world
        .run(&["migrate", "alice/model", "--json"])
        .event("estimate");
    assert_eq!(
        (
            assumed["rates"]["runs"].as_u64(),
            assumed["rates"]["stream"].as_f64()
        ),
        (Some(0), Some(5_242_880.0))
    );
    let run: Value =
        serde_json::from_slice(&std::fs::read(world.run_file("report.json")).unwrap()).unwrap();
    let again = world
        .run(&[
            "migrate",
            "alice/model",
            "--dest",
            "alice/other",
            "--json",
            "--dry-run",
        ])
        .event("estimate");
    assert_eq!(again["rates"]["runs"], 1);
    assert!(
        again["rates"]["stream"].as_f64() >= run["bytes_per_second"].as_f64(),
        "{again}"
    );
    let on_modal = world
        .run(&[
            "migrate",
            "alice/model",
            "--dest",
            "alice/other",
            "--on",
            "modal",
            "--json",
            "--dry-run",
        ])
        .event("estimate");
    assert_eq!(on_modal["rates"]["runs"], 0, "another engine");
}

#[test]
fn a_program_gets_the_estimate_as_an_event() {
    let world = with_120_gb();
    let ran = world.run(&[
        "migrate",
        "alice/model",
        "--on",
        "modal",
        "--json",
        "--dry-run",
    ]);
    let estimate = ran.event("estimate");
    assert_eq!(
        (
            ran.code,
            estimate["to_move"].as_u64(),
            estimate["to_move_bytes"].as_u64()
        ),
        (0, Some(3), Some(120_000_000_000))
    );
    assert_eq!(
        (estimate["containers"].as_u64(), estimate["there"].as_u64()),
        (Some(1), Some(0))
    );
    // 40 GB at 5 MiB/s, and a start; three files at a time are no trouble for one container.
    assert!(
        (estimate["expected_seconds"].as_f64().unwrap() - 7640.0).abs() < 1.0,
        "{estimate}"
    );
    let finalizer = 0.125 * 0.000_013_1 + 0.25 * 0.000_002_22;
    let by_the_list = 7640.0 * (0.000_013_1 + 0.5 * 0.000_002_22 + finalizer);
    assert!(
        (estimate["expected_dollars"].as_f64().unwrap() / by_the_list - 1.0).abs() < 0.06,
        "{estimate}, {by_the_list}"
    );
}

#[test]
fn what_would_cost_too_much_is_refused_before_anything_is_created() {
    let world = with_120_gb();
    let on_modal = |verb: &str, most: &str, more: &[&str]| {
        let args = [verb, "alice/model", "--on", "modal", "--max-cost", most];
        world.run(&[&args, more].concat())
    };
    for (verb, args) in [
        ("migrate", &[][..]),
        ("migrate", &["--dry-run"]),
        ("plan", &["--out", "plan.json"]),
    ] {
        on_modal(verb, "0.05", args).refused_with(3, "--max-cost allows 0.05 $");
        assert!(
            nothing_was_created(&world) && !world.path("plan.json").exists(),
            "{verb} {args:?}"
        );
    }
    let dry = on_modal("migrate", "1", &["--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    for words in [
        "1 container, about 2 h 07 min, about 0.13 $",
        "assumed: 5.24 MB/s a file, 125 MB/s a container",
    ] {
        assert!(dry.stdout.contains(words), "{words} in {}", dry.stdout);
    }
    let here = world.run(&[
        "plan",
        "alice/model",
        "--max-cost",
        "0",
        "--out",
        "plan.json",
    ]);
    assert!(
        here.code == 0 && world.path("plan.json").exists(),
        "{}",
        here.stderr
    );
    assert_eq!(
        world.run(&["plan", "alice/model", "--max-cost", "-1"]).code,
        2
    );
}

#[test]
fn a_person_is_asked_before_a_large_move_and_may_say_no() {
    let world = with_120_gb();
    let worker = world.scripted_worker(NO_WORKER);
    let worker = [("HF2MS_WORKER", worker.to_str().unwrap())];
    for answer in ["n\n", "\n", "\u{4}"] {
        let ran = at_a_terminal(&world, &["migrate", "alice/model"], answer, &worker);
        assert_eq!(ran.code, 130, "{}", ran.stdout);
        assert!(
            ran.stdout.contains("Move 120 GB in ") && ran.stdout.contains("[y/N]"),
            "{}",
            ran.stdout
        );
        assert!(
            ran.stdout.contains("not confirmed: nothing was done") && nothing_was_created(&world),
            "{}",
            ran.stdout
        );
    }
    let ran = at_a_terminal(&world, &["migrate", "alice/model"], "\u{3}", &worker);
    assert!(
        ran.code == 130 && nothing_was_created(&world),
        "Ctrl-C at the question: {}",
        ran.stdout
    );
}

#[test]
fn a_yes_an_option_or_a_pipe_lets_it_go_on() {
    let world = with_120_gb();
    let worker = world.scripted_worker(NO_WORKER);
    let worker = [("HF2MS_WORKER", worker.to_str().unwrap())];
    let went_on =
        |ran: &Ran| ran.stdout.contains("no bytes today") || ran.stderr.contains("no bytes today");
    let ran = world.run_with(&["migrate", "alice/model", "--dest", "alice/pipe"], &worker);
    assert!(
        went_on(&ran) && !ran.stderr.contains("[y/N]"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let ran = at_a_terminal(
        &world,
        &["migrate", "alice/model", "--dest", "alice/yes", "--yes"],
        "",
        &worker,
    );
    assert!(
        went_on(&ran) && !ran.stdout.contains("[y/N]"),
        "{}",
        ran.stdout
    );
    let ran = at_a_terminal(
        &world,
        &["migrate", "alice/model", "--dest", "alice/asked"],
        "y\n",
        &worker,
    );
    assert!(
        went_on(&ran) && ran.stdout.contains("[y/N]"),
        "{}",
        ran.stdout
    );
    assert!(
        ["alice/pipe", "alice/yes", "alice/asked"]
            .iter()
            .all(|id| world.stored("ms", "model", id).is_some())
    );
}

#[test]
fn a_small_move_is_not_asked_about() {
    let world = World::with_model();
    let ran = at_a_terminal(&world, &["migrate", "alice/model"], "", &[]);
    assert!(
        ran.code == 0 && !ran.stdout.contains("[y/N]"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_plan_is_simulated() {
    let world = with_120_gb();
    let game = "plan alice/model --simulate --containers 3 --container-rate 100 --startup 0 --file-seconds 0";
    let shown = world.run(&game.split(' ').collect::<Vec<_>>());
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    for words in [
        "3 files, 120 GB, 3 containers of 100 MB/s",
        "makespan             6 min 40 s",
    ] {
        assert!(shown.stdout.contains(words), "{words} in {}", shown.stdout);
    }
    let args = [
        "plan",
        "alice/model",
        "--simulate",
        "--json",
        "--on",
        "modal",
        "--lifetime",
        "1",
        "--total-rate",
        "20",
        "--seed",
        "3",
    ];
    let played = world.run(&args).event("simulation");
    assert!(
        played["plan"]["lost"].as_u64() > Some(0) && played["plan"]["dollars"].as_f64() > Some(0.0),
        "{played}"
    );
    assert!(
        played["lower_bound"].as_f64().unwrap() >= 6010.0
            && played["plan"]["ratio"].as_f64() > Some(1.0),
        "{played}"
    );
    assert_eq!(
        world.run(&args).event("simulation")["plan"],
        played["plan"],
        "the same seed"
    );
    assert_eq!(
        world.run(&["plan", "alice/model", "--seed", "3"]).code,
        2,
        "without --simulate"
    );
    world
        .run(&["plan", "alice/model", "--simulate", "--lifetime", "0.0001"])
        .refused_with(2, "--lifetime");
    assert!(nothing_was_created(&world));
}

#[test]
fn the_published_case_is_simulated_from_its_repo() {
    let world = World::new();
    // 676 archives of 4.764 to 5.0 GB and two small files, 3.3 TB in all: examples/python_tool_chunks.rs says why these.
    let archive = |n: u64, size: u64| {
        format!(
            r#"{{"path":"data/{n:04}.tar","size":{size},"virtual":true,"seed":{n},"declare":{{"sha256":"{n:064x}"}}}}"#
        )
    };
    let mut sizes: Vec<u64> = (0..675).map(|n| 4_764_000_000 + n * 349_000).collect();
    sizes.push(3_300_000_000_000 - sizes.iter().sum::<u64>());
    let archives: Vec<String> = (1..)
        .zip(&sizes)
        .map(|(n, size)| archive(n, *size))
        .collect();
    let small = r##"{"path":"README.md","text":"# Images\n"},{"path":".gitattributes","text":"*.tar filter=lfs\n"}"##;
    world.seed(&format!(
        r#"{{"hub":"hf","kind":"dataset","id":"alice/images","message":"m","files":[{small},{}]}}"#,
        archives.join(",")
    ));
    let ran = world.run(&[
        "plan",
        "alice/images",
        "--on",
        "modal",
        "--simulate",
        "--json",
    ]);
    let (estimate, played) = (ran.event("estimate"), ran.event("simulation"));
    assert_eq!(
        (
            estimate["to_move"].as_u64(),
            estimate["containers"].as_u64()
        ),
        (Some(678), Some(28)),
        "{estimate}"
    );
    assert!(
        played["plan"]["ratio"].as_f64().unwrap() <= 1.05,
        "{played}"
    );
    let dry = world.run(&["migrate", "alice/images", "--on", "modal", "--dry-run"]);
    assert!(
        dry.stdout
            .contains("28 containers, about 16 min 48 s, about 0.39 $"),
        "{}",
        dry.stdout
    );
    println!("{}", dry.stdout);
}
