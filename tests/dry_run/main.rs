//! The whole program against the rehearsal cluster, with the real kubectl, curl and jq.

mod bad_input;
mod cmd_txt;
mod pages;
mod rows;
mod staging;
mod traps;
