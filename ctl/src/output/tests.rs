//! Each format of each response, as `reference` samples of etcd 3.5.1 have it.

mod access;
mod cluster;

use std::io::Write;
use std::sync::{Arc, Mutex};

use retcd_api::etcdserverpb::response_op::Response;
use retcd_api::etcdserverpb::{
    DeleteRangeResponse, LeaseGrantResponse, LeaseLeasesResponse, LeaseStatus,
    LeaseTimeToLiveResponse, PutResponse, RangeResponse, ResponseHeader, ResponseOp, TxnResponse,
    WatchResponse,
};
use retcd_api::mvccpb::{Event, KeyValue};

use super::*;

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("one thread").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is printed; with `--hex` if the format's name ends with an asterisk.
fn printed(format: &str, response: &impl Show) -> String {
    let memory = Memory::default();
    let (name, is_hex) = format.strip_suffix('*').map_or((format, false), |name| (name, true));
    let mut printer = Printer::new(name, is_hex).expect("a format");
    printer.page = Page::on(Box::new(memory.clone()), is_hex);
    printer.print(response).expect("memory takes it");
    let bytes = memory.0.lock().expect("one thread").clone();
    String::from_utf8(bytes).expect("text")
}

fn header(revision: i64) -> ResponseHeader {
    ResponseHeader {
        cluster_id: 12_101_053_776_118_486_841,
        member_id: 15_985_099_378_392_235_387,
        revision,
        raft_term: 2,
    }
}

const HEADER: &str = "\"cluster_id\":12101053776118486841,\"member_id\":15985099378392235387";

fn pair(key: &'static str, revision: i64, value: &'static str) -> KeyValue {
    KeyValue {
        key: key.into(),
        create_revision: revision,
        mod_revision: revision,
        version: 1,
        value: value.into(),
        lease: 0,
    }
}

#[test]
fn a_range() {
    let response = RangeResponse {
        header: Some(header(17)),
        kvs: vec![pair("k1", 15, "v1"), pair("k2", 16, "v2")],
        more: true,
        count: 3,
    };
    assert_eq!(printed("simple", &response), "k1\nv1\nk2\nv2\n");
    assert_eq!(printed("simple*", &response), "\\x6b\\x31\n\\x76\\x31\n\\x6b\\x32\n\\x76\\x32\n");
    let json = format!(
        "{{\"header\":{{{HEADER},\"revision\":17,\"raft_term\":2}},\"kvs\":[\
         {{\"key\":\"azE=\",\"create_revision\":15,\"mod_revision\":15,\"version\":1,\
         \"value\":\"djE=\"}},{{\"key\":\"azI=\",\"create_revision\":16,\"mod_revision\":16,\
         \"version\":1,\"value\":\"djI=\"}}],\"more\":true,\"count\":3}}\n"
    );
    assert_eq!(printed("json", &response), json);
    assert_eq!(printed("json*", &response), json);
    let one = RangeResponse { kvs: vec![pair("k1", 15, "v1")], ..response };
    assert_eq!(
        printed("fields", &one),
        "\"ClusterID\" : 12101053776118486841\n\"MemberID\" : 15985099378392235387\n\
         \"Revision\" : 17\n\"RaftTerm\" : 2\n\"Key\" : \"k1\"\n\"CreateRevision\" : 15\n\
         \"ModRevision\" : 15\n\"Version\" : 1\n\"Value\" : \"v1\"\n\"Lease\" : 0\n\
         \"More\" : true\n\"Count\" : 3\n"
    );
}

#[test]
fn a_put() {
    let response = PutResponse { header: Some(header(8)), prev_kv: Some(pair("foo", 7, "bar6")) };
    assert_eq!(printed("simple", &response), "OK\nfoo\nbar6\n");
    assert_eq!(
        printed("json", &response),
        format!(
            "{{\"header\":{{{HEADER},\"revision\":8,\"raft_term\":2}},\"prev_kv\":{{\
             \"key\":\"Zm9v\",\"create_revision\":7,\"mod_revision\":7,\"version\":1,\
             \"value\":\"YmFyNg==\"}}}}\n"
        )
    );
    let bare = PutResponse { header: Some(header(6)), prev_kv: None };
    let bytes = bare.protobuf().expect("it has that format");
    assert_eq!(bytes[..4], [0x0a, 0x1a, 0x08, 0xb9]);
    assert_eq!(bytes[24..], [0x18, 0x06, 0x20, 0x02]);
    let failure = Printer::new("table", false)
        .expect("a format")
        .print(&bare)
        .expect_err("this response isn't a table");
    assert_eq!(
        (failure.text(), failure.code()),
        ("Error: table not supported as output format\n", 4)
    );
}

#[test]
fn a_transaction() {
    let inner = || Some(ResponseHeader { revision: 54, ..ResponseHeader::default() });
    let put = PutResponse { header: inner(), prev_kv: None };
    let delete = DeleteRangeResponse { header: inner(), deleted: 1, prev_kvs: Vec::new() };
    let responses = [Response::ResponsePut(put), Response::ResponseDeleteRange(delete)]
        .map(|response| ResponseOp { response: Some(response) })
        .to_vec();
    let response = TxnResponse { header: Some(header(54)), succeeded: true, responses };
    assert_eq!(printed("simple", &response), "SUCCESS\n\nOK\n\n1\n");
    assert_eq!(
        printed("json", &response),
        format!(
            "{{\"header\":{{{HEADER},\"revision\":54,\"raft_term\":2}},\"succeeded\":true,\
             \"responses\":[{{\"Response\":{{\"response_put\":{{\"header\":\
             {{\"revision\":54}}}}}}}},\
             {{\"Response\":{{\"response_delete_range\":{{\"header\":{{\"revision\":54}},\
             \"deleted\":1}}}}}}]}}\n"
        )
    );
    let fields = printed("fields", &response);
    assert!(fields.contains("\"Succeeded\" : true\n\"ClusterID\" : 0\n"), "{fields}");
}

#[test]
fn a_watch() {
    let deleted = KeyValue { key: "w1".into(), mod_revision: 44, ..KeyValue::default() };
    let event = Event { r#type: 1, kv: Some(deleted), prev_kv: Some(pair("w1", 43, "a")) };
    let response = WatchResponse {
        header: Some(header(44)),
        watch_id: 7,
        events: vec![event],
        ..WatchResponse::default()
    };
    let watched = Watched::from(response);
    assert_eq!(printed("simple", &watched), "DELETE\nw1\na\nw1\n\n");
    assert_eq!(
        printed("json", &watched),
        format!(
            "{{\"Header\":{{{HEADER},\"revision\":44,\"raft_term\":2}},\"Events\":[{{\"type\":1,\
             \"kv\":{{\"key\":\"dzE=\",\"mod_revision\":44}},\"prev_kv\":{{\"key\":\"dzE=\",\
             \"create_revision\":43,\"mod_revision\":43,\"version\":1,\"value\":\"YQ==\"}}}}],\
             \"CompactRevision\":0,\"Canceled\":false,\"Created\":false}}\n"
        )
    );
    let fields = printed("fields", &watched);
    assert!(fields.contains("\"Type\" : DELETE\n\"PrevKey\" : \"w1\"\n"), "{fields}");
    assert_eq!(
        printed("json", &Watched::broken()),
        "{\"Header\":{},\"Events\":null,\"CompactRevision\":0,\"Canceled\":true,\
         \"Created\":false}\n"
    );
}

#[test]
fn leases() {
    let id = 9_041_998_809_020_689_257;
    let granted = Granted::from(LeaseGrantResponse {
        header: Some(header(48)),
        id,
        ttl: 100,
        error: String::new(),
    });
    assert_eq!(printed("simple", &granted), "lease 7d7ba2029f2eeb69 granted with TTL(100s)\n");
    assert_eq!(
        printed("json", &granted),
        format!(
            "{{{HEADER},\"revision\":48,\"raft_term\":2,\"ID\":{id},\"TTL\":100,\"Error\":\"\"}}\n"
        )
    );
    let left = |ttl, keys: &[&'static str]| {
        let response = LeaseTimeToLiveResponse {
            header: Some(header(50)),
            id,
            ttl,
            granted_ttl: if ttl < 0 { 0 } else { 300 },
            keys: keys.iter().map(|key| (*key).into()).collect(),
        };
        TimeToLive::new(response, !keys.is_empty())
    };
    assert_eq!(
        printed("simple", &left(299, &["lk1", "lk2"])),
        "lease 7d7ba2029f2eeb69 granted with TTL(300s), remaining(299s), attached keys([lk1 lk2])\n"
    );
    assert_eq!(printed("simple", &left(-1, &[])), "lease 7d7ba2029f2eeb69 already expired\n");
    let json = printed("json", &left(299, &["lk1", "lk2"]));
    let end = ",\"ttl\":299,\"granted-ttl\":300,\"keys\":[\"bGsx\",\"bGsy\"]}\n";
    assert!(json.ends_with(end), "{json}");
    let json = printed("json", &left(-1, &[]));
    assert!(json.ends_with(",\"ttl\":-1,\"granted-ttl\":0,\"keys\":null}\n"), "{json}");
    let leases = Leases::from(LeaseLeasesResponse {
        header: Some(header(50)),
        leases: vec![LeaseStatus { id }],
    });
    assert_eq!(printed("simple", &leases), "found 1 leases\n7d7ba2029f2eeb69\n");
    assert!(printed("json", &leases).ends_with(&format!(",\"leases\":[{{\"id\":{id}}}]}}\n")));
}
