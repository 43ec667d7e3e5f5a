//! What Hugging Face says of tokens and repos.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::access;
use crate::accounts::{Caller, Scopes};
use crate::answer::{Answer, json as json_answer};
use crate::call::Call;
use crate::clock;
use crate::digest::Oid;
use crate::repo::{Commit, Kind, Repo, State};
use crate::tree::File;
use crate::world::World;
use crate::xet::door;

/// `GET /api/whoami-v2`.
pub fn whoami(caller: Caller) -> Answer {
    let Some(account) = caller.account() else {
        return Err(access::refused(401, None, "Invalid username or password."));
    };
    let orgs: Vec<Value> = account.orgs.iter().map(|org| json!({"type": "org", "id": Oid::made_of(&[org]), "name": org, "fullname": org, "isEnterprise": false, "roleInOrg": "admin"})).collect();
    let role = match account.write {
        _ if account.scopes.is_some() => "fineGrained",
        true => "write",
        false => "read",
    };
    let mut token = json!({"displayName": "sandbox", "role": role, "createdAt": clock::iso(SystemTime::UNIX_EPOCH)});
    if let Some(scopes) = account.scopes {
        token["fineGrained"] = fine_grained(scopes);
    }
    Ok(json_answer(
        200,
        &json!({
            "type": "user",
            "id": Oid::made_of(&[account.user]),
            "name": account.user,
            "fullname": account.user,
            "email": format!("{}@example.com", account.user),
            "isPro": false,
            "orgs": orgs,
            "auth": {"type": "access_token", "accessToken": token},
        }),
    ))
}

/// The permissions of a token, in the recorded shape.
fn fine_grained(scopes: &Scopes) -> Value {
    let scoped = scopes.of.iter().map(|(kind, name, permissions)| {
        json!({"entity": {"_id": Oid::made_of(&[name]), "type": kind, "name": name}, "permissions": permissions})
    });
    json!({"canReadGatedRepos": scopes.reads_gated, "global": ["discussion.write"], "scoped": scoped.collect::<Vec<_>>()})
}

/// `GET /api/T/{id}/auth-check[/write]`.
pub fn auth_check(repo: &Repo, caller: Caller, write: bool) -> Answer {
    access::through_gate(repo, caller)?;
    if write {
        access::repo_writer(repo, caller)?;
    }
    Ok(json_answer(200, &json!({})))
}

/// `GET /api/T/{id}/xet-{read|write}-token/{rev}`.
pub fn xet_token(world: &World, call: &Call, repo: &Repo, caller: Caller, write: bool) -> Answer {
    access::through_gate(repo, caller)?;
    if write {
        access::repo_writer(repo, caller)?;
    }
    door::token(world, call, if write { "write" } else { "read" })
}

/// `GET /api/T/{id}[/revision/{rev}]`.
pub fn info(repo: &Repo, call: &Call, revision: Option<&str>) -> Answer {
    let commit = access::revision(repo, revision.unwrap_or("main"))?;
    let blobs = call.flag("blobs");
    let mut about = summary(repo, &repo.state(), Some(&commit));
    let files = commit.tree.files();
    about["usedStorage"] = files.iter().map(|(_, file)| file.size).sum::<u64>().into();
    about["siblings"] = files
        .iter()
        .map(|(path, file)| sibling(path, file, blobs))
        .collect();
    Ok(json_answer(200, &about))
}

/// What listings and `info` say of a repo.
pub fn summary(repo: &Repo, state: &State, commit: Option<&Arc<Commit>>) -> Value {
    let date = commit.map_or(SystemTime::UNIX_EPOCH, |commit| commit.date);
    let mut about = json!({
        "_id": &Oid::made_of(&[&repo.id]).to_string()[..24],
        "id": repo.id,
        "author": repo.owner(),
        "sha": commit.map(|commit| commit.id),
        "lastModified": clock::iso(date),
        "createdAt": clock::iso(state.log.first().map_or(date, |first| first.date)),
        "private": !state.is_public(),
        "gated": state.gated.as_ref().map_or(json!(false), |gated| json!(gated)),
        "disabled": state.disabled,
        "tags": [],
        "downloads": 0,
        "likes": state.likes,
    });
    if repo.kind == Kind::Space {
        about["sdk"] = state.sdk.clone().into();
        about["visibility"] = json!(state.visibility);
    }
    if repo.kind == Kind::Model {
        about["modelId"] = repo.id.clone().into();
    }
    about
}

fn sibling(path: &str, file: &File, blobs: bool) -> Value {
    let mut sibling = json!({"rfilename": path});
    if blobs {
        sibling["size"] = file.size.into();
        sibling["blobId"] = file.oid.to_string().into();
        if file.lfs {
            let pointer = file.digest.pointer(file.size).len();
            sibling["lfs"] =
                json!({"sha256": file.digest, "size": file.size, "pointerSize": pointer});
        }
    }
    sibling
}

/// `GET /api/T/{id}/refs`.
pub fn refs(repo: &Repo, call: &Call) -> Answer {
    let state = repo.state();
    let named = |refs: &std::collections::BTreeMap<String, Oid>, folder: &str| -> Vec<Value> {
        refs.iter().map(|(name, id)| json!({"name": name, "ref": format!("refs/{folder}/{name}"), "targetCommit": id})).collect()
    };
    let mut refs = json!({"branches": named(&state.branches, "heads"), "tags": named(&state.tags, "tags"), "converts": []});
    if call.flag("include_prs") {
        refs["pullRequests"] = json!([]);
    }
    Ok(json_answer(200, &refs))
}
