//! What nobody reads any more, waiting for a step to remove it.
//!
//! Pictures are dropped by whoever holds them last, often a reader. Unlinking a file and taking a
//! memtable apart are slow, so the reader only leaves them here.

use parking_lot::Mutex;

use super::memtable::Remains;
use crate::table::FileNumber;

/// One thing to remove.
pub(crate) enum Grave {
    /// A table's file that the manifest no longer names.
    Table(FileNumber),
    /// A memtable's records.
    Memtable(Box<Remains>),
}

/// See the module's text.
#[derive(Default)]
pub(crate) struct Graveyard(Mutex<Vec<Grave>>);

impl Graveyard {
    /// Keeps `grave` until somebody takes it.
    pub(crate) fn take_in(&self, grave: Grave) {
        self.0.lock().push(grave);
    }

    /// One thing to remove, if there is any.
    pub(crate) fn take_out(&self) -> Option<Grave> {
        self.0.lock().pop()
    }
}
