//! Every command line of the documents runs, or stands in a table with the reason why not.
//!
//! Lines that name evidence run beside a run that is over, the others in a repository of their own, both on the rehearsal
//! cluster. A line that no rule here knows fails the test.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::markdown::{Document, documents, root};
use super::support::{Ran, Staging, copy_folder};

/// Lines that are not run, each with the reason.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo install --locked --path .", "installs into the home of the user"),
    (
        "kubectl --context=\"$STAGING_CONTEXT\" apply -f k8s/namespace.yaml",
        "needs an administrator; the rehearsal has none",
    ),
    (
        "kubectl --context=\"$STAGING_CONTEXT\" apply -f k8s/rbac.yaml",
        "needs an administrator; the rehearsal has none",
    ),
    ("eval \"$(scripts/real-cluster.sh env)\"", "needs a real control plane: the second tier starts one"),
    ("eval \"$(scripts/real-cluster.sh --node env)\"", "needs a real node: the third tier starts one"),
    ("kubectl get nodes", "is about a real control plane: the second tier starts one"),
    ("git diff tests/pages", "shows changes of a working tree"),
    ("aws sts get-caller-identity --query Account --output text", "needs an AWS account"),
    ("aws configure get region", "needs an AWS account"),
];

/// Lines that are run with an addition, since the whole would need more than is here.
const RUN_WITH: &[(&str, &str)] = &[
    ("create configmap dpp-config", " --dry-run=client -o name"),
    ("create secret generic dpp-credentials", " --dry-run=client -o name"),
];

/// Lines that exit other than 0, as the documents say.
const EXITS: &[(&str, i32)] = &[("staging-dry-run", 2)];

/// Scripts of the repository: how each is run cheaply, and the exit codes that this may have.
const SCRIPTS: &[(&str, Option<&str>, &[i32])] = &[
    ("scripts/rehearse.sh", Some("--help"), &[0]),
    ("scripts/real-cluster.sh", Some("status"), &[0, 1]),
    ("scripts/real-node.sh", Some("--help"), &[0]),
    ("scripts/fuzz.sh", Some("--list"), &[0]),
    // Usage: without arguments it fetches nothing.
    ("scripts/get-kubectl.sh", Some(""), &[2]),
    // These have no cheap form: bash parses them.
    ("scripts/samples.sh", None, &[0]),
    ("scripts/staging_dry_run.sh", None, &[0]),
    (".ci/run", None, &[0]),
];

/// A command line, and where it stands.
struct Line {
    document: String,
    /// The lines of its block before it that change the directory.
    before: Vec<String>,
    text: String,
}

/// The command lines of a document: each line of a block for bash, and each span that begins as one of ours does.
fn lines_of(document: &Document) -> Vec<Line> {
    let line = |before: &[String], text: &str| Line {
        document: document.path.clone(),
        before: before.to_vec(),
        text: text.to_owned(),
    };
    let mut lines = Vec::new();
    for block in document.blocks().into_iter().filter(|block| block.language == "bash") {
        let mut before = Vec::new();
        for text in block.lines.iter().map(|text| uncommented(text)).filter(|text| !text.is_empty()) {
            if text.starts_with("cd ") && !text.contains("&&") {
                before.push(text.to_owned());
            }
            lines.push(line(&before, text));
        }
    }
    for span in document.code_spans() {
        let first = span.split_whitespace().next().unwrap_or_default();
        let more = span.contains(' ');
        let is_one = match first {
            "staging-dry-run" | "cargo" | "tools/staging_dry_run.sh" | "aws" => more,
            "kubectl" => more && document.path == "docs/inputs.md" && !span.starts_with("kubectl rollout"),
            ".ci/run" => true,
            _ => first.starts_with("scripts/"),
        };
        if is_one {
            lines.push(line(&[], &span));
        }
    }
    lines
}

/// A line less its comment.
fn uncommented(line: &str) -> &str {
    let end = if line.trim_start().starts_with('#') { Some(0) } else { line.find(" # ") };
    line[..end.unwrap_or(line.len())].trim()
}

/// Where the lines run: a run that is over and signed, and a repository for other runs.
struct Places {
    over: Ran,
    fresh: Staging,
    keys: PathBuf,
    evidence: PathBuf,
    seal: String,
    /// How many new directories were named so far.
    made: std::cell::Cell<u32>,
}

fn staging() -> Staging {
    let staging = Staging::of("healthy").with("STAGING_CONTEXT", "staging-cluster");
    let kubeconfig = staging.folder.path().join("kubeconfig");
    let namespace = staging.cluster.context_namespace();
    let to = kubeconfig.as_path().try_into().unwrap();
    staging.cluster.write_kubeconfig(to, "staging-cluster", namespace, rehearsal::USER).unwrap();
    let bin = staging.folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_staging-dry-run"), bin.join("staging-dry-run")).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let repository = staging.repository();
    copy_folder(&root().join("evidence/samples"), &repository.join("evidence/samples"));
    std::fs::create_dir(repository.join("tools")).unwrap();
    std::fs::copy(root().join("scripts/staging_dry_run.sh"), repository.join("tools/staging_dry_run.sh"))
        .unwrap();
    std::fs::write(repository.join("config.env"), "LOG_LEVEL=info\n").unwrap();
    std::fs::write(repository.join("credentials.env"), "DATABASE_URL=postgres://\n").unwrap();
    staging.with("PATH", &path)
}

impl Places {
    fn new() -> Self {
        let staging = staging();
        let keys = staging.folder.path().join("keys");
        std::fs::create_dir(&keys).unwrap();
        let key = keys.join("release");
        let mut keygen = Command::new("ssh-keygen");
        let made =
            keygen.args(["-q", "-t", "ed25519", "-C", "release", "-N", "", "-f"]).arg(&key).status().unwrap();
        assert!(made.success());
        let public = std::fs::read_to_string(keys.join("release.pub")).unwrap();
        std::fs::write(keys.join("allowed"), format!("WHO {public}")).unwrap();
        let over = staging.option(&format!("--sign-with={}", key.to_str().unwrap())).run().exits(0);
        let evidence = over.evidence();
        let seal = over.stdout.lines().find_map(|line| line.strip_prefix("Seal: ")).unwrap();
        let seal = seal.split(' ').next().unwrap().to_owned();
        Self { fresh: self::staging(), over, keys, evidence, seal, made: std::cell::Cell::default() }
    }

    /// The placeholders of the documents as what they stand for here.
    fn filled_in(&self, text: &str) -> String {
        let quoted = |path: &Path| format!("\"{}\"", path.to_str().unwrap());
        let date = self.evidence.file_name().unwrap().to_str().unwrap();
        self.made.set(self.made.get() + 1);
        let new = self.over.staging.folder.path().join(format!("new{}", self.made.get()));
        text.replace("evidence/staging/20261124", &format!("evidence/staging/{date}"))
            .replace("HASH", &self.seal)
            .replace("release.pub", &quoted(&self.keys.join("release.pub")))
            .replace("ALLOWED_SIGNERS", &quoted(&self.keys.join("allowed")))
            .replace("NEW_DIR", &quoted(&new))
    }

    fn run(&self, line: &Line) -> Output {
        let of_evidence = line.before.iter().chain([&line.text]).any(|text| text.contains("evidence/"));
        let staging = if of_evidence { &self.over.staging } else { &self.fresh };
        let mut script = String::from("set -euo pipefail\n");
        for before in line.before.iter().filter(|before| **before != line.text) {
            script = script + &self.filled_in(before) + "\n";
        }
        script += &self.filled_in(&line.text);
        if let Some((_, addition)) = RUN_WITH.iter().find(|(part, _)| line.text.contains(part)) {
            script += addition;
        }
        // As the program is started by a test: its environment, and nothing else of ours.
        let program = staging.command(&[]);
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).current_dir(staging.repository()).env_clear();
        for (name, value) in program.get_envs() {
            bash.env(name, value.unwrap());
        }
        bash.stdin(std::process::Stdio::null()).output().unwrap()
    }
}

/// Variables that a document sets are inputs inside their grammar: with them alone, `plan` fills them in.
fn exports_are_inputs(text: &str) -> Result<(), String> {
    let words = shlex::split(text).unwrap();
    let pairs: Vec<(&str, &str)> = words[1..].iter().map(|word| word.split_once('=').unwrap()).collect();
    let example = [
        ("STAGING_CONTEXT", "staging-cluster"),
        ("STAGING_NAMESPACE", "dpp-staging"),
        ("STAGING_BASE_URL", "https://staging-api.example"),
        ("AWS_ACCOUNT_ID", "123456789012"),
    ];
    let mut plan = Command::new(env!("CARGO_BIN_EXE_staging-dry-run"));
    let plan = plan.arg("plan").env_clear().envs(example).envs(pairs.iter().copied()).output().unwrap();
    let printed = String::from_utf8(plan.stdout).unwrap();
    let filled_in = !printed.contains("$STAGING_BASE_URL");
    let used = pairs.iter().all(|(name, value)| *name == "AWS_REGION" || printed.contains(value));
    if plan.status.success() && filled_in && used { Ok(()) } else { Err(format!("not inputs: {pairs:?}")) }
}

/// A line of cargo names packages, targets, tests and benchmarks that exist.
fn cargo_names_what_exists(text: &str) -> Result<(), String> {
    let words = shlex::split(text).unwrap();
    let (ours, theirs) = match words.iter().position(|word| word == "--") {
        Some(at) => (&words[..at], &words[at + 1..]),
        None => (&words[..], &[][..]),
    };
    let exists = |path: &str| root().join(path).exists();
    let check = |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("there is no {what}")) };
    let mut words = ours[1..].iter().map(String::as_str);
    let subcommand = words.next().unwrap_or_default();
    let (mut targets, mut filter) = (Vec::new(), None);
    while let Some(word) = words.next() {
        match word {
            "--workspace" | "--lib" => targets.push(word.trim_start_matches('-').to_owned()),
            "--test" => {
                let name = words.next().ok_or("--test names nothing")?;
                let path = ["tests", "tests/rehearsal/tests", "tests/real/tests"].into_iter().find_map(
                    |directory| {
                        let paths = [format!("{directory}/{name}.rs"), format!("{directory}/{name}/main.rs")];
                        paths.into_iter().find(|path| exists(path))
                    },
                );
                targets.push(path.ok_or_else(|| format!("there is no test target {name}"))?);
            }
            "--bench" => {
                let name = words.next().ok_or("--bench names nothing")?;
                check(exists(&format!("benches/{name}.rs")), &format!("benchmark {name}"))?;
            }
            "-p" => {
                let name = words.next().ok_or("-p names nothing")?;
                let manifests = ["Cargo.toml", "tests/rehearsal/Cargo.toml", "tests/real/Cargo.toml"];
                let named = |path: &&str| {
                    let text = std::fs::read_to_string(root().join(path)).unwrap();
                    text.contains(&format!("name = \"{name}\""))
                };
                check(manifests.iter().any(named), &format!("package {name}"))?;
            }
            word if !word.starts_with('-') => filter = Some(word.to_owned()),
            word => return Err(format!("cargo {subcommand} {word}: not known here")),
        }
    }
    match (subcommand, filter) {
        ("test", Some(filter)) => check(has_test(&targets, &filter), &format!("test {filter}")),
        ("run", None) => {
            let scenario = theirs.first().map(String::as_str).unwrap_or_default();
            check(
                scenario == "--list" || rehearsal::scenario(scenario).is_some(),
                &format!("scenario {scenario}"),
            )
        }
        ("fuzz", Some(_)) => {
            let target = ours.last().unwrap();
            check(
                target == "fuzz" || exists(&format!("fuzz/fuzz_targets/{target}.rs")),
                &format!("fuzz target {target}"),
            )
        }
        ("test" | "bench", None) => Ok(()),
        _ => Err(format!("cargo {subcommand}: not known here")),
    }
}

/// Whether a test of these targets has the name, or is in a module of it.
fn has_test(targets: &[String], filter: &str) -> bool {
    if targets == ["lib"] {
        let module = filter.trim_end_matches(':').replace("::", "/");
        return root().join("src").join(&module).exists() || root().join(format!("src/{module}.rs")).exists();
    }
    targets.iter().any(|target| {
        let path = root().join(target);
        let sources = match path.file_name().unwrap().to_str().unwrap() {
            "main.rs" => super::support::files_below(path.parent().unwrap()).into_values().collect(),
            _ => vec![std::fs::read(&path).unwrap()],
        };
        sources.iter().any(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let name = filter.trim_end_matches(':');
            text.contains(&format!("fn {name}()")) || text.contains(&format!("mod {name};"))
        })
    })
}

/// A script of the repository runs in its cheap form, and its line names what exists.
fn script_runs(text: &str, tried: &mut BTreeSet<String>) -> Result<(), String> {
    let words = shlex::split(text).unwrap();
    let (script, arguments) = (words[0].as_str(), &words[1..]);
    let (_, cheap, codes) = SCRIPTS
        .iter()
        .find(|(name, ..)| *name == script)
        .ok_or_else(|| format!("{script} is in no table of this test"))?;
    match script {
        "scripts/rehearse.sh" => {
            let mut names = arguments.iter().map(String::as_str).filter(|word| *word != "--real");
            let scenario = names.next().unwrap_or("healthy");
            if scenario != "--list" && rehearsal::scenario(scenario).is_none() {
                return Err(format!("there is no scenario {scenario}"));
            }
        }
        "scripts/fuzz.sh" => {
            for target in arguments.iter().filter(|word| !word.chars().all(|c| c.is_ascii_digit())) {
                if !root().join(format!("fuzz/fuzz_targets/{target}.rs")).exists() && target != "--list" {
                    return Err(format!("there is no fuzz target {target}"));
                }
            }
        }
        "scripts/real-cluster.sh" => {
            // After `in` stands any command.
            let of_node = arguments.first().is_some_and(|first| first == "--node");
            let (file, form, words) = match arguments {
                [_, subcommand, ..] if of_node => {
                    ("scripts/real-node.sh", " --node", std::slice::from_ref(subcommand))
                }
                _ => (script, "", arguments),
            };
            let usage = std::fs::read_to_string(root().join(file)).unwrap();
            for word in words {
                if !usage.contains(&format!("scripts/real-cluster.sh{form} {word} ")) {
                    return Err(format!("{script}{form} has no {word}"));
                }
            }
        }
        _ => {}
    }
    if !tried.insert(script.to_owned()) {
        return Ok(());
    }
    let mut command = Command::new("bash");
    match cheap {
        Some(argument) => command.arg(root().join(script)).args(argument.split_whitespace()),
        None => command.arg("-n").arg(root().join(script)),
    };
    let output = command.current_dir(root()).stdin(std::process::Stdio::null()).output().unwrap();
    let code = output.status.code().unwrap_or(-1);
    if codes.contains(&code) { Ok(()) } else { Err(format!("exit {code}: {output:?}")) }
}

/// Runs a line, or checks it as far as it can be.
fn check(
    line: &Line,
    places: &Places,
    tried: &mut BTreeSet<String>,
    skipped: &mut BTreeSet<&str>,
) -> Result<(), String> {
    if let Some((not_run, _)) = NOT_RUN.iter().find(|(not_run, _)| *not_run == line.text) {
        skipped.insert(not_run);
        return Ok(());
    }
    let words = shlex::split(&line.text).ok_or("it cannot be split into words")?;
    // Variables that stand before a command.
    let first =
        words.iter().find(|word| !word.contains('=') || word.starts_with('-')).map_or("", String::as_str);
    match first {
        "export" => exports_are_inputs(&line.text),
        "cargo" => cargo_names_what_exists(
            &line.text.split_once("cargo").map(|(_, rest)| format!("cargo{rest}")).unwrap(),
        ),
        first if first.starts_with("scripts/") || first == ".ci/run" => script_runs(&line.text, tried),
        "set"
        | "cd"
        | "staging-dry-run"
        | "kubectl"
        | "jq"
        | "sha256sum"
        | "bash"
        | "ssh-keygen"
        | "tools/staging_dry_run.sh" => {
            let output = places.run(line);
            let wanted = EXITS.iter().find(|(text, _)| *text == line.text).map_or(0, |(_, code)| *code);
            if output.status.code() == Some(wanted) {
                return Ok(());
            }
            let printed = [output.stdout, output.stderr].concat();
            Err(format!(
                "exit {:?}, not {wanted}:\n{}",
                output.status.code(),
                String::from_utf8_lossy(&printed)
            ))
        }
        other => Err(format!("no rule here knows {other:?}")),
    }
}

#[test]
fn every_command_line_of_the_documents_runs() {
    let places = Places::new();
    let (mut failed, mut count) = (Vec::new(), 0);
    let (mut tried, mut skipped, mut run) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for document in documents() {
        for line in lines_of(&document) {
            count += 1;
            // One that several documents have runs once.
            if !run.insert((line.before.clone(), line.text.clone())) {
                continue;
            }
            if let Err(why) = check(&line, &places, &mut tried, &mut skipped) {
                failed.push(format!("{}: {}\n    {why}", line.document, line.text));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {count}:\n\n{}", failed.len(), failed.join("\n\n"));
    assert!(count > 70, "{count}");
    // A table that names what no document has is no longer true.
    let unused: Vec<_> = NOT_RUN.iter().filter(|(line, _)| !skipped.contains(line)).collect();
    assert!(unused.is_empty(), "{unused:?}");
    assert!(SCRIPTS.iter().all(|(script, ..)| tried.contains(*script)), "{tried:?}");
}

#[test]
fn the_program_alone_prints_a_short_help_and_exits_2() {
    let output = Command::new(env!("CARGO_BIN_EXE_staging-dry-run")).output().unwrap();
    let (_, code) = EXITS[0];
    assert_eq!(output.status.code(), Some(code));
}
