//! What the log has done since it was opened.

/// Counts since open, for metrics and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Groups that became durable, the final one of a clean stop included.
    pub groups: u64,
    /// Durable writes for groups: one each, unless syncs are off.
    pub syncs: u64,
    /// Bytes of these writes, padding included.
    pub bytes: u64,
    /// Bytes of the entries' payloads in them.
    pub payload_bytes: u64,
    /// Groups that were compressed.
    pub compressed_groups: u64,
    /// Bytes of records that this saved, before padding.
    pub saved_bytes: u64,
    /// Segments that exist now, without the one in preparation.
    pub segments: u64,
    /// Files that are ready to become segments.
    pub prepared: u64,
    /// Segments that were begun.
    pub rotations: u64,
    /// Segments that had to be prepared while a group waited for them.
    pub inline_preparations: u64,
    /// Segments whose file was used again instead of a new one.
    pub recycled: u64,
}
