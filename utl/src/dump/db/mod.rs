//! `etcd-dump db`: what a member's database holds, and nothing is changed.
//!
//! 1. [`Place`] finds out what is meant: one of our engines' folders, or a file in bbolt's format.
//! 2. Each view of a database is a file here: it reads, and prints lines as it goes.
//! 3. What can't be read is printed as a fault, left out, and makes the exit code 1.
//!
//! Files are only opened for reading and no lock is taken. Memory doesn't grow with the number of
//! keys but for the indexes and filters of tables, some bytes for each key, where a view reads
//! across tables.

pub(super) mod args;
mod blocks;
mod bolt;
pub(super) mod fault;
mod html;
mod keys;
mod manifest;
pub(super) mod output;
pub(super) mod place;
mod properties;
pub(super) mod reading;
mod record;
pub(super) mod space;
pub(super) mod state;
pub(super) mod subject;
mod summary;
pub(super) mod tables;
mod tree;
pub(super) mod verify;

pub(super) use args::Args;

use super::Surroundings;
use args::View;
use output::Output;
use place::Place;
use retcd_engine::btree::inspect::TreeFile;
use retcd_engine::lsm::inspect::Folder;
use retcd_engine::lsm::manifest::Ending;
use std::io::{self, Write};
use std::path::PathBuf;
use subject::Subject;

/// Why there is nothing, or nothing more, to print.
#[derive(Debug)]
pub(super) enum Error {
    /// The file can't be read or is damaged.
    Database(retcd_engine::Error),
    /// A file can't be read.
    Io(PathBuf, io::Error),
    /// There is nothing of a database in the folder.
    NoDatabase(PathBuf),
    /// There is no member in the folder.
    NoMember(PathBuf),
    /// A restore didn't come to its end.
    Unfinished(PathBuf),
    /// A folder where a file is expected, and what to do.
    Folder(PathBuf, &'static str),
    /// A flag that isn't for what is at this place, and what to do.
    Flag(PathBuf, &'static str),
    /// There is no bucket of this name.
    NoBucket(PathBuf, String),
    /// The manifest names no table of this number.
    NoTable(PathBuf, u64),
    /// The revision can't be read; the compacted and the newest one.
    NoRevision {
        /// What was asked for.
        asked: u64,
        /// Nothing below this is there.
        compacted: u64,
        /// The newest one.
        newest: u64,
    },
    /// Something else has the name of the page that is to be written.
    NotAPage(PathBuf),
    /// The hash behind the snapshot isn't the file's.
    WrongHash(PathBuf),
    /// Nobody reads on.
    Output(io::Error),
}

impl Error {
    /// Whether the arguments are to blame.
    pub(super) fn is_usage(&self) -> bool {
        matches!(self, Error::Flag(..) | Error::Folder(..))
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Database(error) => error.fmt(f),
            Error::Io(path, source) => write!(f, "{}: {source}", path.display()),
            Error::NoDatabase(path) => {
                write!(f, "{}: there is no database here", path.display())
            }
            Error::NoMember(path) => write!(
                f,
                "{}: there is no data directory here: neither member nor wal nor snap",
                path.display()
            ),
            Error::Unfinished(path) => {
                let error = retcd_raft_glue::Error::Unfinished { path: path.clone() };
                error.fmt(f)
            }
            Error::Folder(path, what) => write!(f, "{}: {what}", path.display()),
            Error::Flag(path, what) => write!(f, "{}: {what}", path.display()),
            Error::NoBucket(path, name) => {
                write!(f, "{}: there is no bucket {name}", path.display())
            }
            Error::NoTable(path, number) => write!(
                f,
                "{}: the manifest names no table {number:016x}; --tables lists them",
                path.display()
            ),
            Error::NoRevision { asked, compacted, newest } => write!(
                f,
                "revision {asked} can't be read: {compacted} is the compacted one, {newest} the \
                 newest that is flushed"
            ),
            Error::NotAPage(path) => write!(
                f,
                "{}: there is something here that isn't such a page; it is left as it is",
                path.display()
            ),
            Error::WrongHash(path) => {
                write!(f, "{}: the hash at the end isn't that of what is before", path.display())
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

impl From<retcd_engine::Error> for Error {
    fn from(source: retcd_engine::Error) -> Error {
        Error::Database(source)
    }
}

/// Prints what `args` ask for. Says whether everything could be read and is whole.
pub(super) fn run(args: &Args, surroundings: &mut Surroundings<'_>) -> Result<bool, Error> {
    let vfs = surroundings.vfs;
    let place = Place::find(vfs, &args.path)?;
    let err: Option<&mut dyn Write> = match surroundings.shows_progress {
        true => Some(&mut *surroundings.err),
        false => None,
    };
    let mut output = Output::new(args.format(), surroundings.out);
    match &place {
        Place::Bolt(path) => bolt::run(args.bolt_view(path)?, vfs, path, &mut output)?,
        Place::Tree { dir, .. } if args.names_a_bucket() => {
            let path = TreeFile::path_in(dir);
            bolt::run(args.bolt_view(&path)?, vfs, &path, &mut output)?;
        }
        Place::Tree { dir, is_held } => {
            let view = args.engine_view(dir)?;
            let tree = TreeFile::open(vfs, dir)?;
            match &view {
                View::Html(path, asked) => {
                    let database =
                        html::Database { subject: Subject::Tree(&tree), is_held: *is_held };
                    html::show(vfs, &database, path, asked, err, &mut output)?;
                }
                view => tree_of(view, &tree, *is_held, &mut output)?,
            }
        }
        Place::Engine { dir, is_held } => {
            let view = args.engine_view(dir)?;
            let folder = Folder::read(vfs, dir)?;
            print_faults(&folder, &mut output)?;
            match &view {
                View::Html(path, asked) => {
                    let subject = Subject::Tables(&folder);
                    let database = html::Database { subject, is_held: *is_held };
                    html::show(vfs, &database, path, asked, err, &mut output)?;
                }
                view => engine(view, &folder, *is_held, &mut output)?,
            }
        }
    }
    output.finish()
}

fn print_faults(folder: &Folder<'_>, output: &mut Output<'_>) -> Result<(), Error> {
    folder.faults.iter().try_for_each(|error| output.fault(error))?;
    match &folder.history.ending {
        Ending::Damaged(error) => output.fault(error),
        Ending::Whole | Ending::Torn { .. } => Ok(()),
    }
}

/// Shows a folder of our own engine.
fn engine(
    view: &View,
    folder: &Folder<'_>,
    is_held: bool,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let subject = Subject::Tables(folder);
    match view {
        View::Summary => summary::show(folder, is_held, output),
        View::Manifest => manifest::show(folder, output),
        View::Tables => tables::show_all(folder, output),
        View::Table(number) => tables::show_one(folder, *number, output),
        View::Blocks(number) => blocks::show(folder, *number, output),
        View::Keys(asked) => keys::show(subject, asked, output),
        View::Keyspace(asked) => record::show(subject, asked, output),
        View::Space(asked) => space::show(subject, asked, output),
        View::Verify => verify::show(folder, is_held, output),
        View::Html(..) => unreachable!("a page has a way of its own"),
    }
}

/// Shows a tree of our own.
fn tree_of(
    view: &View,
    file: &TreeFile<'_>,
    is_held: bool,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let subject = Subject::Tree(file);
    match view {
        View::Keys(asked) => keys::show(subject, asked, output),
        View::Keyspace(asked) => record::show(subject, asked, output),
        View::Space(asked) => space::show(subject, asked, output),
        View::Verify => verify::tree::show(file, is_held, output),
        View::Summary => tree::show(file, is_held, output),
        View::Html(..) => unreachable!("a page has a way of its own"),
        View::Manifest | View::Tables | View::Table(_) | View::Blocks(_) => {
            let what = "a B+tree has neither manifest nor tables; --bucket shows its buckets";
            Err(Error::Flag(file.path().to_owned(), what))
        }
    }
}
