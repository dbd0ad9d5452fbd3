//! Sorts more pairs of bytes than memory holds.
//!
//! 1. Pairs gather in memory; before they are more than `memory_bytes`, they are sorted and written
//!    to a file.
//! 2. What is left at the end is sorted and stays in memory.
//! 3. A reading merges the files with what is in memory. It can be repeated.
//!
//! A file is a row of chunks, compressed, each with a checksum. Its reader holds one chunk: 64 KiB,
//! or the one pair that is larger. So 1,000 files, which are 64 GiB of pairs at 64 MiB each, take
//! 64 MiB to be merged. The files are scratch: they aren't synced, no other process reads them, and
//! they are removed when the pairs are dropped. Whoever uses a folder for them empties it first,
//! for what a crash left.

use crate::{Error, Result};
use retcd_vfs::{AppendFile, ReadFile, Vfs};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zstd::bulk;

/// Bytes of pairs in a chunk, unless one pair is larger.
const CHUNK_BYTES: usize = 64 << 10;

/// Most memory that is taken before it is needed, in bytes. What isn't touched costs nothing.
const RESERVED_BYTES_MAX: usize = 256 << 20;

/// zstd's level: a fast one, because the bytes are read again soon.
const LEVEL: i32 = -3;

/// Bytes before a chunk: crc32 of what follows, stored bytes, bytes once decompressed, u32 each.
const CHUNK_HEADER_BYTES: usize = 12;

/// Bytes before a pair: of the key and of the value, u32 each.
const PAIR_HEADER_BYTES: usize = 8;

/// Takes pairs in any order.
pub struct Sorter {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    memory_bytes: usize,
    gathered: Gathered,
    files: Files,
}

/// Pairs in memory, encoded as they are in a file.
#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    /// Where each pair begins.
    places: Vec<usize>,
}

/// Files that go when this does.
struct Files {
    vfs: Arc<dyn Vfs>,
    paths: Vec<PathBuf>,
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.paths {
            // What stays behind is removed with the folder's content at the next start.
            let _ = self.vfs.remove_file(path);
        }
    }
}

impl Sorter {
    /// A sorter that puts files named `run-N` into the empty folder `dir` when it has more than
    /// `memory_bytes` of pairs.
    pub fn new(vfs: Arc<dyn Vfs>, dir: &Path, memory_bytes: usize) -> Sorter {
        Sorter {
            files: Files { vfs: Arc::clone(&vfs), paths: Vec::new() },
            vfs,
            dir: dir.to_owned(),
            memory_bytes,
            gathered: Gathered::default(),
        }
    }

    /// Adds a pair.
    ///
    /// # Errors
    ///
    /// A file can't be written.
    ///
    /// # Panics
    ///
    /// If key and value together have 4 GiB or more.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let more = PAIR_HEADER_BYTES + key.len() + value.len() + size_of::<usize>();
        let is_full = self.gathered.memory_bytes() + more > self.memory_bytes;
        if is_full && !self.gathered.places.is_empty() {
            self.spill()?;
        }
        if self.gathered.bytes.capacity() == 0 {
            // All of it at once: growing would copy, and take twice as much in the end.
            self.gathered.bytes.reserve_exact(self.memory_bytes.min(RESERVED_BYTES_MAX));
        }
        self.gathered.push(key, value);
        Ok(())
    }

    /// No more pairs come.
    pub fn finish(mut self) -> Sorted {
        self.gathered.sort();
        Sorted { gathered: self.gathered, files: self.files }
    }

    fn spill(&mut self) -> Result<()> {
        self.gathered.sort();
        let path = self.dir.join(format!("run-{}", self.files.paths.len()));
        let file = self.vfs.create_append(&path).map_err(Error::io(&path))?;
        self.files.paths.push(path.clone());
        let mut chunks = Chunks::new(path, file)?;
        for &place in &self.gathered.places {
            chunks.add(pair_at(&self.gathered.bytes, place).0)?;
        }
        chunks.write()?;
        self.gathered.bytes.clear();
        self.gathered.places.clear();
        Ok(())
    }
}

impl Gathered {
    fn push(&mut self, key: &[u8], value: &[u8]) {
        let length = |part: &[u8]| u32::try_from(part.len()).expect("below 4 GiB").to_le_bytes();
        self.places.push(self.bytes.len());
        for part in [&length(key), &length(value), key, value] {
            self.bytes.extend_from_slice(part);
        }
    }

    fn memory_bytes(&self) -> usize {
        self.bytes.len() + self.places.len() * size_of::<usize>()
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.places.sort_unstable_by_key(|&place| pair_at(bytes, place).1);
    }
}

/// The pair at `place` as it is encoded, and its key and value. Only for bytes that were encoded
/// here, or that [`are_pairs`].
fn pair_at(bytes: &[u8], place: usize) -> (&[u8], &[u8], &[u8]) {
    let length = |at: usize| {
        let bytes = bytes[place + at..].first_chunk().expect("a pair has a header");
        u32::from_le_bytes(*bytes) as usize
    };
    let value_at = PAIR_HEADER_BYTES + length(0);
    let pair = &bytes[place..place + value_at + length(4)];
    (pair, &pair[PAIR_HEADER_BYTES..value_at], &pair[value_at..])
}

/// Whether these bytes are pairs and nothing else.
fn are_pairs(mut bytes: &[u8]) -> bool {
    while let Some((lengths, rest)) = bytes.split_first_chunk::<PAIR_HEADER_BYTES>() {
        let (lengths, _) = lengths.as_chunks();
        let pair: u64 = lengths.iter().map(|length| u64::from(u32::from_le_bytes(*length))).sum();
        let Some(next) = usize::try_from(pair).ok().and_then(|pair| rest.get(pair..)) else {
            return false;
        };
        bytes = next;
    }
    bytes.is_empty()
}

/// Over the lengths too, so that they can be believed.
fn checksum(lengths: &[u8], stored: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(lengths);
    hasher.update(stored);
    hasher.finalize()
}

/// Writes a file.
struct Chunks {
    path: PathBuf,
    file: Box<dyn AppendFile>,
    zstd: bulk::Compressor<'static>,
    pairs: Vec<u8>,
}

impl Chunks {
    fn new(path: PathBuf, file: Box<dyn AppendFile>) -> Result<Chunks> {
        let zstd = bulk::Compressor::new(LEVEL).map_err(Error::io(&path))?;
        Ok(Chunks { path, file, zstd, pairs: Vec::with_capacity(CHUNK_BYTES) })
    }

    fn add(&mut self, pair: &[u8]) -> Result<()> {
        if self.pairs.len() + pair.len() > CHUNK_BYTES {
            self.write()?;
        }
        self.pairs.extend_from_slice(pair);
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        let stored = self.zstd.compress(&self.pairs).map_err(Error::io(&self.path))?;
        let length = |bytes: usize| u32::try_from(bytes).expect("a pair is below 4 GiB");
        let mut header = [0; CHUNK_HEADER_BYTES];
        header[4..8].copy_from_slice(&length(stored.len()).to_le_bytes());
        header[8..].copy_from_slice(&length(self.pairs.len()).to_le_bytes());
        let sum = checksum(&header[4..], &stored);
        header[..4].copy_from_slice(&sum.to_le_bytes());
        self.file.append(&header).map_err(Error::io(&self.path))?;
        self.file.append(&stored).map_err(Error::io(&self.path))?;
        self.pairs.clear();
        Ok(())
    }
}

/// Pairs in order.
pub struct Sorted {
    gathered: Gathered,
    files: Files,
}

impl Sorted {
    /// All pairs, smallest key first.
    ///
    /// # Errors
    ///
    /// A file can't be read, or isn't what was written.
    pub fn pairs(&self) -> Result<Pairs<'_>> {
        let mut sources = vec![Source::Memory { gathered: &self.gathered, next: 0 }];
        for path in &self.files.paths {
            sources.push(Source::File(Box::new(FileSource::open(&*self.files.vfs, path)?)));
        }
        let mut pairs = Pairs { sources, heads: BinaryHeap::new(), current: None };
        for source in 0..pairs.sources.len() {
            pairs.enter(source)?;
        }
        Ok(pairs)
    }

    /// How many files there are.
    pub fn files(&self) -> usize {
        self.files.paths.len()
    }
}

/// A walk through sorted pairs.
pub struct Pairs<'a> {
    sources: Vec<Source<'a>>,
    /// The next key of each source that isn't at its end. Copies, so that sources can move.
    heads: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    /// The source of the pair that was given out last.
    current: Option<(usize, Vec<u8>)>,
}

impl Pairs<'_> {
    /// The next pair: key and value.
    ///
    /// # Errors
    ///
    /// A file can't be read, or isn't what was written.
    #[expect(clippy::should_implement_trait, reason = "an iterator can't lend what it holds")]
    pub fn next(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        if let Some((source, key)) = self.current.take() {
            self.sources[source].advance()?;
            self.enter_with(source, key)?;
        }
        let Some(Reverse((key, source))) = self.heads.pop() else {
            return Ok(None);
        };
        self.current = Some((source, key));
        Ok(self.sources[source].pair())
    }

    fn enter(&mut self, source: usize) -> Result<()> {
        self.enter_with(source, Vec::new())
    }

    /// Puts a source's next key on the heap, in `key`'s memory.
    fn enter_with(&mut self, source: usize, mut key: Vec<u8>) -> Result<()> {
        if let Source::File(file) = &mut self.sources[source] {
            file.load()?;
        }
        if let Some((next, _)) = self.sources[source].pair() {
            key.clear();
            key.extend_from_slice(next);
            self.heads.push(Reverse((key, source)));
        }
        Ok(())
    }
}

enum Source<'a> {
    Memory { gathered: &'a Gathered, next: usize },
    File(Box<FileSource>),
}

impl Source<'_> {
    /// The pair that it is at; `None` at the end.
    fn pair(&self) -> Option<(&[u8], &[u8])> {
        let (_, key, value) = match self {
            Source::Memory { gathered, next } => {
                pair_at(&gathered.bytes, *gathered.places.get(*next)?)
            }
            Source::File(file) if file.at == file.chunk.len() => return None,
            Source::File(file) => pair_at(&file.chunk, file.at),
        };
        Some((key, value))
    }

    fn advance(&mut self) -> Result<()> {
        match self {
            Source::Memory { next, .. } => *next += 1,
            Source::File(file) => file.at += pair_at(&file.chunk, file.at).0.len(),
        }
        Ok(())
    }
}

/// Reads a file chunk by chunk.
struct FileSource {
    path: PathBuf,
    file: Arc<dyn ReadFile>,
    file_bytes: u64,
    /// Where the next chunk begins.
    offset: u64,
    chunk: Vec<u8>,
    at: usize,
}

impl FileSource {
    fn open(vfs: &dyn Vfs, path: &Path) -> Result<FileSource> {
        let file = vfs.open_read(path).map_err(Error::io(path))?;
        let file_bytes = file.len().map_err(Error::io(path))?;
        Ok(FileSource {
            path: path.to_owned(),
            file,
            file_bytes,
            offset: 0,
            chunk: Vec::new(),
            at: 0,
        })
    }

    /// Reads the next chunk if this one is used up and there is one.
    fn load(&mut self) -> Result<()> {
        if self.at < self.chunk.len() || self.offset == self.file_bytes {
            return Ok(());
        }
        let mut header = [0; CHUNK_HEADER_BYTES];
        self.file.read_exact_at(self.offset, &mut header).map_err(Error::io(&self.path))?;
        let number = |at: usize| {
            let bytes = header[at..].first_chunk().expect("the header has three numbers");
            u32::from_le_bytes(*bytes)
        };
        let (sum, stored_bytes, bytes) = (number(0), number(4), number(8));
        let stored_at = self.offset + CHUNK_HEADER_BYTES as u64;
        let end = stored_at + u64::from(stored_bytes);
        let corrupt =
            |reason| Error::Corrupt { path: self.path.clone(), offset: self.offset, reason };
        if end > self.file_bytes {
            return Err(corrupt("a chunk of a scratch file goes on behind its end"));
        }
        let mut stored = vec![0; stored_bytes as usize];
        self.file.read_exact_at(stored_at, &mut stored).map_err(Error::io(&self.path))?;
        if checksum(&header[4..], &stored) != sum {
            return Err(corrupt("a chunk of a scratch file isn't what was written"));
        }
        let chunk = bulk::decompress(&stored, bytes as usize).ok();
        let chunk = chunk.filter(|chunk| chunk.len() == bytes as usize && are_pairs(chunk));
        self.chunk = chunk.ok_or_else(|| corrupt("a chunk of a scratch file isn't pairs"))?;
        (self.offset, self.at) = (end, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use retcd_vfs::MemVfs;

    fn sorted(vfs: &MemVfs, pairs: &[(Vec<u8>, Vec<u8>)], memory_bytes: usize) -> Sorted {
        vfs.create_dir_all(Path::new("/sort")).expect("memory");
        let mut sorter = Sorter::new(Arc::new(vfs.clone()), Path::new("/sort"), memory_bytes);
        for (key, value) in pairs {
            sorter.push(key, value).expect("memory");
        }
        sorter.finish()
    }

    fn all(sorted: &Sorted) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut pairs = sorted.pairs()?;
        let mut found = Vec::new();
        while let Some((key, value)) = pairs.next()? {
            found.push((key.to_vec(), value.to_vec()));
        }
        Ok(found)
    }

    proptest! {
        #[test]
        fn pairs_come_out_in_order_as_often_as_asked(
            mut pairs in vec((vec(any::<u8>(), 0..6), vec(any::<u8>(), 0..300)), 0..200),
            memory_bytes in prop_oneof![Just(0usize), 1usize..5000, Just(usize::MAX)],
        ) {
            let vfs = MemVfs::new();
            let sorted = sorted(&vfs, &pairs, memory_bytes);
            prop_assert_eq!(sorted.files() == 0, memory_bytes == usize::MAX || {
                let bytes: usize = pairs.iter().map(|(k, v)| k.len() + v.len() + 16).sum();
                bytes <= memory_bytes || pairs.len() < 2
            });
            let mut found = all(&sorted).expect("memory");
            prop_assert!(found.is_sorted_by_key(|(key, _)| key.clone()));
            prop_assert_eq!(&found, &all(&sorted).expect("memory"));
            found.sort();
            pairs.sort();
            prop_assert_eq!(found, pairs);
            drop(sorted);
            prop_assert!(vfs.list(Path::new("/sort")).expect("memory").is_empty());
        }
    }

    #[test]
    fn a_pair_larger_than_a_chunk_comes_back() {
        let pairs: Vec<_> = (0..5u8).rev().map(|n| (vec![n], vec![n; 3 * CHUNK_BYTES])).collect();
        let mut expected = pairs.clone();
        expected.reverse();
        let vfs = MemVfs::new();
        assert_eq!(all(&sorted(&vfs, &pairs, CHUNK_BYTES)).expect("memory"), expected);
    }

    #[test]
    fn a_damaged_file_is_told() {
        let pairs: Vec<_> = (0..2000u32).map(|n| (n.to_be_bytes().to_vec(), vec![7; 50])).collect();
        for at in [0, 5, 9, 10, 11, 40] {
            let vfs = MemVfs::new();
            let sorted = sorted(&vfs, &pairs, 64 << 10);
            let path = Path::new("/sort/run-0");
            let file = vfs.open_read(path).expect("it is there");
            let mut bytes = vec![0; file.len().expect("memory") as usize];
            file.read_exact_at(0, &mut bytes).expect("memory");
            bytes[at] ^= 0x40;
            vfs.remove_file(path).expect("it is there");
            vfs.create_append(path).and_then(|mut file| file.append(&bytes)).expect("memory");
            assert!(matches!(all(&sorted), Err(Error::Corrupt { .. })), "byte {at}");
        }
    }
}
