//! `cargo bench -p retcd-benches --bench engine`: our storage engines without a server.
//!
//! A minute for a million keys; see `retcd_benches::engine`.

use retcd_benches::Error;
use retcd_benches::engine::{ours::CANDIDATES, suite};

fn main() -> Result<(), Error> {
    suite::main(&CANDIDATES)
}
