//! Requests to the API server: which object, which verb, who may.

use std::sync::Arc;

use hyper::Response;
use hyper::header::{HeaderValue, WARNING};
use serde_json::Value;

use super::apply::{self, Manner};
use super::errors::{self, Asked, Refusal};
use super::json::text;
use super::kinds::{self, Kind};
use super::lists::{self, Selection};
use super::tables::{Beside, table};
use super::{Cluster, World, discovery, logs, pod_security, protobuf, reviews, rollouts, watches};
use crate::USER;
use crate::http::{Body, whole};
use crate::query::Query;
use crate::scenarios::With;

const JSON: &str = "application/json";

/// What older clients try, and a 1.34 server has no more.
const GONE: &[&str] = &["/apis/authentication.k8s.io/v1beta1/", "/apis/authentication.k8s.io/v1alpha1/"];

/// A request, read whole.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Query,
    pub(crate) accept: &'a str,
    pub(crate) media_type: &'a str,
    pub(crate) body: &'a [u8],
}

/// Which objects a path means.
struct Target<'a> {
    kind: &'static Kind,
    namespace: &'a str,
    name: &'a str,
    subresource: &'a str,
}

/// Answers a request.
pub(crate) async fn answer(cluster: &Arc<Cluster>, request: &Request<'_>) -> Response<Body> {
    if let Some(reply) = about_the_server(request) {
        return reply;
    }
    if GONE.iter().any(|prefix| request.path.starts_with(prefix)) {
        return whole(404, "text/plain; charset=utf-8", "404 page not found\n");
    }
    let Some(target) = target(request.path) else {
        return refuse(&errors::unknown(request.method, request.path));
    };
    let changes =
        !matches!(request.method, "GET") && !target.kind.review && request.query.get("dryRun").is_empty();
    if changes {
        let wait = cluster
            .world()
            .scenario
            .last(|with| if let With::WritesAwaitPodsWatch(wait) = with { Some(*wait) } else { None });
        if let Some(wait) = wait {
            watches::opened(cluster, wait).await;
        }
    }
    match on_objects(cluster, request, &target) {
        Ok(reply) => reply,
        Err(refusal) => refuse(&refusal),
    }
}

fn reply(status: u16, value: &Value) -> Response<Body> {
    whole(status, JSON, value.to_string())
}

fn refuse(refusal: &Refusal) -> Response<Body> {
    reply(refusal.code, &refusal.status)
}

/// Version, health, discovery and `OpenAPI`.
fn about_the_server(request: &Request<'_>) -> Option<Response<Body>> {
    if request.method != "GET" {
        return None;
    }
    let aggregated = ["v2", "v2beta1"]
        .into_iter()
        .filter_map(|version| {
            Some((request.accept.find(&format!("apidiscovery.k8s.io;v={version};"))?, version))
        })
        .min()
        .map(|(_, version)| version);
    match (request.path, aggregated) {
        ("/version", _) => Some(reply(200, &discovery::version())),
        ("/healthz" | "/livez" | "/readyz", _) => Some(whole(200, "text/plain; charset=utf-8", "ok")),
        (path @ ("/api" | "/apis"), Some(version)) => {
            let kind = format!("{JSON};g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
            Some(whole(200, &kind, discovery::aggregated(path == "/api", version).to_string()))
        }
        ("/api", None) => Some(reply(200, &discovery::versions())),
        ("/apis", None) => Some(reply(200, &discovery::groups())),
        ("/openapi/v2", _) => Some(whole(200, protobuf::OPENAPI_V2, protobuf::OPENAPI_V2_EMPTY)),
        ("/openapi/v3", _) => Some(reply(200, &discovery::openapi_index())),
        (path, _) => {
            if let Some(group) = path.strip_prefix("/openapi/v3/") {
                return discovery::openapi(group).map(|document| reply(200, &document));
            }
            let (group, version) = match path.trim_matches('/').split('/').collect::<Vec<_>>()[..] {
                ["api", version] => ("", version),
                ["apis", group, version] => (group, version),
                _ => return None,
            };
            discovery::resources(group, version).map(|resources| reply(200, &resources))
        }
    }
}

fn target(path: &str) -> Option<Target<'_>> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, version, rest) = match &parts[..] {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (*plural, "", ""),
        [plural, name] => (*plural, *name, ""),
        [plural, name, subresource] => (*plural, *name, *subresource),
        _ => return None,
    };
    let kind = kinds::by_plural(group, version, plural)?;
    let namespace = if kind.plural == "namespaces" { "" } else { namespace };
    Some(Target { kind, namespace, name, subresource })
}

/// What a request asks to be done, as RBAC names it.
fn verb(request: &Request<'_>, target: &Target<'_>) -> Result<&'static str, Refusal> {
    let watch = matches!(request.query.get("watch"), "true" | "1");
    Ok(match (request.method, target.name) {
        ("GET", "") if watch => "watch",
        ("GET", "") => "list",
        ("GET", _) => "get",
        ("POST", "") => "create",
        ("PATCH", _) => "patch",
        ("PUT", _) => "update",
        ("DELETE", _) => "delete",
        _ => return Err(errors::unknown(request.method, request.path)),
    })
}

fn on_objects(
    cluster: &Arc<Cluster>,
    request: &Request<'_>,
    target: &Target<'_>,
) -> Result<Response<Body>, Refusal> {
    let query = &request.query;
    let verb = verb(request, target)?;
    let Target { kind, namespace, name, subresource } = *target;
    let mut world = cluster.world();
    if reviews::takes(kind) {
        let review = protobuf::review(request.body).map_or_else(|| body(request), Ok)?;
        return Ok(reply(201, &reviews::answer(&world, review)));
    }
    // RBAC sees the name of a namespace as the namespace of the request.
    let place = if kind.plural == "namespaces" { name } else { namespace };
    let asked = Asked { verb, kind, subresource, namespace: place, name };
    if !reviews::allowed(&world, &asked) {
        return Err(errors::forbidden(USER, &asked));
    }
    if subresource == "log" && kind.kind == "Pod" {
        return logs::answer(&world, namespace, name, query);
    }
    if !subresource.is_empty() {
        return Err(errors::unknown(request.method, request.path));
    }
    let manner =
        Manner { dry_run: query.get("dryRun") == "All", strict: query.get("fieldValidation") == "Strict" };
    match verb {
        "watch" => {
            drop(world);
            Ok(watches::open(cluster, watch_of(request, target)))
        }
        "list" => Ok(listed(&mut world, request, target)),
        "get" => {
            let found =
                world.store.get(kind, namespace, name).ok_or_else(|| errors::not_found(kind, name))?;
            Ok(shown(request, kind, 200, &found))
        }
        "create" => {
            let created = apply::create(&mut world, kind, namespace, body(request)?, manner)?;
            let warning = pod_security::warning(&world, namespace, &created);
            Ok(warned(shown(request, kind, 201, &created), warning))
        }
        "patch" => {
            let patch = body(request)?;
            let patched =
                apply::patch(&mut world, (kind, namespace, name), &patch, request.media_type, manner)?;
            let warning = pod_security::warning(&world, namespace, &patched);
            Ok(warned(shown(request, kind, 200, &patched), warning))
        }
        "delete" => {
            let deleted = apply::delete(&mut world, kind, namespace, name, manner.dry_run)?;
            Ok(reply(200, &deleted))
        }
        _ => Err(errors::unknown(request.method, request.path)),
    }
}

/// With what kubectl prints as `Warning:` (RFC 9111, section 5.5).
fn warned(mut response: Response<Body>, warning: Option<String>) -> Response<Body> {
    let quoted = warning.map(|text| format!("299 - \"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
    if let Some(value) = quoted.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(WARNING, value);
    }
    response
}

fn body(request: &Request<'_>) -> Result<Value, Refusal> {
    serde_json::from_slice(request.body).map_err(|error| {
        let start = String::from_utf8_lossy(&request.body[..request.body.len().min(80)]);
        errors::unknown(
            request.method,
            &format!("{} with a body that is not JSON ({error}): {start}", request.path),
        )
    })
}

fn as_table(request: &Request<'_>) -> Option<Beside> {
    request
        .accept
        .contains("as=Table;v=v1;g=meta.k8s.io")
        .then(|| Beside::from_query(request.query.get("includeObject")))
}

fn shown(request: &Request<'_>, kind: &Kind, status: u16, object: &Value) -> Response<Body> {
    match as_table(request) {
        Some(beside) => {
            let revision = text(object, "/metadata/resourceVersion");
            reply(status, &table(kind, &[object], revision, beside))
        }
        None => reply(status, object),
    }
}

fn selection(request: &Request<'_>, target: &Target<'_>) -> Selection {
    let fields = match target.name {
        "" => request.query.get("fieldSelector").to_owned(),
        name => format!("metadata.name={name}"),
    };
    Selection::new(request.query.get("labelSelector"), &fields)
}

fn watch_of(request: &Request<'_>, target: &Target<'_>) -> watches::Asked {
    let from = request.query.get("resourceVersion").parse().ok().filter(|revision| *revision > 0);
    let initial = request.query.get("sendInitialEvents") == "true";
    watches::Asked {
        kind: target.kind,
        namespace: (!target.namespace.is_empty()).then(|| target.namespace.to_owned()),
        selection: selection(request, target),
        table: as_table(request),
        from: from.filter(|_| !initial),
        bookmark: initial,
    }
}

fn listed(world: &mut World, request: &Request<'_>, target: &Target<'_>) -> Response<Body> {
    if matches!(target.kind.kind, "Pod" | "Deployment") {
        rollouts::end_delivered(world);
    }
    let selection = selection(request, target);
    let place = (!target.namespace.is_empty()).then_some(target.namespace);
    let mut found = world.store.list(target.kind, place);
    found.retain(|object| selection.matches(object));
    let revision = world.store.revision();
    if let Some(beside) = as_table(request) {
        let objects: Vec<&Value> = found.iter().map(|object| &**object).collect();
        return reply(200, &table(target.kind, &objects, &revision.to_string(), beside));
    }
    let objects: Vec<Value> = found.into_iter().map(Arc::unwrap_or_clone).collect();
    reply(200, &lists::list(target.kind, &objects, revision))
}
