//! Faults in what an answer says: other answers, and real ones with something changed.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, Version, header};
use serde_json::{Value, json};

use super::{Envelope, Kind};
use crate::answer::{empty, json as json_answer, typed, with};
use crate::faults::bodies::{End, cut, flipped, lengthened};
use crate::shape::frames;
use crate::shape::slowed;

/// The answer that `kind` gives instead of the real one, if it does.
pub fn instead(kind: &Kind, target: &str) -> Option<Response<Body>> {
    match kind {
        Kind::Status {
            status,
            headers,
            body,
            envelope,
            body_bytes,
        } => {
            let response = match (body, envelope, body_bytes) {
                (Some(Value::String(text)), _, _) => typed(*status, "text/plain", text.clone()),
                (Some(value), _, _) => json_answer(*status, value),
                (None, Some(Envelope { code, message }), _) => {
                    json_answer(*status, &enveloped(*code, message))
                }
                (None, None, Some(len)) => typed(*status, "text/plain", "x".repeat(*len)),
                (None, None, None) => empty(*status),
            };
            Some(headed(response, headers))
        }
        Kind::Envelope { code, message } => Some(json_answer(200, &enveloped(*code, message))),
        Kind::Html => Some(typed(
            200,
            "text/html",
            "<!doctype html><title>Sign in</title><h1>Please sign in</h1>",
        )),
        Kind::Redirect { location: None } => Some(empty(302)),
        Kind::Redirect { location: Some(to) } => Some(with(
            empty(302),
            "location",
            if to == "loop" { target } else { to },
        )),
        Kind::Nested { depth } => Some(typed(
            200,
            "application/json",
            format!("{}{}", "[".repeat(*depth), "]".repeat(*depth)),
        )),
        _ => None,
    }
}

fn enveloped(code: i64, message: &str) -> Value {
    json!({"Code": code, "Message": message, "Data": null, "RequestId": "fault", "Success": false})
}

fn headed(mut response: Response<Body>, headers: &BTreeMap<String, String>) -> Response<Body> {
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Whether `kind` changes what a JSON answer says.
fn is_edit(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Href { .. }
            | Kind::ObjectError { .. }
            | Kind::OmitObject { .. }
            | Kind::ForeignObject
            | Kind::DuplicateObject
            | Kind::WrongSize
            | Kind::WrongAlgo
            | Kind::Cut { .. }
    )
}

/// The real answer with what `kind` changes about it.
pub async fn changed(mut response: Response<Body>, kind: &Kind, target: &str) -> Response<Body> {
    match kind {
        Kind::Encoding { name } => headed(
            response,
            &BTreeMap::from([("content-encoding".into(), name.clone())]),
        ),
        Kind::WrongRange => shift_range(response),
        Kind::Next { url } => {
            let next = if url == "loop" { target } else { url };
            with(response, "link", &format!("<{next}>; rel=\"next\""))
        }
        Kind::LoseNext => {
            response.headers_mut().remove(header::LINK);
            response
        }
        Kind::Href { href } if response.headers().contains_key(header::LOCATION) => {
            with(response, "location", href)
        }
        Kind::Undeclared { .. } => {
            response.headers_mut().remove(header::CONTENT_LENGTH);
            // Only HTTP/1.0 ends a body by closing; chunks would say where the end is.
            *response.version_mut() = Version::HTTP_10;
            response
        }
        Kind::Longer { extra } => declare_longer(response, *extra).await,
        edit if is_edit(edit) => edit_json(response, edit).await,
        _ => response,
    }
}

/// The answer's body with what `kind` does to its bytes.
pub fn disturbed(response: Response<Body>, kind: &Kind, end: impl Fn() -> End) -> Response<Body> {
    let change: Box<dyn FnOnce(crate::shape::Frames) -> crate::shape::Frames> = match kind.clone() {
        Kind::Reset { after } => Box::new(move |body| cut(body, after, end())),
        Kind::Truncate { after } => Box::new(move |body| cut(body, after, End::Closed)),
        Kind::Undeclared { after } => {
            Box::new(move |body| cut(body, after.unwrap_or(u64::MAX), End::Clean))
        }
        Kind::Stall { after } => Box::new(move |body| cut(body, after, End::Stalled)),
        Kind::Slow { bytes_per_second } => Box::new(move |body| slowed(body, bytes_per_second)),
        Kind::Corrupt { at } => Box::new(move |body| flipped(body, at)),
        Kind::Longer { extra } => Box::new(move |body| lengthened(body, extra)),
        _ => return response,
    };
    response.map(|body| Body::from_stream(change(frames(body))))
}

async fn declare_longer(response: Response<Body>, extra: u64) -> Response<Body> {
    let declared = response
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match declared {
        Some(declared) => with(response, "content-length", &(declared + extra).to_string()),
        None => response,
    }
}

fn shift_range(response: Response<Body>) -> Response<Body> {
    let shifted = response
        .headers()
        .get(header::CONTENT_RANGE)
        .and_then(|value| {
            let (span, total) = value
                .to_str()
                .ok()?
                .strip_prefix("bytes ")?
                .split_once('/')?;
            let (first, last) = span.split_once('-')?;
            let (first, last) = (
                first.parse::<u64>().ok()? + 1,
                last.parse::<u64>().ok()? + 1,
            );
            Some(format!("bytes {first}-{last}/{total}"))
        });
    match shifted {
        Some(shifted) => with(response, "content-range", &shifted),
        None => response,
    }
}

async fn edit_json(response: Response<Body>, kind: &Kind) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return empty(500);
    };
    let Ok(mut value) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    edit(&mut value, kind);
    let mut response = Response::from_parts(parts, Body::from(value.to_string()));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}

fn edit(value: &mut Value, kind: &Kind) {
    if let Kind::Cut { entries } = kind {
        return if let Some(listing) = listing(value) {
            listing.truncate(*entries)
        };
    }
    let batch = if value["objects"].is_array() {
        Some(value)
    } else {
        value.get_mut("Data")
    };
    // Any answer may be struck, not only a batch.
    let Some(batch) = batch.filter(|batch| batch.is_object()) else {
        return;
    };
    if matches!(kind, Kind::WrongAlgo) {
        batch["hash_algo"] = "sha1".into();
        return;
    }
    let Some(objects) = batch["objects"].as_array_mut() else {
        return;
    };
    match kind {
        Kind::Href { href } => set_hrefs(objects, href),
        Kind::ObjectError {
            index,
            code,
            message,
        } => {
            if let Some(object) = objects.get_mut(*index) {
                *object = json!({"oid": object["oid"], "size": object["size"], "error": {"code": code, "message": message}});
            }
        }
        Kind::OmitObject { index } if *index < objects.len() => drop(objects.remove(*index)),
        Kind::ForeignObject => {
            let mut foreign = objects
                .first()
                .cloned()
                .unwrap_or_else(|| json!({"size": 1}));
            foreign["oid"] = "f".repeat(64).into();
            objects.push(foreign);
        }
        Kind::DuplicateObject => objects.extend(objects.first().cloned()),
        Kind::WrongSize => objects
            .iter_mut()
            .for_each(|object| object["size"] = (object["size"].as_u64().unwrap_or(0) + 1).into()),
        _ => {}
    }
}

fn set_hrefs(objects: &mut [Value], href: &str) {
    for object in objects {
        let Some(actions) = object.get_mut("actions").and_then(Value::as_object_mut) else {
            continue;
        };
        actions
            .iter_mut()
            .filter(|(name, _)| *name != "verify")
            .for_each(|(_, action)| action["href"] = href.into());
    }
}

/// The array of entries in a listing of either hub.
fn listing(value: &mut Value) -> Option<&mut Vec<Value>> {
    if value.is_array() {
        return value.as_array_mut();
    }
    value.get_mut("Data")?.get_mut("Files")?.as_array_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_batches_of_both_hubs() {
        let object = json!({"oid": "a", "size": 1, "actions": {"upload": {"href": "x"}, "verify": {"href": "y"}}});
        let mut hf = json!({"objects": [object.clone()]});
        edit(&mut hf, &Kind::Href { href: "z".into() });
        assert_eq!(
            hf["objects"][0]["actions"],
            json!({"upload": {"href": "z"}, "verify": {"href": "y"}})
        );
        let mut ms = json!({"Data": {"objects": [object]}});
        edit(&mut ms, &Kind::WrongSize);
        edit(&mut ms, &Kind::ForeignObject);
        assert_eq!(ms["Data"]["objects"][0]["size"], 2);
        assert_eq!(ms["Data"]["objects"][1]["oid"], "f".repeat(64));
        edit(
            &mut ms,
            &Kind::ObjectError {
                index: 0,
                code: 404,
                message: "gone".into(),
            },
        );
        assert_eq!(ms["Data"]["objects"][0]["error"]["code"], 404);
    }

    #[test]
    fn what_is_no_batch_is_left_as_it_is() {
        for other in [
            json!([1]),
            json!("text"),
            json!({"Data": [1]}),
            json!({"Data": null}),
        ] {
            for kind in [Kind::WrongAlgo, Kind::ForeignObject] {
                let mut answer = other.clone();
                edit(&mut answer, &kind);
                assert_eq!(answer, other);
            }
        }
    }
}
