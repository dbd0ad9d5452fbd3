//! `cargo bench`: a short form of the load program, then sweeps over the knobs that bound a batch
//! of applied entries and a group of the log.
//!
//! The server is built first, in release form, because a bench can't depend on another crate's
//! program. A knob that the server refuses is reported and passed over.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use retcd_benches::options::Options;
use retcd_benches::{Error, report, suite};

/// Argument names and the values to try.
const SWEEPS: [(&str, &[&str]); 4] = [
    ("--backend-batch-limit", &["10", "100", "1000", "10000"]),
    ("--wal-group-bytes", &["65536", "1048576", "16777216"]),
    ("--wal-group-delay", &["0", "100us", "1ms"]),
    ("--wal-depth", &["1", "4", "8"]),
];

/// Enough clients that groups gather.
const SWEEP_CLIENTS: usize = 100;

fn main() -> Result<(), Error> {
    let server = build_server()?;
    let folder = server.parent().unwrap_or(Path::new(".")).to_path_buf();
    let mut options = Options::new(server);
    options.folder = folder;
    options.clients = vec![1, 100];
    options.duration = Duration::from_secs(1);
    suite::run(&options)?;
    println!("{}", report::HEAD);
    for (name, values) in SWEEPS {
        println!("{name}");
        for value in values {
            let argument = format!("{name}={value}");
            match suite::puts_with(&options, std::slice::from_ref(&argument), SWEEP_CLIENTS) {
                Ok(measured) => {
                    println!("{}", report::line("put", SWEEP_CLIENTS, value, &measured));
                }
                Err(error) => println!("{argument}: {}", last_line(&error.to_string())),
            }
        }
    }
    Ok(())
}

/// Builds the program with the same cargo and returns its path, beside this bench's own folder.
fn build_server() -> Result<PathBuf, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--quiet", "--package", "retcd-server", "--bin", "etcd"])
        .status()?;
    if !status.success() {
        return Err("the server doesn't build".into());
    }
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).ok_or("this program has no folder")?;
    Ok(folder.join("etcd"))
}

/// Where a program that refuses its arguments says why.
fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}
