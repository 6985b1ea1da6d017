//! Objects as the `Table` kubectl asks for: the server decides the columns.

use serde_json::{Value, json};

use super::kinds::Kind;
use super::printers;

/// What stands beside the cells of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    Metadata,
    Object,
    Nothing,
}

impl Beside {
    /// From the query parameter `includeObject`.
    pub(crate) fn from_query(value: &str) -> Beside {
        match value {
            "Object" => Beside::Object,
            "None" => Beside::Nothing,
            _ => Beside::Metadata,
        }
    }
}

/// Name, whether only with `-o wide`.
type Column = (&'static str, bool);

const AGE: Column = ("Age", false);

/// Of an event: its name comes last.
const EVENT: &[Column] = &[
    ("Last Seen", false),
    ("Type", false),
    ("Reason", false),
    ("Object", false),
    ("Subobject", true),
    ("Source", true),
    ("Message", false),
    ("First Seen", true),
    ("Count", true),
    ("Name", true),
];

fn columns(kind: &Kind) -> Vec<Column> {
    let mut columns = vec![("Name", false)];
    columns.extend(match kind.kind {
        "Pod" => &[
            ("Ready", false),
            ("Status", false),
            ("Restarts", false),
            AGE,
            ("IP", true),
            ("Node", true),
            ("Nominated Node", true),
            ("Readiness Gates", true),
        ][..],
        "Deployment" => &[
            ("Ready", false),
            ("Up-to-date", false),
            ("Available", false),
            AGE,
            ("Containers", true),
            ("Images", true),
            ("Selector", true),
        ],
        "ReplicaSet" => &[
            ("Desired", false),
            ("Current", false),
            ("Ready", false),
            AGE,
            ("Containers", true),
            ("Images", true),
            ("Selector", true),
        ],
        "Service" => &[
            ("Type", false),
            ("Cluster-IP", false),
            ("External-IP", false),
            ("Port(s)", false),
            AGE,
            ("Selector", true),
        ],
        "EndpointSlice" => &[("AddressType", false), ("Ports", false), ("Endpoints", false), AGE],
        "Namespace" => &[("Status", false), AGE],
        "ServiceAccount" => &[("Secrets", false), AGE],
        "ConfigMap" => &[("Data", false), AGE],
        "Secret" => &[("Type", false), ("Data", false), AGE],
        "HorizontalPodAutoscaler" => &[
            ("Reference", false),
            ("Targets", false),
            ("MinPods", false),
            ("MaxPods", false),
            ("Replicas", false),
            AGE,
        ],
        "Event" => {
            return EVENT.to_vec();
        }
        "Role" | "ClusterRole" => return vec![("Name", false), ("Created At", false)],
        _ => &[AGE],
    });
    columns
}

/// A `Table` of these objects.
pub(crate) fn table(kind: &Kind, objects: &[&Value], revision: &str, beside: Beside) -> Value {
    let columns: Vec<Value> = columns(kind)
        .into_iter()
        .map(|(name, wide)| {
            let number = matches!(name, "Up-to-date" | "Available" | "Desired" | "Current")
                || (kind.kind == "ReplicaSet" && name == "Ready");
            json!({
                "name": name,
                "type": if number { "integer" } else { "string" },
                "format": if name == "Name" { "name" } else { "" },
                "description": "",
                "priority": i32::from(wide),
            })
        })
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({"cells": printers::cells(kind, object)});
            match beside {
                Beside::Object => row["object"] = Value::clone(object),
                Beside::Metadata => {
                    row["object"] = json!({
                        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                        "metadata": object["metadata"],
                    });
                }
                Beside::Nothing => {}
            }
            row
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": revision},
        "columnDefinitions": columns, "rows": rows,
    })
}
