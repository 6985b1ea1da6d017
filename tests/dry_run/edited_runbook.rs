//! A runbook whose apply was edited is followed, and its preflight still only asks: shown by the cluster's own log.

use std::ffi::OsString;
use std::process::Command;
use std::sync::Arc;

use camino::Utf8PathBuf;
use staging_dry_run::events::{Options, Scope};
use staging_dry_run::report::Verbosity;
use staging_dry_run::run::{self, Job};
use staging_dry_run::runbook::{BUILT_IN, Document, Runbook};
use staging_dry_run::session::HostEnvironment;
use staging_dry_run::{inputs, verify};

use super::support::Staging;

/// The runbook with a namespace in each apply, which replacing ` | kubectl apply -f -` would miss.
fn edited() -> Runbook {
    let text = BUILT_IN.replace("kubectl apply -f -", r#"kubectl apply -n "$STAGING_NAMESPACE" -f -"#);
    assert_ne!(text, BUILT_IN);
    Runbook::read(&Document::new(text)).unwrap()
}

/// Carries out a runbook in this process, with a current context that an apply without `--context` would reach.
fn carry_out(staging: &Staging, runbook: Runbook, scope: Scope) -> u8 {
    let kubeconfig = &staging.environment["KUBECONFIG"];
    let context = &staging.environment["STAGING_CONTEXT"];
    let selected = Command::new("kubectl")
        .args(["--kubeconfig", kubeconfig, "config", "use-context", context])
        .output()
        .unwrap();
    assert!(selected.status.success(), "{selected:?}");
    let own = ["PATH", "HOME"].map(|name| (OsString::from(name), std::env::var_os(name).unwrap_or_default()));
    let given = staging.environment.iter().map(|(name, value)| (name.into(), value.into()));
    let host =
        HostEnvironment { environment: own.into_iter().chain(given).collect(), folder: staging.repository() };
    let inputs = inputs::read(|name| host.variable(name).map(ToOwned::to_owned)).unwrap();
    let root = Utf8PathBuf::from_path_buf(staging.repository()).unwrap();
    let job = Job {
        scope,
        inputs,
        options: Options {
            apply: true,
            strict: false,
            stop_on: Vec::new(),
            allow_placeholder: Vec::new(),
            keep_secrets: false,
            rollout_timeout: "1m".to_owned(),
            health_timeout_ms: 60_000,
            sign_with: None,
        },
        manifests: root.join("k8s"),
        evidence: root.join("evidence/staging"),
        root,
        argv: vec!["run".to_owned()],
        runbook: Arc::new(runbook),
        verbosity: Verbosity::Quiet,
    };
    run::run(job, &host).unwrap()
}

#[test]
fn the_preflight_of_an_edited_runbook_only_asks() {
    let staging = Staging::of("healthy");
    assert_eq!(carry_out(&staging, edited(), Scope::Preflight), 0);
    let requests = staging.cluster.requests();
    let dry_runs = requests.iter().filter(|request| request.path_and_query.contains("dryRun=All")).count();
    assert!(dry_runs >= 3, "{requests:#?}");
    let writes = staging.cluster.writes();
    assert!(writes.is_empty(), "{writes:#?}");
}

#[test]
fn a_run_of_an_edited_runbook_applies_and_its_evidence_names_its_own_runbook() {
    let staging = Staging::of("healthy");
    assert_eq!(carry_out(&staging, edited(), Scope::Whole), 0);
    assert!(staging.cluster.writes().len() >= 3);
    let dated = std::fs::read_dir(staging.repository().join("evidence/staging")).unwrap();
    let evidence = dated.map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let evidence = Utf8PathBuf::from_path_buf(evidence).unwrap();
    let kept = std::fs::read_to_string(evidence.join("inputs/RUNBOOK.md")).unwrap();
    assert_eq!(kept, edited().document.text());
    let report = verify::verify(&evidence, &verify::TrustAnchors::default()).unwrap();
    assert_eq!(report.conclusion(), verify::VerifyOutcome::Holds, "{report:#?}");
    let told = report.checks.iter().filter(|check| check.extent == verify::Extent::Open);
    assert!(told.map(|check| &check.what).any(|what| what.contains("is not the runbook built into")));
}
