//! Parses `kubectl get services -o json` and `kubectl get endpointslices -o json`: whether a Service has
//! endpoints.
//!
//! It uses `EndpointSlice` objects instead of the older Endpoints, which print a warning from
//! Kubernetes 1.33 on. The table is not used, since it also shows addresses that are not ready.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Unreadable;
use super::json::{null_as_default, objects};

/// A Service with its endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEndpoints {
    /// The Service's name.
    pub service: String,
    /// The number of different endpoints that would receive traffic.
    ///
    /// A pod in several slices (IPv4 and IPv6, or different ports) counts once.
    pub ready_endpoints: usize,
    /// The result for the criterion.
    pub state: Assignment,
}

/// Whether a Service has endpoints assigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assignment {
    /// At least one endpoint is ready, on every port of the Service.
    Assigned,
    /// An endpoint is missing.
    NotAssigned {
        /// The missing part.
        why: String,
    },
    /// The Service is of a kind whose endpoints do not follow the state of pods.
    NotEvaluated {
        /// The kind.
        why: String,
    },
}

/// Joins the Services and endpoint slices of one namespace, in the order of the Services.
///
/// # Errors
/// When one of the two inputs is not such a list.
pub fn of_services(services: &[u8], slices: &[u8]) -> Result<Vec<ServiceEndpoints>, Unreadable> {
    let services: Vec<Service> = objects("kubectl get services -o json", "Service", services)?;
    let slices: Vec<Slice> = objects("kubectl get endpointslices -o json", "EndpointSlice", slices)?;
    Ok(services.into_iter().map(|service| of_service(service, &slices)).collect())
}

fn of_service(service: Service, slices: &[Slice]) -> ServiceEndpoints {
    let name = service.metadata.name;
    let label = Some(name.as_str());
    let own = slices.iter().filter(|it| it.metadata.labels.get(SERVICE_NAME).map(String::as_str) == label);

    let mut endpoints = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for slice in own {
        let ready: Vec<_> = slice.endpoints.iter().filter(|it| it.conditions.takes_traffic()).collect();
        if !ready.is_empty() {
            ports.extend(slice.ports.iter().map(Port::name));
            endpoints.extend(ready.into_iter().map(Endpoint::identity));
        }
    }

    let missing: Vec<_> =
        service.spec.ports.iter().map(Port::name).filter(|name| !ports.contains(name)).collect();
    let state = if service.spec.kind == "ExternalName" {
        Assignment::NotEvaluated { why: "it is an ExternalName service".to_owned() }
    } else if service.spec.selector.is_empty() {
        Assignment::NotEvaluated { why: "it has no selector".to_owned() }
    } else if endpoints.is_empty() {
        Assignment::NotAssigned { why: "no endpoint is ready".to_owned() }
    } else if missing.is_empty() {
        Assignment::Assigned
    } else {
        let quoted: Vec<_> = missing.iter().map(|name| format!("{name:?}")).collect();
        Assignment::NotAssigned { why: format!("no ready endpoint has port {}", quoted.join(", ")) }
    };
    ServiceEndpoints { service: name, ready_endpoints: endpoints.len(), state }
}

/// The label that links a slice to its Service (`discovery.k8s.io/v1`).
const SERVICE_NAME: &str = "kubernetes.io/service-name";

#[derive(Deserialize)]
struct Service {
    metadata: ObjectMetadata,
    #[serde(default)]
    spec: ServiceSpec,
}

#[derive(Deserialize)]
struct ObjectMetadata {
    name: String,
    #[serde(default, deserialize_with = "null_as_default")]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServiceSpec {
    #[serde(rename = "type")]
    kind: String,
    #[serde(deserialize_with = "null_as_default")]
    selector: BTreeMap<String, String>,
    /// A headless Service may have no ports, and then none is required.
    #[serde(deserialize_with = "null_as_default")]
    ports: Vec<Port>,
}

#[derive(Deserialize)]
struct Slice {
    metadata: ObjectMetadata,
    #[serde(default, deserialize_with = "null_as_default")]
    endpoints: Vec<Endpoint>,
    #[serde(default, deserialize_with = "null_as_default")]
    ports: Vec<Port>,
}

/// A port; the only port of a Service may have no name, and its slices then have `""`.
#[derive(Deserialize)]
struct Port {
    name: Option<String>,
}

impl Port {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    #[serde(default, deserialize_with = "null_as_default")]
    addresses: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    conditions: Conditions,
    target_ref: Option<TargetRef>,
}

impl Endpoint {
    fn identity(&self) -> &str {
        match &self.target_ref {
            Some(target) => &target.name,
            None => self.addresses.first().map(String::as_str).unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
struct TargetRef {
    #[serde(default)]
    name: String,
}

/// The conditions of an endpoint; by the API, a missing one counts as good, for all three.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

impl Conditions {
    fn takes_traffic(&self) -> bool {
        self.ready != Some(false) && self.serving != Some(false) && self.terminating != Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    const API: &str = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Service",
        "metadata":{"name":"dpp-api","namespace":"dpp-staging"},
        "spec":{"clusterIP":"10.0.0.7","ports":[{"name":"http","port":80,"protocol":"TCP","targetPort":8000},
            {"name":"metrics","port":9090,"protocol":"TCP","targetPort":9090}],
            "selector":{"app":"dpp-api"},"type":"ClusterIP"},"status":{"loadBalancer":{}}}]}"#;

    fn slice(service: &str, ports: &str, endpoints: &str) -> String {
        format!(
            r#"{{"addressType":"IPv4","apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","endpoints":{endpoints},
            "metadata":{{"name":"{service}-x7k2p","labels":{{"kubernetes.io/service-name":"{service}"}}}},"ports":{ports}}}"#
        )
    }

    fn endpoint(pod: &str, conditions: &str) -> String {
        format!(
            r#"{{"addresses":["10.1.0.4"],"conditions":{conditions},"targetRef":{{"kind":"Pod","name":"{pod}"}}}}"#
        )
    }

    const READY: &str = r#"{"ready":true,"serving":true,"terminating":false}"#;
    const BOTH: &str = r#"[{"name":"http","port":8000,"protocol":"TCP"},{"name":"metrics","port":9090}]"#;

    fn of(service: &str, slices: &[String]) -> (usize, Assignment) {
        let slices = format!(r#"{{"kind":"List","items":[{}]}}"#, slices.join(","));
        let found = of_services(service.as_bytes(), slices.as_bytes()).unwrap().remove(0);
        (found.ready_endpoints, found.state)
    }

    fn missing(why: &str) -> Assignment {
        Assignment::NotAssigned { why: why.to_owned() }
    }

    #[test]
    fn endpoints_of_several_slices_count_once_a_pod() {
        let (a, b) = (endpoint("a", READY), endpoint("b", "{}"));
        let slices =
            [slice("dpp-api", BOTH, &format!("[{a},{b}]")), slice("dpp-api", BOTH, &format!("[{a}]"))];
        assert_eq!(of(API, &slices), (2, Assignment::Assigned));
    }

    #[test]
    fn endpoints_that_take_no_traffic_do_not_count() {
        for conditions in [
            r#"{"ready":false}"#,
            r#"{"ready":true,"serving":false}"#,
            r#"{"ready":true,"terminating":true}"#,
        ] {
            let slices = [slice("dpp-api", BOTH, &format!("[{}]", endpoint("a", conditions)))];
            assert_eq!(of(API, &slices), (0, missing("no endpoint is ready")), "{conditions}");
        }
    }

    #[test]
    fn null_lists_and_other_services_slices_give_nothing() {
        let other = slice("dpp-worker", BOTH, &format!("[{}]", endpoint("w", READY)));
        assert_eq!(of(API, &[slice("dpp-api", "null", "null"), other]), (0, missing("no endpoint is ready")));
        assert_eq!(of(API, &[]), (0, missing("no endpoint is ready")));
    }

    #[test]
    fn every_port_needs_an_endpoint() {
        let http =
            slice("dpp-api", r#"[{"name":"http","port":8000}]"#, &format!("[{}]", endpoint("a", READY)));
        let unready = slice("dpp-api", BOTH, &format!("[{}]", endpoint("b", r#"{"ready":false}"#)));
        assert_eq!(of(API, &[http, unready]), (1, missing(r#"no ready endpoint has port "metrics""#)));
    }

    #[test]
    fn an_unnamed_port_matches_an_unnamed_port() {
        let service = r#"{"kind":"Service","metadata":{"name":"s"},"spec":{"ports":[{"port":80}],"selector":{"a":"b"}}}"#;
        let slices = [slice("s", r#"[{"name":"","port":8000}]"#, &format!("[{}]", endpoint("a", READY)))];
        assert_eq!(of(service, &slices), (1, Assignment::Assigned));
    }

    #[test]
    fn a_headless_service_without_ports_needs_only_an_endpoint() {
        let service =
            r#"{"kind":"Service","metadata":{"name":"s"},"spec":{"clusterIP":"None","selector":{"a":"b"}}}"#;
        let slices = [slice("s", "null", &format!("[{}]", endpoint("a", READY)))];
        assert_eq!(of(service, &slices), (1, Assignment::Assigned));
    }

    #[test]
    fn what_has_no_pods_behind_it_is_not_evaluated() {
        for (spec, expected) in [
            (r#"{"type":"ExternalName","externalName":"x.example"}"#, "it is an ExternalName service"),
            (r#"{"type":"ClusterIP","ports":[{"port":80}],"selector":null}"#, "it has no selector"),
        ] {
            let service = format!(r#"{{"kind":"Service","metadata":{{"name":"s"}},"spec":{spec}}}"#);
            assert_eq!(of(&service, &[]).1, Assignment::NotEvaluated { why: expected.to_owned() });
        }
    }

    #[test]
    fn no_bytes_panic() {
        let slices = slice("dpp-api", BOTH, &format!("[{}]", endpoint("a", READY)));
        hostile::survives(API, |bytes| drop(of_services(bytes, slices.as_bytes())));
        hostile::survives(&slices, |bytes| drop(of_services(API.as_bytes(), bytes)));
    }
}
