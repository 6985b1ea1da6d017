//! What differs between then and now, and what may be run again.

mod change_policy;
mod compare;
