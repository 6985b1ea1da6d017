//! What gets through the inputs' grammar arrives at the child unchanged.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use staging_dry_run::command;
use staging_dry_run::events::EndedBy;
use staging_dry_run::exec::{self, Cancel, Programs};
use staging_dry_run::inputs;
use staging_dry_run::runbook::Runbook;
use tempfile::TempDir;

use super::support::executable::executable;
use super::support::{Staging, which};

/// Passes on what an earlier stage of the pipeline printed, then prints what it was started with itself, each
/// word ended by a NUL.
const PRINTER: &str = "#!/bin/sh\n[ -p /dev/stdin ] && /bin/cat\nprintf '%s\\0' \"${0##*/}\" \"$@\"\n";

/// What stands in the variables of a row.
type Values = BTreeMap<&'static str, String>;

/// Programs that do nothing but tell what they were started with.
struct Printers {
    folder: TempDir,
    programs: Programs,
    halt: Cancel,
}

impl Printers {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("team's staging ").tempdir().unwrap();
        let programs = ["kubectl", "curl", "jq", "cat", "sed"].map(|name| {
            let path = folder.path().join(name);
            executable(&path, PRINTER);
            (name.to_owned(), path)
        });
        Self { folder, programs: programs.into(), halt: Cancel::new().unwrap() }
    }

    /// What we start for a row: the words of all its stages, in their order.
    fn started(&self, row: &str, values: &Values) -> Vec<String> {
        let line = command::parse(row).unwrap();
        let pipeline = line.expand(|name| values.get(name).cloned()).unwrap();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let command = exec::Command {
            stages: &pipeline.stages,
            programs: &self.programs,
            dir: self.folder.path(),
            env: &[],
            stdin: None,
            deadline: Duration::from_mins(1),
            grace: exec::GRACE,
            kill_now: None,
        };
        let ended = exec::run(&command, &mut stdout, &mut stderr, &[&self.halt]).unwrap();
        assert_eq!((ended.by, stderr), (EndedBy::Itself, Vec::new()), "{row}");
        words(&stdout)
    }

    /// What bash starts for it.
    fn started_by_bash(&self, row: &str, values: &Values) -> Vec<String> {
        let mut bash = Command::new(which("bash"));
        bash.args(["-c", row]).current_dir(self.folder.path()).env("PATH", self.folder.path());
        let output = bash.envs(values).stdin(Stdio::null()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{row}");
        words(&output.stdout)
    }
}

fn words(printed: &[u8]) -> Vec<String> {
    let text = String::from_utf8(printed.to_owned()).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// Every command of a run, as its row has it; where its output goes is not its to say.
fn rows() -> Vec<String> {
    let runbook = Runbook::built_in().unwrap();
    let rows = runbook.steps.iter().map(|step| step.line(true).to_string());
    rows.map(|row| row.split(" > \"evidence/").next().unwrap_or_default().to_owned()).collect()
}

/// The inputs, if they get through the grammar, and the variables that only we have.
fn values(context: &str, tag: &str) -> Option<Values> {
    let given = [
        ("STAGING_CONTEXT", context),
        ("STAGING_NAMESPACE", "dpp-staging"),
        ("STAGING_BASE_URL", "https://staging.example"),
        ("AWS_ACCOUNT_ID", "123456789012"),
        ("IMAGE_TAG", tag),
    ];
    let lookup = |name: &str| given.iter().find(|(other, _)| *other == name).map(|(_, value)| value.into());
    let inputs = inputs::read(lookup).ok()?;
    let own = [
        ("ROLLOUT_TIMEOUT", "5m".to_owned()),
        ("VERSION", tag.to_owned()),
        ("POD", "dpp-api-6984f9c886-vbg9t".to_owned()),
        ("CONTAINER", "dpp-api".to_owned()),
        ("STAGING_METRICS_URL", inputs.target.base("STAGING_METRICS_URL").to_owned()),
    ];
    let given = given.into_iter().map(|(name, _)| Some((name, inputs.target.input(name)?.to_owned())));
    given.chain(own.into_iter().map(Some)).collect()
}

/// What shells, kubectl, sed and paths give a meaning to, and what they don't.
fn contexts() -> impl Strategy<Value = String> {
    let parts = [
        "'",
        "\"",
        "$",
        "$HOME",
        "${IFS}",
        "$(id)",
        "`id`",
        " ",
        "  ",
        "/",
        "../",
        "&",
        ";",
        "|",
        "\\",
        "\\n",
        "*",
        "?",
        "~",
        "{a,b}",
        "#",
        "!",
        "%s",
        "=",
        "-",
        "<",
        ">",
        "(",
        ")",
        "arn:aws:eks",
        "@",
        "é",
        "語",
        "🚢",
        "a",
        "Z",
        "0",
    ];
    prop::collection::vec(select(parts.to_vec()), 1..8)
        .prop_map(|parts| parts.concat())
        .prop_filter("an option", |context| !context.starts_with('-'))
}

#[test]
fn what_gets_through_the_grammar_arrives_unchanged() {
    let printers = Printers::new();
    let config = ProptestConfig {
        cases: 256,
        failure_persistence: None,
        max_shrink_iters: 64,
        ..ProptestConfig::default()
    };
    let cases = (contexts(), "[A-Za-z0-9_][A-Za-z0-9._-]{0,40}", select(rows()));
    TestRunner::new(config)
        .run(&cases, |(context, tag, row)| {
            let values = values(&context, &tag).expect("the grammar takes it");
            let started = printers.started(&row, &values);
            prop_assert_eq!(&started, &printers.started_by_bash(&row, &values), "{}", row);
            if row.contains("$STAGING_CONTEXT") {
                let option = format!("--context={context}");
                prop_assert!(started.contains(&context) || started.contains(&option), "{:?}", started);
            }
            if row.contains("/${IMAGE_TAG}/") {
                let script = format!("s/${{IMAGE_TAG}}/{tag}/g");
                prop_assert!(started.contains(&script), "{:?}", started);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_could_end_a_line_or_hide_does_not_get_through() {
    for part in ["\n", "\r", "\t", "\u{1b}[2K", "\u{7f}", "\u{2028}", "\u{202e}", "\u{a0}"] {
        for context in [part.to_owned(), format!("staging{part}"), format!("sta{part}ging")] {
            assert_eq!(values(&context, "v1"), None, "{context:?}");
        }
    }
    for tag in ["v1/g", "v1;e id", "a&b", "v1\n", "${IMAGE_TAG}", "\\1"] {
        assert_eq!(values("staging", tag), None, "{tag:?}");
    }
}

#[test]
fn a_contexts_name_full_of_traps_goes_through_the_whole_run() {
    let context = r#"it's "the" $HOME `id` a/b&c;d|e\n #1 é語"#;
    let staging = Staging::of("healthy").with("STAGING_CONTEXT", context);
    let kubeconfig = staging.folder.path().join("kubeconfig");
    let kubeconfig = camino::Utf8Path::from_path(&kubeconfig).unwrap();
    staging.cluster.write_kubeconfig(kubeconfig, context, None, "ci-deployer").unwrap();
    let ran = staging.run().exits(0);
    let manifest = ran.manifest();
    assert_eq!(manifest["target"]["context"], context);
    assert_eq!(manifest["verdict"], "pass");
}
