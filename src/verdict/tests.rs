//! A table for the rows of each kind, and tests of what is judged by all of them together.

mod conclusions;
mod criteria;
mod guard_rows;
mod guards;
mod judgement;
mod stop_rules;
