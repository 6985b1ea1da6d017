//! Discovery: which kinds there are, for old and new clients, and their `OpenAPI` documents.

use serde_json::{Map, Value, json};

use super::kinds::{self, KINDS, Kind};
use super::schemas;

/// `/version`
pub(crate) fn version() -> Value {
    json!({
        "major": "1", "minor": "34", "gitVersion": "v1.34.4",
        "gitCommit": "0000000000000000000000000000000000000000", "gitTreeState": "clean",
        "buildDate": "2026-02-10T12:00:00Z", "goVersion": "go1.24.12", "compiler": "gc", "platform": "linux/amd64",
        "emulationMajor": "1", "emulationMinor": "34", "minCompatibilityMajor": "1", "minCompatibilityMinor": "33",
    })
}

/// `/api` or `/apis`, for a client that asks for aggregated discovery of version `aggregated`.
pub(crate) fn aggregated(core: bool, aggregated: &str) -> Value {
    let items: Vec<Value> = kinds::groups()
        .into_iter()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, version)| {
            let resources: Vec<Value> = KINDS
                .iter()
                .filter(|kind| kind.group == group && kind.version == version)
                .map(entry)
                .collect();
            let mut metadata = json!({"creationTimestamp": null});
            if !group.is_empty() {
                metadata["name"] = json!(group);
            }
            json!({
                "metadata": metadata,
                "versions": [{"version": version, "resources": resources, "freshness": "Current"}],
            })
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{aggregated}"),
        "metadata": {}, "items": items,
    })
}

fn entry(kind: &Kind) -> Value {
    let response = json!({"group": kind.group, "version": "", "kind": kind.kind});
    let mut entry = json!({
        "resource": kind.plural,
        "responseKind": response,
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": kind.verbs(),
    });
    if !kind.short.is_empty() {
        entry["shortNames"] = json!(kind.short);
    }
    if kind.in_all {
        entry["categories"] = json!(["all"]);
    }
    if kind.plural == "pods" {
        entry["subresources"] = json!([{"subresource": "log", "responseKind": response, "verbs": ["get"]}]);
    }
    entry
}

/// `/api`, for a client that does not know aggregated discovery.
pub(crate) fn versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// `/apis`, likewise.
pub(crate) fn groups() -> Value {
    let groups: Vec<Value> = kinds::groups()
        .into_iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, version)| {
            let version = json!({"groupVersion": format!("{group}/{version}"), "version": version});
            json!({"name": group, "versions": [version], "preferredVersion": version})
        })
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/api/v1` or `/apis/GROUP/VERSION`.
pub(crate) fn resources(group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    let mut group_version = None;
    for kind in KINDS.iter().filter(|kind| kind.group == group && kind.version == version) {
        group_version = Some(kind.api_version());
        let mut resource = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
            "kind": kind.kind, "verbs": kind.verbs(),
        });
        if !kind.short.is_empty() {
            resource["shortNames"] = json!(kind.short);
        }
        if kind.in_all {
            resource["categories"] = json!(["all"]);
        }
        resources.push(resource);
        if kind.plural == "pods" {
            resources.push(json!({
                "name": "pods/log", "singularName": "", "namespaced": true, "kind": "Pod", "verbs": ["get"],
            }));
        }
    }
    let group_version = group_version?;
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources,
    }))
}

/// `/openapi/v3`
pub(crate) fn openapi_index() -> Value {
    let paths: Map<String, Value> = kinds::groups()
        .into_iter()
        .map(|(group, version)| {
            let path = group_path(group, version);
            let url = format!("/openapi/v3/{path}?hash=REHEARSAL");
            (path, json!({"serverRelativeURL": url}))
        })
        .collect();
    json!({"paths": paths})
}

fn group_path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// `/openapi/v3/…`: the schemas of a group, and of its paths what kubectl looks for: whether PATCH takes
/// `fieldValidation`.
pub(crate) fn openapi(path: &str) -> Option<Value> {
    let (group, version) =
        kinds::groups().into_iter().find(|(group, version)| group_path(group, version) == path)?;
    let mine = KINDS.iter().filter(|kind| kind.group == group && kind.version == version);
    let mut paths = Map::new();
    let mut roots = Vec::new();
    for kind in mine.filter(|kind| !kind.review) {
        roots.push(kind.kind);
        let place = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
        let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
        let gvk = json!({"group": group, "version": version, "kind": kind.kind});
        let operation = json!({
            "parameters": [parameter("dryRun"), parameter("fieldManager"), parameter("fieldValidation")],
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": gvk,
        });
        paths.insert(format!("/{path}/{place}{}/{{name}}", kind.plural), json!({"patch": operation}));
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.34.4"},
        "paths": paths,
        "components": {"schemas": schemas::closure(&roots)},
    }))
}
