//! `lease keep-alive`.
//!
//! A lease is prolonged when a third of its time is over. If the connection breaks, another one is
//! tried for as long as the lease may still live.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use retcd_api::Error;
use retcd_api::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse};
use tonic::Code;

use super::lease_id;
use crate::app::{App, Session};
use crate::client::{CallError, Client, Deadline};
use crate::failure::{Failure, Outcome, code};
use crate::output::{Format, KeptAlive};

/// How long to wait before a broken stream is opened again.
const RETRY_DELAY: Duration = Duration::from_millis(500);

const KEEP_ALIVE_EXAMPLES: &str = "Examples:
  etcdctl lease keep-alive 694d5765fc71500b
  etcdctl lease keep-alive --once 694d5765fc71500b";

/// Prolong a lease until this program is stopped
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl lease keep-alive [OPTIONS] LEASE")]
#[command(after_help = KEEP_ALIVE_EXAMPLES)]
pub(super) struct KeepAlive {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Prolong it once
    #[arg(long)]
    once: bool,
}

impl KeepAlive {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let id = lease_id(&self.args, "lease keep-alive command needs lease ID as argument")?;
        let mut session = app.session().await?;
        let mut lives_until = Deadline::NEVER;
        loop {
            let response = lives_until.limit(renew(&session.client, id)).await;
            let response = match response.and_then(|renewed| renewed) {
                Ok(response) if response.ttl > 0 => response,
                Ok(_) if self.once => {
                    return Err(failure(&Error::LeaseNotFound));
                }
                Ok(_) | Err(CallError::Deadline) => return told_expired(&mut session, id),
                Err(error) => return Err(failure(&error)),
            };
            let seconds = u64::try_from(response.ttl).unwrap_or_default();
            session.printer.print(&KeptAlive::from(response))?;
            if self.once {
                return Ok(());
            }
            let life = Duration::from_secs(seconds);
            lives_until = Deadline::after(life);
            tokio::time::sleep(life / 3).await;
        }
    }
}

fn failure(error: &impl std::fmt::Display) -> Failure {
    Failure::new(code::BAD_CONNECTION, error)
}

/// Only people are told so; programs see that there is no further response.
fn told_expired(session: &mut Session, id: i64) -> Outcome {
    if session.printer.format != Format::Simple {
        return Ok(());
    }
    session.printer.say(&format!("lease {id:016x} expired or revoked."))
}

/// Asks for the whole time again, on a stream of its own; repeats it while nobody can answer.
pub(in crate::command) async fn renew(
    client: &Client,
    id: i64,
) -> Result<LeaseKeepAliveResponse, CallError> {
    loop {
        let status = match ask(client, id).await {
            Err(CallError::Status(status)) => status,
            other => return other,
        };
        if ![Code::Unavailable, Code::Internal].contains(&status.code()) {
            return Err(CallError::Status(status));
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

async fn ask(client: &Client, id: i64) -> Result<LeaseKeepAliveResponse, CallError> {
    let request = tokio_stream::once(LeaseKeepAliveRequest { id });
    let mut responses = client.open(request, Deadline::NEVER).await?;
    let response = responses.message().await?;
    response.ok_or_else(|| CallError::Status(tonic::Status::unavailable("the stream ended")))
}
