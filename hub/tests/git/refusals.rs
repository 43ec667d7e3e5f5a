//! What refusals mean, and where a token goes.

use super::*;

#[tokio::test]
async fn refusals_have_their_meaning_and_never_the_token() {
    let world = World::with(HF, files()).await;
    world
        .ask(
            "POST",
            "/repo",
            json!({"hub": "hf", "kind": "model", "id": "alice/repo", "private": true}),
        )
        .await;
    let kind = |url: String, token| async move {
        opened(&url, "user", token)
            .advertised()
            .await
            .unwrap_err()
            .kind()
    };
    let url = format!("{}/alice/repo", world.endpoint());
    assert_eq!(kind(url.clone(), None).await, Kind::Unauthorized);
    assert_eq!(
        kind(url.clone(), Some("hf_nobody")).await,
        Kind::Unauthorized
    );
    assert_eq!(kind(url.clone(), Some(HF.bob())).await, Kind::NotFound);
    assert_eq!(
        kind(
            format!("{}/api/whoami-v2", world.endpoint()),
            Some(HF.alice())
        )
        .await,
        Kind::NotFound
    );
    world
        .ask("POST", "/settings", json!({"hf_git_write": false}))
        .await;
    assert_eq!(
        alices(&world).writable().await.unwrap_err().kind(),
        Kind::Denied
    );
    world.fault("hf.git_refs", json!({"do": "html"}), 1).await;
    let page = alices(&world).advertised().await.unwrap_err();
    assert!(
        page.kind() == Kind::Refused && page.message().contains("no Git server answers there"),
        "{page}"
    );
    let echo = format!(
        "no {} nor {}",
        HF.alice(),
        "dXNlcjpoZl9zYW5kYm94QWxpY2VXcml0ZQ=="
    );
    world
        .fault(
            "hf.git_refs",
            json!({"do": "status", "status": 403, "body": echo}),
            1,
        )
        .await;
    let told = alices(&world).advertised().await.unwrap_err();
    assert!(told.message().contains("no *** nor ***"), "{told}");
}

#[tokio::test]
async fn the_token_goes_to_the_repos_own_origin_only() {
    let (here, there) = (
        World::with(HF, files()).await,
        World::with(HF, files()).await,
    );
    let target = format!(
        "{}/alice/repo/info/refs?service=git-upload-pack",
        there.endpoint()
    );
    here.fault(
        "hf.git_refs",
        json!({"do": "redirect", "location": target}),
        1,
    )
    .await;
    alices(&here).advertised().await.unwrap();
    let requests = there.ask("GET", "/requests", Value::Null).await;
    let refs: Vec<_> = requests
        .as_array()
        .unwrap()
        .iter()
        .filter(|request| request["path"].as_str().unwrap().contains("info/refs"))
        .collect();
    assert!(
        refs.len() == 1 && refs[0]["headers"]["authorization"].is_null(),
        "{refs:?}"
    );
}
