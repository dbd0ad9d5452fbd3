//! `elect`: takes part in an election, or listens to who is elected.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::{RangeResponse, ResponseHeader, WatchCreateRequest, WatchResponse};
use retcd_api::mvccpb::KeyValue;
use retcd_api::mvccpb::event::EventType;

use super::follow::Follow;
use super::keys::prefix;
use super::queue::{self, Lease, Place};
use crate::app::{App, Session};
use crate::client::{CallError, Deadline};
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::output::HasHeader;

/// After how many seconds another one is elected if this one can't be heard of any more.
const TTL: i64 = 60;

const EXAMPLES: &str =
    "Prints its key and proposal once it is elected, and resigns on SIGINT or SIGTERM.

Examples:
  etcdctl elect controllers node1
  etcdctl elect controllers --listen";

/// Take part in an election, or listen to it
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl elect [OPTIONS] NAME [PROPOSAL]", after_help = EXAMPLES)]
pub(crate) struct Elect {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Print who is elected, and don't take part
    #[arg(short, long)]
    listen: bool,
}

impl Elect {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let (name, proposal) = match &self.args[..] {
            [name] => (name, None),
            [name, proposal] => (name, Some(proposal)),
            _ => {
                return Err(Failure::bad_arguments(
                    "elect takes one election name argument and an optional proposal argument",
                ));
            }
        };
        let name = name.to_string_lossy();
        match (proposal, self.listen) {
            (None, false) => Err(Failure::bad_arguments("no proposal argument but -l not set")),
            (Some(_), true) => Err(Failure::bad_arguments("proposal given but -l is set")),
            (None, true) => {
                let mut session = app.session().await?;
                let mut interrupt = Interrupt::listen()?;
                tokio::select! {
                    ended = listen(&mut session, &name) => ended,
                    () = interrupt.wait() => Ok(()),
                }
            }
            (Some(proposal), false) => {
                let mut session = app.session().await?;
                campaign(&mut session, &name, &proposal.to_string_lossy()).await
            }
        }
    }
}

/// Stands in the queue with a proposal until a signal comes, whether elected or not.
async fn campaign(session: &mut Session, name: &str, proposal: &str) -> Outcome {
    let mut interrupt = Interrupt::listen()?;
    let client = session.client.clone();
    let mut lease = Lease::grant(&client, TTL).await.map_err(Failure::error)?;
    let place = Place::take(&client, name, lease.id, proposal).await;
    let mut place = place.map_err(Failure::error)?;
    let expired = || Failure::error("elect: session expired");
    let waited = tokio::select! {
        waited = place.wait() => waited.map_err(Failure::error),
        () = interrupt.wait() => Err(Failure::error("context canceled")),
        () = lease.lost() => Err(expired()),
    };
    let done = match waited {
        Ok(()) => {
            session.printer.print(&place.look().await.map_err(Failure::error)?)?;
            tokio::select! {
                () = interrupt.wait() => Ok(()),
                () = lease.lost() => Err(expired()),
            }
        }
        Err(failure) => Err(failure),
    };
    let left = place.leave(session.deadline()).await.map_err(Failure::error);
    done.and(left)
}

/// Prints who is elected and what they propose from then on, one after the other.
async fn listen(session: &mut Session, name: &str) -> Outcome {
    loop {
        let (header, elected) = next_elected(session, name).await.map_err(Failure::error)?;
        let (key, start_revision) = (elected.key.clone(), header.revision + 1);
        session.printer.print(&found(header, elected))?;
        let watch = WatchCreateRequest { key, start_revision, ..WatchCreateRequest::default() };
        let mut watch = Follow::new(&session.client, watch);
        let mut is_gone = false;
        while !is_gone {
            let WatchResponse { header, events, .. } =
                watch.next().await.map_err(Failure::error)?;
            for event in events {
                is_gone = event.r#type() == EventType::Delete;
                if is_gone {
                    break;
                }
                let pair = event.kv.unwrap_or_default();
                session.printer.print(&found(header.unwrap_or_default(), pair))?;
            }
        }
    }
}

/// Who is elected; waits until somebody is.
async fn next_elected(
    session: &Session,
    name: &str,
) -> Result<(ResponseHeader, KeyValue), CallError> {
    let queue = queue::key_prefix(name);
    let response = session.client.call(queue::first(&queue), Deadline::NEVER).await?;
    let header = response.header();
    if let Some(elected) = response.kvs.into_iter().next() {
        return Ok((header, elected));
    }
    let range = prefix(queue.into());
    let watch = WatchCreateRequest {
        key: range.key,
        range_end: range.end,
        start_revision: header.revision,
        ..WatchCreateRequest::default()
    };
    let mut watch = Follow::new(&session.client, watch);
    loop {
        let WatchResponse { header, events, .. } = watch.next().await?;
        let put = events.into_iter().find(|event| event.r#type() == EventType::Put);
        if let Some(pair) = put.and_then(|event| event.kv) {
            // There may be several events in a response; the next watch begins behind this one.
            let revision = pair.mod_revision;
            return Ok((ResponseHeader { revision, ..header.unwrap_or_default() }, pair));
        }
    }
}

/// A pair as a read shows it.
fn found(header: ResponseHeader, pair: KeyValue) -> RangeResponse {
    RangeResponse { header: Some(header), kvs: vec![pair], ..RangeResponse::default() }
}
