//! One page, with its overflow pages, and what is on it.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use bytes::Bytes;

pub(crate) const PAGE_HEADER_BYTES: usize = 16;
/// Bytes of an element, of a leaf's and of a branch's.
pub(crate) const ELEMENT_BYTES: usize = 16;
/// Bytes of a bucket's value before its page, if that lies in it.
pub(crate) const BUCKET_HEADER_BYTES: usize = 16;

pub(crate) const KIND_BRANCH: u16 = 0x01;
pub(crate) const KIND_LEAF: u16 = 0x02;
pub(crate) const KIND_META: u16 = 0x04;
pub(crate) const KIND_FREELIST: u16 = 0x10;

/// Flag of a leaf's element whose value is a bucket.
pub(crate) const ELEMENT_IS_BUCKET: u32 = 0x01;

/// What stands at the start of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageHeader {
    pub(crate) id: u64,
    pub(crate) kind: u16,
    pub(crate) count: u16,
    /// Pages behind this one that belong to it.
    pub(crate) overflow: u32,
}

impl PageHeader {
    pub(crate) fn decode(bytes: &[u8]) -> Option<PageHeader> {
        Some(PageHeader {
            id: u64_at(bytes, 0)?,
            kind: u16::from_le_bytes(take(bytes, 8)?),
            count: u16::from_le_bytes(take(bytes, 10)?),
            overflow: u32_at(bytes, 12)?,
        })
    }

    pub(crate) fn encode(&self) -> [u8; PAGE_HEADER_BYTES] {
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
pub(crate) struct Page {
    pub(crate) header: PageHeader,
    bytes: Bytes,
}

/// An element of a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeafElement {
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
    pub(crate) is_bucket: bool,
}

/// An element of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BranchElement {
    /// Not above the first key of the page.
    pub(crate) key: Bytes,
    pub(crate) page: u64,
}

impl Page {
    /// A page that begins where `bytes` do and has all of them.
    pub(crate) fn new(bytes: Bytes) -> Option<Page> {
        Some(Page { header: PageHeader::decode(&bytes)?, bytes })
    }

    /// How many elements there are.
    pub(crate) fn count(&self) -> usize {
        usize::from(self.header.count)
    }

    /// The element at `position` of a leaf; `None` if its bytes aren't all on the page.
    pub(crate) fn leaf(&self, position: usize) -> Option<LeafElement> {
        let at = element_at(position)?;
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
    pub(crate) fn branch(&self, position: usize) -> Option<BranchElement> {
        let at = element_at(position)?;
        let key_at = at.checked_add(as_usize(u32_at(&self.bytes, at)?)?)?;
        let key_bytes = as_usize(u32_at(&self.bytes, at.checked_add(4)?)?)?;
        let page = u64_at(&self.bytes, at.checked_add(8)?)?;
        Some(BranchElement { key: self.part(key_at, key_bytes)?, page })
    }

    /// The key of the element at `position`, of a leaf or a branch; `None` if its bytes aren't all
    /// on the page.
    pub(crate) fn key(&self, position: usize) -> Option<&[u8]> {
        let at = element_at(position)?;
        let at_length = if self.is_leaf() { at.checked_add(4)? } else { at };
        let key_at = at.checked_add(as_usize(u32_at(&self.bytes, at_length)?)?)?;
        let key_bytes = as_usize(u32_at(&self.bytes, at_length.checked_add(4)?)?)?;
        self.bytes.get(key_at..key_at.checked_add(key_bytes)?)
    }

    /// Whether it says that it is a leaf.
    pub(crate) fn is_leaf(&self) -> bool {
        self.header.kind & KIND_LEAF != 0
    }

    /// Its bytes, with those of its overflow pages.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The pages that a freelist names; `None` if they aren't all on the page. A count of 65,535
    /// means that the first number is the count.
    pub(crate) fn free_pages(&self) -> Option<Vec<u64>> {
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

fn element_at(position: usize) -> Option<usize> {
    position.checked_mul(ELEMENT_BYTES)?.checked_add(PAGE_HEADER_BYTES)
}

fn as_usize(number: u32) -> Option<usize> {
    usize::try_from(number).ok()
}

pub(crate) fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    take(bytes, at).map(u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    take(bytes, at).map(u64::from_le_bytes)
}

/// The first position for which `is_before` is false, by halving; `None` if an element is missing.
pub(crate) fn first_from(count: usize, is_before: impl Fn(usize) -> Option<bool>) -> Option<usize> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        match is_before(middle)? {
            true => low = middle.checked_add(1)?,
            false => high = middle,
        }
    }
    Some(low)
}
