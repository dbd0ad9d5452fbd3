//! `etcd-dump`: shows what is on disk. See [`retcd_utl::dump`].

use retcd_vfs::RealVfs;
use std::io::{self, BufWriter};
use std::process::ExitCode;

/// Output is written in pieces of this many bytes.
const OUTPUT_BYTES: usize = 64 << 10;

fn main() -> ExitCode {
    let mut out = BufWriter::with_capacity(OUTPUT_BYTES, io::stdout().lock());
    let code = retcd_utl::dump::run(std::env::args_os(), &RealVfs, &mut out, &mut io::stderr());
    ExitCode::from(code)
}
