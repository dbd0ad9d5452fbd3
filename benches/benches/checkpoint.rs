//! `cargo bench -p retcd-benches --bench checkpoint`: checkpoints of a large engine under writes.
//!
//! See `retcd_benches::checkpoint`. `--gib 10` is the size that the design asks about.

use retcd_benches::Error;
use retcd_benches::checkpoint::{Choices, run};
use std::path::Path;

fn main() -> Result<(), Error> {
    // This program lies in `target/release/deps`.
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(3).unwrap_or(Path::new(".")).to_path_buf();
    run(&Choices::parse(std::env::args().skip(1), target)?)
}
