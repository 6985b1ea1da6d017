//! What bad input gets: a message that says what was found, where, and what to do, and a cluster left alone.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use rehearsal::{Answer, Body, Denied, Scenario, With, scenario};
use rustix::process::{Pid, Signal, kill_process};
use staging_dry_run::inputs;
use staging_dry_run::runbook::Runbook;

use super::support::executable::executable;
use super::support::{Ran, Staging, path_with, which};

fn healthy() -> Scenario {
    scenario("healthy").unwrap()
}

#[track_caller]
fn refused(staging: Staging, words: &[&str]) -> Ran {
    let mut ran = staging.run().exits(2).changed_nothing();
    for words in words {
        ran = ran.says(words);
    }
    assert_eq!(ran.staging.cluster.api_requests().len(), 0, "the API was asked");
    ran
}

fn without(names: &[&str]) -> Staging {
    names.iter().fold(Staging::of("healthy"), |staging, name| staging.with(name, ""))
}

#[test]
fn no_inputs_are_all_named_with_example_and_where_to_find_them() {
    let ran = refused(
        without(&[
            "STAGING_CONTEXT",
            "STAGING_NAMESPACE",
            "STAGING_BASE_URL",
            "AWS_ACCOUNT_ID",
            "AWS_REGION",
            "IMAGE_TAG",
        ]),
        &[
            "Refused: 3 inputs can't be used. Nothing was run and nothing was written.",
            "STAGING_CONTEXT is not set",
        ],
    )
    .wrote_nothing();
    for row in inputs::TABLE.iter().filter(|row| row.required) {
        assert!(ran.stderr.contains(row.example), "{}", ran.stderr);
    }
    assert!(ran.staging.cluster.requests().is_empty());
}

#[test]
fn one_malformed_input_of_each_kind() {
    let rows = [
        ("STAGING_CONTEXT", "--help"),
        ("STAGING_NAMESPACE", "Team_A"),
        ("STAGING_BASE_URL", "https://user:hunter22@staging.example"),
        ("STAGING_METRICS_URL", "ftp://staging.example"),
        ("AWS_ACCOUNT_ID", "12345"),
        ("AWS_REGION", "us/east"),
        ("IMAGE_TAG", "v1;reboot"),
        ("STAGING_API_KEY", "two words"),
        ("STAGING_REDACT", "DB-PASSWORD"),
    ];
    assert_eq!(rows.len(), inputs::TABLE.len());
    for (name, value) in rows {
        let ran = refused(Staging::of("healthy").with(name, value), &[name, "for example", "find it"])
            .wrote_nothing();
        assert!(!ran.stderr.contains("hunter22") && !ran.stderr.contains("two words"), "{}", ran.stderr);
        assert!(ran.staging.cluster.requests().is_empty());
    }
}

#[test]
fn a_secret_that_is_a_part_of_what_evidence_has_to_name() {
    let staging = || Staging::of("healthy").remembering().with("DB_PASSWORD", "dpp-staging");
    let redact = staging().with("STAGING_REDACT", "DB_PASSWORD");
    let why = "STAGING_REDACT names DB_PASSWORD, whose value is a part of STAGING_NAMESPACE, which evidence has to name";
    refused(redact, &[why]).wrote_nothing();
    let key = staging().with("STAGING_API_KEY", "dpp-staging");
    refused(key, &["STAGING_API_KEY is a part of STAGING_NAMESPACE"]).wrote_nothing();
}

#[test]
fn a_secret_that_is_there_once_the_placeholders_are_filled_in() {
    let staging = Staging::of("healthy").remembering().with("DB_PASSWORD", "dpp-api:v0.4");
    let why = "k8s/api-deployment.yaml contains the value of DB_PASSWORD, which must not become evidence";
    refused(staging.with("STAGING_REDACT", "DB_PASSWORD"), &[why]).changed_nothing();
}

#[test]
fn a_secret_that_is_a_word_of_all_evidence() {
    // Of a command, of cmd.txt, of the manifest, of the runbook, of what stands in its own place; of what rules read.
    for word in [
        "deployment",
        "MUTATIONS",
        "duration_ms",
        "Troubleshooting",
        "redacted",
        "CrashLoopBackOff",
        "Terminating",
        "available",
        "runbook-read",
    ] {
        for input in ["STAGING_API_KEY", "DB_PASSWORD"] {
            let staging = Staging::of("healthy").remembering().with(input, word);
            let redact = if input == "DB_PASSWORD" { input } else { "" };
            let why = format!(
                "{input} can't be redacted: its value also occurs in text that every run records or decides by"
            );
            let ran = refused(staging.with("STAGING_REDACT", redact), &[&why]).wrote_nothing();
            assert!(ran.staging.cluster.requests().is_empty());
        }
    }
}

#[test]
fn a_secret_that_spans_columns_of_a_table() {
    let staging = |value: &str| {
        let staging = Staging::of("healthy").remembering().with("DB_PASSWORD", value);
        staging.with("STAGING_REDACT", "DB_PASSWORD")
    };
    let why =
        "DB_PASSWORD can't be redacted: its value contains a tab, or a blank and a word that a rule reads";
    refused(staging("0/1     Error"), &[why]).wrote_nothing();
    refused(staging("correct\thorse"), &[why]).wrote_nothing();
}

#[test]
fn a_missing_program_is_named_with_how_to_get_it() {
    let programs = ["kubectl", "curl", "jq", "cat", "sed"];
    for missing in ["kubectl", "curl", "jq"] {
        let staging = Staging::of("healthy").remembering();
        let others: Vec<&str> = programs.into_iter().filter(|program| *program != missing).collect();
        let path = path_with(staging.folder.path(), &others);
        refused(staging.with("PATH", &path), &["1 needed program is not on PATH", missing, "get it"])
            .wrote_nothing();
    }
}

#[test]
fn kubectl_1_26_is_too_old() {
    let staging = Staging::of("healthy");
    let bin = staging.folder.path().join("old");
    std::fs::create_dir(&bin).unwrap();
    // No kubectl this old can be had beside the others: it is the real one with another version.
    let real = which("kubectl");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = version ]; then '{0}' \"$@\" | sed 's/\"v1\\.[0-9]*/\"v1.26/; s/\"minor\": \"[0-9]*/\"minor\": \"26/'; else exec '{0}' \"$@\"; fi\n",
        real.display()
    );
    executable(&bin.join("kubectl"), script);
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    refused(staging.with("PATH", &path), &["v1.26", "the runbook needs 1.27 or newer"]);
}

#[test]
fn an_unknown_context_is_named() {
    refused(
        Staging::of("healthy").with("STAGING_CONTEXT", "production"),
        &["\"production\"", "kubectl config get-contexts -o name"],
    );
}

#[test]
fn a_namespace_that_does_not_exist_is_named() {
    let granted = With::AlsoGrantedIn("dpp-stagign".into());
    refused(
        Staging::on(healthy().with(granted)).with("STAGING_NAMESPACE", "dpp-stagign"),
        &["namespace dpp-stagign could not be read", "(NotFound)"],
    );
    // To one who may read namespaces by name only, it looks like one that is forbidden.
    refused(
        Staging::of("healthy").with("STAGING_NAMESPACE", "dpp-stagign"),
        &["namespace dpp-stagign could not be read", "(Forbidden)"],
    );
    refused(Staging::on(healthy().with(With::NoNamespace)), &["namespace dpp-staging could not be read"]);
}

#[test]
fn each_missing_permission_is_named() {
    for permission in Runbook::built_in().unwrap().permissions {
        let words: Vec<&str> = permission.question.split(' ').collect();
        let (verb, resource) = (words[0], words[1]);
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        let subresource =
            words.iter().find_map(|word| word.strip_prefix("--subresource=")).unwrap_or_default();
        let denied = Denied {
            verb: verb.to_owned().into(),
            group: group.to_owned().into(),
            resource: resource.to_owned().into(),
            subresource: subresource.to_owned().into(),
            namespace: "".into(),
        };
        let ran = Staging::on(healthy().denied(denied)).run().exits(2).changed_nothing();
        assert!(
            ran.stderr.contains(verb) && ran.stderr.contains(resource),
            "{:?}: {}",
            permission.id,
            ran.stderr
        );
    }
}

#[test]
fn what_the_server_would_refuse_is_refused_before_anything_is_applied() {
    let ran = refused(
        Staging::of("forbidden"),
        &["k8s/api-deployment.yaml is not accepted", "cannot patch resource"],
    );
    assert_eq!(ran.manifest()["verdict"], "refused");
}

#[test]
fn a_manifest_in_another_namespace() {
    let granted = With::AlsoGrantedIn("kube-system".into());
    let staging = Staging::on(healthy().with(granted)).manifest("worker-deployment.yaml", |text| {
        text.replace("namespace: dpp-staging", "namespace: kube-system")
    });
    refused(
        staging,
        &["k8s/worker-deployment.yaml", "would land in namespace kube-system, not in dpp-staging"],
    );
}

#[test]
fn a_manifest_without_a_namespace_where_the_contexts_default_is_another() {
    let granted = With::AlsoGrantedIn("default".into());
    let staging = Staging::on(healthy().with(granted).with(With::ContextNamespace("default".into())))
        .manifest("reaper-deployment.yaml", |text| text.replace("  namespace: dpp-staging\n", ""));
    refused(staging, &["Deployment dpp-reaper would land in namespace default, not in dpp-staging"]);
}

#[test]
fn a_cluster_scoped_manifest() {
    let role = "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: dpp-reader\nrules: []\n";
    let staging = Staging::of("healthy").manifest("api-deployment.yaml", |text| text + role);
    refused(staging, &["ClusterRole dpp-reader belongs to no namespace"]);
}

#[test]
fn an_empty_manifest() {
    let staging =
        Staging::of("healthy").manifest("api-deployment.yaml", |_| "# to be written\n---\n".to_owned());
    refused(staging, &["k8s/api-deployment.yaml contains nothing to apply"]);
}

#[test]
fn a_missing_manifest() {
    let staging = Staging::of("healthy");
    std::fs::remove_file(staging.repository().join("k8s/api-deployment.yaml")).unwrap();
    refused(staging, &["k8s/api-deployment.yaml can't be read", "--manifests DIR"]);
}

#[test]
fn a_manifest_that_is_not_yaml() {
    let staging =
        Staging::of("healthy").manifest("api-deployment.yaml", |_| "kind: [Deployment\n".to_owned());
    refused(staging, &["k8s/api-deployment.yaml is not accepted: error: error parsing STDIN"]);
}

#[test]
fn a_manifest_with_a_secret_is_not_even_copied() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: dpp\n  namespace: dpp-staging\nstringData:\n  password: hunter22\n";
    let staging = Staging::of("healthy").manifest("api-deployment.yaml", |text| text + secret);
    let ran = refused(staging, &["k8s/api-deployment.yaml contains a Secret", "--keep-secrets"]);
    let found = Command::new("grep").args(["-r", "hunter22"]).arg(ran.evidence()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

#[test]
fn a_placeholder_that_is_left() {
    let edit = |text: String| text + "# for ${TEAM}\n";
    refused(
        Staging::of("healthy").manifest("api-deployment.yaml", edit),
        &["${TEAM} is left in k8s/api-deployment.yaml", "--allow-placeholder TEAM"],
    );
    Staging::of("healthy")
        .manifest("api-deployment.yaml", edit)
        .option("--allow-placeholder=TEAM")
        .run()
        .exits(0);
}

#[test]
fn a_placeholder_whose_input_is_unset() {
    refused(
        without(&["AWS_ACCOUNT_ID"]),
        &["k8s/api-deployment.yaml contains ${AWS_ACCOUNT_ID}, and AWS_ACCOUNT_ID is not set"],
    );
}

#[test]
fn a_manifest_without_the_deployment_it_should_hold() {
    let staging = Staging::of("healthy").manifest("api-deployment.yaml", |_| {
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: dpp-api, namespace: dpp-staging}\n".to_owned()
    });
    refused(staging, &["k8s/api-deployment.yaml contains no Deployment dpp-api"]);
}

#[test]
fn the_users_kubeconfig_is_neither_written_nor_locked() {
    let staging = Staging::of("healthy").remembering();
    let kubeconfig = staging.folder.path().join("kubeconfig");
    let before = std::fs::read(&kubeconfig).unwrap();
    // What kubectl leaves when it was killed; with the file on its list, `config use-context` would fail at it,
    // as it does in a folder that can't be written.
    let lock = staging.folder.path().join("kubeconfig.lock");
    std::fs::write(&lock, "").unwrap();
    let ran = staging.run().exits(0);
    assert_eq!(std::fs::read(&kubeconfig).unwrap(), before);
    assert!(lock.exists());
    drop(ran);
}

#[test]
fn evidence_that_can_not_be_written_is_the_tools_own_failure() {
    let staging = Staging::of("healthy").remembering();
    std::fs::write(staging.repository().join("evidence"), "a file in the way").unwrap();
    staging.run().exits(4).changed_nothing().says("evidence");
}

#[test]
fn a_second_run_at_the_same_time_is_told_who_is_first() {
    let staging = Staging::of("rollout-timeout").remembering();
    let mut first = staging
        .command(&["run", "--rollout-timeout=60s"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Preflight") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the first run ended before its preflight did");
    }
    let output = staging.command(&["run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("another dry run") && said.contains(&format!("process {}", first.id())), "{said}");
    kill_process(Pid::from_child(&first), Signal::TERM).unwrap();
    lines.read_to_string(&mut line).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(143));
}

#[test]
fn an_api_that_answers_html_where_json_is_expected() {
    let ran = Staging::on(healthy().answer("/health", Answer::text(200, "<html>Welcome</html>")))
        .remembering()
        .run()
        .exits(0);
    assert_eq!(ran.manifest()["verdict"], "shortfall");
    assert_eq!(ran.criterion("health-body"), "not met");
    ran.says("the answer is not JSON");
}

#[test]
fn an_api_that_redirects_is_not_followed() {
    let ran =
        Staging::on(healthy().answer("/redoc", Answer::redirect(302, "/login"))).remembering().run().exits(0);
    let manifest = ran.manifest();
    assert_eq!(
        (manifest["verdict"].as_str(), manifest["smoke"]["checks_passed"].as_u64()),
        (Some("shortfall"), Some(9))
    );
    assert!(ran.staging.cluster.api_requests().iter().all(|request| request.path != "/login"));
    ran.says("302");
}

#[test]
fn an_api_that_answers_nothing() {
    let ran = Staging::on(healthy().answer("/health", Answer::new(200, Body::Drop)))
        .remembering()
        .option("--health-timeout=1s")
        .run()
        .exits(1);
    let manifest = ran.manifest();
    assert_eq!(manifest["stop"]["rule"], 3);
    assert!(
        manifest["stop"]["observed"].as_str().unwrap().starts_with("/health: no answer"),
        "{}",
        manifest["stop"]
    );
}

#[test]
fn a_certificate_that_does_not_verify() {
    let staging = Staging::of("healthy").remembering();
    let (url, mut server) = serve_with_own_certificate(staging.folder.path());
    let ran = staging.with("STAGING_BASE_URL", &url).option("--health-timeout=1s").run().exits(1);
    server.kill().unwrap();
    server.wait().unwrap();
    let said = std::fs::read_to_string(ran.evidence().join("smoke/out/gate.health.err")).unwrap();
    assert!(said.contains("certificate"), "{said}");
    assert_eq!(ran.manifest()["stop"]["rule"], 3);
}

/// openssl's own server, which answers every request, with a certificate nobody vouches for.
fn serve_with_own_certificate(folder: &Path) -> (String, std::process::Child) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut server = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-key", "key.pem", "-cert", "cert.pem", "-www"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let accepts = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("ACCEPT")).unwrap();
    // Its output must go on being read, or it would block.
    std::thread::spawn(move || lines.for_each(drop));
    let port = accepts.rsplit(':').next().unwrap().to_owned();
    (format!("https://127.0.0.1:{port}"), server)
}
