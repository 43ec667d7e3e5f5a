//! Repos of a hub that are read by Git.

use super::*;

#[tokio::test]
async fn a_locked_repo_is_described_listed_and_read_by_git() {
    let world = World::new(HF).await;
    let commit = world.seed(files()).await;
    lock(&world).await;
    assert_eq!(
        alices(&world).advertised().await.unwrap().head(),
        Some("main")
    );
    let info = source(&world, "main").describe().await.unwrap();
    assert_eq!(
        (info.commit.unwrap().as_str(), info.visibility, info.gate),
        (commit.as_str(), Visibility::Private, Gate::Untold),
        "Git tells neither"
    );
    let source = source(&world, &commit);
    let listing = source.list().await.unwrap();
    assert_eq!(listing.commit.unwrap().as_str(), commit);
    for listed in &listing.files {
        let content = all(source.read(&listed.file, 0..listed.file.size).await)
            .await
            .unwrap();
        assert!(listed.file.digest.matches(&content), "{}", listed.file.path);
    }
    assert_eq!(world.requests("hf.resolve").await, 0);
    assert_eq!(world.requests("hf.git_upload_pack").await, 2, "one fetch");
}

#[tokio::test]
async fn a_locked_private_repo_stays_private_and_an_absent_revision_is_not_found() {
    let world = World::with(HF, files()).await;
    world
        .ask(
            "POST",
            "/repo",
            json!({"hub": "hf", "kind": "model", "id": "alice/repo", "private": true}),
        )
        .await;
    lock(&world).await;
    assert_eq!(
        source(&world, "main").describe().await.unwrap().visibility,
        Visibility::Private
    );
    assert_eq!(
        source(&world, "v9").describe().await.unwrap_err().kind(),
        Kind::NotFound
    );
}

#[tokio::test]
async fn where_git_is_closed_small_files_come_by_the_hubs_own_way_and_if_both_are_gits_reason_is_told()
 {
    let world = World::with(HF, files()).await;
    let commit = source(&world, "main")
        .describe()
        .await
        .unwrap()
        .commit
        .unwrap();
    let readme = source(&world, commit.as_str()).list().await.unwrap().files[0]
        .file
        .clone();
    world
        .fault("hf.git_refs", json!({"do": "status", "status": 403}), 99)
        .await;
    assert_eq!(
        all(source(&world, commit.as_str()).read(&readme, 0..5).await)
            .await
            .unwrap(),
        b"small"
    );
    lock(&world).await;
    let error = all(source(&world, commit.as_str()).read(&readme, 0..5).await)
        .await
        .unwrap_err();
    assert!(
        error.kind() == Kind::Denied
            && error
                .message()
                .contains("README.md: by Git: the Git server does not allow this"),
        "{error}"
    );
}

#[tokio::test]
async fn a_pointer_that_lies_about_its_size_is_refused_and_one_that_is_none_is_a_plain_file() {
    let forged = "version https://git-lfs.github.com/spec/v1\noid sha256:nothing\nsize 5\n";
    let lies = json!({"path": "lies.safetensors", "size": 300_000, "seed": 1, "declare": {"size": 200_000}});
    let world = World::with(HF, json!([{"path": "forged.txt", "text": forged}, lies])).await;
    lock(&world).await;
    let commit = source(&world, "main")
        .describe()
        .await
        .unwrap()
        .commit
        .unwrap();
    let source = source(&world, commit.as_str());
    let listing = source.list().await.unwrap();
    let [plain, lies] = ["forged.txt", "lies.safetensors"].map(|path| {
        listing
            .files
            .iter()
            .find(|l| l.file.path.as_str() == path)
            .unwrap()
    });
    assert!(!plain.lfs && plain.file.size == forged.len() as u64);
    assert_eq!(
        all(source.read(&plain.file, 0..plain.file.size).await)
            .await
            .unwrap(),
        forged.as_bytes()
    );
    let blob = Blob {
        sha256: lies.file.digest.sha256().unwrap(),
        size: lies.file.size,
    };
    assert!(source.locate(&[blob]).await.unwrap().is_empty());
    assert_eq!(
        all(source.read(&lies.file, 0..lies.file.size).await)
            .await
            .unwrap_err()
            .kind(),
        Kind::Corrupt
    );
}
