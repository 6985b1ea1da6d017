//! Tests of the built-in document as a runbook, and of documents that differ from it in one place.

use super::*;
use crate::command::{self, Effect};

fn built_in() -> Runbook {
    Runbook::built_in().unwrap_or_else(|error| panic!("{error}"))
}

/// Reads the built-in document with one text replaced by another.
fn altered(from: &str, to: &str) -> Result<Runbook, NotARunbook> {
    assert!(BUILT_IN.contains(from), "{from}");
    Runbook::read(&Document::new(BUILT_IN.replace(from, to)))
}

fn problems(from: &str, to: &str) -> String {
    match altered(from, to) {
        Ok(_) => panic!("taken: {to}"),
        Err(error) => error.to_string(),
    }
}

fn text(runbook: &Runbook, id: &str) -> String {
    runbook.step(&id.parse().unwrap()).unwrap_or_else(|| panic!("no {id}")).line.to_string()
}

#[test]
fn the_built_in_document_is_a_runbook() {
    let runbook = built_in();
    let names: Vec<&str> = runbook.deployments.iter().map(|deployment| deployment.name.as_str()).collect();
    assert_eq!(names, ["dpp-api", "dpp-worker", "dpp-reaper"]);
    assert_eq!((runbook.checks.len(), runbook.smoke_threshold), (10, 8));
    assert_eq!((runbook.rollout_timeout.as_str(), runbook.health_timeout_ms), ("5m", 120_000));
    assert_eq!(runbook.latency_groups.iter().map(|group| group.limit_ms).collect::<Vec<_>>(), [500, 1000]);
    assert_eq!((runbook.stop_rules.len(), runbook.criteria.len(), runbook.evidence_files.len()), (4, 9, 14));
    assert_eq!(runbook.evidence_files.iter().filter(|file| file.only_on_stop).count(), 3);
    assert_eq!(
        runbook.check(CheckNumber::new(10).unwrap()).unwrap().name(false),
        "GET /v1/runs (unauthenticated)"
    );
    assert_eq!(runbook.steps.len(), 59);
}

#[test]
fn every_command_does_what_its_row_says() {
    for step in &built_in().steps {
        for with_key in [false, true] {
            assert_eq!(step.line(with_key).effect(), Ok(step.effect), "{}", step.id);
        }
        let changes = matches!(step.id, StepId::Apply(_));
        let asks = matches!(step.id, StepId::Guard(_));
        let effect = if changes {
            Effect::Changes
        } else if asks {
            Effect::DryRun
        } else {
            Effect::Reads
        };
        assert_eq!(step.effect, effect, "{}", step.id);
    }
}

#[test]
fn render_and_guard_follow_the_apply() {
    let runbook = built_in();
    let (apply, render, guard) =
        (text(&runbook, "apply.api"), text(&runbook, "render.api"), text(&runbook, "guard.api"));
    assert_eq!(apply, format!("{render} | kubectl apply -f -"));
    let (pipeline, server) = guard.split_once(" | kubectl ").unwrap();
    assert_eq!(pipeline, render);
    assert!(
        server.starts_with(r#"--context="$STAGING_CONTEXT" apply --dry-run=server -o 'go-template="#),
        "{server}"
    );
    assert!(server.ends_with(" -f -"), "{server}");
}

/// Guards against an edit that once made `preflight` deploy: derived commands were made by replacing a
/// missing text.
#[test]
fn an_apply_that_is_edited_is_followed_by_what_is_derived_from_it() {
    let edited = altered("kubectl apply -f -", "kubectl apply -n \"$STAGING_NAMESPACE\" -f -").unwrap();
    for id in ["api", "worker", "reaper"] {
        assert!(
            text(&edited, &format!("apply.{id}")).ends_with("| kubectl apply -n \"$STAGING_NAMESPACE\" -f -")
        );
        assert!(!text(&edited, &format!("render.{id}")).contains("kubectl"));
        let guard = text(&edited, &format!("guard.{id}"));
        assert!(
            guard.contains(" --dry-run=server ") && guard.ends_with(" -n \"$STAGING_NAMESPACE\" -f -"),
            "{guard}"
        );
        assert!(guard.contains("--context=\"$STAGING_CONTEXT\""), "{guard}");
    }
    for followed in
        ["--server-side -f -", "-f - --field-manager=ci", "--namespace=\"$STAGING_NAMESPACE\" --filename=-"]
    {
        altered("kubectl apply -f -", &format!("kubectl apply {followed}")).unwrap();
    }
}

#[test]
fn an_apply_that_can_not_be_followed_is_refused() {
    for (to, why) in [
        ("kubectl --context=x apply -f -", "its last stage is not `kubectl apply …`"),
        ("kubectl apply -f - --prune -l app=x", "--prune is not understood here"),
        ("kubectl apply -f k8s/", "-f is not understood here"),
        ("kubectl apply -f - --dry-run=client", "--dry-run=client is not understood here"),
        ("kubectl apply --dry-run=server -f -", "but a command here changes"),
        ("kubectl replace -f -", "its last stage is not `kubectl apply …`"),
        ("kubectl apply -f - | cat", "expected, between `cat` and `kubectl apply`"),
        ("kubectl apply -f - -n \"$UNKNOWN\"", "-n is not understood here"),
        ("kubectl apply -f - --field-manager=\"$(id)\"", "--field-manager=\"$(id)\" is not understood here"),
    ] {
        let problems = problems("kubectl apply -f -", to);
        assert!(problems.contains(why), "{to}: {problems}");
        assert!(problems.starts_with("line 84: "), "{problems}");
    }
    for stage in [
        "kubectl delete -f -",
        "kubectl config view --raw",
        "tee out.yaml",
        "cat k8s/worker-deployment.yaml",
        "curl -q \"${IMAGE_TAG}:///etc/passwd\"",
        "jq -R env",
        "sed 's/x/x/;e id;#${IMAGE_TAG}'",
        "sed \"s/x/x/;e id;#${IMAGE_TAG}/g\"",
        "sed \"s/\\${IMAGE_TAG}/${AWS_REGION}/g\"",
        "sed \"s/\\${STAGING_CONTEXT}/${STAGING_CONTEXT}/g\"",
        "sed \"s/\\${VERSION}/${VERSION}/g\"",
        "sed -n \"s/\\${IMAGE_TAG}/${IMAGE_TAG}/g\"",
    ] {
        let problems = problems("kubectl apply -f -", &format!("{stage} | kubectl apply -f -"));
        assert!(
            problems.contains("expected, between `cat` and `kubectl apply`: sed "),
            "{stage}: {problems}"
        );
        assert!(problems.starts_with("line 84: "), "{problems}");
    }
    for name in command::FILLED_IN {
        let stage = format!("sed \"s/\\${{{name}}}/${{{name}}}/g\" | kubectl apply -f -");
        let edited = altered("kubectl apply -f -", &stage).unwrap();
        assert_eq!(
            edited.step(&"apply.api".parse().unwrap()).unwrap().line.filled_in(),
            ["AWS_ACCOUNT_ID", "IMAGE_TAG", name]
        );
    }
    let one_stage = "cat k8s/api-deployment.yaml | \\\n  sed \"s/\\${AWS_ACCOUNT_ID}/${AWS_ACCOUNT_ID}/g\" | \\\n  sed \"s/\\${IMAGE_TAG}/${IMAGE_TAG}/g\" | \\\n  kubectl apply -f -";
    assert!(problems(one_stage, "kubectl apply -f k8s/api-deployment.yaml").contains("expected: `cat`"));
}

#[test]
fn rollouts_in_another_order_than_the_applies_are_refused() {
    let swapped = |text: &str, first: &str, second: &str| {
        text.replace(first, "@").replace(second, first).replace('@', second)
    };
    let rollouts = swapped(BUILT_IN, "deployment/dpp-api", "deployment/dpp-worker");
    let error = Runbook::read(&Document::new(rollouts.clone())).unwrap_err().to_string();
    assert_eq!(error, "line 106: the rollouts must have the order of the applies of step 2");
    let both = swapped(&rollouts, "k8s/api-deployment.yaml", "k8s/worker-deployment.yaml");
    let runbook = Runbook::read(&Document::new(both)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(runbook.deployments[0].name, "dpp-worker");
}

#[test]
fn a_check_is_added_by_a_row_of_the_table_and_its_counts() {
    let more = BUILT_IN
        .replace("\n\n**Evidence**:\n- `apps/api/dpp_api/routers/health.py` (lines 105", "\n| 11 | GET | /status | 200 | Status page |\n\n**Evidence**:\n- `apps/api/dpp_api/routers/health.py` (lines 105")
        .replace("(10 Checks)", "(11 Checks)")
        .replace("< 8/10 PASS", "< 9/11 PASS")
        .replace("10/10 checks PASS", "11/11 checks PASS")
        .replace("10. GET /v1/runs (401 if unauthenticated, 200 if authenticated)", "10. GET /v1/runs (401 if unauthenticated, 200 if authenticated)\n11. GET /status (200)");
    let runbook = Runbook::read(&Document::new(more)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((runbook.checks.len(), runbook.smoke_threshold), (11, 9));
    assert!(text(&runbook, "check.11").ends_with(r#""$STAGING_BASE_URL/status""#));
}

#[test]
fn what_is_not_understood_is_refused_with_its_line() {
    for (from, to, why) in [
        ("| 3 | GET |", "| 3 | POST |", "line 224: POST: the method must be GET"),
        ("| 3 | GET |", "| 2 | GET |", "line 224: numbers must ascend"),
        (
            "< 8/10 PASS (80%",
            "< 8/11 PASS (80%",
            "stop rule 4 names another number of checks than the table (10)",
        ),
        ("< 8/10 PASS (80%", "< 11/10 PASS (80%", "the threshold of stop rule 4 must be from 1 to 10"),
        ("(10 Checks)", "(11 Checks)", "the table has 10 checks"),
        (
            "10/10 checks PASS",
            "9/10 checks PASS",
            "the criterion names another number of checks than the table (10)",
        ),
        (
            "`CrashLoopBackOff` or `Error` state\n3",
            "`CrashLoopBackOff` state\n3",
            "expected the sentence: Any pod",
        ),
        ("after 2 minutes", "after 0 minutes", "stop rule 3 must name a time of 1 to 60 minutes"),
        ("- [ ] No 5xx errors in smoke tests\n", "", "expected 9 sentences, but the document has 8"),
        ("get namespaces\n", "get secrets -A -o yaml\n", "expected: kubectl"),
        ("kubectl config use-context", "kubectl config set-context", "expected: kubectl config use-context"),
        (
            "deployment/dpp-worker -n",
            "deployment/dpp-worker -w -n",
            "expected: kubectl rollout status deployment/NAME",
        ),
        (
            "deployment/dpp-worker -n",
            "statefulset/dpp-worker -n",
            "expected: kubectl rollout status deployment/NAME",
        ),
        ("deployment/dpp-worker -n", "deployment/dpp-api -n", "a second rollout of one manifest"),
        ("deployment/dpp-worker -n", "deployment/other -n", "no manifest of step 2 matches this Deployment"),
        (
            "k8s/api-deployment.yaml |",
            "../api-deployment.yaml |",
            "expected: `cat` with the path of a manifest",
        ),
        ("k8s/api-deployment.yaml |", "k8s/worker-deployment.yaml |", "apply.worker: applied twice"),
        ("p95 < 500ms", "p99 < 500ms", "expected the sentence: p95 < …ms for health/readyz"),
        (
            "# kubectl output",
            "# kubectl output\n│   ├── passwords.txt",
            "deploy/passwords.txt is not a file that a run writes",
        ),
        ("### 4. Capture", "### Capture", "there is no section ### 4. …"),
        ("1. GET /health (200)", "1. GET /healthz (200)", "line 136: the table's check is GET /health"),
    ] {
        let problems = problems(from, to);
        assert!(problems.contains(why), "{to}: {problems}");
    }
}

#[test]
fn what_would_hide_or_end_the_commands_of_a_step_is_refused() {
    let deploy = "### 2. Deploy to Staging\n\n";
    let replaced = [
        ("### 2. Deploy to Staging\n", "### 2. Deploy to Staging\n---\n", "line 82: the section must end at"),
        ("### 5. Execute", "### More\n\n```bash\nid\n```\n\n### 5. Execute", "the heading ### 5. …"),
        (deploy, &format!("{deploy}<!-- \n"), "line 83: an HTML comment would hide"),
        ("## Inputs\n", "## Inputs\n<!-- \n", "the section begins inside an HTML comment"),
        (&format!("{deploy}```bash"), &format!("{deploy}```sh"), "line 83: a code block here must begin"),
        (&format!("{deploy}```bash"), &format!("{deploy} ```bash"), "line 83: a code block here must begin"),
        (deploy, &format!("{deploy}~~~\nid\n~~~\n"), "line 83: a code block here must begin"),
    ];
    for (from, to, why) in replaced {
        let problems = problems(from, to);
        assert!(problems.contains(why), "{to}: {problems}");
    }
    altered("## Inputs\n", "## Inputs\n<!-- none is a secret -->\n").unwrap();
    altered("## Stop Rules\n", "---\n\n## Stop Rules\n").unwrap();
    altered("# Deploy Worker\n", "# --- Deploy Worker\n---\n").unwrap_err();
}

#[test]
fn a_document_without_anything_is_no_runbook() {
    for text in ["", "# Runbook\n", "Doc ID: X\n\n## Stop Rules\n"] {
        assert!(Runbook::read(&Document::new(text)).is_err(), "{text:?}");
    }
}

#[test]
fn without_a_line_a_document_is_another_runbook_or_none_but_never_a_panic() {
    let lines: Vec<&str> = BUILT_IN.lines().collect();
    let mut refused = 0;
    for left_out in 0..lines.len() {
        let rest: Vec<&str> =
            lines.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, line)| *line).collect();
        match Runbook::read(&Document::new(rest.join("\n"))) {
            Ok(runbook) => assert!(runbook.steps.iter().all(|step| step.line.effect() == Ok(step.effect))),
            Err(error) => {
                refused += 1;
                assert!(!error.problems.is_empty());
            }
        }
    }
    assert!(refused > 80, "{refused}");
}
