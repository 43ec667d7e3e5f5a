//! The suite of sources.

use hf2ms_hub::{Blob, Digest, File, GitSha1, Kind, Sha256, Source, Visibility};
use serde_json::{Value, json};

use super::world::{Protocol, Side, World, all};

const TEXT: &str = "small and plain";

fn files() -> Value {
    json!([
        {"path": "README.md", "text": TEXT}, {"path": "empty.txt", "text": ""}, {"path": "深/ü & more?.txt", "text": "odd"},
        {"path": "w.safetensors", "size": 3_000_000, "seed": 1},
    ])
}

async fn named(source: &dyn Source, path: &str) -> File {
    let listing = source.list().await.unwrap();
    listing
        .files
        .into_iter()
        .map(|listed| listed.file)
        .find(|file| file.path.as_str() == path)
        .unwrap()
}

/// The blob's file, its whole content as the hub gives it, and the source.
async fn weights(world: &World) -> (std::sync::Arc<dyn Source>, File) {
    let source = world.pinned().await;
    let file = named(source.as_ref(), "w.safetensors").await;
    (source, file)
}

pub async fn the_account_is_the_tokens(side: Side) {
    let world = World::new(side).await;
    assert_eq!(world.source().account().await.unwrap().name, "alice");
    let kind = |token| {
        let source = world.source_of("alice/repo", world.main(), token);
        async move { source.account().await.unwrap_err().kind() }
    };
    assert_eq!(
        (kind(None).await, kind(Some("t-unknown-to-all")).await),
        (Kind::Unauthorized, Kind::Unauthorized)
    );
}

pub async fn a_repo_is_described_at_a_commit(side: Side) {
    let world = World::new(side).await;
    let commit = world.seed(files()).await;
    let info = world.source().describe().await.unwrap();
    assert_eq!(
        (info.commit.unwrap().as_str(), info.visibility),
        (commit.as_str(), Visibility::Public)
    );
    world
        .ask(
            "POST",
            "/repo",
            json!({"hub": side.hub(), "kind": side.1, "id": "alice/repo", "visibility": "private"}),
        )
        .await;
    assert_eq!(
        world.source().describe().await.unwrap().visibility,
        Visibility::Private
    );
    let stranger = world.source_of("alice/repo", world.main(), Some(side.bob()));
    let kind = stranger.describe().await.unwrap_err().kind();
    // ModelScope tells a repo that is hidden from one that is absent.
    assert!(matches!(kind, Kind::NotFound | Kind::Gated), "{kind:?}");
}

pub async fn what_is_absent_is_not_found(side: Side) {
    let world = World::with(side, files()).await;
    for (id, revision) in [("alice/none", world.main()), ("alice/repo", "v9")] {
        let source = world.source_of(id, revision, Some(side.alice()));
        assert_eq!(
            source.describe().await.unwrap_err().kind(),
            Kind::NotFound,
            "{id} at {revision}"
        );
    }
}

pub async fn every_file_is_listed_with_size_and_digest(side: Side) {
    let world = World::with(side, files()).await;
    let many = json!({"hub": side.hub(), "kind": side.1, "id": "alice/repo", "generate": {"count": 3500, "folders": 40, "size": 10, "suffix": ".txt"}});
    world.ask("POST", "/seed", many).await;
    let listing = world.pinned().await.list().await.unwrap();
    assert!(
        listing.refused.is_empty() && listing.files.len() == 3504,
        "{} files",
        listing.files.len()
    );
    let readme = listing
        .files
        .iter()
        .find(|listed| listed.file.path.as_str() == "README.md")
        .unwrap();
    assert!(
        readme.file.digest.matches(TEXT.as_bytes())
            && readme.file.size == TEXT.len() as u64
            && !readme.lfs
    );
    let weights = listing
        .files
        .iter()
        .find(|listed| listed.file.path.as_str() == "w.safetensors")
        .unwrap();
    assert!(
        weights.lfs && weights.file.size == 3_000_000 && weights.file.digest.sha256().is_some()
    );
}

pub async fn a_pinned_commit_is_read_though_the_branch_moves_on(side: Side) {
    let world = World::with(side, files()).await;
    let source = world.pinned().await;
    world.seed(json!([{"path": "README.md", "text": "changed since"}, {"path": "new.txt", "text": "new"}])).await;
    let readme = named(source.as_ref(), "README.md").await;
    assert_eq!(
        all(source.read(&readme, 0..readme.size).await)
            .await
            .unwrap(),
        TEXT.as_bytes()
    );
    assert_eq!(source.list().await.unwrap().files.len(), 4);
}

pub async fn files_are_read_whole_and_in_ranges(side: Side) {
    let world = World::with(side, files()).await;
    let (source, file) = weights(&world).await;
    let Digest::Sha256(sha256) = file.digest else {
        panic!("{file:?}")
    };
    assert!(
        source
            .locate(&[Blob {
                sha256,
                size: file.size
            }])
            .await
            .unwrap()
            .is_empty()
    );
    let whole = all(source.read(&file, 0..file.size).await).await.unwrap();
    assert_eq!(Sha256::of(&whole), sha256);
    for range in [0..1, 1_000_000..2_500_000, 2_999_999..3_000_000, 5..5] {
        let expected =
            &whole[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        assert_eq!(
            all(source.read(&file, range.clone()).await).await.unwrap(),
            expected,
            "{range:?}"
        );
    }
    for path in ["empty.txt", "深/ü & more?.txt"] {
        let small = named(source.as_ref(), path).await;
        let content = all(source.read(&small, 0..small.size).await).await.unwrap();
        assert!(small.digest.matches(&content), "{path}");
    }
}

pub async fn a_range_outside_the_file_is_invalid(side: Side) {
    let world = World::with(side, files()).await;
    let (source, file) = weights(&world).await;
    assert_eq!(
        all(source.read(&file, 0..file.size + 1).await)
            .await
            .unwrap_err()
            .kind(),
        Kind::Invalid
    );
}

pub async fn a_file_that_is_lost_is_not_found(side: Side) {
    let world = World::with(
        side,
        json!([{"path": "w.safetensors", "size": 300_000, "seed": 1, "missing": true}]),
    )
    .await;
    let (source, file) = weights(&world).await;
    assert_eq!(
        all(source.read(&file, 0..file.size).await)
            .await
            .unwrap_err()
            .kind(),
        Kind::NotFound
    );
    let gone = File {
        path: "gone.txt".parse().unwrap(),
        size: 3,
        digest: Digest::GitSha1(GitSha1::of(b"abc")),
    };
    assert_eq!(
        all(source.read(&gone, 0..3).await)
            .await
            .unwrap_err()
            .kind(),
        Kind::NotFound
    );
}

pub async fn a_file_longer_than_listed_is_never_handed_on_whole(side: Side) {
    let world = World::with(side, json!([{"path": "w.safetensors", "size": 300_000, "seed": 1, "declare": {"size": 200_000}}])).await;
    let (source, file) = weights(&world).await;
    assert_eq!(
        all(source.read(&file, 0..file.size).await)
            .await
            .unwrap_err()
            .kind(),
        Kind::Corrupt
    );
}

pub async fn a_cut_body_is_an_error(side: Side) {
    let world = World::with(side, files()).await;
    let (_, storage) = side.storage();
    for fault in [
        json!({"do": "reset", "after": 1000}),
        json!({"do": "truncate", "after": 1000}),
        json!({"do": "undeclared", "after": 1000}),
    ] {
        let (source, file) = weights(&world).await;
        world.fault(&storage, fault.clone(), 1).await;
        assert_eq!(
            all(source.read(&file, 0..file.size).await)
                .await
                .unwrap_err()
                .kind(),
            Kind::Transient,
            "{fault}"
        );
    }
}

pub async fn an_expired_address_is_asked_for_again(side: Side) {
    let world = World::with(side, files()).await;
    match side.2 {
        Protocol::Xet => {
            world
                .fault(
                    &side.storage().1,
                    json!({"do": "status", "status": 403, "body": "Request has expired"}),
                    1,
                )
                .await
        }
        Protocol::Api | Protocol::Git => {
            world
                .fault(
                    &side.route("lfs_batch", "download"),
                    json!({"do": "expired"}),
                    1,
                )
                .await
        }
    }
    let (source, file) = weights(&world).await;
    assert_eq!(
        all(source.read(&file, 0..file.size).await)
            .await
            .unwrap_err()
            .kind(),
        Kind::Expired
    );
    assert_eq!(
        all(source.read(&file, 0..file.size).await)
            .await
            .unwrap()
            .len(),
        3_000_000
    );
}

pub async fn a_refused_token_is_not_sent_again(side: Side) {
    let world = World::with(side, files()).await;
    let source = world.source();
    world
        .ask("POST", "/token/revoke", json!({"token": side.alice()}))
        .await;
    for _ in 0..3 {
        assert_eq!(
            source.describe().await.unwrap_err().kind(),
            Kind::Unauthorized
        );
    }
    assert_eq!(
        world.requests(&side.route("info", "info")).await,
        1,
        "no storm"
    );
}

pub async fn storage_sees_no_credentials(side: Side) {
    let world = World::with(side, files()).await;
    let (source, file) = weights(&world).await;
    all(source.read(&file, 10..20).await).await.unwrap();
    let requests = world.ask("GET", "/requests", Value::Null).await;
    let (storage, _) = side.storage();
    let of_storage: Vec<_> = requests
        .as_array()
        .unwrap()
        .iter()
        .filter(|request| request["origin"] == storage.as_str())
        .collect();
    assert!(!of_storage.is_empty());
    for request in of_storage {
        let told = &request["headers"]["authorization"];
        // Xet's storage has a token of its own.
        assert!(
            told.is_null()
                || (side.2 == Protocol::Xet && told.as_str().unwrap().starts_with("Bearer xet_")),
            "{request}"
        );
        assert!(
            request["headers"]["cookie"].is_null() && !request.to_string().contains(side.alice()),
            "{request}"
        );
    }
}
