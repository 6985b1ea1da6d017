//! `kubectl logs`.

use bytes::Bytes;
use futures_util::stream::unfold;
use hyper::Response;
use serde_json::Value;

use super::errors::{self, Refusal};
use super::json::{list, number, text};
use super::{World, kinds};
use crate::http::{Body, streamed, whole};
use crate::query::Query;
use crate::scenarios::With;

const PLAIN: &str = "text/plain";

/// The log of one container of a pod.
pub(crate) fn answer(
    world: &World,
    place: &str,
    name: &str,
    query: &Query,
) -> Result<Response<Body>, Refusal> {
    let kind = kinds::by_name("Pod").unwrap_or(&kinds::KINDS[0]);
    let pod = world.store.get(kind, place, name).ok_or_else(|| errors::not_found(kind, name))?;
    let container = match query.get("container") {
        "" => text(&pod, "/spec/containers/0/name"),
        container => container,
    };
    let state =
        list(&pod, "/status/containerStatuses").iter().find(|status| text(status, "/name") == container);
    let Some(state) = state else {
        return Err(errors::bad_request(&format!("container {container} is not valid for pod {name}")));
    };
    let waiting = text(state, "/state/waiting/reason");
    let previous = query.get("previous") == "true";
    let ended = state.pointer("/lastState/terminated").is_some();
    if previous && !ended {
        let message = format!("previous terminated container \"{container}\" in pod \"{name}\" not found");
        return Err(errors::bad_request(&message));
    }
    if !waiting.is_empty() && !ended {
        let why = match waiting {
            "ContainerCreating" => "ContainerCreating".to_owned(),
            "ErrImagePull" | "ImagePullBackOff" => "trying and failing to pull image".to_owned(),
            other => other.to_owned(),
        };
        let message = format!("container \"{container}\" in pod \"{name}\" is waiting to start: {why}");
        return Err(errors::bad_request(&message));
    }
    let bytes =
        world.scenario.last(|with| if let With::LogBytes(bytes) = with { Some(*bytes) } else { None });
    if let Some(bytes) = bytes {
        return Ok(endless(bytes));
    }
    let log = world.scenario.last(|with| if let With::Log(log) = with { Some(log.clone()) } else { None });
    if let Some(log) = log {
        return Ok(whole(200, PLAIN, log.into_owned()));
    }
    let lines = lines(container, failed(state));
    let tail = query.get("tailLines").parse().unwrap_or(usize::MAX);
    let mut out = String::new();
    for line in &lines[lines.len().saturating_sub(tail)..] {
        out.push_str(line);
        out.push('\n');
    }
    Ok(whole(200, PLAIN, out))
}

fn failed(state: &Value) -> bool {
    ["/state/terminated/exitCode", "/lastState/terminated/exitCode"].iter().any(|at| number(state, at) != 0)
}

fn lines(container: &str, failed: bool) -> Vec<&'static str> {
    let mut lines = match container {
        "dpp-api" => {
            vec!["INFO:     Started server process [1]", "INFO:     Waiting for application startup."]
        }
        _ => vec!["INFO     started"],
    };
    if failed {
        lines.extend([
            "ERROR:    Traceback (most recent call last):",
            "  File \"/app/dpp_api/main.py\", line 31, in lifespan",
            "    database_url = os.environ[\"DATABASE_URL\"]",
            "KeyError: 'DATABASE_URL'",
        ]);
    } else if container == "dpp-api" {
        lines.push("INFO:     Application startup complete.");
        lines.push("INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)");
    }
    lines
}

/// So many bytes, made as they go out.
fn endless(bytes: u64) -> Response<Body> {
    // Long lines: kubectl writes each by itself, and is what takes the time with short ones.
    let line = format!("{{\"level\":\"info\",\"payload\":\"{}\"}}\n", "0123456789abcdef".repeat(254));
    let chunk = Bytes::from(line.repeat(16));
    streamed(
        200,
        PLAIN,
        unfold((bytes, chunk), |(left, chunk)| async move {
            if left == 0 {
                return None;
            }
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
            let next = chunk.slice(..length);
            Some((next, (left - u64::try_from(length).unwrap_or(left), chunk)))
        }),
    )
}
