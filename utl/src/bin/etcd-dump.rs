//! `etcd-dump`: shows what is on disk. See [`retcd_utl::dump`].

use retcd_utl::dump::{Surroundings, run};
use retcd_vfs::RealVfs;
use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;

/// Output is written in pieces of this many bytes.
const OUTPUT_BYTES: usize = 64 << 10;

fn main() -> ExitCode {
    let mut surroundings = Surroundings {
        vfs: &RealVfs,
        out: &mut BufWriter::with_capacity(OUTPUT_BYTES, io::stdout().lock()),
        err: &mut io::stderr(),
        shows_progress: io::stderr().is_terminal(),
    };
    ExitCode::from(run(std::env::args_os(), &mut surroundings))
}
