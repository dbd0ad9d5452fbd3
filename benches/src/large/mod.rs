//! Servers with many keys, side by side: how long filling takes, what it leaves in memory and on
//! the disk, how soon the server is back, counts, lists, and how long a put waits meanwhile.
//!
//! Servers run one after the other, each alone on the machine, each section in turn. The table has
//! a row for each finding and a column for each server.

mod count;
mod filled;
mod kill;
mod list;
mod longest;
mod member;
mod section;
mod space;
mod start;
mod suite;

pub use section::Section;
pub use suite::run;
