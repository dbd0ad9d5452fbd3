//! The `etcd` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    retcd_server::main()
}
