//! `compaction`: forgets old revisions.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::CompactionRequest;

use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::go::number;

const EXAMPLES: &str = "What a key held at REVISION stays readable, what it held before doesn't.

Examples:
  etcdctl compaction 1234
  etcdctl compaction 1234 --physical    wait until the space is free";

/// Forget what keys held before a revision
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl compaction [OPTIONS] REVISION", after_help = EXAMPLES)]
pub(crate) struct Compaction {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Wait until the old revisions are removed
    #[arg(long)]
    physical: bool,
}

impl Compaction {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let [revision] = &self.args[..] else {
            return Err(Failure::bad_arguments("compaction command needs 1 argument"));
        };
        let revision =
            number::parse_int(&revision.to_string_lossy(), 10).map_err(Failure::error)?;
        let mut session = app.session().await?;
        let request = CompactionRequest { revision, physical: self.physical };
        session.client.call(request, session.deadline()).await.map_err(Failure::error)?;
        session.printer.say(&format!("compacted revision {revision}"))
    }
}
