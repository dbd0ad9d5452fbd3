//! What an entry of the log asks for: etcd's requests and membership changes, for people.
//!
//! Entries are decoded as the member decodes them when it applies them. Nothing is judged: what
//! can't be decoded is shown as bytes, with the reason.

mod auth;
mod cluster;
mod keys;
mod kv;
mod message;
mod txn;

use bytes::Bytes;
use prost::Message as _;
use retcd_api::etcdserverpb::{self, InternalRaftRequest};
use retcd_raft_glue::{KIND_CONF_CHANGE, KIND_CONF_CHANGE_V2, KIND_NORMAL, decode_conf_change};
use retcd_wal::LogEntry;
use std::fmt;

pub(crate) use keys::Keys;
pub(crate) use message::Message;

/// Kinds of entries that hold a request: the names of `InternalRaftRequest`'s fields.
pub(crate) const REQUEST_KINDS: [&str; 34] = [
    "range",
    "put",
    "delete-range",
    "txn",
    "compaction",
    "lease-grant",
    "lease-revoke",
    "lease-checkpoint",
    "alarm",
    "auth-enable",
    "auth-disable",
    "auth-status",
    "authenticate",
    "auth-user-add",
    "auth-user-delete",
    "auth-user-get",
    "auth-user-change-password",
    "auth-user-grant-role",
    "auth-user-revoke-role",
    "auth-user-list",
    "auth-role-list",
    "auth-role-add",
    "auth-role-delete",
    "auth-role-get",
    "auth-role-grant-permission",
    "auth-role-revoke-permission",
    "cluster-version-set",
    "cluster-member-attr-set",
    "downgrade-info-set",
    "downgrade-version-test",
    "v2",
    EMPTY,
    CONF_CHANGE,
    UNKNOWN,
];

/// A normal entry without a request: a new leader's first one.
const EMPTY: &str = "empty";
/// A membership change.
const CONF_CHANGE: &str = "conf-change";
/// Nobody here can tell.
const UNKNOWN: &str = "unknown";

/// A decoded entry.
#[derive(Debug)]
pub(crate) struct Payload {
    /// One of [`REQUEST_KINDS`].
    pub(crate) kind: &'static str,
    /// The whole message; without fields if there is none, or it can't be decoded.
    pub(crate) message: Message,
    /// Why the entry can't be decoded.
    pub(crate) fault: Option<&'static str>,
    /// Bytes of fields that this version doesn't know.
    pub(crate) unknown_bytes: usize,
    /// The field with the only request in the message. Text shows that one without its name.
    field: Option<&'static str>,
    /// Who asked, for text.
    asker: Message,
    request: Option<Box<InternalRaftRequest>>,
}

impl Payload {
    /// Decodes an entry. Takes any bytes.
    pub(crate) fn of(entry: &LogEntry) -> Payload {
        let data = &entry.data;
        match entry.kind {
            KIND_NORMAL if data.is_empty() => Payload::plain(EMPTY, Message::new()),
            KIND_NORMAL => match InternalRaftRequest::decode(data.clone()) {
                Ok(request) => Payload::request(data.len(), request),
                Err(_) => Payload::v2(data),
            },
            KIND_CONF_CHANGE => match decode_conf_change(entry.index, data) {
                Ok(change) => {
                    let unknown_bytes = data.len().saturating_sub(change.encoded_len());
                    let message = cluster::conf_change(&change);
                    Payload { unknown_bytes, ..Payload::plain(CONF_CHANGE, message) }
                }
                Err(_) => Payload::opaque(CONF_CHANGE, data, "isn't a known membership change"),
            },
            KIND_CONF_CHANGE_V2 => {
                Payload::opaque(UNKNOWN, data, "is a joint membership change, which isn't used")
            }
            kind => {
                let message = Message::new().unsigned("entry_kind", kind.into()).blob("data", data);
                let fault = Some("is of a kind that nobody knows");
                Payload { fault, ..Payload::plain(UNKNOWN, message) }
            }
        }
    }

    fn request(data_bytes: usize, request: InternalRaftRequest) -> Payload {
        // A member's own requests say that their id is zero, which takes two bytes.
        let zeros = request.header.as_ref().map_or(0, |header| if header.id == 0 { 2 } else { 0 });
        let unknown_bytes = data_bytes.saturating_sub(request.encoded_len() + zeros);
        let fields = requests(&request);
        let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
        let kind = names.first().map_or(UNKNOWN, |name| kind_of(name));
        let header = request.header.as_ref().map(cluster::header);
        let mut message = Message::new().id("ID", request.id).message("header", header);
        for (name, field) in fields {
            message = message.message(name, Some(field));
        }
        let asker = request.header.as_ref().map(cluster::asker).unwrap_or_default();
        Payload {
            fault: names.is_empty().then_some("asks for nothing that this version knows"),
            unknown_bytes,
            field: names.first().copied().filter(|_| names.len() == 1),
            asker: asker.id("ID", request.id),
            request: Some(Box::new(request)),
            ..Payload::plain(kind, message)
        }
    }

    /// Up to 3.6 etcd may write requests of its version 2, without a request around them.
    fn v2(data: &Bytes) -> Payload {
        match etcdserverpb::Request::decode(data.clone()) {
            Ok(request) => {
                let message = Message::new().message("v2", Some(cluster::v2(&request)));
                Payload { field: Some("v2"), ..Payload::plain("v2", message) }
            }
            Err(_) => Payload::opaque(UNKNOWN, data, "isn't an encoded request"),
        }
    }

    fn opaque(kind: &'static str, data: &Bytes, fault: &'static str) -> Payload {
        let message = Message::new().blob("data", data);
        Payload { fault: Some(fault), ..Payload::plain(kind, message) }
    }

    fn plain(kind: &'static str, message: Message) -> Payload {
        let (asker, field) = (Message::new(), None);
        Payload { kind, message, fault: None, unknown_bytes: 0, field, asker, request: None }
    }

    /// Whether the entry is about one of `keys`.
    pub(crate) fn touches(&self, keys: &Keys) -> bool {
        self.request.as_ref().is_some_and(|request| keys.are_touched_by(request))
    }

    /// Cuts values to `bytes_max`.
    pub(crate) fn cut_values(&mut self, bytes_max: usize) {
        self.message.cut_values(bytes_max);
    }

    /// One line; `bytes_max` is how much of a value is shown.
    pub(crate) fn line(&self, bytes_max: usize) -> Line<'_> {
        Line { payload: self, bytes_max }
    }
}

/// A payload as one line of text.
pub(crate) struct Line<'a> {
    payload: &'a Payload,
    bytes_max: usize,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Payload { kind, message, fault, unknown_bytes, field, asker, request } = self.payload;
        let request = request.as_ref().filter(|_| *field == Some("txn"));
        let txn = request.and_then(|request| request.txn.as_ref());
        let body = field.map_or(message, |name| message.inner(name).unwrap_or(message));
        match txn {
            Some(request) => txn::Text { request, bytes_max: self.bytes_max }.fmt(f)?,
            None if *kind == EMPTY => f.write_str("a new leader's first entry")?,
            None => body.fmt(f)?,
        }
        if !asker.is_empty() && field.is_some() {
            let space = if body.is_empty() { "" } else { " " };
            write!(f, "{space}({asker})")?;
        }
        if let Some(fault) = fault {
            write!(f, " [{fault}]")?;
        }
        match unknown_bytes {
            0 => Ok(()),
            bytes => write!(f, " [{bytes} bytes of fields that this version doesn't know]"),
        }
    }
}

/// The requests in a message by the names of their fields: one in everything that etcd writes.
fn requests(request: &InternalRaftRequest) -> Vec<(&'static str, Message)> {
    let empty = Message::new;
    let fields = [
        ("v2", request.v2.as_ref().map(cluster::v2)),
        ("range", request.range.as_ref().map(kv::range)),
        ("put", request.put.as_ref().map(kv::put)),
        ("delete_range", request.delete_range.as_ref().map(kv::delete_range)),
        ("txn", request.txn.as_ref().map(kv::txn)),
        ("compaction", request.compaction.as_ref().map(kv::compaction)),
        ("lease_grant", request.lease_grant.as_ref().map(kv::lease_grant)),
        ("lease_revoke", request.lease_revoke.as_ref().map(kv::lease_revoke)),
        ("alarm", request.alarm.as_ref().map(cluster::alarm)),
        ("lease_checkpoint", request.lease_checkpoint.as_ref().map(kv::lease_checkpoint)),
        ("auth_enable", request.auth_enable.map(|_| empty())),
        ("auth_disable", request.auth_disable.map(|_| empty())),
        ("authenticate", request.authenticate.as_ref().map(auth::authenticate)),
        ("auth_status", request.auth_status.map(|_| empty())),
        ("auth_user_add", request.auth_user_add.as_ref().map(auth::user_add)),
        ("auth_user_delete", request.auth_user_delete.as_ref().map(auth::user_delete)),
        ("auth_user_get", request.auth_user_get.as_ref().map(auth::user_get)),
        (
            "auth_user_change_password",
            request.auth_user_change_password.as_ref().map(auth::user_change_password),
        ),
        ("auth_user_grant_role", request.auth_user_grant_role.as_ref().map(auth::user_grant_role)),
        (
            "auth_user_revoke_role",
            request.auth_user_revoke_role.as_ref().map(auth::user_revoke_role),
        ),
        ("auth_user_list", request.auth_user_list.map(|_| empty())),
        ("auth_role_list", request.auth_role_list.map(|_| empty())),
        ("auth_role_add", request.auth_role_add.as_ref().map(auth::role_add)),
        ("auth_role_delete", request.auth_role_delete.as_ref().map(auth::role_delete)),
        ("auth_role_get", request.auth_role_get.as_ref().map(auth::role_get)),
        (
            "auth_role_grant_permission",
            request.auth_role_grant_permission.as_ref().map(auth::role_grant_permission),
        ),
        (
            "auth_role_revoke_permission",
            request.auth_role_revoke_permission.as_ref().map(auth::role_revoke_permission),
        ),
        ("cluster_version_set", request.cluster_version_set.as_ref().map(cluster::version_set)),
        (
            "cluster_member_attr_set",
            request.cluster_member_attr_set.as_ref().map(cluster::member_attributes_set),
        ),
        (
            "downgrade_info_set",
            request.downgrade_info_set.as_ref().map(cluster::downgrade_info_set),
        ),
        (
            "downgrade_version_test",
            request.downgrade_version_test.as_ref().map(cluster::downgrade_version_test),
        ),
    ];
    fields.into_iter().filter_map(|(name, field)| Some((name, field?))).collect()
}

/// The kind that a field's name stands for.
fn kind_of(field: &str) -> &'static str {
    let same = |kind: &&&str| {
        kind.bytes().eq(field.bytes().map(|byte| match byte {
            b'_' => b'-',
            other => other,
        }))
    };
    REQUEST_KINDS.iter().find(same).expect("a test holds that each field has its kind")
}

#[cfg(test)]
mod tests;
