//! Pushes from one server to another.

use super::*;

#[tokio::test]
async fn what_is_fetched_from_one_server_is_pushed_to_another() {
    let folder = tempfile::tempdir().unwrap();
    made_by_git(folder.path(), "first");
    let mut empty = Command::new("git");
    assert!(
        empty
            .args(["init", "-q", "--bare", "empty.git"])
            .current_dir(folder.path())
            .status()
            .unwrap()
            .success()
    );
    let host = GitHost::start(folder.path(), "me", "t-secret")
        .await
        .unwrap();
    let repo = |name: &str| opened(&format!("{}/{name}.git", host.url), "me", Some("t-secret"));
    let bare = Bare::new(GitLimits::default()).unwrap();
    bare.fetch(&repo("made"), &["+refs/*:refs/*"], Depth::All)
        .await
        .unwrap();
    let pushed = bare
        .push(
            &repo("empty"),
            &["+refs/heads/main:refs/heads/main"],
            |_, _| None,
        )
        .await
        .unwrap()
        .refs;
    assert!(
        pushed.len() == 1 && pushed[0].name == "refs/heads/main" && pushed[0].refused.is_none(),
        "{pushed:?}"
    );
    let heads = [repo("made"), repo("empty")];
    let [made, copied] = [
        heads[0].advertised().await.unwrap(),
        heads[1].advertised().await.unwrap(),
    ];
    assert_eq!(made.oid("refs/heads/main"), copied.oid("refs/heads/main"));
    assert!(made.oid("refs/heads/main").is_some());
    let stranger = opened(&format!("{}/empty.git", host.url), "me", Some("t-other"));
    assert_eq!(
        bare.push(&stranger, &["+refs/heads/main:refs/heads/main"], |_, _| {
            None
        })
        .await
        .unwrap_err()
        .kind(),
        Kind::Unauthorized
    );
}

#[tokio::test]
async fn a_ref_that_the_server_refuses_is_told_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    made_by_git(folder.path(), "first");
    let hook = folder.path().join("made.git/hooks/update");
    std::fs::write(
        &hook,
        "#!/bin/sh\ncase $1 in refs/heads/no*) echo never >&2; exit 1;; esac\n",
    )
    .unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let host = GitHost::start(folder.path(), "me", "t-secret")
        .await
        .unwrap();
    let repo = opened(&format!("{}/made.git", host.url), "me", Some("t-secret"));
    let bare = Bare::new(GitLimits::default()).unwrap();
    bare.fetch(&repo, &["+refs/heads/*:refs/heads/*"], Depth::All)
        .await
        .unwrap();
    let pushed = bare
        .push(
            &repo,
            &[
                "refs/heads/main:refs/heads/yes",
                "refs/heads/main:refs/heads/no",
                "refs/heads/main:refs/heads/kept",
            ],
            |name, now| {
                assert_eq!(now, None, "none of them is there");
                (name == "refs/heads/kept").then(|| "it has moved".to_owned())
            },
        )
        .await
        .unwrap();
    assert!(pushed.bytes > 0);
    let pushed = pushed.refs;
    let of = |name: &str| {
        pushed
            .iter()
            .find(|pushed| pushed.name == name)
            .unwrap()
            .refused
            .clone()
    };
    assert_eq!(of("refs/heads/yes"), None);
    assert_eq!(
        of("refs/heads/kept").map(|why| why.to_string()),
        Some("it has moved".to_owned())
    );
    assert!(
        of("refs/heads/no").is_some_and(|why| why.to_string().starts_with("hook declined: never")),
        "{pushed:?}"
    );
}
