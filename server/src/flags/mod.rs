//! Flags, environment and configuration file: what the program is told, as etcd is told it.
//!
//! [`load`] reads arguments by the rules of Go's `flag` package, then either the configuration
//! file, alone, or the environment; checks everything in etcd's words; and gives a [`Config`] or
//! says how to end. It writes nothing itself: what should be logged or printed is returned, so that
//! all of it can be tested.
//!
//! Every flag of etcd's is known. One whose function isn't there yet is accepted at its default and
//! otherwise ends the program with a message that says so.

use std::net::{IpAddr, UdpSocket};
use std::path::Path;

use serde_json::json;

use crate::logging::{Level, Record, io_text};

mod args;
mod checks;
mod config;
mod discovery;
mod environment;
mod file;
mod gates;
mod go;
mod help;
mod resolve;
mod settings;
mod table;
mod value;

pub use config::{
    Allowed, AutoCompaction, BatchLimits, Config, CorruptChecks, EngineKind, HttpConfig, Keepalive,
    LogIo, MetricsDetail, RaftConfig, RequestLimits, StorageConfig, Urls, limits,
};
pub use discovery::Discovery;
pub use help::{ABOUT, DESCRIPTION, Documented, EXAMPLES, documented};
pub use retcd_api::go::duration::format as format_duration;
pub use retcd_api::initial_cluster::{
    ClusterState, Founding, InitialCluster, Resolve, member_names, system_resolver, unequal_urls,
};
pub use retcd_api::url::{Scheme, Url};

use resolve::{Refusal, Source};
use settings::Settings;

/// What surrounds the program and is read besides its arguments.
pub struct Surroundings<'a> {
    /// The environment.
    pub variables: Vec<(String, String)>,
    /// Reads a file.
    pub read_file: &'a dyn Fn(&Path) -> std::io::Result<String>,
    /// The address that the machine talks to the world from, if there is one.
    pub default_host: &'a dyn Fn() -> Option<IpAddr>,
}

impl Surroundings<'static> {
    /// The real ones. Variables that aren't Unicode are left out: no flag has such a name or value.
    pub fn of_process() -> Surroundings<'static> {
        Surroundings {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            read_file: &|path| std::fs::read_to_string(path),
            default_host: &default_host,
        }
    }
}

/// The source address of the default route. Nothing is sent: connecting a UDP socket only asks the
/// kernel for a route.
fn default_host() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

/// How to end without having started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// For standard output.
    pub stdout: String,
    /// For standard error, after the log.
    pub stderr: String,
    /// 0 after help and version, 1 for wrong settings, 2 for wrong arguments.
    pub code: u8,
}

/// What came of the arguments.
#[derive(Debug)]
pub enum Outcome {
    /// The member starts.
    Start(Box<Config>),
    /// The program ends.
    Exit(Exit),
}

/// What came of the arguments, and what to log first.
#[derive(Debug)]
pub struct Loaded {
    /// To be logged in this order.
    pub records: Vec<Record>,
    /// What to do then.
    pub outcome: Outcome,
}

/// Reads `args`, the program's name first among them.
pub fn load(args: &[String], surroundings: &Surroundings<'_>) -> Loaded {
    let mut records = Vec::new();
    let outcome = match load_with(args, surroundings, &mut records) {
        Ok(config) => Outcome::Start(Box::new(config)),
        Err(exit) => Outcome::Exit(exit),
    };
    Loaded { records, outcome }
}

fn load_with(
    args: &[String],
    surroundings: &Surroundings<'_>,
    records: &mut Vec<Record>,
) -> Result<Config, Exit> {
    let flags = args.get(1..).unwrap_or_default();
    if let Some(other @ ("gateway" | "grpc-proxy")) = flags.first().map(String::as_str) {
        return Err(exit(1, format!("etcd {other} is not available in this version yet\n")));
    }
    let parsed = args::parse(flags).map_err(|stop| match stop {
        args::Stop::Help => {
            Exit { stdout: help::flags() + "\n", stderr: help::USAGE.to_owned() + "\n", code: 0 }
        }
        args::Stop::Bad(what) => exit(2, format!("{what}\n{}\n", help::USAGE)),
    })?;
    records.extend(parsed.records);
    let result = match parsed.rest.first() {
        Some(word) => Err(Failure::Verify(format!("'{word}' is not a valid flag"))),
        None if parsed.settings.bool("version") => {
            return Err(Exit { stdout: help::version(), stderr: String::new(), code: 0 });
        }
        None => configure(parsed.settings, surroundings, records),
    };
    let running = Record::new(Level::Info, "Running: ").with("args", json!(args));
    match result {
        Ok((config, later)) => {
            records.push(running);
            records.extend(later);
            Ok(config)
        }
        Err(Failure::Plain(text)) => Err(exit(1, text + "\n")),
        Err(Failure::Fatal(record)) => {
            records.push(record);
            Err(exit(1, String::new()))
        }
        Err(Failure::Verify(what)) => {
            records.push(running);
            records.push(
                Record::new(Level::Warn, "failed to verify flags").with("error", json!(what)),
            );
            Err(exit(1, String::new()))
        }
        Err(Failure::Start(what)) => {
            records.push(running);
            let record = |level, message| Record::new(level, message).with("error", json!(what));
            records.push(record(Level::Warn, "failed to start etcd"));
            records.push(record(Level::Fatal, "discovery failed"));
            Err(exit(1, String::new()))
        }
    }
}

fn exit(code: u8, stderr: String) -> Exit {
    Exit { stdout: String::new(), stderr, code }
}

/// The ways in which etcd refuses to start.
enum Failure {
    /// `failed to verify flags`.
    Verify(String),
    /// `failed to start etcd` and `discovery failed`.
    Start(String),
    /// A fatal line of the log before there is a configuration.
    Fatal(Record),
    /// A line on stderr and nothing else.
    Plain(String),
}

/// Puts together the settings. The records returned come after the line that shows the arguments.
fn configure(
    mut settings: Settings,
    surroundings: &Surroundings<'_>,
    records: &mut Vec<Record>,
) -> Result<(Config, Vec<Record>), Failure> {
    let variable = |name: &str| {
        let found = surroundings.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let path = match settings.text("config-file") {
        path if path.is_empty() => variable("ETCD_CONFIG_FILE"),
        path => path,
    };
    let source = if path.is_empty() {
        apply_environment(&surroundings.variables, &mut settings, records)?;
        Source::CommandLine
    } else {
        settings = Settings::default();
        apply_file(&path, surroundings, &mut settings, records)?;
        Source::File
    };
    let mut later = Vec::new();
    let config = resolve::resolve(settings, source, surroundings.default_host, &mut later);
    match config {
        Ok(config) => Ok((config, later)),
        Err(Refusal::Verify(what)) => Err(Failure::Verify(what)),
        Err(Refusal::Start(what)) => Err(Failure::Start(what)),
    }
}

fn apply_environment(
    variables: &[(String, String)],
    settings: &mut Settings,
    records: &mut Vec<Record>,
) -> Result<(), Failure> {
    environment::apply(variables, settings, records).map_err(|error| match error {
        environment::Error::Invalid(what) => Failure::Verify(what),
        environment::Error::Conflict(variable) => {
            let message = "conflicting environment variable is shadowed by corresponding \
                           command-line flag (either unset environment variable or disable flag))";
            Failure::Fatal(
                Record::new(Level::Fatal, message).with("environment-variable", json!(variable)),
            )
        }
    })
}

fn apply_file(
    path: &str,
    surroundings: &Surroundings<'_>,
    settings: &mut Settings,
    records: &mut Vec<Record>,
) -> Result<(), Failure> {
    let text = (surroundings.read_file)(Path::new(path)).map_err(|error| {
        let what = io_text(&error);
        Failure::Verify(format!("open {path}: {what}"))
    })?;
    file::apply(&text, settings, records).map_err(|error| match error {
        file::Error::Invalid(what) => Failure::Verify(what),
        file::Error::Plain(what) => Failure::Plain(what),
    })?;
    let message = "loaded server configuration, other configuration command line flags and \
                   environment variables will be ignored if provided";
    records.push(Record::new(Level::Info, message).with("path", json!(path)));
    Ok(())
}

#[cfg(test)]
mod tests;
