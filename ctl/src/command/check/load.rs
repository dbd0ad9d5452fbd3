//! How much load a check makes.

use crate::failure::{Failure, Outcome};

/// The sizes that `--load` may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Size {
    Small,
    Medium,
    Large,
    ExtraLarge,
}

impl Size {
    pub(super) fn parse(name: &str) -> Outcome<Self> {
        match name {
            "s" | "small" => Ok(Self::Small),
            "m" | "medium" => Ok(Self::Medium),
            "l" | "large" => Ok(Self::Large),
            "xl" | "xLarge" => Ok(Self::ExtraLarge),
            _ => Err(Failure::bad_feature(format!("unknown load option {name}"))),
        }
    }
}

/// What `check perf` does.
#[derive(Clone, Copy, Debug)]
pub(super) struct PerfLoad {
    pub(super) clients: usize,
    /// Writes a second.
    pub(super) rate: u32,
}

impl PerfLoad {
    pub(super) fn new(size: Size) -> Self {
        let (clients, rate) = match size {
            Size::Small => (50, 150),
            Size::Medium => (200, 1_000),
            Size::Large => (500, 8_000),
            Size::ExtraLarge => (1_000, 15_000),
        };
        Self { clients, rate }
    }
}

/// What `check datascale` does.
#[derive(Clone, Copy, Debug)]
pub(super) struct DatascaleLoad {
    pub(super) clients: usize,
    /// How many keys are written.
    pub(super) keys: u64,
}

impl DatascaleLoad {
    pub(super) fn new(size: Size) -> Self {
        let (clients, keys) = match size {
            Size::Small => (50, 10_000),
            Size::Medium => (200, 100_000),
            Size::Large => (500, 1_000_000),
            Size::ExtraLarge => (1_000, 3_000_000),
        };
        Self { clients, keys }
    }
}
