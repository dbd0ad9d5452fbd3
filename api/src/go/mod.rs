//! How Go's standard library reads and writes values, as far as users see it in flags and output.

pub mod duration;
pub mod number;
mod quote;

pub use quote::{quote, unquote_prefix};
