//! What the walk says of journals that were altered: which event departs, and why.
//!
//! The journals are those of the samples. A row alters one, or the output beside it; the near rows are what is
//! accepted.

mod commands;
mod facts;
mod order;
mod sample;
mod sightings;
