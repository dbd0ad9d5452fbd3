//! Reads segments: names, headers, groups. Recovery uses it, and so does everyone who looks at a
//! log offline.
//!
//! A [`SegmentReader`] walks the chain of groups from the header on, and says why the chain ends
//! where it ends. Whether that end is right is for [`Recovery`](crate::Recovery) to judge, which
//! knows the next segment's header and what the engine has flushed.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::error::{Error, Result};
use crate::group::{GROUP_HEADER_BYTES, GroupHeader};
use crate::limits::{BLOCK_BYTES, WINDOW_BYTES};
use crate::record::Records;
use crate::segment::{HeaderFault, SegmentHeader, SegmentName};
use bytes::Bytes;
use retcd_vfs::{ReadFile, Vfs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The segments in a folder, by number. Files with other names are left out.
pub fn segments(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<SegmentName>> {
    let names = vfs.list(dir).map_err(Error::io(dir))?;
    let mut segments: Vec<_> = names.iter().filter_map(|name| SegmentName::parse(name)).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// A whole group: its checksum and its place in the chain are right.
#[derive(Clone, Debug)]
pub struct ReadGroup {
    /// Its header.
    pub header: GroupHeader,
    /// The bytes of its records.
    pub payload: Bytes,
}

impl ReadGroup {
    /// Its records.
    pub fn records(&self) -> Records {
        Records::new(self.payload.clone())
    }
}

/// What lies at a place where a group may start.
#[derive(Clone, Debug)]
pub enum Found {
    /// The next group.
    Group(ReadGroup),
    /// No further group.
    End(Ending),
}

/// Why the chain of groups ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The segment is full.
    Full,
    /// There are zeros: nothing was written here.
    Blank,
    /// There is a group of another segment, or of another place in this one: old bytes.
    OldBytes,
    /// There is something that isn't a group's header.
    Unrecognized,
    /// There is a group of this segment that isn't whole.
    Broken(GroupHeader),
    /// There is a whole group of this segment that doesn't follow the one before.
    Unchained(GroupHeader),
}

/// What lies at and behind the end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The furthest that a whole group of this segment says was durable, in bytes; `None` if there
    /// is no such group.
    pub synced_through: Option<u64>,
    /// Whether a whole group at the end of the chain says that everything before it was durable,
    /// and names another group there than the one that was read: an old version of it, then.
    pub contradicts_chain: bool,
    /// Up to where something was written that nobody read, in bytes; the end of the chain if
    /// nothing. In a recycled file only groups of this segment count.
    pub written_through: u64,
}

/// Walks the groups of one segment.
pub struct SegmentReader {
    path: PathBuf,
    window: Window,
    header: SegmentHeader,
    offset: u64,
    chain: u32,
}

enum Examined {
    Whole(GroupHeader, u32),
    Not(Ending),
}

impl SegmentReader {
    /// Opens a segment and reads its header. A header that can't be used is [`Error::Damaged`] at
    /// offset 0, or [`Error::Version`].
    pub fn open(vfs: &dyn Vfs, path: &Path) -> Result<SegmentReader> {
        SegmentReader::open_or_fault(vfs, path)?.map_err(|fault| match fault {
            HeaderFault::Version(found) => Error::Version { path: path.to_owned(), found },
            HeaderFault::Damaged(reason) => Error::damaged(path, 0, reason),
        })
    }

    /// Like [`SegmentReader::open`], with the header's fault apart from errors of the file system.
    pub(crate) fn open_or_fault(
        vfs: &dyn Vfs,
        path: &Path,
    ) -> Result<std::result::Result<SegmentReader, HeaderFault>> {
        let mut window = Window::open(vfs, path)?;
        let block = window.bytes(0, BLOCK_BYTES).map_err(Error::io(path))?;
        let (header, chain) = match SegmentHeader::decode(block) {
            Ok(decoded) => decoded,
            Err(fault) => return Ok(Err(fault)),
        };
        if window.file_bytes != header.segment_bytes {
            let reason = "the file hasn't the length that its header says";
            return Ok(Err(HeaderFault::Damaged(reason)));
        }
        Ok(Ok(SegmentReader { path: path.to_owned(), window, header, offset: BLOCK_BYTES, chain }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The segment's header.
    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Where the next group would start, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Checksum of the last group that was read, or of the header: what the next group must name.
    pub fn chain(&self) -> u32 {
        self.chain
    }

    /// Reads the next group. At the end of the chain every further call says the same.
    pub fn next_group(&mut self) -> Result<Found> {
        let (header, crc) = match self.examine(self.offset)? {
            Examined::Whole(header, crc) => (header, crc),
            Examined::Not(ending) => return Ok(Found::End(ending)),
        };
        if header.chain != self.chain {
            return Ok(Found::End(Ending::Unchained(header)));
        }
        let group =
            self.window.bytes(self.offset, header.bytes()).map_err(Error::io(&self.path))?;
        let payload = group.get(GROUP_HEADER_BYTES..).unwrap_or_default();
        let payload = Bytes::copy_from_slice(payload);
        self.offset = end_of(&header);
        self.chain = crc;
        Ok(Found::Group(ReadGroup { header, payload }))
    }

    /// Looks at everything from the end of the chain to the end of the file.
    pub fn behind(&mut self) -> Result<Behind> {
        let mut behind =
            Behind { synced_through: None, contradicts_chain: false, written_through: self.offset };
        let mut offset = self.offset;
        while offset < self.header.segment_bytes {
            let next = offset.saturating_add(BLOCK_BYTES);
            let (written_through, step) = match self.examine(offset)? {
                Examined::Whole(group, _) => {
                    behind.synced_through = behind.synced_through.max(Some(group.synced_through));
                    behind.contradicts_chain |= offset == self.offset
                        && group.synced_through == offset
                        && group.chain != self.chain;
                    (end_of(&group), end_of(&group))
                }
                Examined::Not(Ending::Broken(group)) => {
                    (end_of(&group).min(self.header.segment_bytes), next)
                }
                Examined::Not(_) if self.header.recycled || self.is_blank(offset)? => (0, next),
                Examined::Not(_) => (next, next),
            };
            behind.written_through = behind.written_through.max(written_through);
            offset = step;
        }
        Ok(behind)
    }

    /// Whether a block is zeros.
    fn is_blank(&mut self, offset: u64) -> Result<bool> {
        let block = self.window.bytes(offset, BLOCK_BYTES).map_err(Error::io(&self.path))?;
        let (words, rest) = block.as_chunks();
        Ok(rest.is_empty() && words.iter().all(|&word| u128::from_ne_bytes(word) == 0))
    }

    fn examine(&mut self, offset: u64) -> Result<Examined> {
        let room = self.header.segment_bytes.saturating_sub(offset);
        if room < BLOCK_BYTES {
            return Ok(Examined::Not(Ending::Full));
        }
        let io = Error::io(&self.path);
        let head = match self.window.bytes(offset, GROUP_HEADER_BYTES as u64) {
            Ok(head) => head,
            Err(e) => return Err(io(e)),
        };
        let Some(header) = GroupHeader::decode(head) else {
            let blank = head.iter().all(|&byte| byte == 0);
            return Ok(Examined::Not(match blank {
                true => Ending::Blank,
                false => Ending::Unrecognized,
            }));
        };
        let here = header.segment == self.header.segment
            && header.salt == self.header.salt
            && header.offset == offset;
        if !here {
            return Ok(Examined::Not(Ending::OldBytes));
        }
        if header.bytes() > room || header.synced_through > offset {
            return Ok(Examined::Not(Ending::Broken(header)));
        }
        let group = self.window.bytes(offset, header.bytes()).map_err(io)?;
        Ok(match header.verify(group) {
            Some(crc) => Examined::Whole(header, crc),
            None => Examined::Not(Ending::Broken(header)),
        })
    }
}

/// Where the group behind this one starts.
fn end_of(header: &GroupHeader) -> u64 {
    header.offset.saturating_add(header.bytes().next_multiple_of(BLOCK_BYTES))
}

/// Whether a file whose header can't be used has, at some block, what looks like a group of the
/// segment that its name says: then it was in use.
pub(crate) fn holds_groups(vfs: &dyn Vfs, path: &Path, segment: u64) -> Result<bool> {
    let mut window = Window::open(vfs, path)?;
    let mut offset = BLOCK_BYTES;
    while offset < window.file_bytes {
        let head = window.bytes(offset, GROUP_HEADER_BYTES as u64).map_err(Error::io(path))?;
        let ours = |header: GroupHeader| header.segment == segment && header.offset == offset;
        if GroupHeader::decode(head).is_some_and(ours) {
            return Ok(true);
        }
        offset = offset.saturating_add(BLOCK_BYTES);
    }
    Ok(false)
}

/// A part of a file in memory, moved along as bytes are asked for.
struct Window {
    file: Arc<dyn ReadFile>,
    file_bytes: u64,
    start: u64,
    held: Vec<u8>,
}

impl Window {
    fn open(vfs: &dyn Vfs, path: &Path) -> Result<Window> {
        let file = vfs.open_read(path).map_err(Error::io(path))?;
        let file_bytes = file.len().map_err(Error::io(path))?;
        Ok(Window { file, file_bytes, start: 0, held: Vec::new() })
    }

    /// The bytes from `offset` on: `len` of them, or fewer at the end of the file.
    fn bytes(&mut self, offset: u64, len: u64) -> std::io::Result<&[u8]> {
        let end = offset.saturating_add(len).min(self.file_bytes);
        let held_end = self.start.saturating_add(self.held.len() as u64);
        if offset < self.start || end > held_end {
            let wanted = len.max(WINDOW_BYTES as u64);
            let until = offset.saturating_add(wanted).min(self.file_bytes);
            self.start = offset;
            self.held.resize(as_usize(until.saturating_sub(offset)), 0);
            self.file.read_exact_at(offset, &mut self.held)?;
        }
        let from = as_usize(offset.saturating_sub(self.start));
        let to = as_usize(end.saturating_sub(self.start));
        Ok(self.held.get(from..to).unwrap_or_default())
    }
}

fn as_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
