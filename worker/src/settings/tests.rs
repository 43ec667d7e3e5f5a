//! Variables in, accesses out; and no secret in any text.

use std::collections::HashMap;

use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Settings, BadSetting> {
    let pairs: HashMap<_, _> = pairs.iter().copied().collect();
    Settings::read(&|name| pairs.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn the_public_hubs_are_the_default() {
    let settings = read(&[]).unwrap();
    assert_eq!(
        settings.access(Hub::HuggingFace).endpoint,
        "https://huggingface.co"
    );
    assert_eq!(
        settings.access(Hub::ModelScope).endpoint,
        "https://modelscope.cn"
    );
    assert!(settings.access(Hub::ModelScope).token.is_none());
}

#[test]
fn endpoints_and_domains_are_taken_and_the_endpoint_wins() {
    let ms = |pairs| {
        read(pairs)
            .unwrap()
            .access(Hub::ModelScope)
            .endpoint
            .clone()
    };
    assert_eq!(
        ms(&[("MODELSCOPE_DOMAIN", "modelscope.ai")]),
        "https://modelscope.ai"
    );
    assert_eq!(
        ms(&[
            ("MODELSCOPE_DOMAIN", "x"),
            ("MODELSCOPE_ENDPOINT", "http://127.0.0.1:9/")
        ]),
        "http://127.0.0.1:9"
    );
    for bad in [
        "huggingface.co",
        "ftp://x",
        "https://",
        "https://user:pw@host",
        "https://a b",
    ] {
        assert!(read(&[("HF_ENDPOINT", bad)]).is_err(), "{bad}");
    }
}

#[test]
fn both_names_of_the_modelscope_token_work_and_ours_wins() {
    let token = |pairs| {
        read(pairs)
            .unwrap()
            .access(Hub::ModelScope)
            .token
            .clone()
            .map(|token| token.expose().to_owned())
    };
    assert_eq!(
        token(&[("MODELSCOPE_API_TOKEN", "b")]).as_deref(),
        Some("b")
    );
    assert_eq!(
        token(&[("MODELSCOPE_API_TOKEN", "b"), ("MODELSCOPE_TOKEN", "a")]).as_deref(),
        Some("a")
    );
    assert_eq!(token(&[("MODELSCOPE_TOKEN", "")]), None);
}

#[test]
fn a_token_that_would_split_a_header_is_refused_without_being_shown() {
    for bad in ["hf_se\r\ncret", "hf_se\0cret", "hf_se\ncret"] {
        let failure = read(&[("HF_TOKEN", bad)]).err().unwrap();
        assert!(
            failure.to_string().starts_with("HF_TOKEN can't be used")
                && !failure.to_string().contains("cret")
        );
    }
}

#[test]
fn patience_is_a_number_of_seconds() {
    assert_eq!(
        read(&[("HF2MS_STALL", "0.5")]).unwrap().http().stall,
        Duration::from_millis(500)
    );
    for bad in ["soon", "-1", "0", "1e99", "NaN"] {
        assert!(
            read(&[("HF2MS_STALL", bad)])
                .err()
                .unwrap()
                .to_string()
                .contains("expected a number of seconds"),
            "{bad}"
        );
    }
}

#[test]
fn a_token_goes_to_no_other_site_than_its_own() {
    let settings = read(&[
        ("MODELSCOPE_TOKEN", "ms-one"),
        ("MODELSCOPE_DESTINATION_ENDPOINT", "https://modelscope.ai"),
    ])
    .unwrap();
    let to = settings.access_to(Hub::ModelScope);
    assert_eq!(
        (to.endpoint.as_str(), to.token.is_none(), to.token_name),
        (
            "https://modelscope.ai",
            true,
            "MODELSCOPE_DESTINATION_TOKEN"
        )
    );
    assert_eq!(
        settings.access(Hub::ModelScope).endpoint,
        "https://modelscope.cn"
    );
    let settings = read(&[("HF_TOKEN", "hf_one"), ("HF_DESTINATION_TOKEN", "hf_two")]).unwrap();
    let exposed = |access: &Access| access.token.as_ref().map(|token| token.expose().to_owned());
    assert_eq!(
        exposed(settings.access(Hub::HuggingFace)).as_deref(),
        Some("hf_one")
    );
    assert_eq!(
        exposed(settings.access_to(Hub::HuggingFace)).as_deref(),
        Some("hf_two")
    );
    assert_eq!(
        settings.access_to(Hub::HuggingFace).endpoint,
        "https://huggingface.co"
    );
    assert_eq!(settings.redact("hf_one hf_two").matches("hf_").count(), 0);
}

#[test]
fn each_git_host_has_its_own_login_and_neither_is_shown() {
    let settings = read(&[
        ("HF2MS_SOURCE_LOGIN", "me:one secret"),
        ("HF2MS_TARGET_LOGIN", "you:other:secret"),
    ])
    .unwrap();
    let user = |access: &Access| {
        access
            .token
            .as_ref()
            .and_then(|token| token.user().map(str::to_owned))
    };
    assert_eq!(user(settings.access(Hub::Git)).as_deref(), Some("me"));
    assert_eq!(user(settings.access_to(Hub::Git)).as_deref(), Some("you"));
    assert_eq!(
        settings.redact("me: one secret, you: other:secret"),
        "me: ***, you: ***"
    );
    let passed_on: Vec<_> = settings
        .token_variables()
        .into_iter()
        .filter_map(|(name, token)| token.map(|_| name))
        .collect();
    assert_eq!(passed_on, ["HF2MS_SOURCE_LOGIN", "HF2MS_TARGET_LOGIN"]);
    let bad = read(&[("HF2MS_TARGET_LOGIN", "secret")])
        .err()
        .unwrap()
        .to_string();
    assert!(
        bad.starts_with("HF2MS_TARGET_LOGIN can't be used") && !bad.contains("secret"),
        "{bad}"
    );
    assert!(read(&[]).unwrap().access_to(Hub::Git).token.is_none());
}

#[test]
fn the_password_of_a_proxy_is_not_shown() {
    let settings = read(&[
        ("https_proxy", "http://me:p%40ss@w0rd@proxy:3128"),
        ("ALL_PROXY", "u:x@h:1"),
        ("HTTP_PROXY", "h:3128"),
    ])
    .unwrap();
    assert_eq!(
        settings.redact("u:x@h:1, me:p%40ss@w0rd@proxy, p@ss@w0rd, h:3128"),
        "u:x@h:1, me:***@proxy, ***, h:3128"
    );
}

#[test]
fn a_destination_that_is_not_set_apart_is_reached_like_the_source() {
    let settings = read(&[("HF_TOKEN", "hf_one"), ("HF_ENDPOINT", "http://h:1")]).unwrap();
    let to = settings.access_to(Hub::HuggingFace);
    assert_eq!(
        (to.endpoint.as_str(), to.token.is_some(), to.token_name),
        ("http://h:1", true, "HF_TOKEN")
    );
}

#[test]
fn a_token_goes_to_the_endpoint_of_the_settings_whatever_a_job_names() {
    let at = |hub: &str, endpoint: &str| -> RepoAt {
        let json = serde_json::json!({"hub": hub, "endpoint": endpoint, "kind": "model", "id": "a/b", "revision": "m"});
        serde_json::from_value(json).unwrap()
    };
    let settings = read(&[
        ("HF_TOKEN", "hf_canary"),
        ("HF2MS_SOURCE_LOGIN", "me:canary"),
        ("HF2MS_SOURCE_ENDPOINT", "https://git.example"),
        ("HF2MS_TARGET_LOGIN", "me:canary"),
    ])
    .unwrap();
    for (hub, endpoint, gets_it) in [
        ("huggingface", "https://huggingface.co", true),
        ("huggingface", "https://evil.example", false),
        ("huggingface", "https://huggingface.co.evil.example", false),
        ("huggingface", "http://huggingface.co", false),
        ("git", "https://git.example/a/b.git", true),
        ("git", "https://git.example:444/a/b.git", false),
        ("git", "https://git.example@evil.example/a/b.git", false),
    ] {
        let side = settings.source(&at(hub, endpoint));
        assert_eq!(side.is_ok(), gets_it, "{endpoint}");
    }
    assert!(
        settings
            .destination(&at("git", "https://git.example/a/b.git"))
            .is_err()
    );
    let anonymous = settings.source(&at("modelscope", "https://evil.example"));
    assert!(anonymous.unwrap().token.is_none());
    let named = settings.endpoint_variables();
    assert!(named.contains(&("HF_ENDPOINT", "https://huggingface.co".to_owned())));
    assert!(named.contains(&("HF2MS_SOURCE_ENDPOINT", "https://git.example".to_owned())));
}

#[test]
fn a_job_gets_the_tokens_of_its_own_hubs() {
    let settings = read(&[
        ("HF_TOKEN", "hf_canary"),
        ("HF_DESTINATION_TOKEN", "hf_other"),
        ("MODELSCOPE_TOKEN", "ms-canary"),
        ("HF2MS_SOURCE_LOGIN", "me:canary"),
    ])
    .unwrap();
    let names = |settings: Settings| -> Vec<&str> {
        let all = settings.token_variables().into_iter();
        all.filter_map(|(name, token)| token.map(|_| name))
            .collect()
    };
    let (hf, ms) = (Hub::HuggingFace, Hub::ModelScope);
    assert_eq!(
        names(settings.of_job(hf, ms)),
        ["HF_TOKEN", "MODELSCOPE_TOKEN"]
    );
    assert_eq!(
        names(settings.of_job(ms, hf)),
        ["HF_DESTINATION_TOKEN", "MODELSCOPE_TOKEN"]
    );
    assert_eq!(
        names(settings.of_job(hf, hf)),
        ["HF_TOKEN", "HF_DESTINATION_TOKEN"]
    );
    assert_eq!(
        names(settings.of_job(Hub::Git, Hub::Git)),
        ["HF2MS_SOURCE_LOGIN"]
    );
    assert!(names(settings.without_tokens()).is_empty());
}

#[test]
fn a_token_over_plain_http_to_another_machine_is_in_the_open() {
    for (endpoint, open) in [
        ("http://hub.example", true),
        ("http://10.0.0.1:80", true),
        ("http://127.0.0.1:80", false),
        ("http://[::1]:80", false),
        ("http://localhost:80", false),
        ("http://localhost.example", true),
        ("https://hub.example", false),
    ] {
        let set = [("HF_ENDPOINT", endpoint), ("HF_TOKEN", "hf_canary")];
        let named = read(&set).unwrap();
        assert_eq!(named.in_the_open().next().is_some(), open, "{endpoint}");
        assert!(read(&set[..1]).unwrap().in_the_open().next().is_none());
    }
}
