//! `defrag`: lets members give space back.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::DefragmentRequest;

use super::targets::Targets;
use crate::app::App;
use crate::failure::{Failure, Outcome, code};

const DEFRAG_EXAMPLES: &str = "Examples:
  etcdctl defrag
  etcdctl defrag --cluster";

/// Let members give back space that nothing needs any more
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl defrag [OPTIONS]")]
#[command(after_help = DEFRAG_EXAMPLES)]
pub(crate) struct Defrag {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// All endpoints of all members, not those of --endpoints
    #[arg(long)]
    cluster: bool,
    /// Offline work is etcdutl's now: see 'etcdutl defrag'
    #[arg(long, hide = true, default_value = "")]
    data_dir: String,
}

impl Defrag {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        if !self.data_dir.is_empty() {
            let data_dir = &self.data_dir;
            return Err(Failure::bad_arguments(format!(
                "a data directory is defragmented by `etcdutl defrag --data-dir {data_dir}`"
            )));
        }
        let mut session = app.session().await?;
        let targets = Targets::new(self.cluster);
        let endpoints = targets.resolve(session.client.settings(), session.deadline()).await?;
        let mut has_failed = false;
        for endpoint in endpoints {
            let client = session.client.at(&endpoint);
            match client.call(DefragmentRequest {}, session.deadline()).await {
                Ok(_) => {
                    let text = format!("Finished defragmenting etcd member[{endpoint}]");
                    session.printer.say(&text)?;
                }
                Err(error) => {
                    eprintln!("Failed to defragment etcd member[{endpoint}] ({error})");
                    has_failed = true;
                }
            }
        }
        if has_failed { Err(Failure::silent(code::ERROR)) } else { Ok(()) }
    }
}
