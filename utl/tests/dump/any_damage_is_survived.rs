//! Random bytes in random places: the program ends, says something in both forms, and changes
//! nothing.

use crate::support::*;
use proptest::prelude::*;
use retcd_vfs::MemVfs;
use retcd_wal::{Group, SnapshotMark};

fn log() -> MemVfs {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 8, 1);
    fill(&mut log, 7, 9, 2);
    let mark = Some(SnapshotMark { index: 12, term: 2 });
    let entries = [put(13, 3, "k", "v"), entry(14, 3, 1, "no change")];
    log.append(&Group { entries: &entries, hard_state: hard(3, 12), snapshot: mark })
        .expect("in memory");
    vfs
}

/// A change of one byte: half of them in what carries meaning, at the start of a block.
fn change() -> impl Strategy<Value = (usize, usize, u8)> {
    let near = (0..8usize, 0..200usize).prop_map(|(block, byte)| block * 4096 + byte);
    (0..3usize, prop_oneof![near, 0..32_768usize], 1..=255u8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn of_any_bytes(changes in proptest::collection::vec(change(), 1..20), cut in 0..9u64) {
        let vfs = log();
        let all = paths(&vfs);
        for (segment, offset, flip) in changes {
            damage(&vfs, &all[segment % all.len()], |bytes| bytes[offset] ^= flip);
        }
        let cut = if cut == 0 { None } else { Some(read(&vfs, &all[0])) };
        if let Some(bytes) = cut {
            use retcd_vfs::Vfs;
            vfs.remove_file(&all[0]).expect("it is there");
            write(&vfs, &all[0], &bytes[..bytes.len() - bytes.len() / 9]);
        }
        let before: Vec<_> = all.iter().map(|path| read(&vfs, path)).collect();
        for flushed in ["0:0", "7:1", "12:2"] {
            let text = dump(&vfs, &["--flushed", flushed]);
            let json = dump(&vfs, &["--flushed", flushed, "-w", "json"]);
            prop_assert_eq!(text.code, json.code);
            prop_assert_eq!(json.json("verdict").len(), 1);
            prop_assert_eq!(json.json("verdict")[0]["starts"].as_bool(), Some(json.code == 0));
            prop_assert_eq!(text.lines_with("verdict: ").len(), 1);
        }
        let after: Vec<_> = all.iter().map(|path| read(&vfs, path)).collect();
        prop_assert!(before == after, "a file was changed");
    }
}
