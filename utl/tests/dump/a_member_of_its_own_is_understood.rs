//! A member's own data directory: founded, led, written to, flushed, and killed.

use crate::support::dump;
use prost::Message;
use retcd_api::etcdserverpb::{InternalRaftRequest, PutRequest, RequestHeader};
use retcd_engine::{Engine, Lsm, Options};
use retcd_mvcc::Config;
use retcd_raft_glue::{BootstrapOptions, DataDir, FoundingMember, Inline, Input, bootstrap};
use retcd_vfs::{MemVfs, Vfs};
use std::path::Path;
use std::sync::Arc;

fn member(vfs: &Arc<dyn Vfs>) -> Inline {
    let peer_urls = vec!["http://127.0.0.1:2380".to_owned()];
    let options = BootstrapOptions {
        name: "default".into(),
        initial_cluster: vec![FoundingMember { name: "default".into(), peer_urls }],
        initial_cluster_token: "etcd-cluster".into(),
        joins: None,
        stands_alone: None,
        log: retcd_wal::Options { segment_bytes: 32 << 10, salt: 7, ..Default::default() },
        store: Config::default(),
        election_ticks: 10,
        pre_vote: true,
        seed: 1,
    };
    let data_dir = DataDir::open(vfs.clone(), Path::new("data"), None).expect("in memory");
    let small = Options { memtable_bytes: 2 << 10, replay_entries_max: 16, ..Options::default() };
    let files = vfs.clone();
    let parts = bootstrap(data_dir, options, move |dir| {
        Ok(Arc::new(Lsm::open(files.clone(), dir, small.clone())?) as Arc<dyn Engine>)
    });
    Inline::new(parts.expect("in memory"))
}

fn put(id: u64) -> Input {
    let put = PutRequest {
        key: format!("key-{id}").into(),
        value: "value".into(),
        ..PutRequest::default()
    };
    let header = Some(RequestHeader { id, ..RequestHeader::default() });
    let request = InternalRaftRequest { header, put: Some(put), ..InternalRaftRequest::default() };
    Input::Propose { token: id, data: request.encode_to_vec().into() }
}

#[test]
fn with_what_its_engine_has_flushed() {
    let memory = MemVfs::new();
    let vfs: Arc<dyn Vfs> = Arc::new(memory.clone());
    let mut member = member(&vfs);
    member.settle().expect("in memory");
    for id in 1..=60 {
        member.step(put(id)).expect("in memory");
        member.settle().expect("in memory");
    }
    let flushed = member.parts().engine.flushed();
    let identity = member.parts().identity;
    assert!(flushed.index > 0);
    drop(member);

    let ran = dump(&memory, &["-w", "json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let log = &ran.json("log")[0];
    assert_eq!(log["flushed_source"], "engine");
    assert_eq!(log["flushed"], serde_json::json!({ "index": flushed.index, "term": flushed.term }));
    let segments = ran.json("segment");
    assert!(segments.iter().any(|segment| segment["recycled"] == true));
    assert!(segments.iter().all(|segment| segment["member"] == identity.member));
    let verdict = &ran.json("verdict")[0];
    assert_eq!((&verdict["verdict"], &verdict["last_index"]), (&"unmarked".into(), &62.into()));
    assert!(ran.json("fault").is_empty(), "{}", ran.out);
    let puts = dump(&memory, &["--kind", "put", "--from-index", "62"]);
    assert_eq!(puts.lines_with("put ").len(), 1);
    assert_eq!(puts.lines_with(r#"key="key-60" value="value" (request=3c)"#).len(), 1);
}
