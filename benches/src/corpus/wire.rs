//! Writes protobuf messages as Kubernetes' API server does: fields ascending, and fields without
//! presence even if they are empty.

const VARINT: u8 = 0;
const LENGTH_DELIMITED: u8 = 2;

/// A message under construction.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Writer {
        Writer { bytes: Vec::with_capacity(bytes) }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// An integer or a truth value.
    pub(super) fn number(&mut self, field: u8, value: u64) {
        self.tag(field, VARINT);
        push_varint(&mut self.bytes, value);
    }

    /// A string or bytes.
    pub(super) fn text(&mut self, field: u8, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        self.tag(field, LENGTH_DELIMITED);
        push_varint(&mut self.bytes, text.len() as u64);
        self.bytes.extend_from_slice(text);
    }

    /// A message within this one.
    pub(super) fn message(&mut self, field: u8, write: impl FnOnce(&mut Writer)) {
        self.tag(field, LENGTH_DELIMITED);
        let start = self.bytes.len();
        write(self);
        // The length comes before what is known only now: its bytes are put behind, and turned round
        // with the rest.
        let end = self.bytes.len();
        push_varint(&mut self.bytes, (end - start) as u64);
        let length_bytes = self.bytes.len() - end;
        self.bytes[start..].rotate_right(length_bytes);
    }

    /// An entry of a map of strings.
    pub(super) fn entry(&mut self, field: u8, key: &str, value: &str) {
        self.message(field, |entry| {
            entry.text(1, key);
            entry.text(2, value);
        });
    }

    fn tag(&mut self, field: u8, wire_type: u8) {
        push_varint(&mut self.bytes, u64::from(field) << 3 | u64::from(wire_type));
    }
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
