//! A leaf or branch in the making.

use super::page::{ELEMENT_BYTES, KIND_BRANCH, PAGE_HEADER_BYTES, PageHeader};

/// Most elements of a page: the count is a u16, and its highest value means something else.
pub(crate) const ELEMENTS_MAX: usize = u16::MAX as usize - 1;

/// See the module's text.
#[derive(Default)]
pub(crate) struct PageBuilder {
    elements: Vec<Element>,
    /// Keys and values of the elements, in order.
    data: Vec<u8>,
}

struct Element {
    flags: u32,
    key_bytes: u32,
    value_bytes: u32,
    /// Where a branch's element leads.
    child: u64,
}

impl PageBuilder {
    /// Bytes of the page without what fills it up.
    pub(crate) fn bytes(&self) -> usize {
        PAGE_HEADER_BYTES + self.elements.len() * ELEMENT_BYTES + self.data.len()
    }

    /// How many elements there are.
    pub(crate) fn count(&self) -> usize {
        self.elements.len()
    }

    /// The first element's key.
    pub(crate) fn first_key(&self) -> Option<&[u8]> {
        Some(&self.data[..self.elements.first()?.key_bytes as usize])
    }

    /// Adds an element behind the others.
    pub(crate) fn push(&mut self, flags: u32, key: &[u8], value: &[u8], child: u64) {
        let bytes = |part: &[u8]| u32::try_from(part.len()).expect("keys and values have limits");
        let (key_bytes, value_bytes) = (bytes(key), bytes(value));
        self.elements.push(Element { flags, key_bytes, value_bytes, child });
        self.data.extend_from_slice(key);
        self.data.extend_from_slice(value);
    }

    /// Takes the last `kept` elements away.
    pub(crate) fn split_off(&mut self, kept: usize) -> PageBuilder {
        let elements = self.elements.split_off(self.elements.len() - kept);
        let bytes: u32 = elements.iter().map(|e| e.key_bytes + e.value_bytes).sum();
        let data = self.data.split_off(self.data.len() - bytes as usize);
        PageBuilder { elements, data }
    }

    /// The page with number `id` and as many overflow pages as it takes, of `page_bytes` each. Of
    /// its last bytes `spare` are zeros, whatever there is on it.
    pub(crate) fn encode(&self, kind: u16, id: u64, page_bytes: u32, spare: usize) -> Vec<u8> {
        let page_bytes = page_bytes as usize;
        let pages = (self.bytes() + spare).div_ceil(page_bytes);
        let header = PageHeader {
            id,
            kind,
            count: u16::try_from(self.elements.len()).expect("a page has at most ELEMENTS_MAX"),
            overflow: u32::try_from(pages - 1).expect("keys and values have limits"),
        };
        let mut out = Vec::with_capacity(pages * page_bytes);
        out.extend_from_slice(&header.encode());
        let mut data_at = self.elements.len() * ELEMENT_BYTES;
        for element in &self.elements {
            // From this element, which is left behind as the data comes nearer.
            let position = u32::try_from(data_at).expect("keys and values have limits");
            if kind == KIND_BRANCH {
                out.extend_from_slice(&position.to_le_bytes());
                out.extend_from_slice(&element.key_bytes.to_le_bytes());
                out.extend_from_slice(&element.child.to_le_bytes());
            } else {
                out.extend_from_slice(&element.flags.to_le_bytes());
                out.extend_from_slice(&position.to_le_bytes());
                out.extend_from_slice(&element.key_bytes.to_le_bytes());
                out.extend_from_slice(&element.value_bytes.to_le_bytes());
            }
            data_at += (element.key_bytes + element.value_bytes) as usize;
            data_at -= ELEMENT_BYTES;
        }
        out.extend_from_slice(&self.data);
        out.resize(pages * page_bytes, 0);
        out
    }
}
