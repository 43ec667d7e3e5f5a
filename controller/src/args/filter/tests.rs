//! Tests of filters.

use super::*;

fn passes(include: &[&str], exclude: &[&str], path: &str) -> bool {
    let owned = |patterns: &[&str]| {
        patterns
            .iter()
            .map(|pattern| (*pattern).to_owned())
            .collect::<Vec<_>>()
    };
    let filter = globs(&owned(include), &owned(exclude));
    filter.unwrap().passes(&path.parse().unwrap())
}

fn globs(include: &[String], exclude: &[String]) -> CliResult<Filter> {
    Filter::new(&FilterArgs {
        include: include.to_vec(),
        exclude: exclude.to_vec(),
        ..FilterArgs::default()
    })
}

#[test]
fn patterns_work_as_in_huggingface_hub() {
    assert!(passes(&[], &[], "a/b.txt"));
    assert!(passes(&["*.txt"], &[], "a/b.txt"), "* crosses /");
    assert!(!passes(&["*.txt"], &["a/*"], "a/b.txt"));
    assert!(passes(&["a/"], &[], "a/deep/b.txt") && !passes(&["a/"], &[], "b"));
    assert!(!passes(&[], &["*.bin"], "x.bin"));
}

#[test]
fn a_filter_that_leaves_nothing_says_what_it_was_held_against() {
    let file = |path: &str| hf2ms_hub::Listed {
        file: hf2ms_hub::File {
            path: path.parse().unwrap(),
            size: 1,
            digest: hf2ms_hub::Digest::Sha256(hf2ms_hub::Sha256::of(b"x")),
        },
        lfs: false,
    };
    let listing = Listing {
        files: vec![file("config.json"), file("README.md")],
        ..Listing::default()
    };
    let why = |include: &[&str], exclude: &[&str]| {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let filter = globs(&owned(include), &owned(exclude)).unwrap();
        (filter.leaves_nothing(&listing), filter.unused(&listing))
    };
    let none = (None, Vec::new());
    assert_eq!(why(&[], &[]), none);
    assert_eq!(why(&["README*"], &[]), none);
    let line = why(&["readme"], &[]).0.unwrap();
    assert!(
        line.starts_with(
            "--include 'readme' matches none of the 2 files (the nearest is README.md"
        ),
        "{line}"
    );
    assert_eq!(
        why(&[], &["*"]).0.as_deref(),
        Some("--exclude '*' leaves none of the 2 files")
    );
    assert_eq!(
        why(&["zzz"], &[]).0.as_deref(),
        Some("--include 'zzz' matches none of the 2 files")
    );
    let (all, unused) = why(&["README.md", "confg.json"], &[]);
    assert_eq!(
        (all, unused),
        (
            None,
            vec![
                "--include 'confg.json' matches none of the 2 files: the nearest is config.json"
                    .to_owned()
            ]
        )
    );
}

#[test]
fn a_bad_pattern_is_named() {
    let line = globs(&["a[".to_owned()], &[]).unwrap_err().to_string();
    assert!(
        line.starts_with("not a pattern") && line.contains("a["),
        "{line}"
    );
}

fn listing(files: &[(&str, u64)]) -> Listing {
    let listed = |(path, size): &(&str, u64)| hf2ms_hub::Listed {
        file: hf2ms_hub::File {
            path: path.parse().unwrap(),
            size: *size,
            digest: hf2ms_hub::Digest::Sha256(Sha256::of(path.as_bytes())),
        },
        lfs: false,
    };
    Listing {
        files: files.iter().map(listed).collect(),
        ..Listing::default()
    }
}

fn paths(listing: &Listing) -> Vec<&str> {
    let paths = listing.files.iter();
    paths.map(|listed| listed.file.path.as_str()).collect()
}

#[test]
fn a_size_is_the_sources_and_what_it_leaves_out_is_left_alone_at_the_destination() {
    let filter = Filter::new(&FilterArgs {
        min_size: Some(ByteCount(10)),
        max_size: Some(ByteCount(100)),
        ..FilterArgs::default()
    });
    let filter = filter.unwrap();
    let mut source = listing(&[("fits", 10), ("large", 101), ("same", 100), ("small", 9)]);
    let left_out = filter.apply_contents(&mut source, &FileTimes::new());
    assert_eq!(paths(&source), ["fits", "same"]);
    let mut destination = listing(&[
        ("fits", 5_000),
        ("large", 50),
        ("only-there", 50),
        ("small", 50),
        ("tiny-there", 1),
    ]);
    filter.apply_to_destination(&left_out, &source, &mut destination);
    assert_eq!(paths(&destination), ["fits", "only-there"]);
}

#[test]
fn a_time_leaves_out_what_has_not_changed_since_and_keeps_what_tells_none() {
    let filter = Filter::new(&FilterArgs {
        changed_since: Some(ChangedSince::parse("1970-01-01T00:01:40Z").unwrap()),
        ..FilterArgs::default()
    });
    let filter = filter.unwrap();
    let mut source = listing(&[("new", 1), ("old", 1), ("untold", 1)]);
    let times = [("new", 100), ("old", 99)];
    let times = times.map(|(path, time)| (path.parse().unwrap(), time));
    let left_out = filter.apply_contents(&mut source, &times.into());
    assert_eq!(paths(&source), ["new", "untold"]);
    let mut destination = listing(&[("new", 1), ("old", 1)]);
    filter.apply_to_destination(&left_out, &source, &mut destination);
    assert_eq!(paths(&destination), ["new"]);
}

#[test]
fn a_filter_is_kept_as_before_and_a_span_is_the_same_request_later() {
    let kept = |filter: &Filter| serde_json::to_string(filter.key()).unwrap();
    let before = r#"{"include":["a"],"exclude":[]}"#;
    assert_eq!(kept(&globs(&["a".to_owned()], &[]).unwrap()), before);
    let since = |text: &str| {
        let filter = Filter::new(&FilterArgs {
            changed_since: Some(ChangedSince::parse(text).unwrap()),
            ..FilterArgs::default()
        });
        filter.unwrap().key
    };
    assert_ne!(since("2024-01-01"), since("2024-01-02"));
    assert_ne!(since("7d").as_asked(), since("8d").as_asked());
    assert_eq!(since("7d").as_asked(), since("7d").as_asked());
    assert_eq!(since("7d").as_asked(), since("7d").as_asked().as_asked());
}

#[test]
fn sizes_that_leave_no_file_are_named() {
    let sizes = |min, max| {
        Filter::new(&FilterArgs {
            min_size: Some(ByteCount(min)),
            max_size: Some(ByteCount(max)),
            ..FilterArgs::default()
        })
    };
    let why = sizes(1_000, 2_000).unwrap();
    let why = why.sizes_leave_nothing(3, &Listing::default());
    assert_eq!(
        why.as_deref(),
        Some("--min-size 1 kB and --max-size 2 kB leaves none of the 3 files")
    );
    assert!(sizes(2, 1).is_err());
}
