//! Leases: how long keys live whose owner has to say that it is still there.
//!
//! [`Lessor`] is a pure state machine. Grants, revokes and checkpoints come through raft, so every
//! member has the same leases; only the leader's lessor is *primary*, keeps expiry times, renews,
//! and says which leases are to be revoked, which again happens through raft. Time is passed in as
//! the [`std::time::Duration`] since some fixed start and must not go back.
//!
//! Which keys are attached to a lease, and that leases are stored, is the store's business.

mod lessor;
mod schedule;

pub use lessor::{Lessor, LessorConfig, Remaining, Renewal, min_ttl_seconds};
