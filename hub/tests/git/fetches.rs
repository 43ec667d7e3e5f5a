//! Fetches of one commit, and packs that are cut, damaged or too large.

use super::*;

#[tokio::test]
async fn one_commit_is_fetched_without_its_history() {
    let world = World::with(HF, files()).await;
    let second = world
        .seed(json!([{"path": "new.txt", "text": "new"}]))
        .await;
    let repo = alices(&world);
    assert_eq!(
        repo.advertised()
            .await
            .unwrap()
            .commit("main")
            .unwrap()
            .as_str(),
        second
    );
    let bare = Bare::new(GitLimits::default()).unwrap();
    bare.fetch(&repo, &["+refs/heads/main:refs/heads/main"], Depth::One)
        .await
        .unwrap();
    assert_eq!(
        &bare.blob(GitSha1::of(b"small and plain")).await.unwrap()[..],
        b"small and plain"
    );
    assert_eq!(
        bare.blob(GitSha1::of(b"never written"))
            .await
            .unwrap_err()
            .kind(),
        Kind::NotFound
    );
    let commits = bare.work(|repository| {
        let mut walk = repository.revwalk().unwrap();
        walk.push_ref("refs/heads/main").unwrap();
        Ok(walk.count())
    });
    assert_eq!(commits.await.unwrap(), 1);
    assert_eq!(
        world.requests("hf.git_upload_pack").await,
        2,
        "what is wanted, then the pack"
    );
}

#[tokio::test]
async fn a_commit_that_no_ref_names_is_fetched_by_its_id() {
    let world = World::new(HF).await;
    let first = world.seed(files()).await;
    world
        .seed(json!([{"path": "README.md", "text": "changed"}]))
        .await;
    let bare = Bare::new(GitLimits::default()).unwrap();
    bare.fetch(
        &alices(&world),
        &[&format!("{first}:refs/heads/pinned")],
        Depth::One,
    )
    .await
    .unwrap();
    assert_eq!(
        &bare.blob(GitSha1::of(b"small and plain")).await.unwrap()[..],
        b"small and plain"
    );
}

#[tokio::test]
async fn the_folder_goes_with_the_repository() {
    let bare = Bare::new(GitLimits::default()).unwrap();
    let folder = bare.path().to_owned();
    assert!(folder.join("objects").is_dir());
    drop(bare);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_ends_and_leaves_nothing() {
    let world = World::with(HF, files()).await;
    world
        .fault("hf.git_upload_pack", json!({"do": "stall", "after": 40}), 9)
        .await;
    let bare = Bare::new(GitLimits::default()).unwrap();
    let folder = bare.path().to_owned();
    let repo = alices(&world);
    let fetch = bare.fetch(&repo, &[MAIN], Depth::All);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), fetch)
            .await
            .is_err()
    );
    drop(bare);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_cut_pack_is_fetched_again_and_one_that_is_always_cut_is_given_up() {
    let world = World::with(HF, files()).await;
    world
        .fault("hf.git_upload_pack", json!({"do": "reset", "after": 60}), 1)
        .await;
    Bare::new(GitLimits::default())
        .unwrap()
        .fetch(&alices(&world), &[MAIN], Depth::All)
        .await
        .unwrap();
    for cut in ["reset", "truncate", "undeclared"] {
        world
            .fault("hf.git_upload_pack", json!({"do": cut, "after": 60}), 3)
            .await;
        assert_eq!(
            refusal(&world, GitLimits::default()).await.kind(),
            Kind::Transient,
            "{cut}"
        );
    }
}

#[tokio::test]
async fn a_pack_that_is_damaged_is_not_taken() {
    let world = World::with(
        HF,
        json!([{"path": "noise.txt", "size": 30_000, "seed": 5, "lfs": false}]),
    )
    .await;
    world
        .fault(
            "hf.git_upload_pack",
            json!({"do": "corrupt", "at": 10_000}),
            9,
        )
        .await;
    let error = refusal(&world, GitLimits::default()).await;
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
}

#[tokio::test]
async fn packs_made_to_explode_are_refused() {
    let world = World::with(HF, files()).await;
    let objects = refusal(
        &world,
        GitLimits {
            objects: 2,
            ..GitLimits::default()
        },
    )
    .await;
    assert!(
        objects.kind() == Kind::Refused
            && objects.message().contains("more than the 2 that are taken"),
        "{objects}"
    );
    let bytes = refusal(
        &world,
        GitLimits {
            pack_bytes: 100,
            ..GitLimits::default()
        },
    )
    .await;
    assert!(
        bytes.kind() == Kind::Refused && bytes.message().contains("sends more than is taken"),
        "{bytes}"
    );
    let unpacked = refusal(
        &world,
        GitLimits {
            unpacked_bytes: 100,
            ..GitLimits::default()
        },
    )
    .await;
    assert!(
        unpacked.kind() == Kind::Refused && unpacked.message().contains("unpacks to more than"),
        "{unpacked}"
    );
    let bare = Bare::new(GitLimits {
        blob_bytes: 3,
        ..GitLimits::default()
    })
    .unwrap();
    bare.fetch(&alices(&world), &[MAIN], Depth::All)
        .await
        .unwrap();
    assert_eq!(
        bare.blob(GitSha1::of(b"small and plain"))
            .await
            .unwrap_err()
            .kind(),
        Kind::Refused
    );
}

/// What `git` itself packs: whole objects and deltas, in the packets of its own server.
#[tokio::test]
async fn an_object_that_unpacks_to_more_than_the_limit_is_refused_whole_or_as_a_delta() {
    let folder = tempfile::tempdir().unwrap();
    made_by_git(folder.path(), "one");
    let zeros = vec![0; 6 << 20];
    let noise: Vec<u8> = (0..3_u32 << 18)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let more = [&noise[..], b"and more"].concat();
    branch_by_git(folder.path(), "zeros", &[&zeros]);
    branch_by_git(folder.path(), "noise", &[&noise, &more]);
    git_in(folder.path(), &["-C", "made.git", "repack", "-adfq"]);
    let host = GitHost::start(folder.path(), "me", "t-secret")
        .await
        .unwrap();
    let repo = opened(&format!("{}/made.git", host.url), "me", Some("t-secret"));
    let fetched = async |refs: &str, object_bytes| {
        let limits = GitLimits {
            object_bytes,
            ..GitLimits::default()
        };
        let bare = Bare::new(limits).unwrap();
        let spec = format!("+refs/heads/{refs}:refs/heads/{refs}");
        bare.fetch(&repo, &[&spec], Depth::All).await
    };
    for (branch, largest) in [("zeros", 6 << 20), ("noise", (3 << 20) + 8)] {
        fetched(branch, largest).await.unwrap();
        let error = fetched(branch, largest - 1).await.unwrap_err();
        assert!(
            error.kind() == Kind::Refused && error.message().contains("belong into LFS"),
            "{branch}: {error}"
        );
    }
}
