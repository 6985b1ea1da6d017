//! `k8s/rbac.yaml` is enough, and none of it is too much: every scenario of this tier runs with it alone, and each verb
//! of each rule, taken away, is refused before anything is changed, by name.

use real_cluster::roles::{Grant, without};
use real_cluster::{Real, USER};
use rehearsal::{Scenario, With, scenario};
use serde_json::Value;

use super::support::Staging;

/// What is granted only for objects that are not there yet, or only for those that are.
fn needed(grant: &Grant, objects_are_there: bool) -> bool {
    match grant.verb.as_str() {
        "create" => !objects_are_there,
        "patch" => objects_are_there,
        _ => true,
    }
}

/// Each grant of these roles, and whose it is.
fn grants(roles: &[(&'static str, Value)]) -> Vec<(&'static str, Grant)> {
    let words = |rule: &Value, field: &str| -> Vec<String> {
        let list = rule[field].as_array().into_iter().flatten();
        list.map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut grants = Vec::new();
    for (role, object) in roles {
        for rule in object["rules"].as_array().unwrap() {
            let mut names = words(rule, "resourceNames");
            if names.is_empty() {
                names.push(String::new());
            }
            for (verb, name) in
                words(rule, "verbs").iter().flat_map(|verb| names.iter().map(move |name| (verb, name)))
            {
                let [group, resource] = ["apiGroups", "resources"].map(|field| words(rule, field)[0].clone());
                grants.push((*role, Grant { group, resource, verb: verb.clone(), name: name.clone() }));
            }
        }
    }
    grants
}

/// Waits until the API server decides by the new role.
fn await_decision(staging: &Staging<Real>, grant: &Grant, granted: bool) {
    let admin = staging.cluster.admin();
    let (resource, sub) = grant.resource.split_once('/').unwrap_or((&grant.resource, ""));
    let mut object = resource.to_owned();
    if !grant.group.is_empty() {
        object = format!("{object}.{}", grant.group);
    }
    if !grant.name.is_empty() {
        object = format!("{object}/{}", grant.name);
    }
    let subresource = format!("--subresource={sub}");
    let question = ["auth", "can-i", &grant.verb, &object, &subresource, "-n", "dpp-staging", "--as", USER];
    // `can-i` exits 1 for `no`.
    while admin.run(&question).is_ok() != granted {}
}

fn each_grant_taken_away(scenario: Scenario, objects_are_there: bool) {
    let mut staging = Staging::<Real>::with_cluster(scenario);
    if objects_are_there {
        // Every object differs from what is there, so that each is patched.
        for file in ["api", "worker", "reaper"] {
            staging = staging.manifest(&format!("{file}-deployment.yaml"), |text| {
                text.replace("  labels:\n    app: dpp-", "  labels:\n    team: staging\n    app: dpp-")
            });
        }
    }
    let admin = staging.cluster.admin();
    let roles = ["clusterrole/staging-dry-run", "role/staging-dry-run"]
        .map(|role| (role, admin.json(&["get", "-n", "dpp-staging", role, "-o", "json"]).unwrap()));
    let grants = grants(&roles);
    assert_eq!(grants.len(), 25, "{grants:#?}");
    for (role, grant) in &grants {
        let (_, whole) = roles.iter().find(|(name, _)| name == role).unwrap();
        let replace = |role: &Value| {
            let mut role = role.clone();
            role["metadata"].as_object_mut().unwrap().remove("resourceVersion");
            admin.feed(&["replace", "-f", "-"], &[role]).unwrap();
        };
        replace(&without(whole, grant));
        await_decision(&staging, grant, false);
        let ran = staging.asks("preflight");
        let resource = grant.resource.split('/').next().unwrap();
        if needed(grant, objects_are_there) {
            assert_eq!(ran.status, Some(2), "{grant:?}: {}", ran.stderr);
            for word in [&grant.verb, resource, &grant.name] {
                assert!(ran.stderr.contains(word), "{grant:?}: {word} is not named: {}", ran.stderr);
            }
        } else {
            assert_eq!(ran.status, Some(0), "{grant:?}: {}", ran.stderr);
        }
        staging = ran.changed_nothing().staging;
        replace(whole);
        await_decision(&staging, grant, true);
    }
}

#[test]
#[ignore = "needs a real control plane"]
fn each_grant_taken_away_is_refused_by_name_where_objects_are_there() {
    each_grant_taken_away(scenario("healthy").unwrap(), true);
}

#[test]
#[ignore = "needs a real control plane"]
fn each_grant_taken_away_is_refused_by_name_in_a_new_namespace() {
    each_grant_taken_away(scenario("healthy").unwrap().with(With::NothingDeployed), false);
}
