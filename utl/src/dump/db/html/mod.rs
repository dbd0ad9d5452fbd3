//! `etcd-dump db --html FILE`: one page for a browser, with what fills the database, how old it is,
//! and how runs and tables lie.
//!
//! 1. [`Gathered`] is read: the sums that `--space` and the summary print, from the same code.
//! 2. [`page`] makes text of it. Every name from the database goes through [`text::Escaped`].
//! 3. The page is written under another name, synced, and renamed.
//!
//! The page needs nothing from elsewhere and runs no script. Its size has a limit, whatever the
//! number of keys, prefixes and tables: what is beyond is summed up.

mod bars;
mod figure;
mod gathered;
mod page;
mod text;

use super::Error;
use super::args::Space;
use super::output::{Line, Output};
use super::subject::Subject;
use crate::notation::Size;
use crate::progress::Progress;
use gathered::Gathered;
use retcd_vfs::Vfs;
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How a page begins; only such a file is replaced.
const BEGINNING: &str = "<!doctype html>";

/// What a page is made of.
pub(super) struct Database<'a> {
    pub(super) subject: Subject<'a>,
    /// Whether a member seems to run on it.
    pub(super) is_held: bool,
}

/// Writes the page to `path`. What can't be read is printed, and the page says so.
pub(super) fn show(
    vfs: &dyn Vfs,
    database: &Database<'_>,
    path: &Path,
    asked: &Space,
    err: Option<&mut dyn Write>,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    refuse_others(vfs, path)?;
    let mut progress = Progress::new("reading", 0, err);
    let gathered = Gathered::read(database, asked, &mut progress)?;
    drop(progress);
    for fault in gathered.faults.iter().cloned() {
        output.fault(fault)?;
    }
    let page = page::page(&gathered);
    write(vfs, path, page.as_bytes()).map_err(|error| Error::Io(path.to_owned(), error))?;
    output.print(&PageLine { file: path.display().to_string(), bytes: page.len() as u64 })
}

/// A page of before may be replaced, and nothing else.
fn refuse_others(vfs: &dyn Vfs, path: &Path) -> Result<(), Error> {
    let io = |error| Error::Io(path.to_owned(), error);
    if !vfs.exists(path).map_err(io)? {
        return Ok(());
    }
    let mut start = [0; BEGINNING.len()];
    let read = vfs.open_read(path).and_then(|file| file.read_exact_at(0, &mut start));
    match read.is_ok() && start == *BEGINNING.as_bytes() {
        true => Ok(()),
        false => Err(Error::NotAPage(path.to_owned())),
    }
}

/// Writes a file so that under its name there is all of it or what was there before.
fn write(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".part");
    let part: PathBuf = path.with_file_name(name);
    // Left of a run that was killed in the middle.
    if vfs.exists(&part)? {
        vfs.remove_file(&part)?;
    }
    let written = vfs.create_append(&part).and_then(|mut file| {
        file.append(bytes)?;
        file.sync()
    });
    written.and_then(|()| vfs.rename(&part, path)).inspect_err(|_| {
        // The first error is the one to be told.
        let _ = vfs.remove_file(&part);
    })
}

/// What was written.
#[derive(Serialize)]
#[serde(tag = "type", rename = "page")]
struct PageLine {
    file: String,
    bytes: u64,
}

impl Line for PageLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "page {}: {}", self.file, Size(self.bytes))
    }
}
