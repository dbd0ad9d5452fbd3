//! A meta page: where everything else is.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::page::{KIND_META, PAGE_HEADER_BYTES, PageHeader, u32_at, u64_at};
use super::{PAGE_BYTES_MAX, PAGE_BYTES_MIN};

const MAGIC: u32 = 0xed0c_daed;
const VERSION: u32 = 2;

/// Bytes of a meta page that carry something: header, fields, checksum.
pub(crate) const META_BYTES: usize = 80;
const AT_CHECKSUM: usize = 72;

/// What a meta page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Bytes of a page.
    pub page_bytes: u32,
    /// First page of the tree of buckets.
    pub root: u64,
    /// Sequence of the root bucket.
    pub sequence: u64,
    /// First page of the list of free pages; all ones if the file has no such list.
    pub freelist: u64,
    /// How many pages are in use or free: the number of the first page that isn't there.
    pub pages: u64,
    /// Number of the transaction that wrote it. The higher one of two metas counts.
    pub transaction: u64,
}

/// [`Meta::freelist`] of a file without such a list.
pub(crate) const NO_FREELIST: u64 = u64::MAX;

impl Meta {
    /// Reads a meta page from its start; `None` if it isn't a whole one of this format.
    pub(crate) fn decode(page: &[u8]) -> Option<Meta> {
        let header = PageHeader::decode(page)?;
        let meta = Meta {
            page_bytes: u32_at(page, 24)?,
            root: u64_at(page, 32)?,
            sequence: u64_at(page, 40)?,
            freelist: u64_at(page, 48)?,
            pages: u64_at(page, 56)?,
            transaction: u64_at(page, 64)?,
        };
        let is_meta = header.kind & KIND_META != 0
            && u32_at(page, 16)? == MAGIC
            && u32_at(page, 20)? == VERSION
            && u64_at(page, AT_CHECKSUM)? == checksum(page)?
            && (PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&meta.page_bytes)
            && meta.page_bytes.is_power_of_two();
        is_meta.then_some(meta)
    }

    /// The start of the meta page with this number.
    pub(crate) fn encode(&self, page: u64) -> [u8; META_BYTES] {
        let header = PageHeader { id: page, kind: KIND_META, count: 0, overflow: 0 };
        let fields = header.encode().into_iter();
        let fields = fields.chain(MAGIC.to_le_bytes()).chain(VERSION.to_le_bytes());
        let fields = fields.chain(self.page_bytes.to_le_bytes()).chain([0; 4]);
        let fields = fields.chain(self.root.to_le_bytes()).chain(self.sequence.to_le_bytes());
        let fields = fields.chain(self.freelist.to_le_bytes()).chain(self.pages.to_le_bytes());
        let fields = fields.chain(self.transaction.to_le_bytes());
        let mut bytes = [0; META_BYTES];
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        let sum = checksum(&bytes).expect("the fields are in place");
        bytes.iter_mut().skip(AT_CHECKSUM).zip(sum.to_le_bytes()).for_each(|(to, from)| *to = from);
        bytes
    }
}

/// 64-bit FNV-1a of the fields.
fn checksum(page: &[u8]) -> Option<u64> {
    let fields = page.get(PAGE_HEADER_BYTES..AT_CHECKSUM)?;
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    Some(fields.iter().fold(0xcbf2_9ce4_8422_2325, step))
}
