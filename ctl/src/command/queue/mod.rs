//! A queue of sessions, by which locks and elections are decided: the one that came first has its
//! turn until it leaves or its lease ends.
//!
//! 1. A session is a lease that is prolonged as long as the program runs ([`Lease`]).
//! 2. It takes its place by a key `NAME/LEASE`, the lease in hexadecimal digits, which it attaches
//!    to the lease ([`Place::take`]). The order of the queue is that of the keys' create revisions.
//! 3. It waits until the key right before its own is deleted, and looks again, because that one may
//!    have left early ([`Place::wait`]). So a key that goes wakes one session and not all.
//!
//! Keys and requests are those of etcd's own client, so that both may stand in one queue.

mod lease;
mod place;

pub(super) use lease::Lease;
pub(super) use place::Place;

use bytes::Bytes;
use retcd_api::etcdserverpb::RangeRequest;
use retcd_api::etcdserverpb::range_request::{SortOrder, SortTarget};

use crate::command::keys::prefix;

/// What the keys of a queue begin with.
pub(super) fn key_prefix(name: &str) -> String {
    format!("{name}/")
}

/// Asks for the key in a queue that was created first, or last if descending.
fn one_by_creation(queue: &str, order: SortOrder) -> RangeRequest {
    let range = prefix(Bytes::copy_from_slice(queue.as_bytes()));
    RangeRequest {
        key: range.key,
        range_end: range.end,
        limit: 1,
        sort_order: order.into(),
        sort_target: SortTarget::Create.into(),
        ..RangeRequest::default()
    }
}

/// Asks for the key of the session whose turn it is.
pub(super) fn first(queue: &str) -> RangeRequest {
    one_by_creation(queue, SortOrder::Ascend)
}
