//! `txn`: reads a transaction from standard input and carries it out.

mod input;

use std::ffi::OsString;
use std::io;

use clap::Args;
use retcd_api::etcdserverpb::TxnRequest;

use crate::app::App;
use crate::client::Deadline;
use crate::failure::{Failure, Outcome};

const EXAMPLES: &str = "\
Standard input has three parts, each ended by an empty line: comparisons, the requests if all of
them hold, and the requests if not. A comparison compares what a key has (value, version, create,
mod or lease) by =, !=, < or > with a quoted value; a request is a line of get, put or del.

Example:
  etcdctl txn <<'END'
  mod(\"greeting\") > \"0\"

  put greeting \"hello again\"

  put greeting hello
  put first yes

  END";

/// Carry out several requests as one, if conditions hold
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl txn [OPTIONS]", after_help = EXAMPLES)]
pub(crate) struct Txn {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Say which part is to be typed
    #[arg(short, long)]
    interactive: bool,
}

impl Txn {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        if !self.args.is_empty() {
            return Err(Failure::bad_arguments("txn command does not accept argument"));
        }
        let mut session = app.session().await?;
        let mut lines = io::stdin().lock();
        let mut ask = |what: &str| {
            if self.interactive { session.printer.say(what) } else { Ok(()) }
        };
        ask("compares:")?;
        let compare = input::compares(&mut lines)?;
        ask("success requests (get, put, del):")?;
        let success = input::requests(&mut lines)?;
        ask("failure requests (get, put, del):")?;
        let failure = input::requests(&mut lines)?;
        let request = TxnRequest { compare, success, failure };
        // Who types slowly doesn't lose what was typed: there is no deadline.
        let response = session.client.call(request, Deadline::NEVER).await;
        session.printer.print(&response.map_err(Failure::error)?)
    }
}
