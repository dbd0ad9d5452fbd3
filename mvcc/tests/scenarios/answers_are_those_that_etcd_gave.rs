//! Sessions recorded with etcd 3.5.1: random requests over a few keys, among them refused ones.
//! Every answer here must be the recorded one, apart from what names the member.
//!
//! A line of a recording is a JSON array of path, request and response of etcd's gateway; `hash`
//! stands for `endpoint hashkv`, which that gateway doesn't reach.

use prost::Message;
use retcd_api::Error;
use retcd_api::etcdserverpb::ResponseHeader;
use retcd_mvcc::Response;
use serde_json::{Value, json};

use crate::json;
use crate::support::{IntoEntry, Member, refused};

#[test]
fn in_recorded_sessions() {
    let recordings =
        [include_str!("recorded/session-1.jsonl"), include_str!("recorded/session-2.jsonl")];
    for (number, recording) in recordings.into_iter().enumerate() {
        let mut member = Member::new();
        for (line, text) in recording.lines().enumerate() {
            let recorded: Value = serde_json::from_str(text).expect("a recording is JSON");
            let path = recorded[0].as_str().expect("a line begins with a path");
            let answer = answer(&mut member, path, &recorded[1]);
            let expected = comparable(path, recorded[2].clone());
            assert_eq!(answer, expected, "session {}, line {}: {text}", number + 1, line + 1);
        }
    }
}

/// Leaves out the time that a lease has left.
fn comparable(path: &str, mut response: Value) -> Value {
    if path == "lease/timetolive" {
        let keys = response["keys"].take();
        let mut keys: Vec<Value> = keys.as_array().cloned().unwrap_or_default();
        keys.sort_by_key(|key| key.to_string());
        return json!({"keys": keys});
    }
    response
}

fn answer(member: &mut Member, path: &str, request: &Value) -> Value {
    let result = match path {
        "kv/range" => range(member, request),
        "kv/put" => execute(member, json::put_request(request)),
        "kv/deleterange" => execute(member, json::delete_request(request)),
        "kv/txn" => txn(member, request),
        "kv/compaction" => execute(member, json::compaction_request(request)),
        "lease/grant" => execute(member, json::grant_request(request)),
        "lease/revoke" => execute(member, json::revoke_request(request)),
        "lease/timetolive" => lease_keys(member, request),
        "hash" => hash_kv(member, request),
        _ => panic!("unknown path {path}"),
    };
    result.unwrap_or_else(|error| json!({"code": error.code() as i32, "error": error.message()}))
}

/// Asks for the message and for its bytes, which must be the same.
fn range(member: &Member, request: &Value) -> Result<Value, Error> {
    let request = json::range_request(request);
    let header = ResponseHeader { cluster_id: 3, member_id: 4, revision: 0, raft_term: 5 };
    let mut bytes = bytes::BytesMut::new();
    let written = member.store.range_into(&request, &header, &mut bytes).map_err(refused);
    let mut response = member.try_range(&request)?;
    written?;
    let revision = response.header.as_ref().expect("a range has a header").revision;
    let answer = json::range_response(&response);
    response.header = Some(ResponseHeader { revision, ..header });
    assert_eq!(bytes, response.encode_to_vec());
    Ok(answer)
}

/// Read-only transactions are answered from the store, and through an entry alike.
fn txn(member: &mut Member, request: &Value) -> Result<Value, Error> {
    let request = json::txn_request(request);
    if !retcd_mvcc::is_read_only(&request) {
        return execute(member, request);
    }
    let read = member.store.read_txn(&request).map_err(refused);
    let read = read.map(|response| json::txn_response(&response));
    assert_eq!(execute(member, request), read);
    read
}

fn execute(member: &mut Member, request: impl IntoEntry) -> Result<Value, Error> {
    Ok(match member.execute(request.into_entry())? {
        Response::Put(response) => json::put_response(&response),
        Response::DeleteRange(response) => json::delete_response(&response),
        Response::Txn(response) => json::txn_response(&response),
        Response::Compaction(response) => {
            json::Object::default().header(&response.header).into_json()
        }
        Response::LeaseGrant(response) => json::Object::default()
            .header(&response.header)
            .number("ID", response.id)
            .number("TTL", response.ttl)
            .into_json(),
        Response::LeaseRevoke(response) => {
            json::Object::default().header(&response.header).into_json()
        }
        other => panic!("unexpected answer {other:?}"),
    })
}

fn lease_keys(member: &Member, request: &Value) -> Result<Value, Error> {
    let id = json::grant_request(request).id;
    let keys = member.store.lease_keys(id).map_err(refused)?;
    let mut keys: Vec<Value> = keys.iter().map(|key| json::to_base64(key).into()).collect();
    keys.sort_by_key(|key: &Value| key.to_string());
    Ok(json!({"keys": keys}))
}

fn hash_kv(member: &mut Member, request: &Value) -> Result<Value, Error> {
    let revision = json::compaction_request(request).revision;
    let hash = member.store.hash_kv(revision).map_err(refused)?;
    Ok(json!({"hash": hash.hash, "compact_revision": hash.compact_revision}))
}
