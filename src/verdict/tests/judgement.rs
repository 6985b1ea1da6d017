//! The verdict, the exit code, and what leaves a run undecided.

use super::super::*;
use crate::events::{Effect, EndedBy, EventKind};
use crate::fixture::{Build, Events, began, events, nothing_yet, step};

fn judged(change: Build) -> Judgement {
    let mut run = Events::passing();
    change(&mut run);
    judge(&run.run())
}

fn by(id: &str, by: EndedBy, first_error: Option<&str>) -> Events {
    let mut run = Events::passing();
    run.ended_by(id, by, first_error);
    run
}

fn refused(run: &mut Events) -> &mut Events {
    run.manifest(|manifest| manifest.blank = true)
}

fn stopped(run: &mut Events) -> &mut Events {
    run.healthy("/health", 121, "503")
}

fn unseen(run: &mut Events) -> &mut Events {
    run.fails("list.pods", "Unable to connect")
}

fn fell_short(run: &mut Events) -> &mut Events {
    run.change(|kind| match kind {
        EventKind::CheckAnswered { check, transfer, .. } if check.get() == 4 => {
            "404".clone_into(&mut transfer.http_status);
            true
        }
        _ => false,
    })
}

fn not_ended(run: &mut Events) -> &mut Events {
    run.without(|kind| matches!(kind, EventKind::RunEnded))
}

fn failed(run: &mut Events) -> &mut Events {
    run.add(EventKind::Failed { error: "no space left".into() })
}

fn interrupted(run: &mut Events) -> &mut Events {
    run.add(EventKind::Interrupted { signal: 2 })
}

fn strict(run: &mut Events) -> &mut Events {
    run.began(|began| began.options.strict = true)
}

/// Each row has all that the row below it has, and one thing more.
const ORDER: &[(Verdict, u8, Build)] = &[
    (Verdict::Incomplete, 4, |run| not_ended(refused(stopped(unseen(fell_short(run)))))),
    (Verdict::Incomplete, 4, |run| failed(refused(stopped(unseen(fell_short(run)))))),
    (Verdict::Incomplete, 130, |run| interrupted(refused(stopped(unseen(fell_short(run)))))),
    (Verdict::Refused, 2, |run| refused(stopped(unseen(fell_short(run))))),
    (Verdict::Stop, 1, |run| stopped(unseen(fell_short(run)))),
    (Verdict::Incomplete, 4, |run| unseen(fell_short(run))),
    (Verdict::Incomplete, 4, |run| fell_short(run).ended_by("objects.after", EndedBy::Deadline, None)),
    (Verdict::Shortfall, 3, |run| strict(fell_short(run))),
    (Verdict::Shortfall, 0, fell_short),
    (Verdict::Pass, 0, strict),
    (Verdict::Pass, 0, |run| run),
];

#[test]
fn the_gravest_verdict_wins_and_has_its_exit_code() {
    for (number, (verdict, exit_code, change)) in ORDER.iter().enumerate() {
        let judgement = judged(*change);
        assert_eq!((judgement.verdict, judgement.exit_code), (*verdict, *exit_code), "row {number}");
    }
    let nothing = judge(&nothing_yet());
    assert_eq!((nothing.verdict, nothing.exit_code), (Verdict::Incomplete, 4));
}

#[test]
fn what_is_not_evaluated_is_no_shortfall() {
    let judgement = judged(|run| run.began(|began| began.target.image_tag = "latest".into()));
    assert_eq!(judgement.verdict, Verdict::Pass);
    assert_eq!(judgement.criteria[4].state, CriterionState::NotEvaluated);
}

#[test]
fn a_judgement_counts_what_the_manifest_tells() {
    let passed = judged(|run| run);
    assert_eq!(
        (passed.deploy_ok, passed.smoke_ok, passed.smoke_ran, passed.checks_passed),
        (true, true, true, 10)
    );
    let short = judged(fell_short);
    assert_eq!(
        (short.deploy_ok, short.smoke_ok, short.smoke_ran, short.checks_passed),
        (true, false, true, 9)
    );
    let cut = judged(|run| {
        run.without(|kind| matches!(kind, EventKind::CheckAnswered { check, .. } if check.get() > 3))
    });
    assert_eq!((cut.deploy_ok, cut.smoke_ok, cut.smoke_ran, cut.checks_passed), (true, false, false, 3));
    // Without a runbook nothing is asked, and nothing is answered.
    let none = judge(&RunState::default());
    assert_eq!((none.deploy_ok, none.smoke_ok, none.smoke_ran, none.checks_passed), (false, false, false, 0));
}

/// A command, how it ended, and whether the run is undecided by it.
const UNDECIDED: &[(&str, EndedBy, bool)] = &[
    ("use-context", EndedBy::Deadline, true),
    ("use-context", EndedBy::StagingDryRun(1), false),
    ("use-context", EndedBy::Itself, false),
    ("apply.worker", EndedBy::OutputNotKept, true),
    ("apply.worker", EndedBy::HeldPipes, false),
    ("rollout.reaper", EndedBy::AskedForTerminal, true),
    ("rollout.reaper", EndedBy::StagingDryRun(1), false),
    ("rollout.reaper", EndedBy::Itself, false),
    ("objects.after", EndedBy::Deadline, true),
    ("objects.after", EndedBy::Itself, true),
    ("objects.after", EndedBy::StagingDryRun(1), false),
    ("status.after", EndedBy::Deadline, false),
    ("objects.before", EndedBy::Deadline, false),
];

#[test]
fn a_command_that_gave_no_answer_may_leave_a_run_undecided() {
    for (id, ended_by, undecided) in UNDECIDED {
        let run = by(id, *ended_by, Some("no route")).run();
        let why = ended_by.says().unwrap_or("no route");
        let expected = undecided.then_some((step(id), why));
        assert_eq!(
            undecided_command(&run).map(|(id, why)| (id.clone(), why)),
            expected,
            "{id}, {ended_by:?}"
        );
    }
    assert_eq!(undecided_command(&Events::passing().run()), None);
    let mut reads = Events::passing();
    reads.command("objects.after", Effect::Reads, &[0]);
    assert_eq!(undecided_command(&reads.run()), None);
}

#[test]
fn the_last_list_of_pods_tells_whether_they_were_seen() {
    let unseen = |build: Build| {
        let mut run = Events::passing();
        build(&mut run);
        pods_unseen_at_end(&run.run()).map(str::to_owned)
    };
    let told = |why: &str| Some(why.to_owned());
    assert_eq!(unseen(|run| run), None);
    assert_eq!(unseen(|run| run.command("list.pods", Effect::Reads, &[0])), None);
    assert_eq!(unseen(|run| run.fails("list.pods", "EOF")), told("EOF"));
    assert_eq!(unseen(|run| run.fails("watch.pods", "EOF")), None);
    assert_eq!(unseen(|run| run.fails("list.pods", "EOF").command("list.pods", Effect::Reads, &[0])), None);
    assert_eq!(
        unseen(|run| run.command("list.pods", Effect::Reads, &[0]).fails("list.pods", "EOF")),
        told("EOF")
    );
    // One that was ended with the run, or not at all, gave no answer.
    assert_eq!(
        unseen(|run| run.fails("list.pods", "EOF").ended_by("list.pods", EndedBy::StagingDryRun(1), None)),
        told("EOF")
    );
    assert_eq!(unseen(|run| run.fails("list.pods", "EOF").starts("list.pods", Effect::Reads)), told("EOF"));
    assert_eq!(
        unseen(|run| run.ended_by("list.pods", EndedBy::Deadline, None)),
        EndedBy::Deadline.says().map(str::to_owned)
    );
}

#[test]
fn each_variable_of_the_rows_has_its_value() {
    let mut began = began();
    let value = |began: &Began, name: &str| variable(began, name);
    for (name, is) in [
        ("ROLLOUT_TIMEOUT", "5m"),
        ("STAGING_CONTEXT", "staging-cluster"),
        ("STAGING_NAMESPACE", "dpp-staging"),
        ("STAGING_BASE_URL", "https://staging-api.decisionproof.ai"),
        ("STAGING_METRICS_URL", "https://staging-api.decisionproof.ai"),
        ("AWS_ACCOUNT_ID", "123456789012"),
        ("AWS_REGION", "us-east-1"),
        ("IMAGE_TAG", "v0.4.2.2"),
        ("VERSION", "0.4.2.2"),
    ] {
        assert_eq!(value(&began, name).as_deref(), Some(is), "{name}");
    }
    assert_eq!((value(&began, "POD"), value(&began, "STAGING_API_KEY")), (None, None));
    assert_eq!(variable_or(&began, &[("POD", "a"), ("IMAGE_TAG", "b")], "POD").as_deref(), Some("a"));
    assert_eq!(variable_or(&began, &[("POD", "a")], "IMAGE_TAG").as_deref(), Some("v0.4.2.2"));
    began.target.aws_account_id = None;
    began.target.metrics_url = Some("http://metrics:9090".into());
    began.target.image_tag = "latest".into();
    assert_eq!(value(&began, "AWS_ACCOUNT_ID").as_deref(), Some(""));
    assert_eq!(value(&began, "STAGING_METRICS_URL").as_deref(), Some("http://metrics:9090"));
    assert_eq!(value(&began, "VERSION"), None);
}

#[test]
fn a_tag_names_the_version_that_an_answer_must_name() {
    assert_eq!(expected_version("v1.2"), Some("1.2"));
    assert_eq!(expected_version("1.2"), Some("1.2"));
    assert_eq!(expected_version("latest"), None);
    assert_eq!(expected_version("vlatest"), Some("latest"));
    assert!(can_judge_body(HealthPath::Health, "v1"));
    assert!(!can_judge_body(HealthPath::Health, "latest"));
    assert!(can_judge_body(HealthPath::Readyz, "latest"));
}

#[test]
fn a_run_that_has_just_begun_is_judged_by_nothing() {
    let judgement = judge(&events().run());
    assert_eq!((judgement.findings.len(), judgement.stop), (0, None));
}
