//! Reads segments: names, headers, groups. Recovery uses it, and so does everyone who looks at a
//! log offline.
//!
//! A [`SegmentReader`] walks the chain of groups from the header on, and says why the chain ends
//! where it ends. Whether that end is right is for [`Recovery`](crate::Recovery) to judge, which
//! knows the next segment's header and what the engine has flushed.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::compress::decompress;
use crate::error::{Error, Result};
use crate::group::{GROUP_HEADER_BYTES, GroupHeader};
use crate::limits::BLOCK_BYTES;
use crate::record::Records;
use crate::segment::{HeaderFault, SegmentHeader, SegmentName};
use crate::window::Window;
use bytes::Bytes;
use retcd_vfs::Vfs;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

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
    /// The bytes of its records, as they were before they were compressed.
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

/// What lies at the end of the chain so far.
pub(crate) enum Walked<'a> {
    /// The next group.
    Group {
        header: GroupHeader,
        /// The bytes of its records.
        payload: Cow<'a, [u8]>,
        /// Where it ends, padding included, in bytes.
        end: u64,
    },
    /// No further group.
    End(Ending),
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
        let (mut window, file_bytes) = Window::open(vfs, path)?;
        let block = window.bytes(0, BLOCK_BYTES).map_err(Error::io(path))?;
        let (header, chain) = match SegmentHeader::decode(block) {
            Ok(decoded) => decoded,
            Err(fault) => return Ok(Err(fault)),
        };
        if file_bytes != header.segment_bytes {
            let reason = "the file hasn't the length that its header says";
            return Ok(Err(HeaderFault::Damaged(reason)));
        }
        Ok(Ok(SegmentReader { path: path.to_owned(), window, header, offset: BLOCK_BYTES, chain }))
    }

    /// Opens a segment whose header is known, to read groups that are durable.
    pub(crate) fn reopen(
        vfs: &dyn Vfs,
        path: PathBuf,
        header: SegmentHeader,
    ) -> Result<SegmentReader> {
        let window = Window::open_until(vfs, &path, 0)?;
        Ok(SegmentReader { path, window, header, offset: BLOCK_BYTES, chain: 0 })
    }

    /// Goes to the group at `offset`, before which there is one with the checksum `chain`.
    pub(crate) fn seek(&mut self, offset: u64, chain: u32) {
        (self.offset, self.chain) = (offset, chain);
    }

    /// The part of the file that is in memory.
    pub(crate) fn window(&mut self) -> &mut Window {
        &mut self.window
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
        Ok(match self.walk()? {
            Walked::End(ending) => Found::End(ending),
            Walked::Group { header, payload, .. } => {
                let payload = match payload {
                    Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
                    Cow::Owned(bytes) => Bytes::from(bytes),
                };
                Found::Group(ReadGroup { header, payload })
            }
        })
    }

    /// Reads the next group without copying it.
    pub(crate) fn walk(&mut self) -> Result<Walked<'_>> {
        let (offset, chain) = (self.offset, self.chain);
        let (header, crc) = match self.examine(offset)? {
            Examined::Whole(header, crc) => (header, crc),
            Examined::Not(ending) => return Ok(Walked::End(ending)),
        };
        if header.chain != chain {
            return Ok(Walked::End(Ending::Unchained(header)));
        }
        (self.offset, self.chain) = (end_of(&header), crc);
        let group = self.window.bytes(offset, header.bytes()).map_err(Error::io(&self.path))?;
        let stored = group.get(GROUP_HEADER_BYTES..).unwrap_or_default();
        let payload = match header.is_compressed {
            false => Cow::Borrowed(stored),
            true => {
                decompress(stored, self.header.segment_bytes).map(Cow::Owned).ok_or_else(|| {
                    let reason = "a group with a right checksum doesn't decompress";
                    Error::damaged(&self.path, offset, reason)
                })?
            }
        };
        Ok(Walked::Group { header, payload, end: self.offset })
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
    let (mut window, file_bytes) = Window::open(vfs, path)?;
    let mut offset = BLOCK_BYTES;
    while offset < file_bytes {
        let head = window.bytes(offset, GROUP_HEADER_BYTES as u64).map_err(Error::io(path))?;
        let ours = |header: GroupHeader| header.segment == segment && header.offset == offset;
        if GroupHeader::decode(head).is_some_and(ours) {
            return Ok(true);
        }
        offset = offset.saturating_add(BLOCK_BYTES);
    }
    Ok(false)
}
