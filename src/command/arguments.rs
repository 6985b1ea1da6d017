//! Lists the arguments that each program accepts here.
//!
//! The lists contain only what the built-in runbook and the program's own steps need. An unknown flag is
//! refused, and so is a variable in a place where its value could be a flag, a file or another server.

use super::{CommandLine, Effect, NotUnderstood, Piece, Word};

/// The variables that `sed` may fill into a manifest. No character of their values has a meaning in `sed`.
pub const FILLED_IN: [&str; 4] = ["AWS_ACCOUNT_ID", "IMAGE_TAG", "AWS_REGION", "STAGING_NAMESPACE"];

/// The kubectl verbs that only read (kubectl(1)), with their flags that need no value.
///
/// `config use-context` writes only the run's own overlay. `config view` prints no password with `--minify`
/// alone, so that flag is a part of the verb.
const READING_VERBS: [(&[&str], &[&str]); 9] = [
    (&["version"], &["--client"]),
    (&["config", "view", "--minify"], &[]),
    (&["config", "use-context"], &[]),
    (&["get"], &["--watch", "--output-watch-events", "--sort-by=.lastTimestamp"]),
    (&["describe"], &["--show-events=true"]),
    (&["logs"], &["--all-containers", "--prefix", "--tail=200", "--previous"]),
    (&["rollout", "status"], &[]),
    (&["auth", "can-i"], &["--subresource=log"]),
    (&["auth", "whoami"], &[]),
];

/// The kinds that `get` and `describe` may print; a Secret is none of them.
const KINDS: [&str; 12] = [
    "namespaces",
    "namespace",
    "deploy",
    "deployments",
    "deployments.apps",
    "po",
    "pod",
    "pods",
    "svc",
    "services",
    "events",
    "endpointslices.discovery.k8s.io",
];

/// The flags of `kubectl apply` that change how an object is stored, but not which object or from where.
const APPLY_FLAGS: [&str; 3] = ["--server-side", "--force-conflicts", "--server-side=true"];

/// The flags of `kubectl apply` that take literal text, after `=` or as the next word.
const APPLY_VALUES: [&str; 2] = ["--field-manager", "--validate"];

/// The accepted flags of curl: none sends a body, reads a configuration file or writes a file.
const CURL_FLAGS: [&str; 5] = ["-q", "-sS", "-g", "-i", "--suppress-connect-headers"];

/// The only output format of curl; another one could read or write a file.
const CURL_FORMAT: &str = r"%{stderr}%{json}\n";

impl CommandLine {
    /// Returns the names of the variables that the `sed` stages fill in.
    pub fn filled_in(&self) -> Vec<&str> {
        self.stages.iter().filter_map(|stage| filled_in(stage)).collect()
    }
}

/// Returns the variable that a stage `sed "s/\${NAME}/${NAME}/g"` fills in; `None` for any other stage.
///
/// GNU sed has commands and flags that write files (`w`) and run programs (`e`).
pub fn filled_in(stage: &[Word]) -> Option<&str> {
    let [sed, script] = stage else { return None };
    let [Piece::Literal(start), Piece::Variable(name), Piece::Literal(end)] = script.pieces() else {
        return None;
    };
    let is_known = FILLED_IN.contains(&name.as_str()) && *start == format!("s/${{{name}}}/") && end == "/g";
    (sed.as_literal() == Some("sed") && is_known).then_some(name)
}

/// Returns the effect of one stage.
pub(super) fn stage_effect(stage: &[Word]) -> Result<Effect, NotUnderstood> {
    let (program, arguments) = stage.split_first().ok_or_else(|| NotUnderstood("nothing".to_owned()))?;
    match (program.as_literal(), arguments) {
        (Some("kubectl"), _) => kubectl(arguments),
        (Some("curl" | "jq"), [only]) if only.as_literal() == Some("--version") => Ok(Effect::Reads),
        (Some("cat"), [file]) if file.as_literal().is_some_and(is_below_here) => Ok(Effect::Reads),
        (Some("sed"), [script]) => match filled_in(stage) {
            Some(_) => Ok(Effect::Reads),
            None => Err(not_understood(script)),
        },
        (Some("jq"), _) => jq(arguments),
        (Some("curl"), _) => curl(arguments),
        _ => Err(not_understood(program)),
    }
}

fn not_understood(word: &Word) -> NotUnderstood {
    NotUnderstood(word.to_string())
}

/// Returns whether a path leads to a file below the current directory, by its words.
fn is_below_here(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && !part.starts_with(['.', '-']))
}

/// Returns whether a word is this variable and nothing else.
fn is_variable(word: Option<&Word>, name: &str) -> bool {
    word.is_some_and(|word| matches!(word.pieces(), [Piece::Variable(found)] if found == name))
}

/// Returns whether a word is literal text that no program reads as a flag.
fn is_text(word: Option<&Word>) -> bool {
    word.and_then(Word::as_literal).is_some_and(|text| !text.is_empty() && !text.starts_with('-'))
}

/// Returns whether a word begins with this text before any variable.
fn starts_with(word: &Word, start: &str) -> bool {
    matches!(word.pieces().first(), Some(Piece::Literal(text)) if text.starts_with(start))
}

/// Returns whether a word is `OPTION="$NAME"`.
fn is_option_with(word: &Word, option: &str, name: &str) -> bool {
    matches!(word.pieces(), [Piece::Literal(text), Piece::Variable(found)] if text == option && found == name)
}

fn is_namespace(word: Option<&Word>) -> bool {
    is_text(word) || is_variable(word, "STAGING_NAMESPACE")
}

fn jq(arguments: &[Word]) -> Result<Effect, NotUnderstood> {
    let (mut words, mut operands) = (arguments.iter(), 0);
    while let Some(word) = words.next() {
        let known = match word.as_literal() {
            Some("-R" | "-s" | "-e") => true,
            Some("--arg") => {
                words.next().and_then(Word::as_literal) == Some("version")
                    && is_variable(words.next(), "VERSION")
            }
            Some(operand) => {
                operands += 1;
                match operands {
                    1 => is_filter(operand),
                    2 => operand.strip_prefix("../smoke/responses/").is_some_and(is_below_here),
                    _ => false,
                }
            }
            None => false,
        };
        if !known {
            return Err(not_understood(word));
        }
    }
    Ok(Effect::Reads)
}

/// Returns whether a filter of jq reads nothing but its input: no environment, no module, no other file.
fn is_filter(text: &str) -> bool {
    !text.starts_with('-')
        && !["env", "ENV", "import", "include", "input"].iter().any(|word| text.contains(word))
}

fn curl(arguments: &[Word]) -> Result<Effect, NotUnderstood> {
    // Only as the first argument, `-q` keeps curl from reading the user's configuration.
    if let Some(first) = arguments.first().filter(|first| first.as_literal() != Some("-q")) {
        return Err(not_understood(first));
    }
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let known = match word.as_literal() {
            Some(flag) if CURL_FLAGS.contains(&flag) => true,
            Some("--max-time") => is_text(words.next()),
            Some("-w") => words.next().and_then(Word::as_literal) == Some(CURL_FORMAT),
            Some("-o") => words.next().and_then(Word::as_literal) == Some("/dev/null"),
            // The only header, from standard input.
            Some("-H") => words.next().and_then(Word::as_literal) == Some("@-"),
            _ => is_url(word),
        };
        if !known {
            return Err(not_understood(word));
        }
    }
    Ok(Effect::Reads)
}

/// Returns whether a word is a path of one of the run's base URLs.
fn is_url(word: &Word) -> bool {
    matches!(word.pieces(), [Piece::Variable(base), Piece::Literal(path)]
        if ["STAGING_BASE_URL", "STAGING_METRICS_URL"].contains(&base.as_str()) && path.starts_with('/'))
}

fn kubectl(arguments: &[Word]) -> Result<Effect, NotUnderstood> {
    let verb = match arguments {
        [context, rest @ ..] if is_context(context) => rest,
        _ => arguments,
    };
    let literals: Vec<&str> = verb.iter().map_while(Word::as_literal).collect();
    if literals.first() == Some(&"apply") {
        return apply(verb.get(1..).unwrap_or_default());
    }
    match READING_VERBS.iter().find(|(reading, _)| literals.starts_with(reading)) {
        Some((reading, flags)) => reads(reading, flags, verb.get(reading.len()..).unwrap_or_default()),
        None => Err(verb.first().map_or_else(|| NotUnderstood("kubectl".to_owned()), not_understood)),
    }
}

fn is_context(word: &Word) -> bool {
    is_option_with(word, "--context=", "STAGING_CONTEXT")
}

/// Checks the words after a verb that reads.
fn reads(verb: &[&str], flags: &[&str], words: &[Word]) -> Result<Effect, NotUnderstood> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let known = match word.as_literal() {
            // kubectl reads no word after this as a flag.
            Some("--") => break,
            Some("-n") => is_namespace(words.next()),
            Some("-c") => is_variable(words.next(), "CONTAINER"),
            Some("-o") => words
                .next()
                .and_then(Word::as_literal)
                .is_some_and(|format| ["json", "wide"].contains(&format) || format.starts_with("jsonpath=")),
            Some(flag) if flag.starts_with('-') => {
                flags.contains(&flag) || (verb == ["rollout", "status"] && flag.starts_with("--timeout="))
            }
            _ => is_operand(verb, word),
        };
        if !known {
            return Err(not_understood(word));
        }
    }
    Ok(Effect::Reads)
}

/// Returns whether a verb may have this word, which is no literal flag.
fn is_operand(verb: &[&str], word: &Word) -> bool {
    let are_kinds = |text: &str| text.split(',').all(|kind| KINDS.contains(&kind));
    match (verb, word.as_literal()) {
        (["get"], Some(text)) => are_kinds(text) || text == "kube-system",
        (["get"], None) => is_variable(Some(word), "STAGING_NAMESPACE"),
        (["describe"], Some(text)) => are_kinds(text),
        (["rollout", "status"], Some(text)) => text.starts_with("deployment/"),
        (["rollout", "status"], None) => is_option_with(word, "--timeout=", "ROLLOUT_TIMEOUT"),
        (["auth", "can-i"], Some(_)) => true,
        (["config", "use-context"], None) => is_variable(Some(word), "STAGING_CONTEXT"),
        (["config", "view", "--minify"], None) => is_context(word),
        _ => false,
    }
}

/// Classifies `kubectl apply` of the manifest on standard input.
fn apply(flags: &[Word]) -> Result<Effect, NotUnderstood> {
    let (mut effect, mut from_stdin, mut template) = (Effect::Changes, 0, false);
    let mut words = flags.iter();
    while let Some(word) = words.next() {
        let known = match word.as_literal() {
            Some("-f" | "--filename") => {
                from_stdin += 1;
                words.next().and_then(Word::as_literal) == Some("-")
            }
            Some("--filename=-") => {
                from_stdin += 1;
                true
            }
            Some("--dry-run=server") => {
                effect = Effect::DryRun;
                true
            }
            Some("-o") => {
                template = true;
                words.next().is_some_and(|word| starts_with(word, "go-template="))
            }
            Some("-n" | "--namespace") => is_namespace(words.next()),
            Some(flag) if APPLY_FLAGS.contains(&flag) => true,
            Some(flag) if APPLY_VALUES.contains(&flag) => is_text(words.next()),
            Some(flag) => flag
                .split_once('=')
                .is_some_and(|(name, _)| name == "--namespace" || APPLY_VALUES.contains(&name)),
            None => is_option_with(word, "--namespace=", "STAGING_NAMESPACE"),
        };
        if !known {
            return Err(not_understood(word));
        }
    }
    match effect {
        _ if from_stdin != 1 => {
            Err(NotUnderstood("kubectl apply of something else than one `-f -`".to_owned()))
        }
        // Only the output of a dry run has a format of this program.
        Effect::Changes if template => Err(NotUnderstood("-o go-template of an apply".to_owned())),
        effect => Ok(effect),
    }
}
