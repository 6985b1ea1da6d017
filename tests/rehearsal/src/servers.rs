//! Both servers: from HTTP requests to answers, and into the log.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, USER_AGENT};

use crate::api::{self, Asks};
use crate::cluster::{self, Cluster};
use crate::http::{self, Reply};
use crate::log::{self, Log};
use crate::query::Query;

fn header(request: &Request<Incoming>, name: HeaderName) -> String {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// The API server.
pub(crate) async fn cluster(listener: TcpListener, cluster: Arc<Cluster>, log: Arc<Log>) {
    let handle = move |request: Request<Incoming>| {
        let (cluster, log) = (Arc::clone(&cluster), Arc::clone(&log));
        async move { Some(one(request, cluster, log).await) }
    };
    let _ended = http::serve(listener, handle).await;
}

async fn one(
    request: Request<Incoming>,
    cluster: Arc<Cluster>,
    log: Arc<Log>,
) -> hyper::Response<http::Body> {
    let (accept, media_type) = (header(&request, ACCEPT), header(&request, CONTENT_TYPE));
    let method = request.method().as_str().to_owned();
    let uri = request.uri().clone();
    let number = log.begin(log::Request {
        method: method.clone(),
        path_and_query: uri.to_string(),
        user_agent: header(&request, USER_AGENT),
        status: 0,
    });
    let body =
        request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let asked = cluster::Request {
        method: &method,
        path: uri.path(),
        query: Query::new(uri.query().unwrap_or_default()),
        accept: &accept,
        media_type: &media_type,
        body: &body,
    };
    let response = cluster::answer(&cluster, &asked).await;
    log.end(number, response.status().as_u16());
    if response.status() == hyper::StatusCode::NOT_IMPLEMENTED {
        let start = String::from_utf8_lossy(&body[..body.len().min(300)]);
        let _lost = writeln!(std::io::stderr(), "rehearsal: UNKNOWN REQUEST {method} {uri} {start}");
    }
    response
}

/// The stand-in API.
#[derive(Debug)]
pub(crate) struct Api {
    cluster: Arc<Cluster>,
    log: Arc<Log>,
    asks: Asks,
}

impl Api {
    pub(crate) fn new(cluster: Arc<Cluster>, log: Arc<Log>) -> Api {
        Api { cluster, log, asks: Asks::default() }
    }

    async fn answer(&self, request: Request<Incoming>, on_metrics_port: bool) -> Reply {
        let (method, path) = (request.method().as_str(), request.uri().path());
        let authorization = header(&request, AUTHORIZATION);
        self.log.api(log::ApiRequest {
            method: method.to_owned(),
            path: request.uri().to_string(),
            authorization: !authorization.is_empty(),
            accept: header(&request, ACCEPT),
            user_agent: header(&request, USER_AGENT),
            on_metrics_port,
        });
        self.cluster.api_asked(path);
        if path == "/v1/runs" {
            self.cluster.settle().await;
        }
        let version = self.cluster.running_tag();
        let special = self.cluster.world().scenario.answer_for(path).cloned();
        if let Some(answer) = special.filter(|answer| self.asks.still(path, answer.until)) {
            return api::special(&answer, path, &version, &head(&request)).await;
        }
        if on_metrics_port && path != "/metrics" {
            return Some(api::nowhere());
        }
        let authorization = (!authorization.is_empty()).then_some(authorization.as_str());
        api::usual(method, path, &version, authorization).unwrap_or_else(|| Some(api::nowhere()))
    }
}

fn head(request: &Request<Incoming>) -> String {
    let mut head = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        head.push_str(name.as_str());
        head.push_str(": ");
        head.push_str(&String::from_utf8_lossy(value.as_bytes()));
        head.push('\n');
    }
    head
}

/// The stand-in API, on one of its listeners.
pub(crate) async fn api(listener: TcpListener, api: Arc<Api>, on_metrics_port: bool) {
    let handle = move |request: Request<Incoming>| {
        let api = Arc::clone(&api);
        async move { api.answer(request, on_metrics_port).await }
    };
    let _ended = http::serve(listener, handle).await;
}
