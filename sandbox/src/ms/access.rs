//! Who may see and change what on ModelScope, and the envelopes it answers in.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use super::Surface;
use crate::accounts::{Account, Caller, Site};
use crate::answer::{Refusal, json as json_answer};
use crate::call::Call;
use crate::digest::Oid;
use crate::repo::{Kind, Repo, Visibility, new_id};
use crate::world::World;

/// Why a request is refused, in the forms of both surfaces.
pub struct Reason {
    /// HTTP's status.
    pub status: u16,
    /// The older surface's code.
    pub code: i64,
    /// The newer surface's code.
    pub word: &'static str,
    /// What people read.
    pub message: &'static str,
}

/// There is no such route.
pub const NO_ROUTE: Reason = Reason {
    status: 404,
    code: 10_000_000_404,
    word: "ResourceNotFound",
    message: "page not found",
};
/// API tokens delete nothing.
pub const NO_DELETION: Reason = Reason {
    status: 403,
    code: 10_010_104_003,
    word: "OperationNotAllowed",
    message: "the current token no longer supports deletion operations. Please go to the site page : https://www.modelscope.cn to delete",
};
/// The token is not one.
const BAD_TOKEN: Reason = Reason {
    status: 401,
    code: 10_010_103_009,
    word: "InvalidAuthentication",
    message: "AccessToken is invalid or expired",
};
/// There is no token.
const NO_TOKEN: Reason = Reason {
    status: 401,
    code: 10_010_103_001,
    word: "InvalidAuthentication",
    message: "user not logged in",
};
/// The repo is another's.
const NO_PERMISSION: Reason = Reason {
    status: 403,
    code: 10_010_104_001,
    word: "OperationNotAllowed",
    message: "no permission on this namespace",
};
/// There is no such repo.
const NO_REPO: Reason = Reason {
    status: 404,
    code: 10_010_205_001,
    word: "ResourceNotFound",
    message: "record not found",
};
/// The repo is another's, or gated: a reader is not told more.
const HIDDEN: Reason = Reason {
    status: 404,
    code: 10_010_200_001,
    word: "ResourceNotFound",
    message: "record not found",
};
/// The revision has no tree.
pub const NO_TREE: Reason = Reason {
    status: 404,
    code: 10_990_101_004,
    word: "ResourceNotFound",
    message: "获取模型目录树失败",
};
/// There is no such branch, tag or commit.
pub const NO_REVISION: Reason = Reason {
    status: 404,
    code: 10_010_205_010,
    word: "ResourceNotFound",
    message: "revision not found",
};
/// There is no such file, or its content is lost.
pub const NO_FILE: Reason = Reason {
    status: 404,
    code: 10_990_101_007,
    word: "ResourceNotFound",
    message: "获取模型文件失败，文件内容为空",
};

/// Who is calling: the Bearer, the cookie that older routes read, or the password that Git sends.
pub fn caller(world: &World, call: &Call) -> Caller {
    let password = call.password();
    let token = call
        .bearer()
        .or_else(|| call.cookie("m_session_id"))
        .or(password.as_deref());
    world.accounts.caller(Site::ModelScope, token)
}

/// An id for a request, for people to quote.
fn request_id() -> Oid {
    new_id("request")
}

/// The older surface's answer.
pub fn envelope(data: &Value) -> Response<Body> {
    json_answer(
        200,
        &json!({"Code": 200, "Data": data, "Message": "", "RequestId": request_id(), "Success": true}),
    )
}

/// The newer surface's answer.
pub fn open(data: &Value) -> Response<Body> {
    json_answer(
        200,
        &json!({"success": true, "data": data, "request_id": request_id()}),
    )
}

/// The older surface's refusal.
pub fn legacy_refused(status: u16, code: i64, message: &str) -> Refusal {
    json_answer(status, &json!({"Code": code, "Data": null, "Message": message, "RequestId": request_id(), "Success": false})).into()
}

/// A refusal of either surface.
pub fn refused(surface: Surface, reason: &Reason) -> Refusal {
    match surface {
        Surface::Legacy => legacy_refused(reason.status, reason.code, reason.message),
        Surface::Open => open_refused(reason.status, reason.word, reason.message),
    }
}

/// The newer surface's refusal.
pub fn open_refused(status: u16, word: &str, message: &str) -> Refusal {
    json_answer(
        status,
        &json!({"success": false, "code": word, "message": message, "request_id": request_id()}),
    )
    .into()
}

/// The request makes no sense.
pub fn bad_request(message: &str) -> Refusal {
    legacy_refused(400, 10_010_101_400, message)
}

/// The token is not one.
pub fn bad_token(surface: Surface) -> Refusal {
    refused(surface, &BAD_TOKEN)
}

/// There is no token, and it takes one.
pub fn no_token() -> Refusal {
    refused(Surface::Legacy, &NO_TOKEN)
}

/// The account that is calling.
pub fn known(surface: Surface, caller: Caller) -> Result<&'static Account, Refusal> {
    caller.account().ok_or_else(|| refused(surface, &NO_TOKEN))
}

/// The account, if it may write in `namespace`.
pub fn writer(
    surface: Surface,
    caller: Caller,
    namespace: &str,
) -> Result<&'static Account, Refusal> {
    let account = known(surface, caller)?;
    if account.may_write(namespace) {
        Ok(account)
    } else {
        Err(refused(surface, &NO_PERMISSION))
    }
}

/// Whether the caller may see the repo's files, or with `about` that there is one.
pub fn may_see(caller: Caller, repo: &Repo, about: bool) -> bool {
    let owns = caller
        .account()
        .is_some_and(|account| account.owns(repo.owner()));
    match repo.state().visibility {
        Visibility::Public => true,
        Visibility::Internal => caller.account().is_some(),
        Visibility::Protected => owns || about,
        Visibility::Private => owns,
    }
}

/// The repo, if the caller may know of it; a dataset also by its number.
pub fn repo(
    world: &World,
    caller: Caller,
    (surface, kind, id): (Surface, Kind, &str),
) -> Result<Arc<Repo>, Refusal> {
    let by_number = || {
        let number = id.parse::<u64>().ok()?;
        world
            .ms
            .repos()
            .into_iter()
            .find(|repo| repo.kind == kind && repo.number == number)
    };
    let repo = world
        .ms
        .repo(kind, id)
        .or_else(by_number)
        .ok_or_else(|| refused(surface, &NO_REPO))?;
    if !may_see(caller, &repo, true) {
        return Err(refused(surface, &HIDDEN));
    }
    if repo.state().disabled {
        return Err(legacy_refused(
            403,
            10_010_104_005,
            "this repository is disabled",
        ));
    }
    Ok(repo)
}

/// Refuses files of a studio that shows only its app, and of a gated repo to who was not let in.
pub fn files_of(caller: Caller, repo: &Repo) -> Result<(), Refusal> {
    let let_in = |account: &Account| {
        account.owns(repo.owner()) || repo.state().granted.contains(account.user)
    };
    let gated = repo.state().gated.is_some() && !caller.account().is_some_and(let_in);
    if may_see(caller, repo, false) && !gated {
        Ok(())
    } else {
        Err(refused(Surface::Legacy, &HIDDEN))
    }
}
