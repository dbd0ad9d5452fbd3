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
    /// What it is compared with.
    pub raw: RawCall,
}

/// All ways.
pub const MODES: [Mode; 2] = [
    Mode { name: "direct", io: IoMode::Direct, raw: RawCall::DirectDsync },
    Mode { name: "buffered", io: IoMode::Buffered, raw: RawCall::WriteAndSync },
];

impl Mode {
    /// The options of a log that takes this way.
    pub fn options(&self) -> Options {
        Options { io: self.io, salt: 0x1f0e_2d3c, ..Options::default() }
    }
}
