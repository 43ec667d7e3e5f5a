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
