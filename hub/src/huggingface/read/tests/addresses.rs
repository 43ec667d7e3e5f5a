//! Tests of the addresses that blobs are read at: renewed, refused, redirected, and those of servers without LFS.

use super::*;

#[tokio::test]
async fn an_expired_address_is_renewed_when_asked_again() {
    for (status, body) in [
        (403, ""),
        (401, ""),
        (410, ""),
        (400, "<Code>ExpiredToken</Code>"),
    ] {
        let storage = Server::scripted([
            Reply::new(status, &[], body),
            partial("bytes 2-4/10", b"234"),
        ])
        .await;
        let hub = hub(&storage).await;
        let repo = repo(&hub);
        let error = error_of(&repo, &blob(), 2..5).await;
        assert_eq!(error.kind(), Kind::Expired, "{status}");
        assert!(
            error.to_string().starts_with("data/large.bin: ")
                && !error.to_string().contains("sig="),
            "{error}"
        );
        assert_eq!(
            collect(repo.read(&blob(), 2..5).await.unwrap()).await.0,
            b"234"
        );
        assert_eq!(storage.lines(), ["GET /blob?sig=0", "GET /blob?sig=1"]);
    }
}

#[tokio::test]
async fn an_address_that_is_always_expired_stays_an_error() {
    let storage = Server::answering(|_| Reply::new(403, &[], "")).await;
    let hub = hub(&storage).await;
    let repo = repo(&hub);
    for _ in 0..3 {
        assert_eq!(error_of(&repo, &blob(), 0..10).await.kind(), Kind::Expired);
    }
    assert_eq!((storage.seen().len(), hub.seen().len()), (3, 3));
}

#[tokio::test]
async fn what_storage_or_the_hub_lost_is_named() {
    let storage = Server::scripted([Reply::new(404, &[], "")]).await;
    let hub = hub(&storage).await;
    let error = error_of(&repo(&hub), &blob(), 0..10).await;
    assert!(
        error.kind() == Kind::NotFound && error.message().starts_with("data/large.bin: "),
        "{error}"
    );
    let server =
        Server::scripted([Reply::new(404, &[("X-Error-Code", "EntryNotFound")], "")]).await;
    let error = error_of(&repo(&server), &small("a.txt"), 0..10).await;
    assert!(
        error.kind() == Kind::NotFound
            && error.message().starts_with("a.txt: there is no such file"),
        "{error}"
    );
}

#[tokio::test]
async fn where_there_is_no_lfs_blobs_come_by_the_resolver() {
    for status in [404, 405, 501] {
        let server = Server::answering(move |seen: &Seen| {
            match (seen.method.as_str(), seen.header("range")) {
                ("POST", _) => Reply::new(status, &[("X-Error-Code", "RepoNotFound")], ""),
                (_, None) => Reply::new(200, &[], CONTENT),
                _ => partial("bytes 2-4/10", b"234"),
            }
        })
        .await;
        let repo = repo(&server);
        let Digest::Sha256(sha256) = blob().digest else {
            unreachable!()
        };
        assert!(
            repo.locate(&[Blob { sha256, size: 10 }])
                .await
                .unwrap()
                .is_empty(),
            "{status}"
        );
        assert_eq!(
            collect(repo.read(&blob(), 0..10).await.unwrap()).await.0,
            CONTENT
        );
        assert_eq!(
            collect(repo.read(&blob(), 2..5).await.unwrap()).await.0,
            b"234"
        );
        let resolved = format!("GET /datasets/org/name/resolve/{COMMIT}/data/large.bin");
        assert_eq!(
            server.lines(),
            [
                "POST /datasets/org/name.git/info/lfs/objects/batch",
                &resolved,
                &resolved
            ],
            "asked once"
        );
    }
}

#[tokio::test]
async fn a_redirect_to_the_public_address_is_followed_at_the_endpoint() {
    let server = Server::answering(|seen: &Seen| match seen.path() {
        "/public" => Reply::new(200, &[], CONTENT),
        _ => Reply::new(
            307,
            &[("Location", "https://huggingface.co/public?etag=1")],
            "",
        ),
    })
    .await;
    assert_eq!(
        collect(repo(&server).read(&small("a.txt"), 0..10).await.unwrap())
            .await
            .0,
        CONTENT
    );
    assert_eq!(server.lines()[1], "GET /public?etag=1");
    assert!(server.seen()[1].header("authorization").is_some());
}

#[tokio::test]
async fn what_storage_says_of_a_refused_address_is_kept() {
    let said = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let storage = Server::answering(move |_| Reply::new(403, &[], said)).await;
    let hub = hub(&storage).await;
    let error = error_of(&repo(&hub), &blob(), 0..10).await;
    assert_eq!(
        (error.kind(), error.message()),
        (
            Kind::Expired,
            "data/large.bin: AccessDenied: Access Denied (403)"
        )
    );
}
