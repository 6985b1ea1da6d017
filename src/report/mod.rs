//! Prints everything that the user sees.
//!
//! This is the only module that prints, except for clap's help and usage errors in `cli`. Every text is made
//! by a function that returns a `String`; `console` then prints it. A closed pipe does not end the run.
//! Progress and errors go to standard error, answers and the last lines to standard output.

// Screens are small and written once: `push_str(&format!(…))` reads better than a `write!` with an ignored
// result.
#![allow(clippy::format_push_string)]

mod console;
mod escape;
mod explain;
mod layout;
mod plan;
mod refusal;
mod replayed;
mod screen;
mod step_lines;
mod stop_block;
mod summary;
mod verified;

pub use escape::{printable, printable_lines};
pub use explain::explain;
pub use plan::plan;
pub use refusal::{fail, refuse, short_help};
pub use replayed::{replayed, replaying};
pub use screen::{Screen, Verbosity};
pub use stop_block::applied_in_a_line;
pub use summary::{EvidenceLocation, closing};
pub use verified::verified;
