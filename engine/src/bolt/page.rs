//! One page, with its overflow pages, and what is on it.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use bytes::Bytes;

pub(super) const PAGE_HEADER_BYTES: usize = 16;
pub(super) const LEAF_ELEMENT_BYTES: usize = 16;
pub(super) const BRANCH_ELEMENT_BYTES: usize = 16;
/// Bytes of a bucket's value before its page, if that lies in it.
pub(super) const BUCKET_HEADER_BYTES: usize = 16;

pub(super) const KIND_BRANCH: u16 = 0x01;
pub(super) const KIND_LEAF: u16 = 0x02;
pub(super) const KIND_META: u16 = 0x04;
pub(super) const KIND_FREELIST: u16 = 0x10;

/// Flag of a leaf's element whose value is a bucket.
pub(super) const ELEMENT_IS_BUCKET: u32 = 0x01;

/// What stands at the start of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) id: u64,
    pub(super) kind: u16,
    pub(super) count: u16,
    /// Pages behind this one that belong to it.
    pub(super) overflow: u32,
}

impl PageHeader {
    pub(super) fn decode(bytes: &[u8]) -> Option<PageHeader> {
        Some(PageHeader {
            id: u64_at(bytes, 0)?,
            kind: u16::from_le_bytes(take(bytes, 8)?),
            count: u16::from_le_bytes(take(bytes, 10)?),
            overflow: u32_at(bytes, 12)?,
        })
    }

    pub(super) fn encode(&self) -> [u8; PAGE_HEADER_BYTES] {
        let mut bytes = [0; PAGE_HEADER_BYTES];
        let fields = self.id.to_le_bytes().into_iter();
        let fields = fields.chain(self.kind.to_le_bytes()).chain(self.count.to_le_bytes());
        let fields = fields.chain(self.overflow.to_le_bytes());
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        bytes
    }
}

/// A page in memory.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) header: PageHeader,
    bytes: Bytes,
}

/// An element of a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeafElement {
    pub(super) key: Bytes,
    pub(super) value: Bytes,
    pub(super) is_bucket: bool,
}

/// An element of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BranchElement {
    /// Not above the first key of the page.
    pub(super) key: Bytes,
    pub(super) page: u64,
}

impl Page {
    /// A page that begins where `bytes` do and has all of them.
    pub(super) fn new(bytes: Bytes) -> Option<Page> {
        Some(Page { header: PageHeader::decode(&bytes)?, bytes })
    }

    /// How many elements there are.
    pub(super) fn count(&self) -> usize {
        usize::from(self.header.count)
    }

    /// The element at `position` of a leaf; `None` if its bytes aren't all on the page.
    pub(super) fn leaf(&self, position: usize) -> Option<LeafElement> {
        let at = element_at(position, LEAF_ELEMENT_BYTES)?;
        let flags = u32_at(&self.bytes, at)?;
        let key_at = at.checked_add(as_usize(u32_at(&self.bytes, at.checked_add(4)?)?)?)?;
        let key_bytes = as_usize(u32_at(&self.bytes, at.checked_add(8)?)?)?;
        let value_bytes = as_usize(u32_at(&self.bytes, at.checked_add(12)?)?)?;
        let value_at = key_at.checked_add(key_bytes)?;
        Some(LeafElement {
            key: self.part(key_at, key_bytes)?,
            value: self.part(value_at, value_bytes)?,
            is_bucket: flags & ELEMENT_IS_BUCKET != 0,
        })
    }

    /// The element at `position` of a branch; `None` if its bytes aren't all on the page.
    pub(super) fn branch(&self, position: usize) -> Option<BranchElement> {
        let at = element_at(position, BRANCH_ELEMENT_BYTES)?;
        let key_at = at.checked_add(as_usize(u32_at(&self.bytes, at)?)?)?;
        let key_bytes = as_usize(u32_at(&self.bytes, at.checked_add(4)?)?)?;
        let page = u64_at(&self.bytes, at.checked_add(8)?)?;
        Some(BranchElement { key: self.part(key_at, key_bytes)?, page })
    }

    /// The pages that a freelist names; `None` if they aren't all on the page. A count of 65,535
    /// means that the first number is the count.
    pub(super) fn free_pages(&self) -> Option<Vec<u64>> {
        let (mut at, mut count) = (PAGE_HEADER_BYTES, self.count());
        if self.header.count == u16::MAX {
            count = usize::try_from(u64_at(&self.bytes, at)?).ok()?;
            at = at.checked_add(8)?;
        }
        let ids = self.bytes.get(at..at.checked_add(count.checked_mul(8)?)?)?;
        let (ids, _) = ids.as_chunks();
        Some(ids.iter().map(|id| u64::from_le_bytes(*id)).collect())
    }

    fn part(&self, at: usize, bytes: usize) -> Option<Bytes> {
        let end = at.checked_add(bytes)?;
        (end <= self.bytes.len()).then(|| self.bytes.slice(at..end))
    }
}

fn element_at(position: usize, element_bytes: usize) -> Option<usize> {
    position.checked_mul(element_bytes)?.checked_add(PAGE_HEADER_BYTES)
}

fn as_usize(number: u32) -> Option<usize> {
    usize::try_from(number).ok()
}

pub(super) fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    take(bytes, at).map(u32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    take(bytes, at).map(u64::from_le_bytes)
}
