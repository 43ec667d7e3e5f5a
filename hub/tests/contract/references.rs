//! The suite of branches and tags.

use bytes::Bytes;
use hf2ms_hub::{Action, Commit, Content, Kind, Ref, RefKind, Revision};
use serde_json::{Value, json};

use super::world::{Side, World};

fn named(name: &str) -> Revision {
    name.parse().unwrap()
}

fn file(text: &str) -> Value {
    json!([{"path": "a.txt", "text": text}])
}

/// A world whose `alice/repo` has a commit with a tag, and one more on its branch: both commits.
async fn with_history(side: Side) -> (World, Revision, Revision) {
    let world = World::new(side).await;
    let seed = json!({"hub": side.hub(), "kind": side.1, "id": "alice/repo", "files": file("old"), "branches": ["dev/x", "a b"], "tags": ["v1"]});
    let old = world.ask("POST", "/seed", seed).await["commit"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let new = named(&world.seed(file("new")).await);
    (world, old, new)
}

pub async fn branches_and_tags_are_told_with_their_commits(side: Side) {
    let (world, old, new) = with_history(side).await;
    let refs = world.references(side.bob()).refs().await.unwrap();
    let main = Ref {
        name: named(world.main()),
        commit: new,
    };
    assert_eq!(
        refs.branches,
        [
            Ref {
                name: named("dev/x"),
                commit: old.clone()
            },
            main
        ]
    );
    assert_eq!(
        refs.tags,
        [Ref {
            name: named("v1"),
            commit: old
        }]
    );
    assert!(
        refs.refused
            .iter()
            .any(|refused| refused.path == "branch a b"),
        "an odd name is refused alone: {:?}",
        refs.refused
    );
}

pub async fn an_absent_repo_has_no_refs_and_is_not_found(side: Side) {
    let world = World::new(side).await;
    assert_eq!(
        world
            .references(side.alice())
            .refs()
            .await
            .unwrap_err()
            .kind(),
        Kind::NotFound
    );
}

pub async fn a_branch_that_is_made_takes_commits_and_can_be_taken_away(side: Side) {
    let (world, old, new) = with_history(side).await;
    let references = world.references(side.alice());
    let branch = named("feat/y-1.0");
    references.make_branch(&branch, &old).await.unwrap();
    assert_eq!(
        references
            .refs()
            .await
            .unwrap()
            .find(RefKind::Branch, &branch),
        Some(&old)
    );
    let destination = world.destination_at(branch.as_str());
    let content = Content::Inline(Bytes::from_static(b"more"));
    let put = Action::Put {
        path: "b.txt".parse().unwrap(),
        exists: false,
        content,
    };
    destination
        .commit(&Commit {
            message: "Add".to_owned(),
            actions: vec![put],
            parent: None,
        })
        .await
        .unwrap();
    let mut paths: Vec<_> = destination
        .list_branch()
        .await
        .unwrap()
        .files
        .iter()
        .map(|listed| listed.file.path.to_string())
        .collect();
    paths.sort();
    assert_eq!(paths, ["a.txt", "b.txt"]);
    let refs = references.refs().await.unwrap();
    assert_eq!(
        refs.find(RefKind::Branch, &named(world.main())),
        Some(&new),
        "no other branch has moved"
    );
    let head = refs.find(RefKind::Branch, &branch).unwrap().clone();
    assert_eq!(destination.head().await.unwrap(), Some(head.clone()));
    references.delete_branch(&branch, &head).await.unwrap();
    assert_eq!(
        references
            .refs()
            .await
            .unwrap()
            .find(RefKind::Branch, &branch),
        None
    );
}

pub async fn a_tag_is_made_of_any_commit(side: Side) {
    let (world, old, _) = with_history(side).await;
    let references = world.references(side.alice());
    references.make_tag(&named("v2.0"), &old).await.unwrap();
    assert_eq!(
        references
            .refs()
            .await
            .unwrap()
            .find(RefKind::Tag, &named("v2.0")),
        Some(&old)
    );
}

pub async fn a_branch_or_tag_that_exists_is_a_conflict_and_is_not_moved(side: Side) {
    let (world, old, new) = with_history(side).await;
    let references = world.references(side.alice());
    assert_eq!(
        references
            .make_branch(&named("dev/x"), &new)
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict
    );
    assert_eq!(
        references
            .make_tag(&named("v1"), &new)
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict
    );
    let refs = references.refs().await.unwrap();
    assert_eq!(refs.find(RefKind::Branch, &named("dev/x")), Some(&old));
    assert_eq!(refs.find(RefKind::Tag, &named("v1")), Some(&old));
}

pub async fn no_commit_makes_a_branch(side: Side) {
    let (world, ..) = with_history(side).await;
    let put = Action::Put {
        path: "b.txt".parse().unwrap(),
        exists: false,
        content: Content::Inline(Bytes::from_static(b"x")),
    };
    let commit = Commit {
        message: "Add".to_owned(),
        actions: vec![put],
        parent: None,
    };
    assert!(
        world
            .destination_at("absent")
            .commit(&commit)
            .await
            .is_err()
    );
    assert_eq!(
        world
            .references(side.alice())
            .refs()
            .await
            .unwrap()
            .find(RefKind::Branch, &named("absent")),
        None
    );
}

pub async fn one_who_may_not_write_makes_neither(side: Side) {
    let (world, old, _) = with_history(side).await;
    let references = world.references(side.bob());
    assert_eq!(
        references
            .make_branch(&named("mine"), &old)
            .await
            .unwrap_err()
            .kind(),
        Kind::Denied
    );
    assert_eq!(
        references
            .make_tag(&named("v2"), &old)
            .await
            .unwrap_err()
            .kind(),
        Kind::Denied
    );
    assert_eq!(
        references
            .delete_branch(&named("dev/x"), &old)
            .await
            .unwrap_err()
            .kind(),
        Kind::Denied
    );
    assert_eq!(references.refs().await.unwrap().branches.len(), 2);
}
