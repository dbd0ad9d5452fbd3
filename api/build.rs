//! Compiles the `.proto` files in plain Rust, so that no `protoc` is needed.

use std::error::Error;

const FILES: &[&str] = &[
    "auth.proto",
    "etcdserver.proto",
    "header.proto",
    "health.proto",
    "kv.proto",
    "lease.proto",
    "membership.proto",
    "raft.proto",
    "raft_internal.proto",
    "rpc.proto",
    "rpc_auth.proto",
    "v3election.proto",
    "v3lock.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
