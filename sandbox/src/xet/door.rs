//! The storage as others see it: who may ask what of it, by the tokens that the hub gives.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::carrier::carried;
use crate::answer::{Answer, Refusal, broken, json as json_answer, settle, typed, with};
use crate::call::{Call, Origin, pairs};
use crate::clock;
use crate::world::World;

/// What a request is counted and made to fail under.
pub fn route(call: &Call) -> &'static str {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        [_, "reconstructions", ..] => "hf_cas.reconstruction",
        [_, "fetch_term"] => "hf_cas.term",
        [
            _,
            "xorbs" | "xorb-grants" | "xorb-commits" | "xorb-uploads",
            ..,
        ] => "hf_cas.xorb",
        [_, "shards"] => "hf_cas.shard",
        _ => "hf_cas.other",
    }
}

/// `GET /api/T/{id}/xet-{read|write}-token/{rev}`, once the caller was let in.
pub fn token(world: &World, call: &Call, may: &str) -> Answer {
    if !world.settings().hf_xet {
        return Err(typed(404, "text/plain", "Not Found").into());
    }
    let signed = world.signer.sign(may, "xet", call.ttl);
    let token = format!("xet_{}", URL_SAFE_NO_PAD.encode(signed));
    let end = if call.ttl.is_zero() {
        clock::now() - 1
    } else {
        clock::now() + call.ttl.as_secs()
    };
    let cas = world.base(Origin::HfCas);
    let response = json_answer(
        200,
        &json!({"casUrl": cas, "accessToken": token, "exp": end}),
    );
    let response = with(response, "x-xet-cas-url", cas);
    let response = with(response, "x-xet-access-token", &token);
    Ok(with(response, "x-xet-token-expiration", &end.to_string()))
}

/// Answers a request.
pub async fn handle(world: &Arc<World>, call: Call) -> Response<Body> {
    settle(answer(world, call).await)
}

async fn answer(world: &World, mut call: Call) -> Answer {
    if let Err(refused) = admitted(world, &call) {
        call.bytes_dropped().await;
        return Err(refused);
    }
    let server = world.xet.server().await.map_err(|error| broken(&error))?;
    if route(&call) != "hf_cas.shard" {
        return carried(server.address, &mut call)
            .await
            .map_err(|error| broken(&error));
    }
    let shard = call
        .bytes()
        .await
        .map_err(|error| typed(400, "text/plain", error))?;
    call.body = Body::from(shard.clone());
    let response = carried(server.address, &mut call)
        .await
        .map_err(|error| broken(&error))?;
    if response.status().is_success() {
        world.xet.remember(&shard).map_err(|error| broken(&error))?;
    }
    Ok(response)
}

/// Addresses that permit by themselves need no token; what writes needs one that may.
fn admitted(world: &World, call: &Call) -> Result<(), Refusal> {
    let writes = call.method == "POST";
    match call.path.as_str() {
        "/v1/fetch_term" | "/v1/telemetry" => return Ok(()),
        path if path.starts_with("/simulation/xorb-uploads/") => return Ok(()),
        path if path.starts_with("/simulation") => {
            return Err(typed(404, "text/plain", "Not Found").into());
        }
        _ => {}
    }
    let opens = |may: &str| {
        let token = call.bearer()?.strip_prefix("xet_")?;
        let signed = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let query = pairs(signed.strip_prefix("xet?")?);
        let find = |name: &str| {
            query
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        world.signer.check(may, "xet", find).ok()
    };
    let opened = opens("write").or_else(|| if writes { None } else { opens("read") });
    opened.ok_or_else(|| typed(401, "text/plain", "Unauthorized").into())
}
