//! Which addresses, prefixes and ids are sides of a mirror, and who gets which login.

use super::*;

fn read(text: &str, side: MirrorSide, set: &[(&str, &str)]) -> CliResult<GitEndpoint> {
    let set = set
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let environment = Environment::of(set);
    match side {
        MirrorSide::Source => parse_source(text, &environment),
        MirrorSide::Target => {
            let source = parse_source("hf:datasets/org/name", &environment)?;
            parse_target(text, &source, &environment)
        }
    }
}

fn login_of(text: &str, side: MirrorSide, set: &[(&str, &str)]) -> Option<String> {
    read(text, side, set)
        .unwrap()
        .login
        .map(|login| login.expose().to_owned())
}

#[test]
fn addresses_are_taken_whole_and_ids_are_their_last_two_parts() {
    let endpoint = read(
        "https://git.example/a/deep/path/Intern-S1.git",
        MirrorSide::Target,
        &[],
    )
    .unwrap();
    assert_eq!(
        (endpoint.at.endpoint.as_str(), endpoint.at.id.as_str()),
        (
            "https://git.example/a/deep/path/Intern-S1.git",
            "path/Intern-S1"
        )
    );
    assert!(endpoint.login.is_none());
    assert_eq!(
        read("https://git.example/~me/my--repo", MirrorSide::Target, &[])
            .unwrap()
            .at
            .id
            .as_str(),
        "me/my-repo"
    );
    assert_eq!(
        read("http://h/repo.git", MirrorSide::Target, &[])
            .unwrap()
            .at
            .id
            .as_str(),
        "repos/repo"
    );
}

#[test]
fn hubs_are_named_as_elsewhere() {
    let at = |text: &str| read(text, MirrorSide::Source, &[]).unwrap().at.endpoint;
    assert_eq!(at("org/name"), "https://huggingface.co/org/name");
    assert_eq!(
        at("https://huggingface.co/datasets/org/name/tree/main"),
        "https://huggingface.co/datasets/org/name"
    );
    assert_eq!(
        at("ms:org/name"),
        "https://modelscope.cn/models/org/name.git"
    );
    assert_eq!(
        at("ms:studios/org/app"),
        "https://modelscope.cn/studios/org/app.git"
    );
    assert_eq!(
        at("hf:spaces/org/app"),
        "https://huggingface.co/spaces/org/app"
    );
}

#[test]
fn credentials_leave_the_address_whatever_signs_they_have() {
    let text = "https://o%40d%20%C3%BC:p%40ss%2Fw:rd%25@git.example/a/b.git";
    let endpoint = read(text, MirrorSide::Target, &[("TARGET_TOKEN", "other")]).unwrap();
    assert_eq!(endpoint.at.endpoint, "https://git.example/a/b.git");
    assert_eq!(endpoint.login.unwrap().expose(), "o@d ü:p@ss/w:rd%");
    assert_eq!(
        login_of(
            "https://me@h/a/b",
            MirrorSide::Target,
            &[("TARGET_TOKEN", "t")]
        )
        .as_deref(),
        Some("me:t")
    );
    assert!(read("https://a:b%0d%0aX@h/a/b", MirrorSide::Target, &[]).is_err());
}

#[test]
fn each_side_has_its_own_login_and_a_hubs_token_goes_to_that_hub_only() {
    let set = [
        ("HF_TOKEN", "hf_x"),
        ("HF_USERNAME", "me"),
        ("TARGET_TOKEN", "t"),
        ("TARGET_USERNAME", "you"),
    ];
    assert_eq!(
        login_of("https://huggingface.co/a/b", MirrorSide::Source, &set).as_deref(),
        Some("me:hf_x")
    );
    assert_eq!(
        login_of("https://git.example/a/b", MirrorSide::Source, &set),
        None
    );
    assert_eq!(
        login_of("https://git.example/a/b", MirrorSide::Target, &set).as_deref(),
        Some("you:t")
    );
    assert_eq!(
        login_of("hf:a/b", MirrorSide::Target, &set[..2]).as_deref(),
        Some("me:hf_x")
    );
    assert_eq!(
        login_of(
            "ms:a/b",
            MirrorSide::Source,
            &[("MODELSCOPE_TOKEN", "ms-x")]
        )
        .as_deref(),
        Some("oauth2:ms-x")
    );
}

#[test]
fn a_hub_gets_its_own_token_and_never_that_of_another_host() {
    let sides = [
        ("SOURCE_USERNAME", "me"),
        ("SOURCE_TOKEN", "s"),
        ("TARGET_USERNAME", "you"),
        ("TARGET_TOKEN", "t"),
    ];
    for (text, side, own) in [
        ("hf:a/b", MirrorSide::Source, ("HF_TOKEN", "hf_x")),
        (
            "https://huggingface.co/a/b",
            MirrorSide::Target,
            ("HF_TOKEN", "hf_x"),
        ),
        ("ms:a/b", MirrorSide::Source, ("MODELSCOPE_TOKEN", "ms-x")),
    ] {
        assert_eq!(login_of(text, side, &sides), None, "{text}");
        let login = login_of(text, side, &[&sides[..], &[own]].concat()).unwrap();
        assert!(login.ends_with(&format!(":{}", own.1)), "{text}: {login}");
        assert!(!login.starts_with("me") && !login.starts_with("you"));
    }
    assert_eq!(
        login_of("https://me@huggingface.co/a/b", MirrorSide::Source, &sides),
        None
    );
}

#[test]
fn what_is_no_git_address_is_said_in_one_line_without_its_password() {
    for text in [
        "git@github.com:a/b.git",
        "ssh://git@h/a/b.git",
        "https://h",
        "file:///etc",
        "ftp://me:canary@h/a/b",
        "/home/me/repo",
        "https://h/a?x=1",
    ] {
        let line = read(text, MirrorSide::Target, &[]).unwrap_err().to_string();
        assert!(
            !line.contains("canary") && !line.contains('\n'),
            "{text}: {line}"
        );
    }
}

#[test]
fn a_target_takes_from_the_source_what_it_leaves_out_and_names_its_hub() {
    let at = |text: &str| read(text, MirrorSide::Target, &[]).map(|target| target.at.endpoint);
    for (text, address) in [
        ("ms:", "https://modelscope.cn/datasets/org/name.git"),
        ("ms:me/", "https://modelscope.cn/datasets/me/name.git"),
        (
            "ms:models/me/other",
            "https://modelscope.cn/models/me/other.git",
        ),
        ("huggingface.co/me/other", "https://huggingface.co/me/other"),
    ] {
        assert_eq!(at(text).as_deref(), Ok(address), "{text}");
    }
    for bare in [
        "org/name",
        "me/",
        "name",
        "gitlab.example/group/name.git",
        "",
    ] {
        let failure = at(bare).unwrap_err();
        assert_eq!(failure.exit(), hf2ms_worker::protocol::Exit::Usage);
        let line = failure.to_string();
        assert!(
            line.ends_with("names no hub and no host: write hf:org/name, ms:org/name, or https://host/path/repo.git"),
            "{bare}: {line}"
        );
    }
    assert!(
        at("ms:me")
            .unwrap_err()
            .to_string()
            .contains("write me/NAME")
    );
}
