//! The exit codes of the program, with their meanings.

/// An exit code of `staging-dry-run`, with its meaning.
#[derive(Debug, Clone, Copy)]
pub struct ExitCode {
    /// The id for `explain`.
    pub id: &'static str,
    /// The exit code; for a signal, 128 plus its number.
    pub code: u8,
    /// The meaning.
    pub meaning: &'static str,
}

/// Every exit code.
pub const EXIT_CODES: &[ExitCode] = &[
    ExitCode {
        id: "exit-0",
        code: 0,
        meaning: "no STOP; manifest.json says whether every success criterion is met",
    },
    ExitCode { id: "exit-1", code: 1, meaning: "STOP: a stop rule fired" },
    ExitCode {
        id: "exit-2",
        code: 2,
        meaning: "refused: usage, inputs, tools, access or a guard; nothing on the cluster was changed",
    },
    ExitCode { id: "exit-3", code: 3, meaning: "with --strict: no STOP, but a success criterion is not met" },
    ExitCode {
        id: "exit-4",
        code: 4,
        meaning: "the program itself failed, or an observation that decides is missing",
    },
    ExitCode { id: "exit-128", code: 128, meaning: "128+n: signal n ended the run" },
];

/// The signals that end a run in order: HUP, INT and TERM (signal(7)).
pub const ENDING_SIGNALS: [i32; 3] = [1, 2, 15];

/// Returns the exit code of a process that a signal ended, as a shell reports it.
pub fn exit_of_signal(signal: i32) -> u8 {
    128u8.saturating_add(u8::try_from(signal).unwrap_or_default())
}
