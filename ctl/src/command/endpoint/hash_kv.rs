//! `endpoint hashkv`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::HashKvRequest;

use crate::app::App;
use crate::command::targets::Targets;
use crate::failure::{Failure, Outcome};
use crate::output::{Hash, Hashes};

/// Print a hash of all keys and their history, which is the same on all members
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl endpoint hashkv [OPTIONS]")]
#[command(after_help = "Example:\n  etcdctl endpoint hashkv --cluster --rev=1000")]
pub(super) struct HashKv {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Up to this revision; 0 for all
    #[arg(long, default_value_t = 0, value_name = "REVISION")]
    rev: i64,
}

impl HashKv {
    pub(super) async fn run(self, app: &mut App, targets: Targets) -> Outcome {
        let mut session = app.session().await?;
        let endpoints = targets.resolve(session.client.settings(), session.deadline()).await?;
        let mut hashes = Vec::new();
        let mut last_error = None;
        for endpoint in endpoints {
            let client = session.client.at(&endpoint);
            match client.call(HashKvRequest { revision: self.rev }, session.deadline()).await {
                Ok(response) => hashes.push(Hash { endpoint, response }),
                Err(error) => {
                    eprintln!("Failed to get the hash of endpoint {endpoint} ({error})");
                    last_error = Some(error);
                }
            }
        }
        session.printer.print(&Hashes(hashes))?;
        last_error.map_or(Ok(()), |error| Err(Failure::error(error)))
    }
}
