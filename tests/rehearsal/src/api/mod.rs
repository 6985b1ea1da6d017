//! The stand-in for the API under test: ten paths, and what a scenario makes of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::Response;
use hyper::header::{HeaderValue, LOCATION, SERVER, SET_COOKIE, WWW_AUTHENTICATE};

use crate::http::{self, Reply, whole};
use crate::scenarios::{Answer, Body, Until};

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const MARKDOWN: &str = "text/markdown; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Path, media type, body; `${VERSION}` is the version that runs.
static USUAL: &[(&str, &str, &str)] = &[
    ("/health", JSON, "{\"status\":\"healthy\",\"version\":\"${VERSION}\"}"),
    (
        "/readyz",
        JSON,
        "{\"status\":\"ready\",\"services\":{\"database\":\"up\",\"redis\":\"up\",\"s3\":\"up\",\"sqs\":\"up\"}}",
    ),
    ("/.well-known/openapi.json", JSON, include_str!("../../fixtures/api/openapi.json")),
    ("/llms.txt", PLAIN, include_str!("../../fixtures/api/llms.txt")),
    ("/api-docs", HTML, include_str!("../../fixtures/api/api-docs.html")),
    ("/redoc", HTML, include_str!("../../fixtures/api/redoc.html")),
    ("/metrics", PROMETHEUS, include_str!("../../fixtures/api/metrics.txt")),
    ("/pricing/ssot.json", JSON, include_str!("../../fixtures/api/pricing.json")),
    ("/docs/quickstart.md", MARKDOWN, include_str!("../../fixtures/api/quickstart.md")),
    ("/v1/runs", JSON, "{\"runs\":[],\"next_cursor\":null}"),
];

/// How often, and since when, each path was asked.
#[derive(Debug, Default)]
pub(crate) struct Asks(Mutex<BTreeMap<String, (u32, Instant)>>);

impl Asks {
    /// Counts one more; gives how often before, and for how long.
    fn count(&self, path: &str) -> (u32, Duration) {
        let mut asks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = asks.entry(path.to_owned()).or_insert_with(|| (0, Instant::now()));
        entry.0 += 1;
        (entry.0 - 1, entry.1.elapsed())
    }

    /// Whether an answer that holds only so long still does.
    pub(crate) fn still(&self, path: &str, until: Until) -> bool {
        let (before, since) = self.count(path);
        match until {
            Until::Ever => true,
            Until::Asks(asks) => before < asks,
            Until::Passed(time) => since < time,
        }
    }
}

/// The answer that the scenario wants.
pub(crate) async fn special(answer: &Answer, path: &str, version: &str, head: &str) -> Reply {
    if !answer.takes.is_zero() {
        tokio::time::sleep(answer.takes).await;
    }
    let usual = USUAL.iter().find(|(known, ..)| *known == path);
    let media_type = match (&*answer.media_type, usual) {
        ("", Some((_, media_type, _))) => media_type,
        ("", None) => PLAIN,
        (given, _) => given,
    };
    let mut response = match &answer.body {
        Body::Drop => return None,
        Body::Hang => {
            std::future::pending::<()>().await;
            return None;
        }
        Body::Echo => whole(answer.status, PLAIN, head.to_owned()),
        Body::Usual => whole(answer.status, media_type, usual_body(path, version)),
        Body::Text(text) => whole(answer.status, media_type, text.to_string()),
    };
    for (name, text) in [(LOCATION, &answer.location), (SET_COOKIE, &answer.set_cookie)] {
        if let Ok(value) = HeaderValue::from_str(text)
            && !text.is_empty()
        {
            response.headers_mut().insert(name, value);
        }
    }
    Some(dressed(response))
}

/// The answer when all is well.
pub(crate) fn usual(method: &str, path: &str, version: &str, authorization: Option<&str>) -> Option<Reply> {
    let (_, media_type, _) = USUAL.iter().find(|(known, ..)| *known == path)?;
    if method != "GET" && method != "HEAD" {
        return Some(Some(dressed(whole(405, JSON, "{\"detail\":\"Method Not Allowed\"}"))));
    }
    let bearer = authorization.is_some_and(|value| value.starts_with("Bearer ") && value.len() > 7);
    if path == "/v1/runs" && !bearer {
        let mut response = whole(401, JSON, "{\"detail\":\"Not authenticated\"}");
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return Some(Some(dressed(response)));
    }
    Some(Some(dressed(whole(200, media_type, usual_body(path, version)))))
}

/// What the API says of a path it does not have.
pub(crate) fn nowhere() -> Response<http::Body> {
    dressed(whole(404, JSON, "{\"detail\":\"Not Found\"}"))
}

fn usual_body(path: &str, version: &str) -> String {
    USUAL
        .iter()
        .find(|(known, ..)| *known == path)
        .map_or("", |(.., body)| body)
        .replace("${VERSION}", version)
}

fn dressed(mut response: Response<http::Body>) -> Response<http::Body> {
    response.headers_mut().insert(SERVER, HeaderValue::from_static("uvicorn"));
    response
}
