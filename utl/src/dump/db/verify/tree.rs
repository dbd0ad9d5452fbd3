//! Reads all of a B+tree and checks what can be checked without a member.
//!
//! 1. Every page of every bucket by itself: its checksum, and that its keys are those of its place.
//! 2. By code that shares nothing with the engine's: each page is used once or free.
//! 3. If all of that holds, what records of different keyspaces say of each other ([`agreement`]).

use super::super::Error;
use super::super::output::{Line, Output, bytes_and_size};
use super::super::subject::Subject;
use super::agreement;
use crate::notation::Count;
use retcd_engine::btree::inspect::TreeFile;
use serde::Serialize;
use std::io::{self, Write};

/// Bytes that are read between two looks at what was found.
const PIECE_BYTES: u64 = 1 << 20;

/// Checks `file` and prints the verdict last.
pub(in crate::dump) fn show(
    file: &TreeFile<'_>,
    is_held: bool,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let mut scrub = file.scrub();
    let mut bytes = 0;
    loop {
        let piece = scrub.step(PIECE_BYTES)?;
        bytes += piece.bytes;
        output.advance(piece.bytes);
        piece.damage.iter().try_for_each(|error| output.fault(error))?;
        if piece.is_last {
            break;
        }
    }
    if output.faults() == 0
        && let Err(error) = file.usage()
    {
        output.fault(&error)?;
    }
    let is_compared = output.faults() == 0;
    if is_compared {
        agreement::check(Subject::Tree(file), output)?;
    }
    output.print(&VerdictLine {
        whole: output.faults() == 0,
        faults: output.faults(),
        pages: bytes / file.page_bytes(),
        bytes,
        compared: is_compared,
        in_use: is_held,
    })
}

/// What it comes to.
#[derive(Serialize)]
#[serde(tag = "type", rename = "verdict")]
struct VerdictLine {
    whole: bool,
    faults: u64,
    pages: u64,
    bytes: u64,
    /// Whether keyspaces were compared with each other.
    compared: bool,
    in_use: bool,
}

impl Line for VerdictLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.whole {
            true => writeln!(out, "verdict: whole")?,
            false => writeln!(out, "verdict: damaged, {}", Count(self.faults, "fault"))?,
        }
        let pages = Count(self.pages, "page");
        writeln!(out, "  {pages} in use, {}", bytes_and_size(self.bytes))?;
        if !self.compared {
            writeln!(out, "  keyspaces aren't compared, since not everything can be read")?;
        }
        if self.in_use {
            writeln!(out, "  a member seems to run on it: pages that it writes look damaged")?;
        }
        Ok(())
    }
}
