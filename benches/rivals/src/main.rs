//! Our engines beside others, in one run: the same loads, reads, tables and plots.
//!
//! ```text
//! cargo run --release --manifest-path benches/rivals/Cargo.toml -- [options of the engines' bench]
//! ```
//!
//! The rivals keep plain pairs: they have no versions, so an overwritten value is gone at once,
//! where ours keeps it until it is told that the past may go. Each is set up as its documentation
//! recommends, and what differs from its defaults is printed above the table.

mod fjall_store;
mod redb_store;

use retcd_benches::Error;
use retcd_benches::engine::{ours, suite};

fn main() -> Result<(), Error> {
    let rivals = [fjall_store::CANDIDATE, redb_store::CANDIDATE];
    suite::main(&[ours::CANDIDATES.as_slice(), &rivals].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use retcd_benches::engine::options::Durability;
    use retcd_benches::engine::subject::{Direction, Projection, Scan, Setup};

    #[test]
    fn the_rivals_do_what_the_bench_asks() {
        for candidate in [fjall_store::CANDIDATE, redb_store::CANDIDATE] {
            for durability in [Durability::Batch, Durability::None] {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let setup = Setup { cache_bytes: 1 << 20, durability };
                let pair = |n: u32| -> (Bytes, Bytes) { (format!("k{n:03}").into(), "v".into()) };
                let mut store = (candidate.open)(folder.path(), setup).expect("a store");
                store.write(&mut (0..300).map(pair).collect()).expect("a batch");
                store.compact().expect("a compaction");
                store.merge().expect("a merge");
                drop(store);
                let store = (candidate.open)(folder.path(), setup).expect("a store");
                assert_eq!(store.get(b"k123").expect("a get"), Some(1));
                assert_eq!(store.get(b"k300").expect("a get"), None);
                assert_eq!(store.count(b"k100", b"k200").expect("a count"), 100);
                let scan = Scan {
                    start: b"k100",
                    end: b"l",
                    limit: 20,
                    direction: Direction::Reverse,
                    projection: Projection::Full,
                };
                let scanned = store.scan(&scan).expect("a scan");
                assert_eq!((scanned.keys, scanned.bytes), (20, 100), "{}", candidate.name);
            }
        }
    }
}
