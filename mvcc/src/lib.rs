//! The replicated state and its rules: what etcd's entries mean.
//!
//! Two halves share one [`retcd_engine::Engine`]:
//!
//! * the *applier* is owned by the one thread that executes committed entries in order. It writes
//!   records, then publishes a batch: engine commit, current revision, watch events, in this order;
//! * the *store* is shared by all readers: ranges, hashes, watch streams, leases, alarms, members.
//!
//! Nothing in here reads a clock, draws a random number or starts a thread; time is passed in as a
//! [`std::time::Duration`] since some fixed start. Given the same entries, every member gets to the
//! same state, whatever it was asked in between.
//!
//! How things lie in the engine's keyspaces is in `docs/format.md`.

pub mod alarm;
mod applier;
pub mod auth;
mod changes;
mod error;
mod etcd_database;
mod etcd_items;
mod hash;
mod history;
mod import;
pub mod lease;
pub mod membership;
mod quota;
mod range;
mod read;
mod record;
mod resident;
mod state;
mod store;
pub mod stored;
mod txn;
pub mod watch;
mod wire;

pub use applier::{Applier, CommittedEntry, Outcome, Response};
pub use changes::{Change, ChangeKind, Commit};
pub use error::{Error, Result};
pub use etcd_database::{DatabaseOrigin, EtcdDatabase};
pub use hash::KvHash;
pub use import::{IMPORT_BATCH_RECORDS, ImportAs, ImportMembers, Imported, import};
pub use quota::QuotaCost;
pub use range::RangeStream;
pub use store::{Config, Store};
pub use txn::{is_read_only, is_serializable};
