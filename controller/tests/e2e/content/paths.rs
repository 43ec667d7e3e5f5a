//! Paths that are unlawful, odd, long or alike.

use super::*;

const UNLAWFUL: [&str; 14] = [
    "../evil.txt",
    "a/../../evil.txt",
    "/etc/evil",
    "a\\evil.txt",
    "..\\evil.txt",
    ".git/config",
    "sub/.GIT/hooks/x",
    "C:/evil.txt",
    "c:evil",
    "a//evil.txt",
    "./evil.txt",
    "a/./evil.txt",
    "b/..",
    "nul\0.txt",
];

#[test]
fn unlawful_paths_are_refused_by_name_and_the_others_go_on() {
    let files: Vec<_> = UNLAWFUL
        .iter()
        .map(|path| json!({"path": path, "text": "evil"}))
        .collect();
    let world = with(&json!(files));
    seed(
        &world,
        "model",
        &json!([{"path": "../evil.safetensors", "size": 5000, "seed": 4}, {"path": "..fine/.gitfine/a..b.txt", "text": "fine"}]),
    );
    let ran = migrate(&world);
    let names: Vec<_> = UNLAWFUL
        .into_iter()
        .chain(["../evil.safetensors"])
        .map(|path| path.replace('\0', "\\u{0}"))
        .collect();
    let report = fails_for(
        &world,
        &ran,
        1,
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    assert_eq!(
        report["failed"],
        json!([]),
        "none of them came as far as the hub"
    );
    assert!(
        report["refused"]
            .as_array()
            .unwrap()
            .iter()
            .all(|entry| entry["reason"].as_str().unwrap().contains("is refused")),
        "{report}"
    );
    others_arrived(&world, &[]);
    let there = holds(&world, "ms", "model");
    assert!(
        there.contains_key("..fine/.gitfine/a..b.txt")
            && !there
                .keys()
                .any(|path| path.contains("evil") || path.contains(".git/")),
        "{there:?}"
    );
    assert_eq!(
        world.run(&["migrate", "alice/model"]).code,
        1,
        "it is said each time"
    );
}

#[test]
fn paths_that_differ_only_in_case_or_unicode_form_are_copied_exactly_with_a_warning() {
    let paths = [
        "a/Readme.txt",
        "a/README.txt",
        "A/readme.txt",
        "caf\u{e9}.txt",
        "cafe\u{301}.txt",
        "W.safetensors",
        "w.safetensors",
        "\u{212a}.txt",
        "k.txt",
    ];
    let files: Vec<_> = paths
        .iter()
        .enumerate()
        .map(|(n, path)| json!({"path": path, "size": 1000, "seed": n}))
        .collect();
    let world = with(&json!(files));
    let ran = migrate(&world);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    is_copied(&world, "model");
    let warnings: Vec<_> = ran
        .events()
        .into_iter()
        .filter(|event| event["event"] == "warning")
        .map(|event| event["message"].to_string())
        .collect();
    // A third one is named with the first.
    for pair in [
        ["A/readme.txt", "a/Readme.txt"],
        ["A/readme.txt", "a/README.txt"],
        ["\u{212a}.txt", "k.txt"],
        ["caf\u{e9}.txt", "cafe\u{301}.txt"],
        ["W.safetensors", "w.safetensors"],
    ] {
        assert!(
            warnings
                .iter()
                .any(|line| pair.iter().all(|path| line.contains(path))
                    && line.contains("differ only in case")),
            "{pair:?} in {warnings:?}"
        );
    }
    assert_eq!(
        ran.event("report")["warnings"].as_array().unwrap().len(),
        warnings.len(),
        "they are in the report too"
    );
}

/// Names that a hub takes and that are easily broken on the way.
fn odd_names() -> Vec<String> {
    let long = format!(
        "{}/{}.safetensors",
        vec!["d".repeat(200); 4].join("/"),
        "é".repeat(100)
    );
    let mut names: Vec<_> = [
        "with space.txt",
        "per%20cent%.txt",
        "ha#sh?que=ry&a+b.txt",
        "se;mi,co'lon\".txt",
        "数据/文件 一.safetensors",
        "emoji \u{1f600}.txt",
        " lead.txt",
        "trail ",
        "~tilde!$()*[]{}|<>^`=@.txt",
        "rtl\u{202e}txt.safetensors",
        "-rf",
        "%2e%2e/up.txt",
    ]
    .map(str::to_owned)
    .into();
    names.push(long);
    names
}

#[test]
fn long_and_odd_names_arrive_byte_for_byte() {
    let files: Vec<_> = odd_names()
        .iter()
        .enumerate()
        .map(|(n, path)| json!({"path": path, "size": 2000 + n, "seed": n}))
        .collect();
    for kind in ["model", "dataset"] {
        let world = World::new();
        seed(&world, kind, &json!(files));
        let ran = migrate(&world);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        is_copied(&world, kind);
    }
}

#[test]
fn a_path_longer_than_any_hub_takes_is_refused_and_named_by_its_beginning() {
    let long = format!("{}/x.txt", vec!["d".repeat(200); 21].join("/"));
    let world = with(&json!([{"path": long, "text": "x"}]));
    fails_for(&world, &migrate(&world), 1, &[&long[..1000]]);
    others_arrived(&world, &[&long]);
}

/// A path as a report has it: control characters by their numbers.
fn escaped(path: &str) -> String {
    let sign = |c: char| match c.is_control() {
        true => c.escape_unicode().to_string(),
        false => c.to_string(),
    };
    path.chars().map(sign).collect()
}

#[test]
fn control_characters_in_names_are_escaped_on_every_screen() {
    let evil = [
        "clear\u{1b}[2J\u{1b}[31m.txt",
        "bell\u{7}.safetensors",
        "line\nbreak.txt",
        "\u{9b}31m.txt",
        "return\rnow.txt",
    ];
    let files: Vec<_> = evil
        .iter()
        .enumerate()
        .map(|(n, path)| json!({"path": path, "size": 2000, "seed": n}))
        .collect();
    let world = with(&json!(files));
    let mut screens = Vec::new();
    for args in [
        &["plan", "alice/model", "--out", "p.json"][..],
        &["migrate", "alice/model", "--dry-run"],
        &["migrate", "alice/model"],
        &MIGRATE,
        &["status"],
        &["runs"],
        &["verify", "alice/model"],
    ] {
        let ran = world.run_with(args, &[("HF2MS_LOG", "debug")]);
        screens.push((args, ran.stdout, ran.stderr));
    }
    for (args, stdout, stderr) in screens {
        let harmful = |text: &str| {
            text.chars()
                .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
        };
        assert!(
            !harmful(&stdout) && !harmful(&stderr),
            "{args:?}: {stdout:?}{stderr:?}"
        );
        assert!(
            !format!("{stdout}{stderr}").contains("line\nbreak"),
            "{args:?}"
        );
    }
    others_arrived(&world, &evil);
    let ran = migrate(&world);
    let named = evil.map(escaped);
    fails_for(
        &world,
        &ran,
        1,
        &named.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}
