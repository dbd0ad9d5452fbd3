//! Histories as text, one request per line, so that the same file can be played here and against
//! etcd.
//!
//! ```text
//! put KEY=VALUE[@LEASE]     grant LEASE     compact REVISION
//! del KEY[..END]            revoke LEASE
//! txn OP…                   where an OP is put:…, del:…, or a nested transaction ( OP… )
//! ```
//!
//! Percent signs escape bytes.

use bytes::Bytes;
use retcd_api::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, InternalRaftRequest, LeaseGrantRequest,
    LeaseRevokeRequest, PutRequest, RequestOp, TxnRequest,
};

use crate::support::{IntoEntry, op, ops};

/// The entry that a line stands for.
pub(crate) fn parse(line: &str) -> InternalRaftRequest {
    let (verb, rest) = line.split_once(' ').expect("a line has a verb and an operand");
    match verb {
        "put" => parse_put(rest).into_entry(),
        "del" => parse_delete(rest).into_entry(),
        "txn" => parse_ops(&mut rest.split(' ')).into_entry(),
        "grant" => LeaseGrantRequest { id: number(rest), ttl: 3600 }.into_entry(),
        "revoke" => LeaseRevokeRequest { id: number(rest) }.into_entry(),
        "compact" => CompactionRequest { revision: number(rest), physical: true }.into_entry(),
        _ => panic!("unknown verb in {line}"),
    }
}

/// A decimal number.
pub(crate) fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("{text} isn't a number"))
}

fn parse_put(text: &str) -> PutRequest {
    let (key, value) = text.split_once('=').expect("a put has a value");
    let (value, lease) = value.split_once('@').unwrap_or((value, "0"));
    PutRequest {
        key: unescape(key),
        value: unescape(value),
        lease: number(lease),
        ..PutRequest::default()
    }
}

fn parse_delete(text: &str) -> DeleteRangeRequest {
    let (key, range_end) = text.split_once("..").unwrap_or((text, ""));
    DeleteRangeRequest { key: unescape(key), range_end: unescape(range_end), prev_kv: false }
}

fn parse_ops<'a>(words: &mut impl Iterator<Item = &'a str>) -> TxnRequest {
    let mut success: Vec<RequestOp> = Vec::new();
    while let Some(word) = words.next() {
        success.push(match word.split_once(':') {
            Some(("put", rest)) => op(parse_put(rest)),
            Some(("del", rest)) => op(parse_delete(rest)),
            None if word == "(" => op(parse_ops(words)),
            None if word == ")" => break,
            _ => panic!("unknown operation {word}"),
        });
    }
    ops(success)
}

fn unescape(text: &str) -> Bytes {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let (digits, tail) = tail.split_at(2);
            let digits = std::str::from_utf8(digits).expect("escapes are text");
            bytes.push(u8::from_str_radix(digits, 16).expect("escapes are two hex digits"));
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    bytes.into()
}
