//! `watch`: prints changes of keys as they happen, and may run a program for each.

mod arguments;
mod reaction;
mod session;
mod stream;

use std::ffi::OsString;

use clap::{Args, Parser};

use crate::app::App;
use crate::failure::{Failure, Outcome, code};
use arguments::KeyVariables;
use session::WatchSession;
pub(super) use stream::{Stream, is_worth_retrying};

const EXAMPLES: &str = "\
The program behind -- finds the change in ETCD_WATCH_REVISION, ETCD_WATCH_EVENT_TYPE,
ETCD_WATCH_KEY and ETCD_WATCH_VALUE. ETCDCTL_WATCH_KEY and ETCDCTL_WATCH_RANGE_END stand for the
arguments. With --interactive each line of standard input is a watch with its own flags, or
'progress'.

Examples:
  etcdctl watch greeting
  etcdctl watch app/ --prefix --rev 5 --prev-kv    from revision 5 on, with what was there before
  etcdctl watch config -- sh -c 'reload-service'";

/// Print changes of keys as they happen
#[derive(Args, Debug)]
#[command(
    override_usage = "etcdctl watch [OPTIONS] [KEY] [RANGE_END] [-- PROGRAM ARGUMENTS…]",
    after_help = EXAMPLES
)]
pub(crate) struct Watch {
    #[arg(hide = true)]
    args: Vec<OsString>,
    #[arg(hide = true, last = true)]
    program: Vec<OsString>,
    /// Read watches from standard input
    #[arg(short, long)]
    interactive: bool,
    /// All keys that begin with KEY
    #[arg(long)]
    prefix: bool,
    /// Begin with what happened at this revision; 0 for now
    #[arg(long, default_value_t = 0, value_name = "REVISION")]
    rev: i64,
    /// Print what a key held before, too
    #[arg(long)]
    prev_kv: bool,
    /// Say from time to time up to which revision everything was seen
    #[arg(long)]
    progress_notify: bool,
}

/// A watch on a line of standard input, its first word left out.
#[derive(Debug, Parser)]
pub(super) struct Line {
    #[command(flatten)]
    watch: Watch,
}

impl Watch {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let variables = KeyVariables::of(app.environment())?;
        if self.interactive {
            let session = app.session().await?;
            return WatchSession::new(session).read_lines(&variables).await;
        }
        let has_bare_separator = self.program.is_empty() && app.ends_with_separator();
        let request = self
            .request(&variables, has_bare_separator)
            .map_err(|mistake| Failure::bad_arguments(mistake.text()))?;
        let mut watches = WatchSession::new(app.session().await?);
        watches.add(request, self.program);
        watches.run().await?;
        Err(Failure::new(code::INTERRUPTED, "watch is canceled by the server"))
    }
}
