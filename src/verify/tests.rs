//! Small evidence that holds, and for each check the alterations that it finds.

mod chain;
mod commands;
mod evidence;
mod facts;
mod files;
mod folder;
mod journal;
mod rederived;
mod sightings;
