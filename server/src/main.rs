//! The `etcd` program.

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// A call takes some dozens of short-lived pieces of memory, on threads that hand them on.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    retcd_server::main()
}
