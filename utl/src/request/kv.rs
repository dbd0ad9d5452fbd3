//! Requests about keys and leases, field by field.
//!
//! Every message is taken apart by name, so that a field that is added to the protocol doesn't
//! compile until it is shown here.

use super::message::Message;
use retcd_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use retcd_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use retcd_api::etcdserverpb::request_op;
use retcd_api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, LeaseCheckpoint, LeaseCheckpointRequest,
    LeaseGrantRequest, LeaseRevokeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
};

pub(super) fn range(request: &RangeRequest) -> Message {
    let RangeRequest {
        key,
        range_end,
        limit,
        revision,
        sort_order,
        sort_target,
        serializable,
        keys_only,
        count_only,
        min_mod_revision,
        max_mod_revision,
        min_create_revision,
        max_create_revision,
    } = request;
    let order = SortOrder::try_from(*sort_order).ok().map(|order| order.as_str_name());
    let target = SortTarget::try_from(*sort_target).ok().map(|target| target.as_str_name());
    Message::new()
        .key("key", key)
        .key("range_end", range_end)
        .signed("limit", *limit)
        .signed("revision", *revision)
        .named("sort_order", *sort_order, order)
        .named("sort_target", *sort_target, target)
        .flag("serializable", *serializable)
        .flag("keys_only", *keys_only)
        .flag("count_only", *count_only)
        .signed("min_mod_revision", *min_mod_revision)
        .signed("max_mod_revision", *max_mod_revision)
        .signed("min_create_revision", *min_create_revision)
        .signed("max_create_revision", *max_create_revision)
}

pub(super) fn put(request: &PutRequest) -> Message {
    let PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease } = request;
    Message::new()
        .key("key", key)
        .blob("value", value)
        .lease("lease", *lease)
        .flag("prev_kv", *prev_kv)
        .flag("ignore_value", *ignore_value)
        .flag("ignore_lease", *ignore_lease)
}

pub(super) fn delete_range(request: &DeleteRangeRequest) -> Message {
    let DeleteRangeRequest { key, range_end, prev_kv } = request;
    Message::new().key("key", key).key("range_end", range_end).flag("prev_kv", *prev_kv)
}

pub(super) fn txn(request: &TxnRequest) -> Message {
    let TxnRequest { compare: compares, success, failure } = request;
    Message::new()
        .messages("compare", compares.iter().map(compare))
        .messages("success", success.iter().map(operation))
        .messages("failure", failure.iter().map(operation))
}

fn compare(compare: &Compare) -> Message {
    let Compare { result, target, key, range_end, target_union } = compare;
    let result_name = CompareResult::try_from(*result).ok().map(|result| result.as_str_name());
    let target_name = CompareTarget::try_from(*target).ok().map(|target| target.as_str_name());
    let message = Message::new()
        .named("result", *result, result_name)
        .named("target", *target, target_name)
        .key("key", key);
    let message = match target_union {
        None => message,
        Some(TargetUnion::Version(version)) => message.signed("version", *version),
        Some(TargetUnion::CreateRevision(at)) => message.signed("create_revision", *at),
        Some(TargetUnion::ModRevision(at)) => message.signed("mod_revision", *at),
        Some(TargetUnion::Value(value)) => message.blob("value", value),
        Some(TargetUnion::Lease(lease)) => message.lease("lease", *lease),
    };
    message.key("range_end", range_end)
}

fn operation(operation: &RequestOp) -> Message {
    use request_op::Request;
    let RequestOp { request } = operation;
    let message = Message::new();
    match request {
        None => message,
        Some(Request::RequestRange(request)) => {
            message.message("request_range", Some(range(request)))
        }
        Some(Request::RequestPut(request)) => message.message("request_put", Some(put(request))),
        Some(Request::RequestDeleteRange(request)) => {
            message.message("request_delete_range", Some(delete_range(request)))
        }
        Some(Request::RequestTxn(request)) => message.message("request_txn", Some(txn(request))),
    }
}

pub(super) fn compaction(request: &CompactionRequest) -> Message {
    let CompactionRequest { revision, physical } = request;
    Message::new().signed("revision", *revision).flag("physical", *physical)
}

pub(super) fn lease_grant(request: &LeaseGrantRequest) -> Message {
    let LeaseGrantRequest { ttl, id } = request;
    Message::new().signed("TTL", *ttl).lease("ID", *id)
}

pub(super) fn lease_revoke(request: &LeaseRevokeRequest) -> Message {
    let LeaseRevokeRequest { id } = request;
    Message::new().lease("ID", *id)
}

pub(super) fn lease_checkpoint(request: &LeaseCheckpointRequest) -> Message {
    let LeaseCheckpointRequest { checkpoints } = request;
    let checkpoint = |checkpoint: &LeaseCheckpoint| {
        let LeaseCheckpoint { id, remaining_ttl } = checkpoint;
        Message::new().lease("ID", *id).signed("remaining_TTL", *remaining_ttl)
    };
    Message::new().messages("checkpoints", checkpoints.iter().map(checkpoint))
}
