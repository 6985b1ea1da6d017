//! Scenarios of the rehearsal with real images, and their verdicts.

use super::cluster::{CLUSTER_IP, NODE_PORT, Node, OLD_TAG, alone, run, run_edited};

#[test]
#[ignore = "needs a real node"]
fn healthy() {
    let _alone = alone();
    let _node = Node::start();
    let ran = run(OLD_TAG, CLUSTER_IP, &[]).exits(0).prints("PASS in ").verifies();
    let manifest = ran.manifest();
    let criteria = manifest["criteria"].as_array().unwrap();
    assert!(criteria.iter().all(|criterion| criterion["state"] == "met"), "{criteria:#?}");
}

#[test]
#[ignore = "needs a real node"]
fn healthy_by_the_node_port_and_over_itself() {
    let _alone = alone();
    let _node = Node::start();
    run(OLD_TAG, NODE_PORT, &[]).exits(0).prints("10/10 PASS").verifies();
    run(OLD_TAG, NODE_PORT, &[]).exits(0).prints("8 unchanged").verifies();
}

/// An init container that fails INIT times first, and a native sidecar.
const MORE_CONTAINERS: &str = r#"
      initContainers:
        - name: migrate
          image: ${AWS_ACCOUNT_ID}.dkr.ecr.us-east-1.amazonaws.com/dpp-init:1
          env: [{name: INIT_FAILURES, value: "INIT"}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: state, mountPath: /state}]
        - name: sidecar
          image: ${AWS_ACCOUNT_ID}.dkr.ecr.us-east-1.amazonaws.com/dpp-sidecar:1
          restartPolicy: Always
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"#;

fn with_more_containers(api: &str, init_failures: &str) -> String {
    let more = MORE_CONTAINERS.replace("INIT\"", &format!("{init_failures}\""));
    let places = [
        ("\n      containers:\n", format!("{more}      containers:\n")),
        (
            "\n      volumes:\n",
            "\n      volumes:\n        - name: state\n          emptyDir: {}\n".to_owned(),
        ),
    ];
    places.iter().fold(api.to_owned(), |api, (place, text)| {
        assert!(api.contains(place), "{api}");
        api.replace(place, text)
    })
}

#[test]
#[ignore = "needs a real node"]
fn an_init_container_and_a_native_sidecar_are_healthy() {
    let _alone = alone();
    let _node = Node::start();
    let edit = |api: String| with_more_containers(&api, "0");
    run_edited(OLD_TAG, CLUSTER_IP, &[], edit).exits(0).prints("PASS in ").verifies();
}

#[test]
#[ignore = "needs a real node"]
fn an_init_container_that_restarts() {
    let _alone = alone();
    let _node = Node::start();
    let edit = |api: String| with_more_containers(&api, "1");
    run_edited(OLD_TAG, CLUSTER_IP, &[], edit).exits(1).stops_by(2).verifies();
}

/// An upgrade that fails: its scenario in the rehearsal, the tag, the rule, words of the screen, and of a file.
struct Failing {
    scenario: &'static str,
    tag: &'static str,
    timeout: &'static str,
    rule: u64,
    prints: &'static str,
    records: [&'static str; 2],
}

const FAILING: &[Failing] = &[
    Failing {
        scenario: "crash-loop",
        tag: "v0.4.2.3-exit",
        timeout: "--rollout-timeout=60s",
        rule: 2,
        prints: "container dpp-api ended with exit code 1",
        records: ["dump_logs/app_logs_tail.txt", "ConnectionRefusedError"],
    },
    Failing {
        scenario: "crash-loop, by a Python application without its variable",
        tag: "v0.4.2.3-python",
        timeout: "--rollout-timeout=60s",
        rule: 2,
        prints: "KeyError: 'DATABASE_URL'",
        records: ["dump_logs/app_logs_tail.txt", "Traceback (most recent call last):"],
    },
    Failing {
        scenario: "image-pull",
        tag: "v0.4.2.3-no-image",
        timeout: "--rollout-timeout=20s",
        rule: 1,
        prints: "dpp-api:v0.4.2.3-no-image",
        records: ["dump_logs/k8s_events.txt", "not found"],
    },
    Failing {
        scenario: "rollout-timeout",
        tag: "v0.4.2.3-never-ready",
        timeout: "--rollout-timeout=15s",
        rule: 1,
        prints: "runs, but is not ready (its readiness probe)",
        records: ["dump_logs/k8s_events.txt", "Readiness probe failed"],
    },
];

#[test]
#[ignore = "needs a real node"]
fn upgrades_that_fail_stop_by_their_rule() {
    let _alone = alone();
    let _node = Node::start();
    for row in FAILING {
        println!("{}", row.scenario);
        Node::deploy(OLD_TAG);
        let [file, words] = row.records;
        run(row.tag, CLUSTER_IP, &[row.timeout])
            .exits(1)
            .stops_by(row.rule)
            .prints(row.prints)
            .recorded(file, words)
            .verifies();
    }
}
