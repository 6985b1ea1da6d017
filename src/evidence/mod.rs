//! The only writer of the evidence tree.

pub mod redaction;
