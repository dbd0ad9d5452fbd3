//! The segment that groups are written to.
//!
//! One group is one write: it is put together in an aligned buffer, handed to the file, and the
//! buffer comes back with the completion, so that in the steady state nothing is allocated.

use crate::compress::Compressor;
use crate::error::{Error, Result};
use crate::group::{GROUP_HEADER_BYTES, GroupHeader};
use crate::index::{Durable, Span};
use crate::limits::{BLOCK_BYTES, BUFFER_BYTES_MIN, KEPT_BUFFER_BYTES_MAX, KEPT_BUFFERS_BYTES_MAX};
use crate::options::Options;
use crate::segment::{SegmentHeader, VERSION_WITH_COMPRESSION};
use crate::types::Group;
use retcd_vfs::{AlignedBuf, LogFile, Waiter};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

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

/// Whether to wait for a group that is still on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    UntilDurable,
    Never,
}

/// What groups are put together with: buffers that wait for one, and the compressor.
pub(crate) struct Workshop {
    spare: Vec<AlignedBuf>,
    spare_bytes: usize,
    compressor: Compressor,
}

impl Workshop {
    pub(crate) fn new(options: &Options) -> Workshop {
        let compressor = Compressor::new(options.compress_from_bytes);
        Workshop { spare: Vec::new(), spare_bytes: 0, compressor }
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
        let spare = self.spare.pop();
        self.spare_bytes -= spare.as_ref().map_or(0, AlignedBuf::capacity);
        let mut buf = match spare {
            Some(buf) if buf.capacity() >= bytes => buf,
            _ => AlignedBuf::new(bytes.next_power_of_two().max(BUFFER_BYTES_MIN)),
        };
        buf.set_len(bytes);
        buf
    }

    fn give_back(&mut self, buf: AlignedBuf) {
        let bytes = buf.capacity();
        if bytes <= KEPT_BUFFER_BYTES_MAX && self.spare_bytes + bytes <= KEPT_BUFFERS_BYTES_MAX {
            self.spare_bytes += bytes;
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

    /// Takes the oldest group if it is durable, or waits until it is; `None` if there is none.
    pub(crate) fn complete(
        &mut self,
        workshop: &mut Workshop,
        wait: Wait,
    ) -> Result<Option<UnderWay>> {
        let buf = match wait {
            _ if self.under_way.is_empty() => return Ok(None),
            Wait::UntilDurable => self.file.complete(),
            Wait::Never => self.file.try_complete(),
        };
        let Some(buf) = buf.map_err(Error::io(&self.path))? else {
            assert!(wait == Wait::Never, "a submitted write completes");
            return Ok(None);
        };
        workshop.give_back(buf);
        let group = self.under_way.pop_front().expect("what completes was submitted");
        self.durable = group.durable.end;
        Ok(Some(group))
    }

    pub(crate) fn waiter(&self) -> Option<Arc<dyn Waiter>> {
        self.file.waiter()
    }
}
