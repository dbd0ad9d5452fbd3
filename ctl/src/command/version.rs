//! `version`: which etcdctl this stands for.

use std::io::Write;

use clap::Args;
use retcd_api::ETCD_VERSION;

use crate::failure::Outcome;

/// The version of the API.
const API: &str = "3.5";

/// Print the version
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl version")]
#[command(after_help = "Example:\n  etcdctl version")]
pub(crate) struct Version {
    #[arg(hide = true)]
    args: Vec<std::ffi::OsString>,
}

impl Version {
    pub(super) fn run(&self) -> Outcome {
        Ok(writeln!(std::io::stdout(), "etcdctl version: {ETCD_VERSION}\nAPI version: {API}")?)
    }
}
