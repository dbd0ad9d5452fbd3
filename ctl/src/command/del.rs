//! `del`: deletes keys.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::DeleteRangeRequest;

use super::keys::Selection;
use crate::app::App;
use crate::failure::{Failure, Outcome};

const EXAMPLES: &str = "Prints how many keys there were.

Examples:
  etcdctl del greeting
  etcdctl del app/ --prefix --prev-kv    and print what they held
  etcdctl del a m                        all keys from a up to m, m excluded";

/// Delete keys
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl del [OPTIONS] KEY [RANGE_END]", after_help = EXAMPLES)]
pub(crate) struct Del {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// All keys that begin with KEY
    #[arg(long)]
    prefix: bool,
    /// KEY and all keys behind it
    #[arg(long)]
    from_key: bool,
    /// Print the deleted pairs, too
    #[arg(long)]
    prev_kv: bool,
    /// A range is meant; RANGE_END alone says so as well
    #[arg(long)]
    range: bool,
}

impl Del {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let request = self.request()?;
        let mut session = app.session().await?;
        let response = session.client.call(request, session.deadline()).await;
        session.printer.print(&response.map_err(Failure::error)?)
    }

    /// The request that arguments and flags make.
    pub(super) fn request(&self) -> Outcome<DeleteRangeRequest> {
        let (key, rest) = match self.args.split_first() {
            Some((key, rest)) if rest.len() < 2 => (key, rest),
            _ => {
                return Err(Failure::bad_arguments(
                    "del command needs one argument as key and an optional argument as range_end",
                ));
            }
        };
        let range = Selection::new(self.prefix, self.from_key)?.range(key, rest)?;
        Ok(DeleteRangeRequest { key: range.key, range_end: range.end, prev_kv: self.prev_kv })
    }
}
