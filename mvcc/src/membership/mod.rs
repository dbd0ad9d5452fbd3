//! Who belongs to the cluster, as far as it is applied.
//!
//! Changes come as raft conf changes, whose context says in JSON what they mean, and as entries
//! that set a member's name and client URLs or the cluster's version. [`Members`] holds the applied
//! result, judges changes against it, and says what is to be stored in the `meta` keyspace.
//!
//! Whether the cluster is healthy enough for a change is for the proposer to find out; the part
//! that depends on the members alone is in [`Members::may_add_voter`] and its neighbours.

mod change;
mod ids;
mod items;
mod member;
mod members;

pub use change::{MemberChange, initial_conf_change};
pub use ids::{cluster_id, member_id};
pub(crate) use items::Item;
pub use items::{
    CLUSTER_NAME_PREFIX, MEMBER_NAME_PREFIX, MetaItem, REMOVED_NAME_PREFIX, UnknownItem,
};
pub use member::{Downgrade, Member};
pub use members::{Members, Refusal};
