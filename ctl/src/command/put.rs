//! `put`: writes a key.

use std::ffi::OsString;
use std::io::Read;

use bytes::Bytes;
use clap::Args;
use retcd_api::etcdserverpb::PutRequest;

use super::keys::bytes;
use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::go::number;

const EXAMPLES: &str = "\
A VALUE that begins with a dash stands behind --. Without VALUE it is read from standard input.

Examples:
  etcdctl put greeting hello
  etcdctl put config < config.yaml
  etcdctl put delta -- -5
  etcdctl put worker/1 up --lease=7d7ba2029f2eeb5b    gone when the lease ends";

const USAGE: &str = "put command needs 1 argument and input from stdin or 2 arguments";

/// Write a key
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl put [OPTIONS] KEY [VALUE]", after_help = EXAMPLES)]
pub(crate) struct Put {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Lease to attach the key to, in hexadecimal digits
    #[arg(long, default_value = "0", hide_default_value = true, value_name = "LEASE")]
    lease: String,
    /// Print the pair that is replaced, too
    #[arg(long)]
    prev_kv: bool,
    /// Keep the value that the key has
    #[arg(long)]
    ignore_value: bool,
    /// Keep the lease that the key has
    #[arg(long)]
    ignore_lease: bool,
}

impl Put {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let request = self.request(|| {
            let mut value = Vec::new();
            std::io::stdin().lock().read_to_end(&mut value)?;
            Ok(value)
        })?;
        let mut session = app.session().await?;
        let response = session.client.call(request, session.deadline()).await;
        session.printer.print(&response.map_err(Failure::error)?)
    }

    /// The request that arguments and flags make. `input` gives the value if no argument does.
    pub(super) fn request(
        &self,
        input: impl FnOnce() -> std::io::Result<Vec<u8>>,
    ) -> Outcome<PutRequest> {
        let Some((key, rest)) = self.args.split_first() else {
            return Err(Failure::bad_arguments(USAGE));
        };
        if self.ignore_value && !rest.is_empty() {
            return Err(Failure::bad_arguments(
                "put command needs only 1 argument when 'ignore-value' is set",
            ));
        }
        let value = match rest.first() {
            _ if self.ignore_value => Bytes::new(),
            Some(value) => bytes(value),
            None => match input() {
                Ok(value) if !value.is_empty() => value.into(),
                _ => return Err(Failure::bad_arguments(USAGE)),
            },
        };
        let lease = number::parse_int(&self.lease, 16).map_err(|error| {
            Failure::bad_arguments(format!("bad lease ID ({error}), expecting ID in Hex"))
        })?;
        Ok(PutRequest {
            key: bytes(key),
            value,
            lease,
            prev_kv: self.prev_kv,
            ignore_value: self.ignore_value,
            ignore_lease: self.ignore_lease,
        })
    }
}
