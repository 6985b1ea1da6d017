//! Small evidence that holds, and for each check the alterations that it finds.

mod agreement;
mod chain;
mod evidence;
mod files;
mod folder;
mod journal;
mod outputs;
mod rederived;
mod values;
