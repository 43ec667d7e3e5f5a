//! The suite of Spaces and studios: what they have beyond their files, and that their files go as any repo's do.

use bytes::Bytes;
use hf2ms_hub::{Action, Blob, Body, Commit, Content, Kind, Sdk, Sha256, Visibility};
use serde_json::json;

use super::world::{Side, World};

pub async fn an_app_is_created_with_its_sdk_and_what_may_be_seen_of_it(side: Side) {
    for (visibility, word, sdk) in [
        (Visibility::Public, "public", Sdk::Gradio),
        (Visibility::Protected, "protected", Sdk::Docker),
        (Visibility::Private, "private", Sdk::Static),
    ] {
        let world = World::new(side).await;
        world.spaces().create_space(visibility, sdk).await.unwrap();
        let stored = world.stored().await;
        assert_eq!(
            (&stored["visibility"], &stored["sdk"]),
            (&json!(word), &json!(sdk))
        );
        assert_eq!(
            world.spaces().sdk().await.unwrap().as_deref(),
            Some(sdk.name())
        );
        assert_eq!(
            world
                .destination()
                .find()
                .await
                .unwrap()
                .unwrap()
                .visibility,
            visibility
        );
    }
}

pub async fn one_that_exists_is_a_conflict_and_files_alone_make_none(side: Side) {
    let world = World::new(side).await;
    assert_eq!(
        world
            .destination()
            .create(Visibility::Public)
            .await
            .unwrap_err()
            .kind(),
        Kind::Invalid
    );
    world
        .spaces()
        .create_space(Visibility::Public, Sdk::Streamlit)
        .await
        .unwrap();
    assert_eq!(
        world
            .spaces()
            .create_space(Visibility::Public, Sdk::Streamlit)
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict
    );
}

pub async fn its_files_go_as_any_repos_do(side: Side) {
    let world = World::new(side).await;
    world
        .spaces()
        .create_space(Visibility::Public, Sdk::Gradio)
        .await
        .unwrap();
    let destination = world.destination();
    let content = Bytes::from(vec![7; 300_000]);
    let blob = Blob {
        sha256: Sha256::of(&content),
        size: 300_000,
    };
    assert_eq!(destination.missing(&[blob]).await.unwrap().wanted, [blob]);
    let body: hf2ms_hub::ByteStream =
        Box::pin(futures_util::stream::once(std::future::ready(Ok(content))));
    destination.put(blob, Body::from(body)).await.unwrap();
    let put = |path: &str, content| Action::Put {
        path: path.parse().unwrap(),
        exists: false,
        content,
    };
    let actions = vec![
        put("w.safetensors", Content::Stored(blob)),
        put("app.py", Content::Inline(Bytes::from_static(b"print()"))),
    ];
    destination
        .commit(&Commit {
            message: "Add".to_owned(),
            actions,
            parent: None,
        })
        .await
        .unwrap();
    let listing = destination.list_branch().await.unwrap();
    let digest = |path: &str| {
        listing
            .files
            .iter()
            .find(|listed| listed.file.path.as_str() == path)
            .unwrap()
            .file
            .digest
    };
    assert!(
        digest("w.safetensors").sha256() == Some(blob.sha256)
            && digest("app.py").matches(b"print()")
    );
}

pub async fn a_stranger_creates_none(side: Side) {
    let world = World::new(side).await;
    let refused = world
        .spaces_of(side.bob())
        .create_space(Visibility::Public, Sdk::Gradio)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), Kind::Denied);
}
