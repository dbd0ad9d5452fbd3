//! The ways that a log's writes can take, each with the raw system call to compare it with.

use retcd_wal::{IoMode, Options};

/// The raw call that makes a block durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawCall {
    /// `pwritev2(RWF_DSYNC)` on a file opened with `O_DIRECT`.
    DirectDsync,
    /// `pwrite` and `fdatasync`.
    WriteAndSync,
}

/// One way.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// Shown in tables and plots.
    pub name: &'static str,
    /// How the log is told to take it.
    pub io: IoMode,
    /// Groups that may be under way at once.
    pub depth: usize,
    /// What it is compared with.
    pub raw: RawCall,
}

/// All ways with one group at a time.
pub const MODES: [Mode; 3] = [
    Mode { name: "direct", io: IoMode::Direct, depth: 1, raw: RawCall::DirectDsync },
    Mode { name: "uring", io: IoMode::Uring, depth: 1, raw: RawCall::DirectDsync },
    Mode { name: "buffered", io: IoMode::Buffered, depth: 1, raw: RawCall::WriteAndSync },
];

impl Mode {
    /// The options of a log that takes this way. Nothing is compressed: equal payloads would shrink
    /// as no others do.
    pub fn options(&self) -> Options {
        let Mode { io, depth, .. } = *self;
        Options { io, depth, salt: 0x1f0e_2d3c, compress_from_bytes: 0, ..Options::default() }
    }
}
