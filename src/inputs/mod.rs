//! The inputs of a run: the runbook's environment variables, checked before anything else happens.
//!
//! Each input is a row of [`TABLE`] with a narrow grammar. A character that the grammar excludes can't reach
//! `sed`, a path or a header, so nothing has to be escaped later. [`Refused`] reports everything that is
//! missing or malformed at once, because the runbook requires it: "Print required values and where to find
//! them. Exit with error (no guessing)".

use std::ffi::OsString;

use secrecy::{ExposeSecret, SecretString};

use crate::events::Target;

mod grammar;
mod refused;
mod secret_values;
#[cfg(test)]
mod tests;

use secret_values::SecretValues;

pub use refused::{InputProblem, Refused};

/// An input: its name, its grammar, and where to find its value.
pub struct InputRow {
    /// The environment variable.
    pub name: &'static str,
    /// Whether a run is refused without it.
    pub required: bool,
    /// The value that is used if the variable is unset; `None` if there is no default.
    pub default: Option<&'static str>,
    /// An example value, from the runbook if it gives one.
    pub example: &'static str,
    /// Where to find the value; `"$NAME"` stands for the value of another input.
    pub find_it: &'static str,
    /// The grammar in words.
    pub what: &'static str,
    /// Whether the value is kept out of every message.
    pub secret: bool,
    /// Returns the value that the run uses, or the problem with the text.
    check: fn(&str) -> Result<String, String>,
}

/// All inputs: first the runbook's, in the order of its section "Inputs", then this program's own.
pub static TABLE: [InputRow; 9] = [
    InputRow {
        name: "STAGING_CONTEXT",
        required: true,
        default: None,
        example: "staging-cluster",
        find_it: "kubectl config get-contexts -o name",
        what: "a context of your kubeconfig: at most 253 bytes, printable, not beginning with `-`",
        secret: false,
        check: grammar::context,
    },
    InputRow {
        name: "STAGING_NAMESPACE",
        required: true,
        default: None,
        example: "dpp-staging",
        find_it: r#"kubectl --context="$STAGING_CONTEXT" get namespaces -o name"#,
        what: "a namespace: at most 63 lower-case letters, digits and `-`, the first and the last not `-`",
        secret: false,
        check: grammar::namespace,
    },
    InputRow {
        name: "STAGING_BASE_URL",
        required: true,
        default: None,
        example: "https://staging-api.decisionproof.ai",
        find_it: r#"the host of the staging ingress: kubectl get ingress -n "$STAGING_NAMESPACE""#,
        what: "http or https, a host, maybe a port and a path; no user name, password, query or fragment",
        secret: false,
        check: grammar::base_url,
    },
    InputRow {
        name: "AWS_ACCOUNT_ID",
        required: false,
        default: None,
        example: "123456789012",
        find_it: "aws sts get-caller-identity --query Account --output text",
        what: "an AWS account: 12 digits",
        secret: false,
        check: grammar::account,
    },
    InputRow {
        name: "AWS_REGION",
        required: false,
        default: Some("us-east-1"),
        example: "us-east-1",
        find_it: "aws configure get region",
        what: "an AWS region: two letters, one word or more, and a number, joined by `-`",
        secret: false,
        check: grammar::region,
    },
    InputRow {
        name: "IMAGE_TAG",
        required: false,
        default: Some("latest"),
        example: "v0.4.2.2",
        find_it: "the tag that your CI pushed: aws ecr list-images --repository-name dpp-api",
        what: "an image tag: at most 128 letters, digits, `_`, `.` and `-`, the first not `.` or `-`",
        secret: false,
        check: grammar::tag,
    },
    InputRow {
        name: "STAGING_API_KEY",
        required: false,
        default: None,
        example: "sk_test_...",
        find_it: "the team that issues the keys; without a key, /v1/runs must answer 401",
        what: "an API key: 8 to 4096 characters, printable ASCII without spaces",
        secret: true,
        check: grammar::api_key,
    },
    InputRow {
        name: "STAGING_METRICS_URL",
        required: false,
        default: None,
        example: "http://staging-metrics.decisionproof.ai:9090",
        find_it: r#"the Service that serves port 9090: kubectl get service -n "$STAGING_NAMESPACE"; if it is not set, STAGING_BASE_URL is used"#,
        what: "base URL of /metrics, if it is not STAGING_BASE_URL; same grammar",
        secret: false,
        check: grammar::base_url,
    },
    InputRow {
        name: REDACT,
        required: false,
        default: None,
        example: "DB_PASSWORD,SENTRY_DSN",
        find_it: "the names of variables that are set here, whose values an application may log or an API may echo",
        what: "names of variables, separated by `,`, whose values are redacted from the evidence, as the key is",
        secret: false,
        check: grammar::names,
    },
];

/// The name of the input that lists more variables whose values are redacted.
const REDACT: &str = "STAGING_REDACT";

/// The inputs of a run, each valid by its grammar.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The inputs that are not secret.
    pub target: Target,
    /// `STAGING_API_KEY`; `None` if it is unset.
    pub api_key: Option<SecretString>,
    /// `STAGING_REDACT`: each variable that it names, with the value that is redacted from the evidence.
    pub redact: Vec<(String, SecretString)>,
    /// The names of the inputs that were unset and have their default value.
    pub defaulted: Vec<&'static str>,
}

/// Reads every input; `lookup` returns the value of an environment variable, and an empty value counts as
/// unset.
///
/// # Errors
/// When a required input is unset or any input is malformed; the error names all of them.
pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Inputs, Refused> {
    let mut redact = Vec::new();
    let readings = TABLE.each_ref().map(|row| match row.read(lookup(row.name)) {
        Reading::Given(names) if row.name == REDACT => match named_values(&names, &lookup) {
            Ok(values) => {
                redact = values;
                Reading::Given(names)
            }
            Err(fault) => Reading::Refused(format!("is {}: {fault}", refused::shown(&names))),
        },
        reading => reading,
    });
    let defaulted = TABLE.iter().zip(&readings).filter(|(_, reading)| matches!(reading, Reading::Default(_)));
    let defaulted = defaulted.map(|(row, _)| row.name).collect();

    let readings = unless_one_hides_another(readings, &redact);
    let secrets = SecretValues::of(&lookup);
    let readings = without_secrets(readings, &secrets, &lookup);
    let refused = Refused::new(&readings, &secrets);
    match readings.map(Reading::into_value) {
        [
            Some(context),
            Some(namespace),
            Some(base_url),
            aws_account_id,
            Some(aws_region),
            Some(image_tag),
            api_key,
            metrics_url,
            _,
        ] if refused.problems.is_empty() => Ok(Inputs {
            target: Target {
                context,
                namespace,
                base_url,
                metrics_url,
                image_tag,
                aws_account_id,
                aws_region,
            },
            api_key: api_key.map(SecretString::from),
            redact,
            defaulted,
        }),
        _ => Err(refused),
    }
}

/// Reads the inputs of a recorded run from its evidence, and checks them against the same grammar.
///
/// `secrets` returns the values of the variables that no evidence contains.
///
/// # Errors
/// When no run could have been given such a value.
pub fn of_run(target: &Target, secrets: impl Fn(&str) -> Option<OsString>) -> Result<Inputs, Refused> {
    let is_kept = |name: &str| TABLE.iter().any(|row| row.name == name && !row.secret) && name != REDACT;
    read(|name| if is_kept(name) { target.input(name).map(OsString::from) } else { secrets(name) })
}

/// Refuses a secret that is part of another input, because evidence has to name what was deployed and where.
fn unless_one_hides_another(
    mut readings: [Reading; TABLE.len()],
    redact: &[(String, SecretString)],
) -> [Reading; TABLE.len()] {
    let fault = |(row, reading): (&InputRow, &Reading)| match reading {
        Reading::Given(_) if row.name == REDACT => redact.iter().find_map(|(name, value)| {
            Some(format!("names {name}, whose value {}", hides(value.expose_secret(), &readings)?))
        }),
        Reading::Given(value) if row.secret => hides(value, &readings),
        _ => None,
    };
    let faults: Vec<Option<String>> = TABLE.iter().zip(&readings).map(fault).collect();
    for (reading, fault) in readings.iter_mut().zip(faults) {
        if let Some(fault) = fault {
            *reading = Reading::Refused(fault);
        }
    }
    readings
}

/// Replaces the problem of an input that contains a secret, since such a text quotes parts of the input.
fn without_secrets(
    mut readings: [Reading; TABLE.len()],
    secrets: &SecretValues,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> [Reading; TABLE.len()] {
    for (row, reading) in TABLE.iter().zip(&mut readings) {
        let Reading::Refused(fault) = reading else { continue };
        let given = lookup(row.name).filter(|_| !row.secret);
        match given.and_then(|given| secrets.marker_of_one_in(&given.to_string_lossy())) {
            Some(marker) => *fault = format!("contains {marker}, which must be in no other input"),
            None => *fault = secrets.hide(fault),
        }
    }
    readings
}

/// Returns the input that contains a secret, if any.
fn hides(secret: &str, readings: &[Reading]) -> Option<String> {
    let of_an_input = |(row, reading): &(&InputRow, &Reading)| match reading {
        Reading::Given(value) | Reading::Default(value) => {
            !row.secret && row.name != REDACT && value.contains(secret)
        }
        Reading::Unset | Reading::Refused(_) => false,
    };
    let (row, _) = TABLE.iter().zip(readings).find(of_an_input)?;
    Some(format!("is a part of {}, which evidence has to name", row.name))
}

/// Returns the values of these variables, or a problem; the message contains no character of a value.
fn named_values(
    names: &str,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<(String, SecretString)>, String> {
    let value = |name: &str| {
        let value = lookup(name).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| format!("{name} is not set, so its value can't be looked for"))?;
        let value = value.into_string().map_err(|_| format!("the value of {name} is not UTF-8"))?;
        match value.chars().count() {
            short @ ..8 => Err(format!(
                "the value of {name} has {short} characters; at least 8 characters are needed, or other text would be redacted"
            )),
            _ => Ok((name.to_owned(), SecretString::from(value))),
        }
    };
    names.split(',').map(value).collect()
}

/// The result of reading one input.
enum Reading {
    Given(String),
    Default(String),
    Unset,
    /// The problem, worded to follow the name of the input.
    Refused(String),
}

impl Reading {
    fn into_value(self) -> Option<String> {
        match self {
            Self::Given(value) | Self::Default(value) => Some(value),
            Self::Unset | Self::Refused(_) => None,
        }
    }
}

impl InputRow {
    fn read(&self, given: Option<OsString>) -> Reading {
        match (given, self.default) {
            (Some(given), _) if !given.is_empty() => self.check(given),
            (_, Some(default)) => Reading::Default(default.into()),
            (Some(_), None) if self.required => Reading::Refused("is empty".into()),
            (None, None) if self.required => Reading::Refused("is not set".into()),
            (_, None) => Reading::Unset,
        }
    }

    fn check(&self, given: OsString) -> Reading {
        let (given, checked) = match given.into_string() {
            Ok(text) => {
                let checked = (self.check)(&text);
                (text, checked)
            }
            Err(bytes) => (bytes.to_string_lossy().into_owned(), Err("this is not UTF-8".into())),
        };
        match checked {
            Ok(value) => Reading::Given(value),
            Err(fault) if self.secret => Reading::Refused(format!("can't be used: {fault}")),
            Err(fault) => Reading::Refused(format!("is {}: {fault}", refused::shown(&given))),
        }
    }
}
