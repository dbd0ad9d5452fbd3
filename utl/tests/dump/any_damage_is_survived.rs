//! Random bytes in random places, as they are and with the checksums made right again: the program
//! ends, says something in both forms, and changes nothing.

use crate::database::{self, Database, VIEWS, files};
use crate::directories::{ETCDS_DATABASE, ETCDS_LOG, ETCDS_SNAP, change, etcds};
use crate::support::*;
use proptest::collection::vec;
use proptest::prelude::*;
use retcd_vfs::{MemVfs, Vfs};
use retcd_wal::{Group, Options, SnapshotMark};
use std::path::Path;

/// Commands that take a data directory of either server's.
const COMMANDS_ON_DIRECTORIES: [&str; 2] = ["check", "meta"];

fn log(compress_from_bytes: u64) -> MemVfs {
    let vfs = MemVfs::new();
    let mut log = create_with(&vfs, Options { compress_from_bytes, ..options() });
    fill(&mut log, 1, 8, 1);
    fill(&mut log, 7, 9, 2);
    let mark = Some(SnapshotMark { index: 12, term: 2 });
    let entries = [put(13, 3, "k", vec![b'v'; 9000]), entry(14, 3, 1, "no change")];
    log.append(&Group { entries: &entries, hard_state: hard(3, 12), snapshot: mark })
        .expect("in memory");
    vfs
}

/// A change of one byte: block, byte in the block, bits. Most of them where something is written.
fn byte_change() -> impl Strategy<Value = (usize, usize, u8)> {
    (0..8usize, prop_oneof![4 => 0..200usize, 1 => 200..4096usize], 1..=255u8)
}

/// Runs the program in all its ways.
fn survive(vfs: &MemVfs) -> Result<(), TestCaseError> {
    let all = paths(vfs);
    let before: Vec<_> = all.iter().map(|path| read(vfs, path)).collect();
    for flushed in ["0:0", "12:2", "18446744073709551615:1"] {
        let text = dump(vfs, &["--flushed", flushed]);
        let json = dump(vfs, &["--flushed", flushed, "-w", "json"]);
        let totals = dump(vfs, &["--flushed", flushed, "--summary"]);
        prop_assert_eq!((text.code, totals.code), (json.code, json.code));
        prop_assert_eq!(json.json("verdict").len(), 1);
        prop_assert_eq!(json.json("verdict")[0]["starts"].as_bool(), Some(json.code == 0));
        prop_assert_eq!(text.lines_with("verdict: ").len(), 1);
    }
    let assumed = dump(vfs, &["--groups-only"]);
    prop_assert!(assumed.lines_with("verdict: ").len() == 1);
    let after: Vec<_> = all.iter().map(|path| read(vfs, path)).collect();
    prop_assert!(before == after, "a file was changed");
    Ok(())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn put_u32(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

/// Changes what isn't a group's place, and makes checksums and chain right again. Returns the last
/// checksum, which the next segment has to name. `chain` is that of the segment before.
fn reseal(bytes: &mut [u8], chain: Option<u32>, changes: &[(usize, usize, u8)]) -> u32 {
    let flip = |bytes: &mut [u8], block: usize, from: usize, to: usize| {
        for (_, byte, bits) in changes.iter().filter(|(in_block, ..)| *in_block == block) {
            if (from..to).contains(byte) {
                bytes[block * 4096 + byte] ^= bits;
            }
        }
    };
    flip(bytes, 0, 16, 140);
    if let Some(chain) = chain {
        put_u32(bytes, 80, chain);
    }
    let mut sum = crc32fast::hash(&bytes[16..256]);
    put_u32(bytes, 12, sum);
    let mut block = 1;
    while block < 8 && &bytes[at(block)..at(block) + 4] == b"RLGP" {
        let start = at(block);
        let blocks = (64 + u32_at(bytes, start + 44)).div_ceil(4096);
        flip(bytes, block as usize, 48, 4096);
        bytes[start + 52] &= 3;
        bytes[start + 53..start + 56].fill(0);
        put_u32(bytes, start + 40, sum);
        let end = start + 64 + u32_at(bytes, start + 44) as usize;
        sum = crc32fast::hash(&bytes[start + 8..end]);
        put_u32(bytes, start + 4, sum);
        block += u64::from(blocks);
    }
    sum
}

/// Shows a database in all its ways.
fn survive_database(vfs: &MemVfs) -> Result<(), TestCaseError> {
    let all = files(vfs, "");
    let before: Vec<_> = all.iter().map(|path| read(vfs, path)).collect();
    for view in VIEWS {
        let text = database::db(vfs, view);
        let json = database::db(vfs, &[view, &["-w", "json"]].concat());
        prop_assert_eq!(text.code, json.code, "{:?}", view);
        prop_assert!(text.code <= 1, "{}", text.err);
        prop_assert_eq!(json.json("fault").len(), text.lines_with("FAULT ").len());
        let is_told = !json.json("fault").is_empty() || !json.err.is_empty();
        prop_assert_eq!(is_told, json.code == 1, "{:?}: {}", view, json.out);
    }
    for table in files(vfs, ".sst") {
        let name = table.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.expect("it has one");
        for view in [&["--table", &name][..], &["--table", &name, "--blocks"]] {
            prop_assert!(database::db(vfs, view).code <= 1);
        }
    }
    prop_assert!(files(vfs, "") == all, "a file came or went");
    let after: Vec<_> = all.iter().map(|path| read(vfs, path)).collect();
    prop_assert!(before == after, "a file was changed");
    Ok(())
}

/// The number in an engine file's name.
fn number_of(path: &Path) -> u64 {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.expect("it has one");
    let digits = name.trim_start_matches("MANIFEST-").trim_end_matches(".sst");
    u64::from_str_radix(digits, 16).expect("it is one of ours")
}

/// crc32 of `parts`, then of where they lie and in which file.
fn placed_sum(parts: &[&[u8]], offset: usize, file: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.update(&(offset as u64).to_le_bytes());
    hasher.update(&file.to_le_bytes());
    hasher.finalize()
}

/// Changes what is in a block of a table, and makes its checksum right again.
fn change_block(vfs: &MemVfs, path: &Path, block: usize, at: usize, bits: u8) {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let listed = database::db(vfs, &["--blocks", "-w", "json", "--table", &name.expect("one")]);
    let blocks = listed.json("block");
    let Some(block) = blocks.get(block % blocks.len().max(1)) else {
        return;
    };
    let place = |field: &str| block[field].as_u64().expect("a number") as usize;
    let (start, length) = (place("offset"), place("bytes"));
    let mut bytes = read(vfs, path);
    bytes[start + at % (length - 4)] ^= bits;
    let covered = &bytes[start..start + length - 4];
    let sum = placed_sum(&[covered], start, number_of(path));
    put_u32(&mut bytes, start + length - 4, sum);
    database::replace(vfs, path, &bytes);
}

/// Changes what is in an edit of the manifest, and makes its checksum right again.
fn change_edit(vfs: &MemVfs, edit: usize, at: usize, bits: u8) {
    let path = database::manifest(vfs);
    let mut bytes = read(vfs, &path);
    let mut starts = Vec::new();
    let mut start = 24;
    while start < bytes.len() {
        starts.push(start);
        start += (12 + u32_at(&bytes, start + 4) as usize).next_multiple_of(8);
    }
    let start = starts[edit % starts.len()];
    let length = u32_at(&bytes, start + 4) as usize;
    bytes[start + 12 + at % length] ^= bits;
    let content = &bytes[start + 12..start + 12 + length];
    let sum = placed_sum(&[&(length as u64).to_le_bytes(), content], start, number_of(&path));
    put_u32(&mut bytes, start + 8, sum);
    database::replace(vfs, &path, &bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn of_any_bytes(changes in vec((0..3usize, byte_change()), 1..20), cut in 0..5u64) {
        let vfs = log(0);
        let all = paths(&vfs);
        for (segment, (block, byte, bits)) in changes {
            damage(&vfs, &all[segment], |bytes| bytes[block * 4096 + byte] ^= bits);
        }
        if cut == 0 {
            let bytes = read(&vfs, &all[0]);
            vfs.remove_file(&all[0]).expect("it is there");
            write(&vfs, &all[0], &bytes[..bytes.len() - bytes.len() / 9]);
        }
        survive(&vfs)?;
    }

    #[test]
    fn under_right_checksums(
        changes in vec(vec(byte_change(), 0..6), 3..=3),
        compress in prop_oneof![Just(0), Just(1)],
    ) {
        let vfs = log(compress);
        let mut chain = None;
        for (path, changes) in paths(&vfs).iter().zip(changes) {
            damage(&vfs, path, |bytes| chain = Some(reseal(bytes, chain, &changes)));
        }
        survive(&vfs)?;
    }

    #[test]
    fn of_a_database(
        changes in vec((any::<usize>(), any::<usize>(), 1..=255u8), 1..6),
        cut in 0..6usize,
        gone in 0..12usize,
    ) {
        let vfs = MemVfs::new();
        drop(Database::small(&vfs, database::folder()));
        let all = files(&vfs, "");
        for (file, at, bits) in changes {
            let path = &all[file % all.len()];
            let mut bytes = read(&vfs, path);
            let at = at % bytes.len();
            bytes[at] ^= bits;
            let kept = if cut == 0 { at + 1 } else { bytes.len() };
            database::replace(&vfs, path, &bytes[..kept]);
        }
        if let Some(path) = all.get(gone) {
            vfs.remove_file(path).expect("it is there");
        }
        survive_database(&vfs)?;
    }

    #[test]
    fn of_a_database_under_right_checksums(
        blocks in vec((any::<usize>(), any::<usize>(), any::<usize>(), 1..=255u8), 0..5),
        edits in vec((any::<usize>(), any::<usize>(), 1..=255u8), 0..2),
    ) {
        let vfs = MemVfs::new();
        drop(Database::small(&vfs, database::folder()));
        let tables = files(&vfs, ".sst");
        for (table, block, at, bits) in blocks {
            change_block(&vfs, &tables[table % tables.len()], block, at, bits);
        }
        for (edit, at, bits) in edits {
            change_edit(&vfs, edit, at, bits);
        }
        survive_database(&vfs)?;
    }

    #[test]
    fn of_a_directory_of_etcds(
        changes in vec((0..3usize, any::<usize>(), 1..=255u8), 1..6),
        cut in 0..6usize,
    ) {
        let vfs = etcds();
        for (file, at, bits) in changes {
            change(&vfs, [ETCDS_LOG, ETCDS_DATABASE, ETCDS_SNAP][file], |bytes| {
                // Most of the log's file is blank.
                let at = at % bytes.len().min(if file == 0 { 3100 } else { usize::MAX });
                bytes[at] ^= bits;
                if cut == file {
                    bytes.truncate(at + 1);
                }
            });
        }
        for command in COMMANDS_ON_DIRECTORIES {
            let text = etcd_dump(&vfs, &[command, "data"]);
            let json = etcd_dump(&vfs, &[command, "data", "--json"]);
            prop_assert_eq!(text.code, json.code, "{}", command);
            prop_assert!(text.code <= 1, "{}", text.err);
            let named = ["\"type\":\"fault\"", "\"healthy\":false"];
            let is_named = named.iter().any(|named| json.out.contains(named));
            let is_told = is_named || !json.err.is_empty();
            prop_assert_eq!(is_told, json.code == 1, "{}: {}", command, json.out);
        }
    }
}

/// One bit of one pair's key, which is found there no more by whoever searches for its place.
#[test]
fn of_a_directory_of_etcds_whose_pairs_are_out_of_order() {
    let vfs = etcds();
    change(&vfs, ETCDS_DATABASE, |bytes| {
        let at = (266_672_744_536_630_234 % bytes.len() as u64) as usize;
        bytes[at] ^= 1;
    });
    for command in COMMANDS_ON_DIRECTORIES {
        assert!(etcd_dump(&vfs, &[command, "data"]).code <= 1);
    }
}
