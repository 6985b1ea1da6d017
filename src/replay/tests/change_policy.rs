//! What is allowed, by what the commands before have shown.

use super::super::change_policy::ChangePolicy;
use crate::events::{Effect, EventKind, Outcome};
use crate::facts::dry_run::Landing;
use crate::fixture::{self, events, runbook, step};
use crate::run_state::RunState;

/// Something that a command has shown.
enum Shown {
    /// `uids`: a namespace and its UID.
    Uid(&'static str, Option<&'static str>),
    /// `guard.api`: where its objects would land.
    Lands(&'static [Option<&'static str>]),
    /// A command failed.
    Failed(&'static str),
    /// A command succeeded.
    Succeeded(&'static str),
}
use Shown::{Failed, Lands, Succeeded, Uid};

const OURS: Shown = Uid("dpp-staging", Some("22-22"));
const LANDS: Shown = Lands(&[Some("dpp-staging"), Some("dpp-staging")]);

fn run() -> RunState {
    let mut events = events();
    let uid = |namespace: &str, uid: &str| EventKind::NamespaceUid {
        namespace: namespace.to_owned(),
        uid: Some(uid.to_owned()),
    };
    events.add(uid("kube-system", "11-11")).add(uid("dpp-staging", "22-22"));
    events.run()
}

fn outcome(id: &str, exit: i32) -> Outcome {
    fixture::outcome(id, &[exit])
}

fn learn(policy: &mut ChangePolicy<'_>, shown: &Shown) {
    let (id, exit, events) = match shown {
        Uid(namespace, uid) => {
            let (namespace, uid) = ((*namespace).to_owned(), uid.map(str::to_owned));
            ("uids", 0, vec![EventKind::NamespaceUid { namespace, uid }])
        }
        Lands(namespaces) => {
            let object = |namespace: Option<&str>| Landing {
                api_version: "apps/v1".into(),
                kind: "Deployment".into(),
                namespace: namespace.map(str::to_owned),
                name: "dpp-api".into(),
                generation: None,
            };
            let (file, objects) =
                ("k8s/api-deployment.yaml".into(), namespaces.iter().copied().map(object).collect());
            ("guard.api", 0, vec![EventKind::WouldLand { file, objects, warnings: Vec::new() }])
        }
        Failed(id) => (*id, 1, Vec::new()),
        Succeeded(id) => (*id, 0, Vec::new()),
    };
    let runbook = runbook();
    policy.learn(runbook.step(&step(id)).unwrap(), &outcome(id, exit), &events);
}

fn allowed(asked: bool, shown: &[Shown], id: &str) -> Result<(), String> {
    let run = run();
    let (_, began) = run.began.as_ref().unwrap();
    let mut policy = ChangePolicy::new(&run, began, asked);
    for shown in shown {
        learn(&mut policy, shown);
    }
    policy.allows(runbook().step(&step(id)).unwrap())
}

const NOT_ASKED: &str = "it changes the cluster (--include-changes)";
const NOT_ASKED_DRY: &str = "it asks for a server-side dry run (--include-changes)";
const NOT_OURS: &str = "the namespace here is not the run's";
const NOT_SHOWN: &str = "guard.api did not show that all of it lands in the run's namespace";

/// Whether it was asked for, what was shown, a command, and why it is not allowed.
type Row = (bool, &'static [Shown], &'static str, Option<&'static str>);

const ROWS: &[Row] = &[
    (false, &[], "rollout.api", None),
    (true, &[], "rollout.api", None),
    (true, &[OURS, Failed("apply.api")], "rollout.api", None),
    (false, &[OURS, LANDS], "guard.api", Some(NOT_ASKED_DRY)),
    (true, &[OURS], "guard.api", None),
    (true, &[], "guard.api", Some(NOT_OURS)),
    (true, &[OURS, Failed("apply.api")], "guard.worker", None),
    (false, &[OURS, LANDS], "apply.api", Some(NOT_ASKED)),
    (true, &[OURS, LANDS], "apply.api", None),
    (true, &[OURS, Lands(&[])], "apply.api", None),
    (true, &[LANDS], "apply.api", Some(NOT_OURS)),
    (true, &[Uid("dpp-staging", Some("33-33")), LANDS], "apply.api", Some(NOT_OURS)),
    (true, &[Uid("dpp-staging", None), LANDS], "apply.api", Some(NOT_OURS)),
    (true, &[Uid("kube-system", Some("22-22")), LANDS], "apply.api", Some(NOT_OURS)),
    (true, &[Uid("kube-system", Some("11-11")), LANDS], "apply.api", Some(NOT_OURS)),
    (true, &[OURS, Uid("dpp-staging", Some("33-33")), LANDS], "apply.api", Some(NOT_OURS)),
    (true, &[OURS], "apply.api", Some(NOT_SHOWN)),
    (true, &[OURS, Lands(&[Some("dpp-staging"), Some("default")])], "apply.api", Some(NOT_SHOWN)),
    (true, &[OURS, Lands(&[None])], "apply.api", Some(NOT_SHOWN)),
    (
        true,
        &[OURS, LANDS],
        "apply.worker",
        Some("guard.worker did not show that all of it lands in the run's namespace"),
    ),
    (true, &[OURS, LANDS, Succeeded("use-context")], "apply.api", None),
    (true, &[OURS, LANDS, Failed("use-context")], "apply.api", Some("use-context failed")),
    (true, &[OURS, LANDS, Succeeded("apply.worker")], "apply.api", None),
    (true, &[OURS, LANDS, Failed("apply.worker")], "apply.api", Some("apply.worker failed")),
    (true, &[OURS, LANDS, Failed("rollout.api"), Failed("guard.worker")], "apply.api", None),
];

#[test]
fn a_change_is_allowed_where_nothing_is_against_it() {
    for (number, (asked, shown, id, why)) in ROWS.iter().enumerate() {
        let expected = why.map_or(Ok(()), |why| Err(why.to_owned()));
        assert_eq!(allowed(*asked, shown, id), expected, "row {number}, {id}");
    }
}

#[test]
fn a_run_that_did_not_read_the_uid_of_its_namespace_repeats_no_change() {
    let run = events().run();
    let (_, began) = run.began.as_ref().unwrap();
    let mut policy = ChangePolicy::new(&run, began, true);
    learn(&mut policy, &OURS);
    assert_eq!(policy.allows(runbook().step(&step("guard.api")).unwrap()), Err(NOT_OURS.to_owned()));
}

#[test]
fn the_rows_have_an_effect_of_each_kind() {
    let effect = |id: &str| runbook().step(&step(id)).unwrap().effect;
    assert_eq!(
        ["use-context", "rollout.api", "guard.api", "apply.api"].map(effect),
        [Effect::Reads, Effect::Reads, Effect::DryRun, Effect::Changes]
    );
}
