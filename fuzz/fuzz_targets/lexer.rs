//! Command lines of the runbook: what is read can be shown, filled in and quoted, and is read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use staging_dry_run::command::{parse, parse_block};

fuzz_target!(|text: &str| {
    let Ok(commands) = parse_block(text) else { return };
    assert_eq!(parse(text).ok().as_ref(), commands.first().filter(|_| commands.len() == 1));
    for command in commands {
        let shown = command.to_string();
        assert_eq!(parse(&shown).as_ref(), Ok(&command), "{shown}");

        // A value may be anything: the text itself, for one.
        let filled = command.expand(|_| Some(text.to_owned())).expect("every variable has a value");
        let shell = filled.to_shell();
        let read = parse(&shell).unwrap_or_else(|error| panic!("{shell}\n{error}"));
        assert_eq!(read.expand(|_| None).as_ref(), Ok(&filled), "{shell}");
    }
});
