//! The segment that groups are written to.
//!
//! One group is one write: it is put together in an aligned buffer, handed to the file, and the
//! buffer comes back with the completion, so that in the steady state nothing is allocated.

use crate::compress::Compressor;
use crate::error::{Error, Result};
use crate::group::{GROUP_HEADER_BYTES, GroupHeader};
use crate::index::{Durable, Span};
use crate::limits::{BLOCK_BYTES, BUFFER_BYTES_MIN, KEPT_BUFFER_BYTES_MAX};
use crate::options::{IoMode, Options};
use crate::segment::{SegmentHeader, VERSION_WITH_COMPRESSION};
use crate::types::Group;
use retcd_vfs::{AlignedBuf, LogFile, LogMode, Vfs};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

/// Opens log files in the way that the options ask for and the file system allows.
pub(crate) struct Opener {
    io: IoMode,
    /// The way that is being taken, once one has worked.
    pub(crate) mode: Option<LogMode>,
    unsynced: bool,
}

impl Opener {
    pub(crate) fn new(options: &Options) -> Opener {
        Opener { io: options.io, mode: None, unsynced: options.unsynced }
    }

    /// Opens `path` and writes `block` at `offset`, where nothing acknowledged may lie: only a
    /// write shows whether a file system has direct I/O.
    pub(crate) fn open_with_block(
        &mut self,
        vfs: &dyn Vfs,
        path: &Path,
        offset: u64,
        block: AlignedBuf,
    ) -> Result<(Box<dyn LogFile>, AlignedBuf)> {
        let first = match (self.mode, self.unsynced, self.io) {
            (Some(mode), _, _) => mode,
            (None, true, _) => LogMode::Unsynced,
            (None, false, IoMode::Buffered) => LogMode::Buffered,
            (None, false, IoMode::Auto | IoMode::Direct) => LogMode::Direct,
        };
        let may_fall_back = self.mode.is_none() && self.io == IoMode::Auto;
        let mut spare = AlignedBuf::new(block.len());
        spare.copy_from_slice(&block);
        let opened = match try_open(vfs, path, first, offset, block) {
            Err(e) if may_fall_back && first == LogMode::Direct && is_refusal(&e) => {
                self.mode = Some(LogMode::Buffered);
                try_open(vfs, path, LogMode::Buffered, offset, spare)
            }
            other => {
                self.mode = Some(first);
                other
            }
        };
        opened.map_err(Error::io(path))
    }
}

fn try_open(
    vfs: &dyn Vfs,
    path: &Path,
    mode: LogMode,
    offset: u64,
    block: AlignedBuf,
) -> io::Result<(Box<dyn LogFile>, AlignedBuf)> {
    let mut file = vfs.open_log(path, mode)?;
    file.submit(offset, block)?;
    let block = file.complete()?.expect("a submitted write completes");
    Ok((file, block))
}

/// Whether direct I/O was refused, rather than failed.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

/// A group on its way to the disk.
pub(crate) struct UnderWay {
    /// Where it is and what it holds.
    pub(crate) durable: Durable,
    /// What the write covers, in bytes.
    pub(crate) bytes: u64,
    /// Bytes of the entries' payloads in it.
    pub(crate) payload_bytes: u64,
    /// Bytes of records that compression saved.
    pub(crate) saved_bytes: u64,
}

pub(crate) struct Active {
    pub(crate) path: PathBuf,
    pub(crate) header: SegmentHeader,
    file: Box<dyn LogFile>,
    /// Where the next group starts, in bytes.
    pub(crate) offset: u64,
    /// Up to where everything is durable, in bytes.
    durable: u64,
    /// Checksum of the last group, or of the header.
    pub(crate) chain: u32,
    /// Whether the last group is a final one.
    pub(crate) is_final: bool,
    under_way: VecDeque<UnderWay>,
}

/// What groups are put together with: buffers that wait for one, and the compressor.
pub(crate) struct Workshop {
    spare: Vec<AlignedBuf>,
    compressor: Compressor,
}

impl Workshop {
    pub(crate) fn new(options: &Options) -> Workshop {
        let compressor = Compressor::new(options.compress_from_bytes);
        Workshop { spare: Vec::new(), compressor }
    }

    /// A buffer with the records of `group` behind the place for the header, as version `version`
    /// stores them, and their bytes there.
    fn put_together(&mut self, group: &Group<'_>, version: u32) -> Result<(AlignedBuf, usize)> {
        let record_bytes = group.record_bytes() as usize;
        let mut buf = self.take(GROUP_HEADER_BYTES + record_bytes);
        let room = &mut buf[GROUP_HEADER_BYTES..];
        let mut stored_bytes = None;
        if version >= VERSION_WITH_COMPRESSION && self.compressor.is_wanted(record_bytes as u64) {
            let encode = |records: &mut [u8]| group.encode_records(records);
            let compressed = self.compressor.compress(record_bytes, room, encode);
            stored_bytes = compressed.map_err(Error::Compression)?;
        }
        if stored_bytes.is_none() {
            group.encode_records(room);
        }
        Ok((buf, stored_bytes.unwrap_or(record_bytes)))
    }

    /// A buffer that shows `bytes`, rounded up to a block. What it holds is undefined.
    fn take(&mut self, bytes: usize) -> AlignedBuf {
        let mut buf = match self.spare.pop() {
            Some(buf) if buf.capacity() >= bytes => buf,
            _ => AlignedBuf::new(bytes.next_power_of_two().max(BUFFER_BYTES_MIN)),
        };
        buf.set_len(bytes);
        buf
    }

    fn give_back(&mut self, buf: AlignedBuf) {
        if buf.capacity() <= KEPT_BUFFER_BYTES_MAX {
            self.spare.push(buf);
        }
    }
}

impl Active {
    pub(crate) fn new(
        path: PathBuf,
        header: SegmentHeader,
        file: Box<dyn LogFile>,
        offset: u64,
        chain: u32,
    ) -> Active {
        let depth = file.depth();
        Active {
            path,
            header,
            file,
            offset,
            durable: offset,
            chain,
            is_final: false,
            under_way: VecDeque::with_capacity(depth),
        }
    }

    pub(crate) fn depth(&self) -> usize {
        self.file.depth()
    }

    /// Whether a group of `bytes`, header included, fits before the block that is kept for the
    /// final group.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        let end = self.offset + bytes.next_multiple_of(BLOCK_BYTES);
        end <= self.header.segment_bytes - BLOCK_BYTES
    }

    /// Starts writing a group that has room. `last_index` is the log's once it is written.
    pub(crate) fn submit(
        &mut self,
        workshop: &mut Workshop,
        group: &Group<'_>,
        last_index: u64,
    ) -> Result<()> {
        let record_bytes = group.record_bytes();
        let (mut buf, stored_bytes) = workshop.put_together(group, self.header.version)?;
        let header = GroupHeader {
            segment: self.header.segment,
            salt: self.header.salt,
            offset: self.offset,
            synced_through: self.durable,
            chain: self.chain,
            payload_bytes: u32::try_from(stored_bytes)
                .expect("a group that fits into a segment is shorter than 4 GiB"),
            records: group.record_count(),
            is_final: record_bytes == 0,
            is_compressed: (stored_bytes as u64) < record_bytes,
            last_index,
        };
        let used = GROUP_HEADER_BYTES + stored_bytes;
        buf.set_len(used);
        buf[used..].fill(0);
        let chain = header.encode(&mut buf);
        let bytes = buf.len() as u64;
        let end = self.offset + bytes;
        assert!(end <= self.header.segment_bytes, "a group spans segments");
        self.file.submit(self.offset, buf).map_err(Error::io(&self.path))?;
        self.under_way.push_back(UnderWay {
            durable: Durable {
                offset: self.offset,
                end,
                chain: self.chain,
                snapshot: group.snapshot,
                entries: Span::of(group.entries),
            },
            bytes,
            payload_bytes: group.entries.iter().map(|e| e.data.len() as u64).sum(),
            saved_bytes: record_bytes - stored_bytes as u64,
        });
        self.offset = end;
        self.chain = chain;
        self.is_final = header.is_final;
        Ok(())
    }

    /// Waits for the oldest group; `None` if there is none.
    pub(crate) fn complete(&mut self, workshop: &mut Workshop) -> Result<Option<UnderWay>> {
        let Some(group) = self.under_way.pop_front() else {
            return Ok(None);
        };
        let buf = self.file.complete().map_err(Error::io(&self.path))?;
        workshop.give_back(buf.expect("a submitted write completes"));
        self.durable = group.durable.end;
        Ok(Some(group))
    }
}
