//! `lock`: holds a lock until it is stopped, or while a program runs.

use std::ffi::OsString;

use clap::Args;

use super::exec;
use super::queue::{Lease, Place};
use crate::app::{App, Session};
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::output::HasHeader;

/// The lease of a session whose TTL can't be, in seconds.
const TTL_DEFAULT: i64 = 60;

const EXAMPLES: &str = "\
Prints the key that stands for the lock once it is held, and gives it back on SIGINT or SIGTERM.
The program finds the key in ETCD_LOCK_KEY and a revision in ETCD_LOCK_REV; its exit code is this
one's.

Examples:
  etcdctl lock backups
  etcdctl lock backups ./backup.sh --all
  etcdctl lock backups --ttl 60 -- sh -c 'echo $ETCD_LOCK_KEY'";

/// Hold a lock, for a program if there is one
#[derive(Args, Debug)]
#[command(
    override_usage = "etcdctl lock [OPTIONS] NAME [PROGRAM ARGUMENTS…]",
    after_help = EXAMPLES
)]
pub(crate) struct Lock {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// After how many seconds the lock is free if this program can't be heard of any more
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    ttl: i64,
}

impl Lock {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let Some((name, program)) = self.args.split_first() else {
            return Err(Failure::bad_arguments(
                "lock takes a lock name argument and an optional command to execute",
            ));
        };
        let mut session = app.session().await?;
        let mut interrupt = Interrupt::listen()?;
        let mut lease = Lease::grant(&session.client, self.ttl()).await.map_err(Failure::error)?;
        let name = name.to_string_lossy();
        let mut place =
            Place::take(&session.client, &name, lease.id, "").await.map_err(Failure::error)?;
        let waited = tokio::select! {
            waited = place.wait() => waited.map_err(Failure::error),
            () = interrupt.wait() => Err(Failure::error("context canceled")),
            () = lease.lost() => Err(Failure::error("mutex: session is expired")),
        };
        let revision = match (waited, place.turn_revision) {
            (Ok(()), Some(revision)) => Ok(revision),
            (Ok(()), None) => own_revision(&place).await,
            (Err(failure), _) => Err(failure),
        };
        let done = match revision {
            Ok(revision) if !program.is_empty() => run_program(program, &place.key, revision).await,
            Ok(_) => hold(&mut session, &place, &mut lease, &mut interrupt).await,
            Err(failure) => Err(failure),
        };
        let left = place.leave(session.deadline()).await.map_err(Failure::error);
        done.and(left)
    }

    fn ttl(&self) -> i64 {
        if self.ttl > 0 { self.ttl } else { TTL_DEFAULT }
    }
}

/// The revision at which the key was seen once nobody was before it.
async fn own_revision(place: &Place) -> Outcome<i64> {
    let response = place.look().await.map_err(Failure::error)?;
    if response.kvs.is_empty() {
        return Err(Failure::error("mutex: session is expired"));
    }
    Ok(response.header().revision)
}

async fn run_program(program: &[OsString], key: &str, revision: i64) -> Outcome {
    let variables =
        vec![("ETCD_LOCK_KEY", key.into()), ("ETCD_LOCK_REV", revision.to_string().into())];
    exec::run(program, variables).await.map_err(|end| Failure::new(end.code, end))
}

/// Prints the key and waits for a signal.
async fn hold(
    session: &mut Session,
    place: &Place,
    lease: &mut Lease,
    interrupt: &mut Interrupt,
) -> Outcome {
    let response = place.look().await.map_err(Failure::error)?;
    if response.kvs.is_empty() {
        return Err(Failure::error("lock lost on init"));
    }
    session.printer.print(&response)?;
    tokio::select! {
        () = interrupt.wait() => Ok(()),
        () = lease.lost() => Err(Failure::error("session expired")),
    }
}
