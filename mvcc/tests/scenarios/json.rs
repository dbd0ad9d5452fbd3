//! Requests and responses in the JSON of etcd's gateway: 64-bit integers are texts, bytes are
//! base64, fields that are zero or empty are left out.

use bytes::Bytes;
use retcd_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use retcd_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use retcd_api::etcdserverpb::response_op::Response;
use retcd_api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, DeleteRangeResponse, LeaseGrantRequest,
    LeaseRevokeRequest, PutRequest, PutResponse, RangeRequest, RangeResponse, RequestOp,
    ResponseHeader, TxnRequest, TxnResponse,
};
use retcd_api::mvccpb::KeyValue;
use serde_json::{Map, Value, json};

use crate::support::op;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for position in 0..4 {
            let digit = bits >> (18 - 6 * position) & 63;
            let is_padding = position > chunk.len();
            text.push(if is_padding { '=' } else { DIGITS[digit as usize].into() });
        }
    }
    text
}

fn from_base64(text: &str) -> Bytes {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for digit in text.bytes().filter(|byte| *byte != b'=') {
        let value = DIGITS.iter().position(|known| *known == digit).expect("it is base64");
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes.into()
}

/// Reads the fields of a request.
struct Fields<'a>(&'a Value);

impl Fields<'_> {
    fn bytes(&self, name: &str) -> Bytes {
        self.0[name].as_str().map(from_base64).unwrap_or_default()
    }

    fn number(&self, name: &str) -> i64 {
        self.0[name].as_i64().unwrap_or(0)
    }

    fn flag(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap_or(false)
    }

    /// The number of an enum's value, the first one if it isn't there.
    fn choice(&self, name: &str, names: &[&str]) -> i32 {
        let found = self.0[name].as_str();
        names.iter().position(|known| Some(*known) == found).unwrap_or(0) as i32
    }

    fn list<T>(&self, name: &str, read: impl Fn(&Value) -> T) -> Vec<T> {
        self.0[name].as_array().into_iter().flatten().map(read).collect()
    }
}

pub(crate) fn range_request(json: &Value) -> RangeRequest {
    let fields = Fields(json);
    RangeRequest {
        key: fields.bytes("key"),
        range_end: fields.bytes("range_end"),
        limit: fields.number("limit"),
        revision: fields.number("revision"),
        sort_order: fields.choice(
            "sort_order",
            &[SortOrder::None, SortOrder::Ascend, SortOrder::Descend].map(|o| o.as_str_name()),
        ),
        sort_target: fields.choice(
            "sort_target",
            &[
                SortTarget::Key,
                SortTarget::Version,
                SortTarget::Create,
                SortTarget::Mod,
                SortTarget::Value,
            ]
            .map(|target| target.as_str_name()),
        ),
        serializable: fields.flag("serializable"),
        keys_only: fields.flag("keys_only"),
        count_only: fields.flag("count_only"),
        min_mod_revision: fields.number("min_mod_revision"),
        max_mod_revision: fields.number("max_mod_revision"),
        min_create_revision: fields.number("min_create_revision"),
        max_create_revision: fields.number("max_create_revision"),
    }
}

pub(crate) fn put_request(json: &Value) -> PutRequest {
    let fields = Fields(json);
    PutRequest {
        key: fields.bytes("key"),
        value: fields.bytes("value"),
        lease: fields.number("lease"),
        prev_kv: fields.flag("prev_kv"),
        ignore_value: fields.flag("ignore_value"),
        ignore_lease: fields.flag("ignore_lease"),
    }
}

pub(crate) fn delete_request(json: &Value) -> DeleteRangeRequest {
    let fields = Fields(json);
    DeleteRangeRequest {
        key: fields.bytes("key"),
        range_end: fields.bytes("range_end"),
        prev_kv: fields.flag("prev_kv"),
    }
}

pub(crate) fn txn_request(json: &Value) -> TxnRequest {
    let fields = Fields(json);
    TxnRequest {
        compare: fields.list("compare", compare),
        success: fields.list("success", request_op),
        failure: fields.list("failure", request_op),
    }
}

fn request_op(json: &Value) -> RequestOp {
    let (kind, request) = json
        .as_object()
        .and_then(|object| object.iter().next())
        .expect("an operation has one field");
    match kind.as_str() {
        "request_range" => op(range_request(request)),
        "request_put" => op(put_request(request)),
        "request_delete_range" => op(delete_request(request)),
        "request_txn" => op(txn_request(request)),
        _ => panic!("unknown operation {kind}"),
    }
}

fn compare(json: &Value) -> Compare {
    let fields = Fields(json);
    let target_union = if json.get("version").is_some() {
        Some(TargetUnion::Version(fields.number("version")))
    } else if json.get("create_revision").is_some() {
        Some(TargetUnion::CreateRevision(fields.number("create_revision")))
    } else if json.get("mod_revision").is_some() {
        Some(TargetUnion::ModRevision(fields.number("mod_revision")))
    } else if json.get("lease").is_some() {
        Some(TargetUnion::Lease(fields.number("lease")))
    } else if json.get("value").is_some() {
        Some(TargetUnion::Value(fields.bytes("value")))
    } else {
        None
    };
    Compare {
        result: fields.choice(
            "result",
            &[
                CompareResult::Equal,
                CompareResult::Greater,
                CompareResult::Less,
                CompareResult::NotEqual,
            ]
            .map(|result| result.as_str_name()),
        ),
        target: fields.choice(
            "target",
            &[
                CompareTarget::Version,
                CompareTarget::Create,
                CompareTarget::Mod,
                CompareTarget::Value,
                CompareTarget::Lease,
            ]
            .map(|target| target.as_str_name()),
        ),
        key: fields.bytes("key"),
        range_end: fields.bytes("range_end"),
        target_union,
    }
}

pub(crate) fn compaction_request(json: &Value) -> CompactionRequest {
    CompactionRequest { revision: Fields(json).number("revision"), physical: true }
}

pub(crate) fn grant_request(json: &Value) -> LeaseGrantRequest {
    LeaseGrantRequest { id: Fields(json).number("ID"), ttl: Fields(json).number("TTL") }
}

pub(crate) fn revoke_request(json: &Value) -> LeaseRevokeRequest {
    LeaseRevokeRequest { id: Fields(json).number("ID") }
}

/// Writes the fields of a response.
#[derive(Default)]
pub(crate) struct Object(Map<String, Value>);

impl Object {
    pub(crate) fn header(self, header: &Option<ResponseHeader>) -> Object {
        let header = header
            .as_ref()
            .map(|header| Object::default().number("revision", header.revision).into_json());
        self.message("header", header)
    }

    pub(crate) fn number(mut self, name: &str, number: i64) -> Object {
        if number != 0 {
            self.0.insert(name.into(), number.to_string().into());
        }
        self
    }

    fn flag(mut self, name: &str, flag: bool) -> Object {
        if flag {
            self.0.insert(name.into(), true.into());
        }
        self
    }

    fn bytes(mut self, name: &str, bytes: &[u8]) -> Object {
        if !bytes.is_empty() {
            self.0.insert(name.into(), to_base64(bytes).into());
        }
        self
    }

    fn message(mut self, name: &str, message: Option<Value>) -> Object {
        if let Some(message) = message {
            self.0.insert(name.into(), message);
        }
        self
    }

    fn list(mut self, name: &str, list: Vec<Value>) -> Object {
        if !list.is_empty() {
            self.0.insert(name.into(), list.into());
        }
        self
    }

    pub(crate) fn into_json(self) -> Value {
        Value::Object(self.0)
    }
}

fn pair(pair: &KeyValue) -> Value {
    Object::default()
        .bytes("key", &pair.key)
        .number("create_revision", pair.create_revision)
        .number("mod_revision", pair.mod_revision)
        .number("version", pair.version)
        .bytes("value", &pair.value)
        .number("lease", pair.lease)
        .into_json()
}

pub(crate) fn range_response(response: &RangeResponse) -> Value {
    Object::default()
        .header(&response.header)
        .list("kvs", response.kvs.iter().map(pair).collect())
        .flag("more", response.more)
        .number("count", response.count)
        .into_json()
}

pub(crate) fn put_response(response: &PutResponse) -> Value {
    Object::default()
        .header(&response.header)
        .message("prev_kv", response.prev_kv.as_ref().map(pair))
        .into_json()
}

pub(crate) fn delete_response(response: &DeleteRangeResponse) -> Value {
    Object::default()
        .header(&response.header)
        .number("deleted", response.deleted)
        .list("prev_kvs", response.prev_kvs.iter().map(pair).collect())
        .into_json()
}

pub(crate) fn txn_response(response: &TxnResponse) -> Value {
    let responses = response.responses.iter().map(|op| match &op.response {
        Some(Response::ResponseRange(range)) => json!({"response_range": range_response(range)}),
        Some(Response::ResponsePut(put)) => json!({"response_put": put_response(put)}),
        Some(Response::ResponseDeleteRange(delete)) => {
            json!({"response_delete_range": delete_response(delete)})
        }
        Some(Response::ResponseTxn(txn)) => json!({"response_txn": txn_response(txn)}),
        None => json!({}),
    });
    Object::default()
        .header(&response.header)
        .flag("succeeded", response.succeeded)
        .list("responses", responses.collect())
        .into_json()
}
