//! `etcd-dump wal`: segments, groups, records and the verdict of a log, and nothing is changed.
//!
//! 1. Find the log, and up to where the engine has flushed.
//! 2. Read all of it once, to know which entries were replaced later.
//! 3. Read it again and print it.
//! 4. Ask recovery what a member that starts would make of it.
//!
//! Files are only opened for reading, no lock is taken, and never more than one group is held. A
//! member may run meanwhile: then files may go while they are read, and what is being written looks
//! torn. Damage is reported and reading goes on with the next segment.

mod args;
mod filter;
mod folder;
mod line;
mod place;
mod printer;
mod rewinds;
mod summary;
mod text;
mod verdict;
mod walk;

pub(super) use args::Args;

use folder::Folder;
use line::{FaultLine, Line, LogLine};
use place::{Place, Source};
use printer::{Output, Printer};
use retcd_raft_glue::DataDir;
use retcd_vfs::Vfs;
use retcd_wal::{Flushed, Record, SnapshotMark};
use rewinds::{Follow, Position, Rewinds};
use std::convert::Infallible;
use std::io::{self, Write};
use std::path::PathBuf;
pub(super) use walk::{Event, walk};

/// Why there is nothing, or nothing more, to print.
#[derive(Debug)]
pub(super) enum Error {
    /// A file or folder can't be read.
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder can't be looked into, or etcd itself wrote it.
    DataDir(retcd_raft_glue::Error),
    /// There is no such folder.
    NoFolder(PathBuf),
    /// It is a file.
    NotAFolder(PathBuf),
    /// There is no segment in the folder.
    NoLog(PathBuf),
    /// There is no segment of this number in the folder.
    NoSegment(PathBuf, u64),
    /// Nobody reads on.
    Output(io::Error),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Error::DataDir(retcd_raft_glue::Error::Etcd { path }) => write!(
                f,
                "{}: etcd itself wrote this; this program reads its own log only",
                path.display()
            ),
            Error::DataDir(error) => error.fmt(f),
            Error::NoFolder(dir) => write!(f, "{}: there is no such folder", dir.display()),
            Error::NotAFolder(path) => write!(
                f,
                "{}: not a folder; name the log's folder, and one segment with --segment",
                path.display()
            ),
            Error::NoLog(dir) => write!(f, "{}: there is no log segment here", dir.display()),
            Error::NoSegment(dir, number) => {
                write!(f, "{}: there is no segment {number} here", dir.display())
            }
            Error::Output(source) => write!(f, "output: {source}"),
        }
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Error {
        Error::Output(source)
    }
}

/// Prints what `args` ask for. Says whether everything could be read and a member would start.
pub(super) fn run(args: &Args, vfs: &dyn Vfs, out: &mut dyn Write) -> Result<bool, Error> {
    let place = Place::find(vfs, &args.dir, args.wal_dir.as_deref())?;
    DataDir::refuse_etcds(vfs, &place.log, &place.engine).map_err(Error::DataDir)?;
    let folder = Folder::list(vfs, &place.log)
        .map_err(|source| Error::Io { path: place.log.clone(), source })?;
    if folder.segments.is_empty() {
        return Err(Error::NoLog(place.log));
    }
    if let Some(number) = args.segment
        && folder.segments.iter().all(|name| name.segment != number)
    {
        return Err(Error::NoSegment(place.log, number));
    }
    let notes = Notes::take(vfs, &place, &folder);
    let mut output = Output::new(args.format(), args.values_max(), out);
    let asked = match args.flushed {
        Some(given) => Ok((given, Source::Given)),
        None => place.flushed(vfs).map(|flushed| match flushed {
            Some(flushed) => (flushed, Source::Engine),
            None => (notes.assumed, Source::Assumed),
        }),
    };
    let (flushed, source) = *asked.as_ref().unwrap_or(&(notes.assumed, Source::Assumed));
    output.print(&Line::Log(LogLine {
        dir: place.log.display().to_string(),
        segments: folder.segments.len(),
        flushed,
        flushed_source: source,
    }))?;
    if let Err(error) = &asked {
        let (file, reason) = ("the engine's manifest".to_owned(), error.to_string());
        output.print(&Line::Fault(FaultLine { file, offset: None, reason }))?;
    }
    for file in folder.others(vfs, &place.log) {
        output.print(&Line::File(file))?;
    }
    let mut printer = Printer::new(args, &place.log, &folder, flushed, notes.rewinds, output);
    walk(vfs, &place.log, &folder.segments, &mut |event| printer.event(event))?;
    let (mut output, printed_all) = printer.finish()?;
    let ask = || place.flushed(vfs).ok().flatten();
    let verdict = verdict::judge(vfs, &place.log, flushed, source, &ask);
    let starts = verdict.starts;
    output.print(&Line::Verdict(verdict))?;
    output.flush()?;
    Ok(asked.is_ok() && printed_all && starts)
}

/// What has to be known of the whole log before it is printed.
struct Notes {
    rewinds: Rewinds,
    /// The least that the engine must have flushed if nothing is missing.
    assumed: Flushed,
}

impl Notes {
    fn take(vfs: &dyn Vfs, place: &Place, folder: &Folder) -> Notes {
        let mut rewinds = Rewinds::default();
        let mut follow = Follow::default();
        let mut assumed: Option<Flushed> = None;
        let mut segment = 0;
        let mut note = |event: Event<'_>| {
            match event {
                Event::Segment { name, reader } => {
                    segment = name.segment;
                    let state = reader.header().state;
                    follow.last_index = state.last_index;
                    let before = Flushed { index: state.last_index, term: state.last_term };
                    assumed.get_or_insert(before);
                }
                Event::Group { group, counts: true, .. } => {
                    let offset = group.header.offset;
                    for (record, number) in group.records().zip(0..) {
                        let Ok(record) = record else { break };
                        if let Record::Snapshot(SnapshotMark { index, term }) = record {
                            assumed = assumed.map(|before| match before.index < index {
                                true => Flushed { index, term },
                                false => before,
                            });
                        }
                        if let Ok(Some(index)) = follow.take(&record) {
                            rewinds.note(Position { segment, offset, record: number }, index);
                        }
                    }
                }
                _ => {}
            }
            Ok::<_, Infallible>(())
        };
        let walked = walk(vfs, &place.log, &folder.segments, &mut note);
        match walked {
            Ok(()) => Notes { rewinds, assumed: assumed.unwrap_or_default() },
        }
    }
}
