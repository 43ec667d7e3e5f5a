//! The suite of destinations.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hf2ms_hub::{
    Action, Blob, Body, ByteStream, Commit, Content, Destination, Error, Kind, Listed, Placement,
    Revision, Sha256, Visibility,
};
use serde_json::{Value, json};

use super::world::{Side, World};

const CARD: &[u8] = b"---\nlicense: mit\n---\n# Card\n";

fn weights(seed: u8) -> Bytes {
    (0..300_000_u32)
        .map(|at| seed.wrapping_add(u8::try_from(at % 251).unwrap()))
        .collect::<Vec<_>>()
        .into()
}

fn blob(content: &Bytes) -> Blob {
    Blob {
        sha256: Sha256::of(content),
        size: content.len() as u64,
    }
}

fn frames(content: &Bytes) -> ByteStream {
    let content = content.clone();
    stream::iter(
        (0..content.len())
            .step_by(70_000)
            .map(move |at| Ok(content.slice(at..(at + 70_000).min(content.len())))),
    )
    .boxed()
}

fn body(content: &Bytes) -> Body {
    let again = content.clone();
    let part = move |range: std::ops::Range<u64>| {
        frames(
            &again
                .slice(usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()),
        )
    };
    Body::from(frames(content)).reopened_by(part)
}

fn put(path: &str, content: Content) -> Action {
    Action::Put {
        path: path.parse().unwrap(),
        exists: false,
        content,
    }
}

fn commit(actions: Vec<Action>, parent: Option<Revision>) -> Commit {
    Commit {
        message: "Add files".to_owned(),
        actions,
        parent,
    }
}

async fn listed(destination: &dyn Destination, path: &str) -> Option<Listed> {
    destination
        .list_branch()
        .await
        .unwrap()
        .files
        .into_iter()
        .find(|listed| listed.file.path.as_str() == path)
}

async fn store(destination: &dyn Destination, content: &Bytes) {
    destination.missing(&[blob(content)]).await.unwrap();
    destination.put(blob(content), body(content)).await.unwrap();
}

/// A world, both whole uploads and uploads in parts, where the hub knows the difference.
async fn whole_and_in_parts(side: Side) -> [World; 2] {
    let (whole, parts) = (World::new(side).await, World::new(side).await);
    parts
        .ask(
            "POST",
            "/settings",
            json!({"hf_multipart_above": 100_000, "hf_part_size": 65_536}),
        )
        .await;
    [whole, parts]
}

pub async fn an_absent_repo_is_none_and_one_that_exists_a_conflict(side: Side) {
    let world = World::new(side).await;
    let destination = world.destination();
    assert_eq!(destination.find().await.unwrap(), None);
    destination.create(Visibility::Public).await.unwrap();
    assert_eq!(
        destination.find().await.unwrap().unwrap().visibility,
        Visibility::Public
    );
    assert_eq!(
        destination
            .create(Visibility::Public)
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict
    );
}

pub async fn a_private_repo_is_made_private(side: Side) {
    let world = World::new(side).await;
    world
        .destination()
        .create(Visibility::Private)
        .await
        .unwrap();
    assert_eq!(world.stored().await["private"], true);
    assert_eq!(
        world
            .destination()
            .find()
            .await
            .unwrap()
            .unwrap()
            .visibility,
        Visibility::Private
    );
}

pub async fn what_is_put_and_committed_is_listed(side: Side) {
    for world in whole_and_in_parts(side).await {
        let destination = world.created().await;
        let content = weights(1);
        let path = "deep/ü w.safetensors";
        assert_eq!(
            destination.placement(&path.parse().unwrap(), 300_000),
            Placement::Blob
        );
        assert_eq!(
            destination.placement(&"README.md".parse().unwrap(), 30),
            Placement::Inline
        );
        assert_eq!(
            destination.missing(&[blob(&content)]).await.unwrap().wanted,
            [blob(&content)]
        );
        destination
            .put(blob(&content), body(&content))
            .await
            .unwrap();
        let actions = vec![
            put(path, Content::Stored(blob(&content))),
            put("twin.safetensors", Content::Stored(blob(&content))),
            put("README.md", Content::Inline(Bytes::from_static(CARD))),
            put("empty.txt", Content::Inline(Bytes::new())),
        ];
        destination.commit(&commit(actions, None)).await.unwrap();
        for path in [path, "twin.safetensors"] {
            let listed = listed(destination.as_ref(), path).await.unwrap();
            assert!(
                listed.lfs
                    && listed.file.digest.sha256() == Some(blob(&content).sha256)
                    && listed.file.size == 300_000
            );
        }
        let card = listed(destination.as_ref(), "README.md").await.unwrap();
        assert!(!card.lfs && card.file.digest.matches(CARD) && card.file.size == CARD.len() as u64);
        assert_eq!(
            listed(destination.as_ref(), "empty.txt")
                .await
                .unwrap()
                .file
                .size,
            0
        );
        let stored = world.stored().await;
        let mut files = stored["files"].as_array().unwrap().iter();
        let file = files.find(|file| file["path"] == path).unwrap();
        assert_eq!(
            file["sha256"],
            blob(&content).sha256.to_string(),
            "the very bytes"
        );
    }
}

pub async fn a_blob_that_is_stored_is_not_wanted_again(side: Side) {
    let world = World::new(side).await;
    let destination = world.created().await;
    let (one, two) = (weights(1), weights(2));
    store(destination.as_ref(), &one).await;
    destination
        .commit(&commit(
            vec![put("a.safetensors", Content::Stored(blob(&one)))],
            None,
        ))
        .await
        .unwrap();
    let missing = destination
        .missing(&[blob(&one), blob(&two), blob(&two)])
        .await
        .unwrap();
    assert_eq!(
        (missing.wanted, missing.refused.len()),
        (vec![blob(&two)], 0)
    );
    let puts = world.requests(&format!("{}_storage.put", side.hub())).await;
    destination.put(blob(&one), body(&one)).await.unwrap();
    assert_eq!(
        world.requests(&format!("{}_storage.put", side.hub())).await,
        puts,
        "nothing is sent in vain"
    );
}

pub async fn a_body_that_fails_leaves_nothing_stored(side: Side) {
    for world in whole_and_in_parts(side).await {
        let destination = world.created().await;
        let content = weights(1);
        destination.missing(&[blob(&content)]).await.unwrap();
        let before_last = frames(&content).take(4);
        let failing = before_last
            .chain(stream::once(std::future::ready(Err(Error::new(
                Kind::Corrupt,
                "wrong",
            )))))
            .boxed();
        assert_eq!(
            destination
                .put(blob(&content), failing.into())
                .await
                .unwrap_err()
                .kind(),
            Kind::Corrupt
        );
        assert_eq!(
            destination.missing(&[blob(&content)]).await.unwrap().wanted,
            [blob(&content)]
        );
        let short = frames(&content).take(2).boxed();
        assert!(destination.put(blob(&content), short.into()).await.is_err());
        assert_eq!(
            destination.missing(&[blob(&content)]).await.unwrap().wanted,
            [blob(&content)]
        );
        assert_eq!(world.requests("hf.lfs_complete").await, 0);
    }
}

/// Bytes enough, and then the word that they are wrong; or other bytes, and no word.
pub async fn a_body_that_is_not_the_blob_is_never_stored(side: Side) {
    for world in whole_and_in_parts(side).await {
        let destination = world.created().await;
        let content = weights(1);
        let failing = frames(&content)
            .chain(stream::once(std::future::ready(Err(Error::new(
                Kind::Corrupt,
                "wrong",
            )))))
            .boxed();
        for wrong in [
            failing,
            frames(&weights(2)),
            frames(&[weights(1), weights(1)].concat().into()),
        ] {
            let put = destination.put(blob(&content), wrong.into()).await;
            assert_eq!(
                (
                    put.unwrap_err().kind(),
                    world.requests("hf.lfs_complete").await
                ),
                (Kind::Corrupt, 0)
            );
            assert_eq!(
                destination.missing(&[blob(&content)]).await.unwrap().wanted,
                [blob(&content)]
            );
        }
    }
}

pub async fn a_part_that_reads_otherwise_the_second_time_is_not_stored(side: Side) {
    let [_, world] = whole_and_in_parts(side).await;
    let destination = world.created().await;
    let content = weights(1);
    world
        .fault(
            &format!("{}_storage.put", side.hub()),
            json!({"do": "status", "status": 500}),
            1,
        )
        .await;
    let other = |range: std::ops::Range<u64>| {
        frames(&Bytes::from(vec![
            0;
            usize::try_from(range.end - range.start)
                .unwrap()
        ]))
    };
    let body = Body::from(frames(&content)).reopened_by(other);
    assert!(destination.put(blob(&content), body).await.is_err());
    assert_eq!(world.requests("hf.lfs_complete").await, 0);
    assert_eq!(
        destination.missing(&[blob(&content)]).await.unwrap().wanted,
        [blob(&content)]
    );
}

pub async fn a_failed_check_is_an_error(side: Side) {
    let world = World::new(side).await;
    let destination = world.created().await;
    for fault in [
        json!({"do": "status", "status": 500}),
        json!({"do": "html"}),
        json!({"do": "status", "status": 403}),
    ] {
        world
            .fault(&side.route("lfs_batch", "batch"), fault.clone(), 3)
            .await;
        assert!(
            destination.missing(&[blob(&weights(1))]).await.is_err(),
            "{fault}"
        );
        world.ask("DELETE", "/faults", Value::Null).await;
    }
}

pub async fn a_blob_that_is_refused_costs_only_itself(side: Side) {
    let world = World::new(side).await;
    let destination = world.created().await;
    world
        .fault(
            &side.route("lfs_batch", "batch"),
            json!({"do": "object_error", "index": 0, "code": 422, "message": "no"}),
            1,
        )
        .await;
    let (one, two) = (weights(1), weights(2));
    let missing = destination
        .missing(&[blob(&one), blob(&two)])
        .await
        .unwrap();
    assert_eq!(
        (
            missing.wanted.len(),
            missing.refused.len(),
            missing.refused[0].1.kind()
        ),
        (1, 1, Kind::Invalid)
    );
}

pub async fn files_are_replaced_and_deleted(side: Side) {
    let world = World::new(side).await;
    let destination = world.created().await;
    let text = |text: &'static str| Content::Inline(Bytes::from_static(text.as_bytes()));
    destination
        .commit(&commit(
            vec![put("a.txt", text("one")), put("b.txt", text("two"))],
            None,
        ))
        .await
        .unwrap();
    let actions = vec![
        put("a.txt", text("changed")),
        Action::Delete {
            path: "b.txt".parse().unwrap(),
        },
    ];
    destination.commit(&commit(actions, None)).await.unwrap();
    assert!(
        listed(destination.as_ref(), "a.txt")
            .await
            .unwrap()
            .file
            .digest
            .matches(b"changed")
    );
    assert!(listed(destination.as_ref(), "b.txt").await.is_none());
}

pub async fn the_head_is_the_commit_that_was_written(side: Side) {
    let world = World::new(side).await;
    let destination = world.created().await;
    let before = destination.head().await.unwrap().unwrap();
    destination
        .commit(&commit(
            vec![put("a.txt", Content::Inline(Bytes::from_static(b"x")))],
            None,
        ))
        .await
        .unwrap();
    let after = destination.head().await.unwrap().unwrap();
    assert!(before != after && world.stored().await["head"] == after.as_str());
    let listing = destination.list_branch().await.unwrap();
    assert!(listing.commit.is_none_or(|commit| commit == after));
}

pub async fn a_branch_that_moved_is_a_conflict_and_nothing_is_written(side: Side) {
    let world = World::new(side).await;
    let destination = world.created().await;
    let parent = destination.list_branch().await.unwrap().commit;
    match destination.limits().checks_parent {
        true => {
            assert!(parent.is_some(), "a hub that compares parents tells them");
            world
                .seed(json!([{"path": "theirs.txt", "text": "theirs"}]))
                .await;
        }
        // A hub that takes no parent says so itself when two commits meet.
        false => {
            world
                .fault(
                    "ms.commit",
                    json!({"do": "status", "status": 400, "envelope": {"code": 10_030_000_001_u64, "message": "branch changed"}}),
                    1,
                )
                .await
        }
    }
    let change = commit(
        vec![put("a.txt", Content::Inline(Bytes::from_static(b"x")))],
        parent,
    );
    assert_eq!(
        destination.commit(&change).await.unwrap_err().kind(),
        Kind::Conflict
    );
    assert!(listed(destination.as_ref(), "a.txt").await.is_none());
}

pub async fn one_who_may_not_write_is_told_so(side: Side) {
    let world = World::new(side).await;
    world.created().await;
    let bob = world.destination_of(side.bob());
    assert_eq!(
        bob.missing(&[blob(&weights(1))]).await.unwrap_err().kind(),
        Kind::Denied
    );
    let change = commit(
        vec![put("a.txt", Content::Inline(Bytes::from_static(b"x")))],
        None,
    );
    assert_eq!(bob.commit(&change).await.unwrap_err().kind(), Kind::Denied);
}

pub async fn a_broken_upload_can_be_repeated(side: Side) {
    for world in whole_and_in_parts(side).await {
        let destination = world.created().await;
        let content = weights(3);
        world
            .fault(
                &format!("{}_storage.put", side.hub()),
                json!({"do": "reset", "after": 10_000}),
                1,
            )
            .await;
        destination.missing(&[blob(&content)]).await.unwrap();
        if destination
            .put(blob(&content), body(&content))
            .await
            .is_err()
        {
            destination
                .put(blob(&content), body(&content))
                .await
                .unwrap();
        }
        destination
            .commit(&commit(
                vec![put("w.safetensors", Content::Stored(blob(&content)))],
                None,
            ))
            .await
            .unwrap();
        assert_eq!(
            listed(destination.as_ref(), "w.safetensors")
                .await
                .unwrap()
                .file
                .digest
                .sha256(),
            Some(blob(&content).sha256)
        );
    }
}
