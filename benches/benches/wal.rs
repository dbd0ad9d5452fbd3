//! `cargo bench -p retcd-benches --bench wal`: the log beside the raw floor of its file system.
//!
//! Takes less than three minutes; longer slices and more rounds say more. See `retcd_benches::wal`.

use retcd_benches::Error;
use retcd_benches::wal::{options::Options, suite};
use std::path::Path;

fn main() -> Result<(), Error> {
    // This program lies in `target/release/deps`.
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(3).unwrap_or(Path::new(".")).to_path_buf();
    suite::run(&Options::parse(std::env::args().skip(1), target)?)
}
