//! Requests about the cluster, membership changes, and etcd's old requests, field by field.

use super::message::Message;
use retcd_api::etcdserverpb::alarm_request::AlarmAction;
use retcd_api::etcdserverpb::{
    AlarmRequest, AlarmType, DowngradeVersionTestRequest, Request, RequestHeader,
};
use retcd_api::membershippb::{
    Attributes, ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest,
};
use retcd_api::raftpb::{ConfChange, ConfChangeType};
use retcd_mvcc::membership::{Member, MemberChange};

pub(super) fn header(header: &RequestHeader) -> Message {
    let RequestHeader { id, username, auth_revision } = header;
    Message::new()
        .id("ID", *id)
        .text("username", username)
        .unsigned("auth_revision", *auth_revision)
}

/// A header as text has it, where names of the request's own fields stand beside it.
pub(super) fn asker(header: &RequestHeader) -> Message {
    let RequestHeader { id, username, auth_revision } = header;
    Message::new()
        .id("request", *id)
        .text("username", username)
        .unsigned("auth_revision", *auth_revision)
}

pub(super) fn alarm(request: &AlarmRequest) -> Message {
    let AlarmRequest { action, member_id, alarm } = request;
    let action_name = AlarmAction::try_from(*action).ok().map(|action| action.as_str_name());
    let alarm_name = AlarmType::try_from(*alarm).ok().map(|alarm| alarm.as_str_name());
    Message::new()
        .named("action", *action, action_name)
        .id("memberID", *member_id)
        .named("alarm", *alarm, alarm_name)
}

pub(super) fn version_set(request: &ClusterVersionSetRequest) -> Message {
    let ClusterVersionSetRequest { ver } = request;
    Message::new().text("ver", ver)
}

pub(super) fn member_attributes_set(request: &ClusterMemberAttrSetRequest) -> Message {
    let ClusterMemberAttrSetRequest { member_id, member_attributes } = request;
    let attributes = member_attributes.as_ref().map(|attributes| {
        let Attributes { name, client_urls } = attributes;
        Message::new().text("name", name).texts("client_urls", client_urls)
    });
    Message::new().id("member_ID", *member_id).message("member_attributes", attributes)
}

pub(super) fn downgrade_info_set(request: &DowngradeInfoSetRequest) -> Message {
    let DowngradeInfoSetRequest { enabled, ver } = request;
    Message::new().flag("enabled", *enabled).text("ver", ver)
}

pub(super) fn downgrade_version_test(request: &DowngradeVersionTestRequest) -> Message {
    let DowngradeVersionTestRequest { ver } = request;
    Message::new().text("ver", ver)
}

/// A request of etcd's version 2, in which members up to 3.6 tell of themselves.
pub(super) fn v2(request: &Request) -> Message {
    let Request {
        id,
        method,
        path,
        val,
        dir,
        prev_value,
        prev_index,
        prev_exist,
        expiration,
        wait,
        since,
        recursive,
        sorted,
        quorum,
        time,
        stream,
        refresh,
    } = request;
    Message::new()
        .id("ID", *id)
        .text("Method", method)
        .text("Path", path)
        .text("Val", val)
        .flag("Dir", *dir)
        .text("PrevValue", prev_value)
        .unsigned("PrevIndex", *prev_index)
        .flag("PrevExist", prev_exist.unwrap_or_default())
        .signed("Expiration", *expiration)
        .flag("Wait", *wait)
        .unsigned("Since", *since)
        .flag("Recursive", *recursive)
        .flag("Sorted", *sorted)
        .flag("Quorum", *quorum)
        .signed("Time", *time)
        .flag("Stream", *stream)
        .flag("Refresh", refresh.unwrap_or_default())
}

/// A membership change with what its context says; the context as it is if it says nothing known.
pub(super) fn conf_change(change: &ConfChange) -> Message {
    let ConfChange { id, r#type, node_id, context } = change;
    let message = match ConfChangeType::try_from(*r#type) {
        Ok(known) => Message::new().name("type", known.as_str_name()),
        Err(_) => Message::new().named("type", *r#type, None),
    };
    let message = message.id("node_id", *node_id).id("id", *id);
    match MemberChange::of(change) {
        Ok(MemberChange::Add(member_added)) => {
            message.name("change", "add").message("member", Some(member(&member_added)))
        }
        Ok(MemberChange::Promote(_)) => message.name("change", "promote"),
        Ok(MemberChange::Remove(_)) => message.name("change", "remove"),
        Ok(MemberChange::Update { peer_urls, .. }) => {
            message.name("change", "update").texts("peerURLs", &peer_urls)
        }
        Err(_) => message.blob("context", &context.clone().unwrap_or_default()),
    }
}

/// A member under the names of etcd's JSON; its id is the node's.
fn member(member: &Member) -> Message {
    let Member { id: _, peer_urls, is_learner, name, client_urls } = member;
    Message::new()
        .text("name", name)
        .texts("peerURLs", peer_urls)
        .flag("isLearner", *is_learner)
        .texts("clientURLs", client_urls)
}
