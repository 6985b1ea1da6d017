//! Classifies a command line by its effect on a cluster.
//!
//! Two closed lists decide: the programs and kubectl verbs that only read, and the flags of `kubectl apply`.
//! Any other word is [`NotUnderstood`], and a step with such a command does not start.

use serde::{Deserialize, Serialize};

use super::{CommandLine, Piece, Word};

/// The effect of a command on the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The command changes nothing in the cluster.
    ///
    /// `kubectl config use-context` on the run's own overlay is one of these.
    Reads,
    /// A server-side dry run: the server computes the result of an apply and stores nothing.
    #[serde(rename = "asks")]
    DryRun,
    /// The command changes the cluster.
    Changes,
}

impl Effect {
    /// Returns the word for the effect in the journal and on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::DryRun => "asks",
            Self::Changes => "changes",
        }
    }
}

/// The error for a word of a command whose effect is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not understood here")]
pub struct NotUnderstood(pub String);

/// The kubectl verbs that only read (kubectl(1)); `config use-context` writes only the run's own overlay.
const READING_VERBS: [&[&str]; 9] = [
    &["version"],
    &["config", "view"],
    &["config", "use-context"],
    &["get"],
    &["describe"],
    &["logs"],
    &["rollout", "status"],
    &["auth", "can-i"],
    &["auth", "whoami"],
];

/// The flags of `kubectl apply` that change how an object is stored, but not which object or from where.
const APPLY_FLAGS: [&str; 3] = ["--server-side", "--force-conflicts", "--server-side=true"];

/// The flags of `kubectl apply` that take a value, after `=` or as the next word.
const APPLY_VALUES: [&str; 4] = ["-n", "--namespace", "--field-manager", "--validate"];

/// The accepted flags of curl: none sends a body, reads a configuration file or writes a file.
const CURL_FLAGS: [&str; 5] = ["-q", "-sS", "-g", "-i", "--suppress-connect-headers"];

impl CommandLine {
    /// Returns the effect of the command: the strongest effect of its stages.
    ///
    /// # Errors
    /// When the effect of a program, a verb or a flag is unknown.
    pub fn effect(&self) -> Result<Effect, NotUnderstood> {
        let mut most = Effect::Reads;
        for stage in &self.stages {
            most = match (most, stage_effect(stage)?) {
                (Effect::Changes, _) | (_, Effect::Changes) => Effect::Changes,
                (Effect::DryRun, _) | (_, Effect::DryRun) => Effect::DryRun,
                (Effect::Reads, Effect::Reads) => Effect::Reads,
            };
        }
        Ok(most)
    }

    /// Returns the command if it has this effect.
    ///
    /// # Errors
    /// When its effect is another one, or is unknown.
    pub fn with_effect(self, effect: Effect) -> Result<Self, String> {
        match self.effect() {
            Ok(known) if known == effect => Ok(self),
            Ok(other) => Err(format!("{self}: it {}, but a command here {}", other.word(), effect.word())),
            Err(error) => Err(format!("{self}: {error}")),
        }
    }
}

fn stage_effect(stage: &[Word]) -> Result<Effect, NotUnderstood> {
    let (program, arguments) = stage.split_first().ok_or_else(|| NotUnderstood("nothing".to_owned()))?;
    match program.as_literal() {
        Some("kubectl") => kubectl(arguments),
        Some("curl" | "jq") if matches!(arguments, [only] if only.as_literal() == Some("--version")) => {
            Ok(Effect::Reads)
        }
        Some("cat") => {
            all_reads(arguments, |word| word.as_literal().is_some_and(|path| !path.starts_with('-')))
        }
        Some("sed") if arguments.len() == 1 => all_reads(arguments, is_substitution),
        Some("jq") => jq(arguments),
        Some("curl") => curl(arguments),
        Some("head" | "tail") => {
            all_reads(arguments, |word| word.as_literal().is_some_and(|word| word.starts_with('-')))
        }
        _ => Err(not_understood(program)),
    }
}

fn all_reads(words: &[Word], is_known: impl Fn(&Word) -> bool) -> Result<Effect, NotUnderstood> {
    match words.iter().find(|word| !is_known(word)) {
        Some(word) => Err(not_understood(word)),
        None => Ok(Effect::Reads),
    }
}

fn not_understood(word: &Word) -> NotUnderstood {
    NotUnderstood(word.to_string())
}

/// Returns whether the word is `s/…/…/g`; GNU sed's other commands and flags can write files (`w`) and run
/// programs (`e`).
fn is_substitution(word: &Word) -> bool {
    let literal = |piece: Option<&Piece>| match piece {
        Some(Piece::Literal(text)) => text.clone(),
        _ => String::new(),
    };
    let (first, last) = (literal(word.pieces().first()), literal(word.pieces().last()));
    let slashes: usize = word.pieces().iter().map(|piece| literal(Some(piece)).matches('/').count()).sum();
    let end = last.rsplit('/').next().unwrap_or_default();
    first.starts_with("s/") && slashes == 3 && matches!(end, "" | "g") && !last.contains('\n')
}

fn jq(arguments: &[Word]) -> Result<Effect, NotUnderstood> {
    // jq(1) writes no file, whatever its filter; `-f` and `-L` would read programs from files.
    let is_known = |word: &Word| {
        let flag = word.as_literal().filter(|word| word.starts_with('-'));
        flag.is_none_or(|flag| ["-R", "-s", "-e", "-r", "--arg"].contains(&flag))
    };
    all_reads(arguments, is_known)
}

fn curl(arguments: &[Word]) -> Result<Effect, NotUnderstood> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = match word.as_literal() {
            Some(flag) if CURL_FLAGS.contains(&flag) => continue,
            Some("--max-time" | "-w") => words.next().is_some(),
            Some("-o") => words.next().and_then(Word::as_literal) == Some("/dev/null"),
            // The only header, from standard input.
            Some("-H") => words.next().and_then(Word::as_literal) == Some("@-"),
            _ => matches!(word.pieces().first(), Some(Piece::Variable(_))),
        };
        if !value {
            return Err(not_understood(word));
        }
    }
    Ok(Effect::Reads)
}

fn kubectl(arguments: &[Word]) -> Result<Effect, NotUnderstood> {
    let is_context = |word: &&Word| starts_with(word, "--context=");
    let verb: Vec<&Word> = arguments.iter().skip_while(is_context).collect();
    let literals: Vec<&str> = verb.iter().map_while(|word| word.as_literal()).collect();
    if literals.first() == Some(&"apply") {
        return apply(verb.get(1..).unwrap_or_default());
    }
    let reads = READING_VERBS.iter().any(|reading| literals.starts_with(reading));
    if reads {
        Ok(Effect::Reads)
    } else {
        Err(verb.first().map_or_else(|| NotUnderstood("kubectl".to_owned()), |word| not_understood(word)))
    }
}

/// Classifies `kubectl apply` of the manifest on standard input.
fn apply(flags: &[&Word]) -> Result<Effect, NotUnderstood> {
    let (mut effect, mut from_stdin, mut template) = (Effect::Changes, 0, false);
    let mut words = flags.iter();
    while let Some(word) = words.next() {
        let known = match word.as_literal() {
            Some("-f" | "--filename") => {
                from_stdin += 1;
                words.next().and_then(|word| word.as_literal()) == Some("-")
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
            Some(flag) if APPLY_FLAGS.contains(&flag) => true,
            Some(flag) if APPLY_VALUES.contains(&flag) => {
                words.next().is_some_and(|value| !starts_with(value, "-"))
            }
            _ => APPLY_VALUES
                .iter()
                .any(|flag| flag.starts_with("--") && starts_with(word, &format!("{flag}="))),
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

/// Returns whether a word begins with this text before any variable.
fn starts_with(word: &Word, start: &str) -> bool {
    matches!(word.pieces().first(), Some(Piece::Literal(text)) if text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn effect(text: &str) -> Result<Effect, String> {
        parse(text).unwrap().effect().map_err(|error| error.0)
    }

    #[test]
    fn reading_commands_read() {
        for text in [
            "kubectl version --client -o json",
            r#"kubectl --context="$C" get pods -n "$N" --watch"#,
            r"kubectl rollout status deployment/a --timeout=5m",
            "kubectl auth can-i create deployments.apps",
            r#"cat k8s/a.yaml | sed "s/\${A}/${A}/g" | sed "s/x/y/""#,
            r#"curl -q -sS -g -i --max-time 10 -w '%{stderr}' -H @- "$URL/health""#,
            r#"jq -R -s -e --arg version "$VERSION" '.a' ../x.http"#,
            "kubectl get events | tail -20",
        ] {
            assert_eq!(effect(text), Ok(Effect::Reads), "{text}");
        }
    }

    #[test]
    fn an_apply_changes_and_its_server_side_dry_run_asks() {
        for flags in [
            "-f -",
            r#"-n "$N" -f -"#,
            r#"--namespace="$N" --server-side --filename=-"#,
            "-f - --field-manager=ci",
        ] {
            assert_eq!(effect(&format!("cat a | kubectl apply {flags}")), Ok(Effect::Changes), "{flags}");
            let dry_run =
                format!("cat a | kubectl apply --dry-run=server -o go-template='{{{{.}}}}' {flags}");
            assert_eq!(effect(&dry_run), Ok(Effect::DryRun), "{flags}");
        }
    }

    #[test]
    fn other_verbs_flags_and_programs_are_not_understood() {
        for (text, word) in [
            ("kubectl delete pod a", "delete"),
            ("kubectl rollout undo deployment/a", "rollout"),
            ("kubectl rollout restart deployment/a", "rollout"),
            ("kubectl config set-context a", "config"),
            ("kubectl create -f -", "create"),
            ("kubectl scale deployment/a --replicas=0", "scale"),
            ("kubectl exec a -- sh", "exec"),
            ("kubectl -v9 get pods", "-v9"),
            (r#"kubectl "$VERB" pods"#, "\"$VERB\""),
            ("kubectl apply -f - --prune", "--prune"),
            ("kubectl apply -f - --dry-run=client", "--dry-run=client"),
            ("kubectl apply -f - --force", "--force"),
            ("kubectl apply -f k8s/", "-f"),
            ("kubectl apply", "kubectl apply of something else than one `-f -`"),
            ("kubectl apply -f - -f -", "kubectl apply of something else than one `-f -`"),
            ("kubectl apply -f - -o go-template=x", "-o go-template of an apply"),
            ("sed -i s/a/b/g file", "sed"),
            ("sed s/a/b/w", "s/a/b/w"),
            ("sed 's/a/b/;s/c/d/e'", "'s/a/b/;s/c/d/e'"),
            ("cat -", "-"),
            ("curl -X POST \"$URL\"", "-X"),
            ("curl -o file \"$URL\"", "-o"),
            ("curl https://elsewhere", "https://elsewhere"),
            ("jq -f program", "-f"),
            ("bash tools/deploy.sh", "bash"),
        ] {
            assert_eq!(effect(text), Err(word.to_owned()), "{text}");
        }
    }
}
