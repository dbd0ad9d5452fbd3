//! Records of any content under a valid summary: opening a store on them, and every way of reading
//! it.
//!
//! The engine's checksums are right, so what is in the records is believed as far as it decodes.
//! Opening may refuse them, and any read may fail; nothing may panic.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use retcd_engine::{Applied, Engine, Header, Keyspace, Oracle, Record, Version};
use retcd_fuzz::input::Input;
use retcd_fuzz::mvcc::read_everything;
use retcd_mvcc::{Config, Store};
use std::sync::Arc;

const REVISION: i64 = 20;
/// What names in the `meta` keyspace begin with.
const NAMES: [&[u8]; 10] = [
    b"auth/enabled",
    b"auth/revision",
    b"auth-user/",
    b"auth-role/",
    b"lease/",
    b"alarm/",
    b"member/",
    b"member-removed/",
    b"cluster/version",
    b"cluster/downgrade",
];

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
        read_everything(&store, compacted, REVISION);
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
