//! The commands, a file for each.
//!
//! A command is a struct of its flags and arguments with a `run` that gets the [`App`]. To add one:
//! write its file, name it below in `Command` and in `Command::run`, and give it a place among the
//! groups of the help (`cli/help.rs`).

mod alarm;
mod auth;
mod check;
mod compaction;
mod completion;
mod defrag;
mod del;
mod downgrade;
mod elect;
mod endpoint;
mod exec;
mod follow;
mod get;
mod keys;
mod lease;
mod listing;
mod lock;
mod make_mirror;
mod member;
mod move_leader;
mod put;
mod queue;
mod role;
mod snapshot;
mod targets;
mod txn;
mod user;
mod version;
mod watch;

use clap::Subcommand;

use crate::app::App;
use crate::failure::Outcome;

/// One of the commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Get(get::Get),
    Put(put::Put),
    Del(del::Del),
    Txn(txn::Txn),
    Watch(watch::Watch),
    Compaction(compaction::Compaction),
    Lease(lease::Lease),
    MakeMirror(make_mirror::MakeMirror),
    Lock(lock::Lock),
    Elect(elect::Elect),
    Endpoint(endpoint::Endpoint),
    Member(member::Member),
    MoveLeader(move_leader::MoveLeader),
    Alarm(alarm::Alarm),
    Defrag(defrag::Defrag),
    Snapshot(snapshot::Snapshot),
    Downgrade(downgrade::Downgrade),
    Auth(auth::Auth),
    User(user::User),
    Role(role::Role),
    Check(check::Check),
    Completion(completion::Completion),
    Version(version::Version),
}

impl Command {
    /// Runs it to its end.
    pub(crate) async fn run(self, app: &mut App) -> Outcome {
        match self {
            Self::Get(command) => command.run(app).await,
            Self::Put(command) => command.run(app).await,
            Self::Del(command) => command.run(app).await,
            Self::Txn(command) => command.run(app).await,
            Self::Watch(command) => command.run(app).await,
            Self::Compaction(command) => command.run(app).await,
            Self::Lease(command) => command.run(app).await,
            Self::MakeMirror(command) => command.run(app).await,
            Self::Lock(command) => command.run(app).await,
            Self::Elect(command) => command.run(app).await,
            Self::Endpoint(command) => command.run(app).await,
            Self::Member(command) => command.run(app).await,
            Self::MoveLeader(command) => command.run(app).await,
            Self::Alarm(command) => command.run(app).await,
            Self::Defrag(command) => command.run(app).await,
            Self::Snapshot(command) => command.run(app).await,
            Self::Downgrade(command) => command.run(app).await,
            Self::Auth(command) => command.run(app).await,
            Self::User(command) => command.run(app).await,
            Self::Role(command) => command.run(app).await,
            Self::Check(command) => command.run(app).await,
            Self::Completion(command) => command.run(),
            Self::Version(command) => command.run(),
        }
    }
}
