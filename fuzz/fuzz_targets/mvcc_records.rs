//! Records of any content under a valid summary: opening a store on them, and every way of reading
//! it.
//!
//! The engine's checksums are right, so what is in the records is believed as far as it decodes.
//! Opening may refuse them, and any read may fail; nothing may panic.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use retcd_api::etcdserverpb::{RangeRequest, ResponseHeader};
use retcd_engine::sort::Sorter;
use retcd_engine::{Applied, Engine, Header, Keyspace, Oracle, Record, Version};
use retcd_fuzz::input::Input;
use retcd_mvcc::watch::{History, PieceLimit};
use retcd_mvcc::{Config, DatabaseOrigin, Store};
use retcd_vfs::MemVfs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const REVISION: i64 = 20;
/// What names in the `meta` keyspace begin with.
const NAMES: [&[u8]; 6] = [
    b"lease/",
    b"alarm/",
    b"member/",
    b"member-removed/",
    b"cluster/version",
    b"cluster/downgrade",
];
const LIMIT: PieceLimit = PieceLimit { revisions: 5, scanned: 5, bytes: 500 };

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let engine = Arc::new(Oracle::new());
    let compacted = input.number(REVISION as u64) as i64;
    while !input.is_empty() {
        let (keyspace, record) = record(&mut input);
        engine.write(keyspace, &mut vec![record]).expect("memory only");
    }
    let state = [&[1][..], &REVISION.to_le_bytes(), &compacted.to_le_bytes(), &[9; 8]].concat();
    let watermark = compacted as u64;
    let applied = Applied { index: 9, term: 1, watermark, state: state.into() };
    engine.commit(applied).expect("memory only");
    if let Ok((store, _applier)) = Store::open(engine, Config::default()) {
        read(&store, compacted);
    }
});

fn record(input: &mut Input<'_>) -> (Keyspace, Record) {
    let (keyspace, key) = match input.byte() % 8 {
        0..3 => (Keyspace::Kv, bytes(input, 3)),
        3 => (Keyspace::Lease, bytes(input, 12)),
        4 => (Keyspace::Rev, bytes(input, 17)),
        5 => {
            let main = input.number(REVISION as u64 + 1).to_be_bytes();
            (Keyspace::Rev, Bytes::from([main, input.number(3).to_be_bytes()].concat()))
        }
        _ => {
            let name = NAMES[input.up_to(NAMES.len() - 1)];
            (Keyspace::Meta, Bytes::from([name, &bytes(input, 16)].concat()))
        }
    };
    let version = Version { main: input.number(REVISION as u64 + 1), sub: input.number(3) };
    let tombstone = input.byte().is_multiple_of(8) && keyspace != Keyspace::Rev;
    let header = Header::new(&bytes(input, 31)).expect("31 bytes are the limit");
    let value = if tombstone { Bytes::new() } else { bytes(input, 200) };
    (keyspace, Record { key, version, tombstone, header, value, keys_added: None })
}

/// As many bytes as the input says, at most `max`.
fn bytes(input: &mut Input<'_>, max: usize) -> Bytes {
    let len = input.up_to(max);
    (0..len).map(|_| input.byte()).collect()
}

fn read(store: &Arc<Store>, compacted: i64) {
    let all = RangeRequest { key: "\0".into(), range_end: "\0".into(), ..RangeRequest::default() };
    for revision in [0, compacted, REVISION - 1] {
        for (limit, sort_order, count_only) in [(0, 0, false), (2, 2, false), (0, 1, true)] {
            let request = RangeRequest { revision, limit, sort_order, count_only, ..all.clone() };
            let _ = store.range(&request);
            let _ = store.range_into(&request, &ResponseHeader::default(), &mut BytesMut::new());
        }
        let _ = store.hash_kv(revision);
        let _ = store.pair_at(b"a", revision);
        let _ = store.events(revision.max(1)..=REVISION, LIMIT, &|_| true);
    }
    let _ = store.hash();
    if let Ok(mut stream) = Arc::clone(store).range_stream(all, 64) {
        while let Ok(Some(_)) = stream.next_piece() {}
    }
    store.promote(Duration::from_secs(5), Duration::from_secs(1));
    for lease in store.leases() {
        let _ = store.lease_keys(lease);
        let _ = store.lease_time_to_live(lease, Duration::from_secs(9));
        let _ = store.lease_renew(lease, Duration::from_secs(9));
    }
    let _ = store.expired_leases(Duration::from_secs(1 << 40), 10);
    let _ = store.lease_checkpoints_due(Duration::from_secs(1 << 40));
    let _ = (store.alarms(), store.members(), store.cluster_version());
    let sorter = Sorter::new(Arc::new(MemVfs::new()), Path::new("/sort"), 1 << 20);
    let conf_state_json = &|_: &Bytes| Some(b"{}".to_vec());
    let origin = DatabaseOrigin { term: 1, conf_state_json, is_wanted: &|| true };
    if let Ok(database) = store.etcd_database(sorter, &origin) {
        let _ = database.write(&mut Vec::new());
    }
}
