//! The `etcd` program as a library: flags, services, threads and sockets around the member.

mod cluster_version;
mod compaction_hash;
mod compactor;
mod corruption;
mod discovery;
pub mod flags;
mod http;
mod joining;
mod lifecycle;
pub mod logging;
mod member;
mod metrics;
mod net;
mod pages;
mod peers;
mod random;
mod rpc;
mod run;
mod site;
mod storage;
mod tasks;
mod version;

use flags::{Exit, Outcome, Surroundings};
use logging::{LogConfig, Record};
use run::End;
use std::io::Write;
use std::process::ExitCode;

/// Runs the program with the process's arguments and environment, to its end.
pub fn main() -> ExitCode {
    // What isn't Unicode is no flag's value; lossily it is shown in the error.
    let args: Vec<String> =
        std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let loaded = flags::load(&args, &Surroundings::of_process());
    let config = match loaded.outcome {
        Outcome::Start(config) => config,
        Outcome::Exit(exit) => {
            // Without a configuration there is the default one; if even that fails, stderr isn't
            // there.
            let _ = logging::install(&LogConfig::default());
            loaded.records.iter().for_each(Record::log);
            return end(&exit);
        }
    };
    if let Err(error) = logging::install(&config.log) {
        // As above.
        let _ = logging::install(&LogConfig::default());
        tracing::warn!(%error, "failed to verify flags");
        return ExitCode::FAILURE;
    }
    loaded.records.iter().for_each(Record::log);
    let signals = match lifecycle::Signals::install() {
        Ok(signals) => signals,
        Err(error) => return end(&failure(&error)),
    };
    match run::run(&config, signals) {
        End::Signal(signal) => lifecycle::end_by(signal),
        End::Removed => ExitCode::SUCCESS,
        End::Failed => ExitCode::FAILURE,
    }
}

fn failure(error: &dyn std::fmt::Display) -> Exit {
    Exit { stdout: String::new(), stderr: format!("etcd: {error}\n"), code: 1 }
}

/// Writes what is to be said last. Whoever doesn't listen any more can't be told.
fn end(exit: &Exit) -> ExitCode {
    let _ = std::io::stdout().write_all(exit.stdout.as_bytes());
    let _ = std::io::stderr().write_all(exit.stderr.as_bytes());
    ExitCode::from(exit.code)
}
