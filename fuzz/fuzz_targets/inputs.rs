//! The inputs as the environment gives them, a line each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use staging_dry_run::inputs;

const VARIABLES: [&str; 8] = [
    "STAGING_CONTEXT",
    "STAGING_NAMESPACE",
    "STAGING_BASE_URL",
    "AWS_ACCOUNT_ID",
    "AWS_REGION",
    "IMAGE_TAG",
    "STAGING_METRICS_URL",
    "STAGING_REDACT",
];

fuzz_target!(|text: &str| {
    let lines: Vec<&str> = text.split('\n').collect();
    let lookup = |name: &str| {
        let line = VARIABLES.iter().position(|variable| *variable == name)?;
        Some((*lines.get(line)?).into())
    };
    let Ok(inputs) = inputs::read(lookup) else { return };
    // What was taken is what was given, and is one line of plain characters.
    for variable in VARIABLES {
        let Some(value) = inputs.target.input(variable) else { continue };
        assert!(!value.is_empty() && !value.chars().any(char::is_control), "{variable}: {value:?}");
        assert!(!value.starts_with('-'), "{variable}: {value:?} would be an option");
    }
});
