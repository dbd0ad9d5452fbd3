//! Files that aren't what was written: every flipped bit, every cut, the wrong file.

use super::*;
use retcd_vfs::ReadFile;
use std::io;

const PATH: &str = "/table";

/// A file of given bytes.
struct Content(Vec<u8>);

impl ReadFile for Content {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
}

/// A small table's bytes, what the manifest says of it, and its records.
fn written() -> (Vec<u8>, TableFile, Vec<Record>) {
    let vfs = MemVfs::new();
    let records = sample(12);
    let meta = write(&vfs, Path::new(PATH), &records, SMALL);
    let mut bytes = vec![0; meta.file.file_bytes as usize];
    let file = vfs.open_read(Path::new(PATH)).expect("just written");
    file.read_exact_at(0, &mut bytes).expect("just written");
    (bytes, meta.file, records)
}

fn open_bytes(bytes: Vec<u8>, listed: TableFile) -> Result<Table> {
    open_with(&Arc::new(BlockCache::new(0)), bytes, listed)
}

/// A cache without room still keeps what decompression needs from one table to the next.
fn open_with(cache: &Arc<BlockCache>, bytes: Vec<u8>, listed: TableFile) -> Result<Table> {
    Table::open(Arc::new(Content(bytes)), PATH.into(), listed, Arc::clone(cache))
}

/// Reads everything; `Ok` means that all of it was what was written.
fn read_all(table: &Table, records: &[Record]) -> Result<()> {
    for record in records {
        let found = table.get(&record.key, record.version, Projection::Full)?;
        assert_eq!(found.as_ref(), Some(record));
    }
    let mut cursor = table.cursor(Projection::Full);
    cursor.seek_to_first()?;
    for record in records {
        assert_eq!(cursor.record()?.as_ref(), Some(record));
        cursor.next()?;
    }
    assert_eq!(cursor.record()?, None);
    Ok(())
}

fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Corrupt { .. } | Error::Version { .. })
}

#[test]
fn every_flipped_bit_is_noticed_and_none_is_read_as_data() {
    let (bytes, listed, records) = written();
    let cache = Arc::new(BlockCache::new(0));
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = match open_with(&cache, damaged, listed) {
            Err(error) => error,
            Ok(table) => {
                let error = read_all(&table, &records).expect_err("a read meets each block");
                assert!(is_damage(&error), "bit {bit}: {error}");
                table.verify().expect_err("verify reads each byte")
            }
        };
        assert!(is_damage(&error), "bit {bit}: {error}");
    }
}

#[test]
fn every_cut_is_noticed_when_the_file_is_opened() {
    let (bytes, listed, _) = written();
    for len in 0..bytes.len() {
        let cut = bytes[..len].to_vec();
        let Err(error) = open_bytes(cut.clone(), listed) else {
            panic!("a file of {len} bytes was opened");
        };
        assert!(is_damage(&error), "length {len}: {error}");
        // Even if the manifest agreed with it.
        let agreeing = TableFile { file_bytes: len as u64, ..listed };
        let Err(error) = open_bytes(cut, agreeing) else {
            panic!("a listed file of {len} bytes was opened");
        };
        assert!(is_damage(&error), "listed length {len}: {error}");
    }
}

#[test]
fn a_longer_file_is_refused() {
    let (mut bytes, listed, _) = written();
    bytes.push(0);
    assert!(open_bytes(bytes, listed).is_err());
}

#[test]
fn another_file_is_refused() {
    let (bytes, listed, _) = written();
    let number = FileNumber(NUMBER.0 + 1);
    assert!(open_bytes(bytes.clone(), TableFile { number, ..listed }).is_err());
    let keyspace = Keyspace::Rev;
    assert!(open_bytes(bytes, TableFile { keyspace, ..listed }).is_err());
}

#[test]
fn only_verify_knows_the_whole_files_checksum() {
    let (bytes, listed, records) = written();
    let checksum = !listed.checksum;
    let table = open_bytes(bytes, TableFile { checksum, ..listed }).expect("blocks are sound");
    read_all(&table, &records).expect("blocks are sound");
    assert!(is_damage(&table.verify().expect_err("the checksum differs")));
}

#[test]
fn a_cursor_that_met_damage_stands_nowhere() {
    let (mut bytes, listed, records) = written();
    // Blocks begin right behind the head; a value block is the first.
    bytes[30] ^= 1;
    let table = open_bytes(bytes, listed).expect("the damage is in a block");
    let mut cursor = table.cursor(Projection::Full);
    let mut failed = cursor.seek_to_first().is_err();
    while cursor.current().is_some() && !failed {
        failed = cursor.value().is_err() || cursor.next().is_err();
    }
    assert!(failed);
    let found = table.get(&records[0].key, Version::MAX, Projection::Keys);
    assert_eq!(found.expect("key blocks are sound").map(|found| found.version), {
        Some(records[0].version)
    });
}

/// A disk with room for so many bytes, or one that takes all and can't sync.
struct Failing(usize);

impl retcd_vfs::AppendFile for Failing {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let left = self.0.checked_sub(bytes.len());
        self.0 = left.ok_or(io::Error::from(io::ErrorKind::StorageFull))?;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Other.into())
    }
}

#[test]
fn a_failed_write_or_sync_ends_the_writer_wherever_it_happens() {
    let options = TableOptions { compression: Compression::None, ..SMALL };
    let records: Vec<Record> = (0..4000u64)
        .flat_map(|number| {
            let key = number.to_be_bytes();
            [2, 1].map(|main| put(&key, version(main, 0), &[7; 200]))
        })
        .collect();
    for room in [0, 300_000, 600_000, 900_000, 1_200_000, usize::MAX] {
        let file = Box::new(Failing(room));
        let mut writer =
            TableWriter::new(file, PATH.into(), NUMBER, Keyspace::Kv, options).expect("no I/O");
        let ages = [Age::Newest, Age::Superseded].into_iter().cycle();
        let failed = records.iter().zip(ages).find_map(|(record, age)| {
            let failed = writer.add(record, age).err()?;
            let after = writer.add(record, age);
            assert!(matches!(after, Err(Error::Poisoned)), "{after:?}");
            Some(failed)
        });
        let finished = writer.finish().expect_err("it can't be synced");
        match failed {
            Some(failed) => {
                assert!(matches!(failed, Error::Io { .. }), "{failed:?}");
                assert!(matches!(finished, Error::Poisoned), "{finished:?}");
            }
            None => assert!(matches!(finished, Error::Io { .. }), "{finished:?}"),
        }
    }
}
