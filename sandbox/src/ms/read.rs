//! What ModelScope says of tokens and repos.

use serde_json::{Value, json};

use axum::body::Body;
use axum::http::Response;

use super::Surface;
use super::access;
use crate::accounts::{Caller, Site};
use crate::answer::{Answer, json as json_answer, with};
use crate::call::Call;
use crate::clock;
use crate::repo::{Kind, Repo, Visibility};
use crate::settings::Commits;
use crate::world::World;

/// The most repos a page of the newer surface holds.
const PAGE: usize = 50;
/// How far its pages reach.
const REACH: usize = 3000;

/// `GET /openapi/v1/users/me`.
pub fn me(caller: Caller) -> Answer {
    let account = access::known(Surface::Open, caller)?;
    let email = format!("{}@example.com", account.user);
    Ok(access::open(
        &json!({"id": account.user, "username": account.user, "name": account.user, "email": email, "avatar_url": ""}),
    ))
}

/// `POST /api/v1/login`.
pub async fn login(world: &World, mut call: Call) -> Answer {
    let asked: Value = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let token = asked["AccessToken"].as_str();
    let Caller::Known(account) = world.accounts.caller(Site::ModelScope, token) else {
        return Err(access::legacy_refused(
            400,
            10_010_103_009,
            "AccessToken is invalid or expired",
        ));
    };
    let data = json!({"AccessToken": format!("git-{}", account.token), "Username": account.user, "Email": format!("{}@example.com", account.user)});
    Ok(with(
        access::envelope(&data),
        "set-cookie",
        &format!("m_session_id={}; Path=/; HttpOnly", account.token),
    ))
}

/// `GET /{api|openapi}/v1/S/{owner}/{name}`.
pub fn info(surface: Surface, repo: &Repo) -> Response<Body> {
    match surface {
        Surface::Legacy => access::envelope(&legacy_summary(repo)),
        Surface::Open => access::open(&open_summary(repo)),
    }
}

/// A repo in the newer surface's words.
pub fn open_summary(repo: &Repo) -> Value {
    let state = repo.state();
    let (made, changed) = (state.log.first(), state.log.last());
    let mut about = json!({
        "id": repo.id,
        "name": repo.name(),
        "owner": repo.owner(),
        "private": matches!(state.visibility, Visibility::Private),
        "gated": state.gated.is_some(),
        "license": "Apache-2.0",
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "created_at": made.map(|commit| clock::iso(commit.date)),
        "last_modified": changed.map(|commit| clock::iso(commit.date)),
    });
    if repo.kind == Kind::Space {
        about["visibility"] = json!(state.visibility);
        about["repo_name"] = repo.name().into();
        about["status"] = "stopped".into();
        about["sdk_type"] = state.sdk.clone().into();
    }
    about
}

/// A repo in the older surface's words.
pub fn legacy_summary(repo: &Repo) -> Value {
    let state = repo.state();
    let date = |commit: Option<&std::sync::Arc<crate::repo::Commit>>| {
        commit.map(|commit| clock::seconds(commit.date))
    };
    let mut about = json!({
        "Id": repo.number,
        "Name": repo.name(),
        "Visibility": state.visibility as u8,
        "ProtectedMode": if state.gated.is_some() { 1 } else { 2 },
        "License": "Apache-2.0",
        "Downloads": 0,
        "Likes": 0,
        "Tags": [],
        "CreatedTime": date(state.log.first()),
        "LastUpdatedTime": date(state.log.last()),
    });
    if repo.kind == Kind::Dataset {
        about["Owner"] = repo.owner().into();
        about["Namespace"] = repo.owner().into();
        about["Type"] = 4.into();
    } else {
        about["Path"] = repo.owner().into();
    }
    about
}

fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Model => "models",
        Kind::Dataset => "datasets",
        Kind::Space => "studios",
    }
}

/// `GET /openapi/v1/S`, without private datasets.
pub fn list(world: &World, call: &Call, caller: Caller, kind: Kind) -> Answer {
    let page = call.number("page_number").unwrap_or(1).max(1);
    let asked = call.number("page_size").unwrap_or(10).max(1);
    if page.saturating_mul(asked) > REACH {
        return Err(access::open_refused(
            400,
            "InputParameterError",
            "page_number * page_size must be <= 3000",
        ));
    }
    let size = asked.min(PAGE);
    let search = call.param("search").map(str::to_lowercase);
    let hidden =
        |repo: &Repo| kind == Kind::Dataset && repo.state().visibility == Visibility::Private;
    let wanted = |repo: &Repo| {
        !hidden(repo)
            && search
                .as_ref()
                .is_none_or(|text| repo.id.to_lowercase().contains(text))
    };
    let all: Vec<Value> = visible(world, call, caller, kind)
        .filter(|repo| wanted(repo))
        .map(|repo| open_summary(&repo))
        .collect();
    let shown: Vec<&Value> = all.iter().skip((page - 1) * size).take(size).collect();
    Ok(access::open(
        &json!({plural(kind): shown, "total_count": all.len(), "page_number": page, "page_size": size}),
    ))
}

/// `GET /api/v1/datasets`, private ones too.
pub fn list_datasets(world: &World, call: &Call, caller: Caller) -> Answer {
    let page = call.number("PageNumber").unwrap_or(1).max(1);
    let size = call.number("PageSize").unwrap_or(10).clamp(1, 200);
    let all: Vec<Value> = visible(world, call, caller, Kind::Dataset)
        .map(|repo| legacy_summary(&repo))
        .collect();
    let shown: Vec<&Value> = all.iter().skip((page - 1) * size).take(size).collect();
    Ok(json_answer(
        200,
        &json!({"Code": 200, "Data": shown, "TotalCount": all.len(), "PageNumber": page, "PageSize": size, "Message": "", "Success": true}),
    ))
}

fn visible<'a>(
    world: &World,
    call: &'a Call,
    caller: Caller,
    kind: Kind,
) -> impl Iterator<Item = std::sync::Arc<Repo>> + use<'a> {
    let owner = call.param("owner");
    world.ms.repos().into_iter().filter(move |repo| {
        repo.kind == kind
            && owner.is_none_or(|owner| repo.owner() == owner)
            && access::may_see(caller, repo, true)
    })
}

/// `GET /api/v1/S/{id}/revisions`.
pub fn revisions(repo: &Repo) -> Response<Body> {
    let state = repo.state();
    let named = |refs: &std::collections::BTreeMap<String, crate::digest::Oid>| -> Vec<Value> {
        let date = |id: &crate::digest::Oid| {
            state
                .resolve(&id.to_string())
                .map(|commit| clock::seconds(commit.date))
        };
        refs.iter()
            .map(|(name, id)| json!({"Revision": name, "CreatedAt": date(id)}))
            .collect()
    };
    access::envelope(
        &json!({"RevisionMap": {"Branches": named(&state.branches), "Tags": named(&state.tags)}}),
    )
}

/// `GET /api/v1/S/{id}/commits?Ref=&PageNumber=&PageSize=`, the newest first. Without a `Ref`, or with one misspelt, the main branch's.
pub fn commits(world: &World, call: &Call, caller: Caller, repo: &Repo) -> Answer {
    let is_told = match world.settings().ms_commits {
        Commits::None => false,
        Commits::Models => repo.kind == Kind::Model,
        Commits::All => true,
    };
    if !is_told {
        return Err(access::refused(Surface::Legacy, &access::NO_ROUTE));
    }
    access::files_of(caller, repo)?;
    let newest = repo.commit(call.param("Ref").unwrap_or("master"));
    if newest.is_none() {
        return Ok(access::envelope(&json!({"Commit": null, "TotalCount": 0})));
    }
    let state = repo.state();
    let before = |commit: &std::sync::Arc<crate::repo::Commit>| {
        commit
            .parent
            .and_then(|parent| state.resolve(&parent.to_string()))
    };
    let all: Vec<_> = std::iter::successors(newest, before).collect();
    let (page, size) = (
        call.number("PageNumber").unwrap_or(1).max(1),
        call.number("PageSize").unwrap_or(10).clamp(1, 100),
    );
    let told = all.iter().skip((page - 1).saturating_mul(size)).take(size);
    let told: Vec<Value> = told
        .map(|commit| json!({"Id": commit.id, "Message": commit.message}))
        .collect();
    Ok(access::envelope(
        &json!({"Commit": told, "TotalCount": all.len()}),
    ))
}
