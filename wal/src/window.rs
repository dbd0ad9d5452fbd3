//! A part of a file in memory, moved along as bytes are asked for.
//!
//! Each byte is read once, whatever the pieces that are asked for: what the window has of them
//! stays.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::error::{Error, Result};
use crate::limits::{KEPT_BUFFER_BYTES_MAX, WINDOW_BYTES};
use retcd_vfs::{ReadFile, Vfs};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A window on a file.
pub(crate) struct Window {
    file: Arc<dyn ReadFile>,
    /// Nothing at or behind this is read, in bytes.
    limit: u64,
    /// How much is read at once, in bytes, unless more is asked for.
    ahead: u64,
    /// Where the held bytes start in the file, in bytes.
    start: u64,
    /// The first `len` are held.
    held: Vec<u8>,
    len: usize,
}

impl Window {
    /// A window on the whole file, and the file's length in bytes.
    pub(crate) fn open(vfs: &dyn Vfs, path: &Path) -> Result<(Window, u64)> {
        let mut window = Window::open_until(vfs, path, 0)?;
        window.limit = window.file.len().map_err(Error::io(path))?;
        let file_bytes = window.limit;
        Ok((window, file_bytes))
    }

    /// A window on what is before `limit`.
    pub(crate) fn open_until(vfs: &dyn Vfs, path: &Path, limit: u64) -> Result<Window> {
        let file = vfs.open_read(path).map_err(Error::io(path))?;
        let held = Vec::new();
        Ok(Window { file, limit, ahead: WINDOW_BYTES, start: 0, held, len: 0 })
    }

    /// Changes up to where is read, which may only grow, and how much at once, in bytes.
    pub(crate) fn set_reach(&mut self, limit: u64, ahead: u64) {
        (self.limit, self.ahead) = (limit, ahead);
    }

    /// The bytes from `offset` on: `len` of them, or fewer at the end.
    pub(crate) fn bytes(&mut self, offset: u64, len: u64) -> io::Result<&[u8]> {
        let end = offset.saturating_add(len).min(self.limit);
        if offset < self.start || end > self.held_end() {
            self.fill(offset, end)?;
        }
        let from = as_usize(offset.saturating_sub(self.start));
        let to = as_usize(end.saturating_sub(self.start));
        Ok(self.held.get(from..to).unwrap_or_default())
    }

    /// Gives memory back that an exceptionally large group needed.
    pub(crate) fn shrink(&mut self) {
        if self.held.capacity() > KEPT_BUFFER_BYTES_MAX {
            (self.held, self.len) = (Vec::new(), 0);
        }
    }

    fn held_end(&self) -> u64 {
        self.start.saturating_add(self.len as u64)
    }

    /// Holds at least the bytes from `offset` to `end`.
    fn fill(&mut self, offset: u64, end: u64) -> io::Result<()> {
        let kept = match self.start <= offset {
            true => as_usize(self.held_end().saturating_sub(offset)),
            false => 0,
        };
        self.held.copy_within(self.len.saturating_sub(kept)..self.len, 0);
        (self.start, self.len) = (offset, kept);
        let until = end.max(offset.saturating_add(self.ahead)).min(self.limit);
        let wanted = as_usize(until.saturating_sub(offset));
        if self.held.len() < wanted {
            self.held.resize(wanted, 0);
        }
        let missing = self.held.get_mut(kept..wanted).unwrap_or_default();
        self.file.read_exact_at(offset.saturating_add(kept as u64), missing)?;
        self.len = wanted;
        Ok(())
    }
}

fn as_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
