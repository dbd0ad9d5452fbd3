//! A part of a table that is read when it is first needed, and kept from then on.
//!
//! Threads that need it at the same time may each read it; one copy stays. What can't be read isn't
//! remembered: whoever comes next meets the same damage.

use super::frame::Handle;
use crate::Result;
use std::sync::OnceLock;

/// See the module's text.
pub(super) struct Part<T> {
    handle: Handle,
    content: OnceLock<T>,
}

impl<T> Part<T> {
    /// The part at `handle`, which isn't read yet.
    pub(super) fn at(handle: Handle) -> Part<T> {
        Part { handle, content: OnceLock::new() }
    }

    /// The part, which `read` takes from where it lies if it isn't here yet.
    #[inline]
    pub(super) fn get_or_read(&self, read: impl FnOnce(Handle) -> Result<T>) -> Result<&T> {
        if let Some(content) = self.content.get() {
            return Ok(content);
        }
        let content = read(self.handle)?;
        Ok(self.content.get_or_init(|| content))
    }
}
