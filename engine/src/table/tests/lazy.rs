//! What a table doesn't need it doesn't read: index, filter and dictionary come with the first read
//! that asks for them, once, and what is wrong with them shows then.

use super::*;
use parking_lot::Mutex;
use retcd_vfs::ReadFile;
use std::io;

/// A file that notes what is read of it.
struct Noting {
    bytes: Vec<u8>,
    reads: Mutex<Vec<BlockPlace>>,
}

impl Noting {
    /// What was read since the last call.
    fn take_reads(&self) -> Vec<BlockPlace> {
        std::mem::take(&mut *self.reads.lock())
    }
}

fn touches(reads: &[BlockPlace], place: BlockPlace) -> bool {
    let end = |place: &BlockPlace| place.offset + u64::from(place.bytes);
    reads.iter().any(|read| read.offset < end(&place) && end(read) > place.offset)
}

impl ReadFile for Noting {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.reads.lock().push(BlockPlace { offset, bytes: buf.len() as u32 });
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }
}

/// A table with a dictionary, which has just been opened, and its file. `damage` may change that.
fn opened(records: &[Record], damage: impl FnOnce(&mut [u8])) -> (Table, Arc<Noting>) {
    let (vfs, path) = (MemVfs::new(), Path::new("/table"));
    let file = vfs.create_append(path).expect("a new name");
    let options = TableOptions { value_block_bytes: 2000, ..SMALL };
    let mut writer = TableWriter::new(file, path.to_owned(), NUMBER, Keyspace::Kv, options)
        .expect("a known compression");
    writer.use_dictionary(&b"what all of the values say again and again ".repeat(20)).expect("new");
    for record in records {
        writer.add(record, Age::Newest).expect("memory only");
    }
    let meta = writer.finish().expect("memory only");
    let mut bytes = vec![0; meta.file.file_bytes as usize];
    let written = vfs.open_read(path).expect("just written");
    written.read_exact_at(0, &mut bytes).expect("just written");
    damage(&mut bytes);
    let file = Arc::new(Noting { bytes, reads: Mutex::default() });
    let cache = Arc::new(BlockCache::new(0));
    let table = Table::open(Arc::clone(&file) as _, path.to_owned(), meta.file, cache);
    (table.expect("foot and properties are sound"), file)
}

fn records() -> Vec<Record> {
    let value = |number: u64| {
        let common = "what all of the values say again and again ".repeat(4);
        format!("{number:08} {common}").into_bytes()
    };
    let key = |number: u64| format!("/key/{number:05}").into_bytes();
    (0..200).map(|number| put(&key(number), version(5, number), &value(number))).collect()
}

#[test]
fn each_part_is_read_by_the_first_read_that_needs_it_and_by_no_other() {
    let records = records();
    let (table, file) = opened(&records, |_| {});
    let opening = file.take_reads();
    let layout = table.layout().expect("undamaged");
    let dictionary = layout.dictionary.expect("there is one");
    let parts = [dictionary, layout.index, layout.filter];
    assert!(touches(&opening, layout.properties));
    assert!(!parts.iter().any(|&part| touches(&opening, part)), "{opening:?}");
    file.take_reads();

    let get = |key: &[u8], projection| table.get(key, Version::MAX, projection);
    assert_eq!(get(b"/nothing", Projection::Full).expect("undamaged"), None);
    assert_eq!(file.take_reads(), [layout.filter]);
    assert_eq!(get(b"/nothing", Projection::Full).expect("undamaged"), None);
    assert_eq!(file.take_reads(), [], "the filter is here and says that there is nothing");
    assert!(get(&records[7].key, Projection::Keys).expect("undamaged").is_some());
    let reads = file.take_reads();
    assert!(touches(&reads, layout.index) && !touches(&reads, dictionary), "{reads:?}");
    let found = get(&records[7].key, Projection::Full).expect("undamaged");
    assert_eq!(found.as_ref(), Some(&records[7]));
    assert!(touches(&file.take_reads(), dictionary));

    table.load().expect("undamaged");
    assert_eq!(file.take_reads(), [], "all is here");
    for record in &records {
        let found = get(&record.key, Projection::Full).expect("undamaged");
        assert_eq!(found.as_ref(), Some(record));
    }
    let reads = file.take_reads();
    assert!(!parts.iter().any(|&part| touches(&reads, part)), "once is enough");
}

#[test]
fn a_damaged_part_fails_each_read_that_needs_it_with_its_place() {
    let records = records();
    let layout = opened(&records, |_| {}).0.layout().expect("undamaged");
    let dictionary = layout.dictionary.expect("there is one");
    for (part, projection) in [
        (layout.filter, Projection::Keys),
        (layout.index, Projection::Keys),
        (dictionary, Projection::Full),
    ] {
        let (table, _) = opened(&records, |bytes| bytes[part.offset as usize + 1] ^= 1);
        for record in &records[..3] {
            let error = table.get(&record.key, Version::MAX, projection);
            let error = error.expect_err("the part is needed");
            let Error::Corrupt { offset, .. } = error else {
                panic!("{error}");
            };
            assert_eq!(offset, part.offset);
        }
        assert!(table.load().is_err());
        let mut faults = Vec::new();
        table.verify_all(&mut |error| faults.push(error.to_string()));
        assert!(faults.len() > 1, "{faults:?}: the file's checksum, and the part");
    }
}

#[test]
fn what_is_read_by_many_at_once_is_the_same_for_all() {
    let records = records();
    let (table, _) = opened(&records, |_| {});
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for record in &records {
                    let found = table.get(&record.key, Version::MAX, Projection::Full);
                    assert_eq!(found.expect("undamaged").as_ref(), Some(record));
                }
            });
        }
    });
}
