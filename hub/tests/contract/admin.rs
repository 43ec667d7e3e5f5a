//! The suite of what an owner does with a whole repo.

use hf2ms_hub::{Community, FileCount, Kind, RepoId, Revision, Visibility};
use serde_json::{Value, json};

use super::world::{Side, World};

fn files() -> Value {
    json!([{"path": "a.txt", "text": "a"}, {"path": "b.bin", "size": 100_000, "seed": 1}])
}

async fn world(side: Side) -> World {
    World::with(side, files()).await
}

fn id(text: &str) -> RepoId {
    text.parse().unwrap()
}

/// What one who looks anew finds at an id.
async fn found(world: &World, id: &str) -> Result<Visibility, Kind> {
    let source = world.source_of(id, world.main(), Some(world.side.alice()));
    match source.describe().await {
        Ok(info) => Ok(info.visibility),
        Err(error) => Err(error.kind()),
    }
}

pub async fn a_deleted_repo_is_gone(side: Side) {
    let world = world(side).await;
    world.admin_of(side.alice()).delete().await.unwrap();
    assert_eq!(found(&world, "alice/repo").await, Err(Kind::NotFound));
    let again = world.admin_of(side.alice()).delete().await;
    assert_eq!(again.unwrap_err().kind(), Kind::NotFound);
}

pub async fn one_who_may_not_write_changes_nothing(side: Side) {
    let world = world(side).await;
    let admin = world.admin_of(side.bob());
    let to = id("bob/stolen");
    for refused in [
        admin.delete().await,
        admin.rename(&to).await,
        admin.make_private().await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), Kind::Denied);
    }
    assert_eq!(found(&world, "alice/repo").await, Ok(Visibility::Public));
}

pub async fn a_lost_answer_to_a_deletion_is_looked_for(side: Side) {
    let world = world(side).await;
    world
        .fault("hf.delete", json!({"do": "lose_answer"}), 1)
        .await;
    world.admin_of(side.alice()).delete().await.unwrap();
    assert_eq!(found(&world, "alice/repo").await, Err(Kind::NotFound));
    assert_eq!(world.requests("hf.delete").await, 1);
}

pub async fn a_deletion_that_did_not_happen_is_no_success(side: Side) {
    let world = world(side).await;
    world
        .fault("hf.delete", json!({"do": "status", "status": 503}), 9)
        .await;
    let error = world.admin_of(side.alice()).delete().await.unwrap_err();
    assert!(error.kind() == Kind::Transient && error.is_unanswered());
    assert_eq!(found(&world, "alice/repo").await, Ok(Visibility::Public));
    assert_eq!(world.requests("hf.delete").await, 1, "it is sent once");
}

pub async fn a_moved_repo_answers_to_both_ids(side: Side) {
    let world = world(side).await;
    let to = id("alice/archive-repo");
    world
        .fault("hf.move", json!({"do": "lose_answer"}), 1)
        .await;
    world.admin_of(side.alice()).rename(&to).await.unwrap();
    for (asked, renamed) in [("alice/archive-repo", None), ("alice/repo", Some(to))] {
        let source = world.source_of(asked, world.main(), Some(side.alice()));
        let info = source.describe().await.unwrap();
        assert_eq!((info.renamed, info.files), (renamed, FileCount::Exactly(2)));
        assert_eq!(source.list().await.unwrap().files.len(), 2);
    }
    assert_eq!(world.requests("hf.move").await, 1);
}

pub async fn a_repo_is_not_moved_onto_another(side: Side) {
    let world = world(side).await;
    let seed = json!({"hub": "hf", "kind": side.1, "id": "alice/other", "files": files()});
    world.ask("POST", "/seed", seed).await;
    let admin = world.admin_of(side.alice());
    let error = admin.rename(&id("alice/other")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(found(&world, "alice/repo").await, Ok(Visibility::Public));
}

pub async fn a_repo_is_hidden_and_says_so(side: Side) {
    let world = world(side).await;
    world
        .fault("hf.settings", json!({"do": "lose_answer"}), 1)
        .await;
    world.admin_of(side.alice()).make_private().await.unwrap();
    assert_eq!(found(&world, "alice/repo").await, Ok(Visibility::Private));
    assert_eq!(world.requests("hf.settings").await, 1);
}

pub async fn a_setting_that_is_taken_and_ignored_is_no_success(side: Side) {
    let world = world(side).await;
    let ignored = json!({"do": "status", "status": 200, "body": {}});
    world.fault("hf.settings", ignored, 1).await;
    let error = world.admin_of(side.alice()).make_private().await;
    assert_eq!(error.unwrap_err().kind(), Kind::Refused);
}

pub async fn what_others_added_is_counted_and_never_guessed(side: Side) {
    let world = world(side).await;
    let added = json!({"hub": "hf", "kind": side.1, "id": "alice/repo", "likes": 5, "discussions": 60, "pull_requests": 2});
    world.ask("POST", "/repo", added).await;
    let admin = world.admin_of(side.alice());
    let told = Community {
        discussions: Some(60),
        pull_requests: Some(2),
        likes: Some(5),
    };
    assert_eq!(admin.community().await.unwrap(), told);
    let closed = json!({"do": "status", "status": 403});
    world.fault("hf.discussions", closed, 2).await;
    let untold = Community {
        likes: Some(5),
        ..Community::default()
    };
    assert_eq!(admin.community().await.unwrap(), untold);
}

pub async fn commits_are_counted_by_branch(side: Side) {
    let world = world(side).await;
    for number in 0..3 {
        let file = json!([{"path": "more.txt", "text": number.to_string()}]);
        let seed = json!({"hub": "hf", "kind": side.1, "id": "alice/repo", "files": file, "revision": "dev"});
        world.ask("POST", "/seed", seed).await;
    }
    let references = world.references(side.alice());
    let count = |name: &str| {
        let (name, references) = (name.parse::<Revision>().unwrap(), references.clone());
        async move { references.commit_count(&name).await.unwrap() }
    };
    // The first commit of a repo is the hub's own.
    assert_eq!(
        (count("main").await, count("dev").await),
        (Some(2), Some(3))
    );
    assert_eq!(count("absent").await, None);
}

pub async fn files_are_counted_apart_from_the_listing(side: Side) {
    let world = world(side).await;
    let counted = world.pinned().await.file_count().await.unwrap();
    assert_eq!(counted, FileCount::Exactly(2));
}
