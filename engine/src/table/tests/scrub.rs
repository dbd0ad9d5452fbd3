//! A scrub reads all of a table, and says of each damaged byte in which block it lies.

use super::*;
use parking_lot::Mutex;
use retcd_vfs::ReadFile;
use std::io;

/// A file that changes under whoever has it open, and may have a place that can't be read.
#[derive(Default)]
struct Shifting {
    bytes: Mutex<Vec<u8>>,
    unreadable: Mutex<Option<u64>>,
}

impl ReadFile for Shifting {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let place = *self.unreadable.lock();
        if place.is_some_and(|place| (offset..offset + buf.len() as u64).contains(&place)) {
            return Err(io::Error::from_raw_os_error(5));
        }
        let bytes = self.bytes.lock();
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().len() as u64)
    }
}

/// An open table, and its file.
fn opened() -> (Table, Arc<Shifting>) {
    let vfs = MemVfs::new();
    let path = Path::new("/table");
    let meta = write(&vfs, path, &sample(20), SMALL);
    let written = vfs.open_read(path).expect("just written");
    let mut bytes = vec![0; meta.file.file_bytes as usize];
    written.read_exact_at(0, &mut bytes).expect("just written");
    let file = Arc::new(Shifting { bytes: Mutex::new(bytes), ..Shifting::default() });
    let cache = Arc::new(BlockCache::new(0));
    let table = Table::open(Arc::clone(&file) as _, path.to_owned(), meta.file, cache);
    (table.expect("just written"), file)
}

/// All damage of one pass, and the bytes that it read.
fn scrubbed(table: &Table) -> (Vec<Error>, u64) {
    let mut scrub = TableScrub::default();
    let (mut damage, mut bytes) = (Vec::new(), 0);
    loop {
        let piece = scrub.step(table);
        bytes += piece.bytes;
        damage.extend(piece.damage);
        if piece.is_last {
            return (damage, bytes);
        }
    }
}

fn offset_of(error: &Error) -> u64 {
    match error {
        Error::Corrupt { offset, .. } => *offset,
        other => panic!("{other}"),
    }
}

#[test]
fn a_whole_table_is_read_once_and_its_key_blocks_twice() {
    let (table, _) = opened();
    let (damage, bytes) = scrubbed(&table);
    assert!(damage.is_empty(), "{damage:?}");
    let file_bytes = table.file().file_bytes;
    assert!((file_bytes + 1..file_bytes * 2).contains(&bytes), "{bytes} of {file_bytes}");
}

#[test]
fn every_flipped_byte_is_found_in_its_block() {
    let (table, file) = opened();
    let end = table.file().file_bytes;
    let mut places = std::collections::BTreeSet::new();
    for at in 0..end as usize {
        file.bytes.lock()[at] ^= 0x40;
        let (damage, _) = scrubbed(&table);
        file.bytes.lock()[at] ^= 0x40;
        assert!(!damage.is_empty(), "byte {at}");
        let offset = offset_of(&damage[0]);
        assert!(offset <= at as u64, "byte {at} is found at {offset}");
        places.insert(offset);
    }
    assert!(places.len() > 20, "each block has its place: {places:?}");
    assert_eq!(scrubbed(&table).0.len(), 0);
}

#[test]
fn what_cannot_be_read_is_damage_and_the_pass_goes_on() {
    let (table, file) = opened();
    *file.unreadable.lock() = Some(30);
    file.bytes.lock()[table.file().file_bytes as usize / 2] ^= 1;
    let (damage, _) = scrubbed(&table);
    assert!(matches!(damage[0], Error::Io { .. }), "{damage:?}");
    assert!(damage.len() > 1 && offset_of(&damage[1]) > 30, "{damage:?}");
}

#[test]
fn a_table_of_rubbish_is_not_told_block_by_block() {
    let (table, file) = opened();
    file.bytes.lock().fill(0xee);
    let (damage, bytes) = scrubbed(&table);
    assert!((2..=16).contains(&damage.len()), "{}", damage.len());
    assert!(bytes < table.file().file_bytes * 2);
}
