//! A look at an engine's folder from outside, while nobody or somebody else uses it.
//!
//! Opening an engine makes the folder its own: it removes what isn't named and begins a manifest.
//! Here files are only opened for reading, nothing is taken for granted, and what can't be read is
//! left out and named, so that the rest can be looked at: [`Folder`] is what the names and the
//! manifest say, [`Tables`] are the tables that could be opened.
//!
//! What is in the log and not yet flushed isn't here.

mod folder;
mod tables;
mod walk;

pub use folder::{Folder, Other};
pub use tables::{Tables, dead_bytes};
pub use walk::Walk;
