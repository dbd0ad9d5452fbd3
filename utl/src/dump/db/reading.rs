//! Records across tables, as far as they can be read: what is damaged is named, its table is left
//! out from there on, and reading goes on with the key where it was. A damaged tree is read up to
//! the damage.
//!
//! Where a table is left out, versions that it superseded may be shown as newest. The fault before
//! says so.

use super::Error;
use super::args::Range;
use super::output::{Faults, Output};
use super::subject::Subject;
use bytes::Bytes;
use retcd_engine::btree::inspect::TreeFile;
use retcd_engine::lsm::inspect::{Folder, Tables};
use retcd_engine::table::Seen;
use retcd_engine::{Cursor, Direction, KeyRange, Keyspace, Projection, Record, Version, View};

/// What to read.
pub(in crate::dump) struct Scan<'a> {
    pub(in crate::dump) keyspace: Keyspace,
    pub(in crate::dump) range: &'a Range,
    /// Nothing newer.
    pub(in crate::dump) at: Version,
    /// All versions, tombstones too, or of each key the newest one unless the key is gone.
    pub(in crate::dump) all_versions: bool,
    pub(in crate::dump) projection: Projection,
}

impl<'a> Scan<'a> {
    /// The newest of each name in the keyspace of names; `range` has all of them.
    pub(in crate::dump) fn of_names(range: &'a Range) -> Scan<'a> {
        Scan {
            keyspace: Keyspace::Meta,
            range,
            at: Version::MAX,
            all_versions: false,
            projection: Projection::Full,
        }
    }

    fn cursor<'v>(
        &self,
        view: &'v dyn View,
        start: &[u8],
    ) -> retcd_engine::Result<Box<dyn Cursor + 'v>> {
        let range = self.range.from(start);
        match self.all_versions {
            true => view.versions(self.keyspace, range, self.projection),
            false => view.scan(self.keyspace, range, self.at, Direction::Forward, self.projection),
        }
    }
}

/// Where reading is: behind this record.
#[derive(Default)]
struct Place(Option<(Bytes, Version)>);

impl Place {
    fn key(&self) -> Bytes {
        self.0.as_ref().map(|(key, _)| key.clone()).unwrap_or_default()
    }

    /// Whether a record was met before, on the way that ended at damage.
    fn is_passed(&self, key: &[u8], version: Version, all_versions: bool) -> bool {
        let passed = |(at, last): &(Bytes, Version)| {
            *key < **at || (*key == **at && (!all_versions || version >= *last))
        };
        self.0.as_ref().is_some_and(passed)
    }
}

/// Reads on from `place` and leaves there where it is. The outer error is that of the tables.
fn read_on(
    view: &dyn View,
    scan: &Scan<'_>,
    place: &mut Place,
    output: &mut Output<'_>,
    each: &mut dyn FnMut(&mut Output<'_>, Record) -> Result<bool, Error>,
) -> retcd_engine::Result<Result<(), Error>> {
    let mut cursor = scan.cursor(view, &place.key())?;
    let mut resumes = place.0.is_some();
    while let Some(record) = cursor.next()? {
        resumes &= place.is_passed(&record.key, record.version, scan.all_versions);
        if resumes || record.version > scan.at {
            continue;
        }
        *place = Place(Some((record.key.clone(), record.version)));
        match each(output, record) {
            Ok(true) => {}
            Ok(false) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

/// How tables are opened; those that can't be are shown to the last argument and left out.
type OpenTables = fn(&Folder<'_>, &[Keyspace], &mut dyn FnMut(retcd_engine::Error)) -> Tables;

/// What is open.
pub(in crate::dump) enum Reading<'a> {
    Tables(Tables),
    /// All of it, or nothing.
    Tree(&'a TreeFile<'a>),
}

impl<'a> Reading<'a> {
    /// Opens the tables of `keyspaces`, and prints which can't be.
    pub(in crate::dump) fn open(
        subject: Subject<'a>,
        keyspaces: &[Keyspace],
        output: &mut Output<'_>,
    ) -> Result<Reading<'a>, Error> {
        Reading::open_by(Tables::open, subject, keyspaces, output)
    }

    /// As [`Reading::open`], of what an engine that starts reads.
    pub(in crate::dump) fn open_as_a_start_does(
        subject: Subject<'a>,
        keyspaces: &[Keyspace],
        output: &mut Output<'_>,
    ) -> Result<Reading<'a>, Error> {
        Reading::open_by(Tables::open_as_a_start_does, subject, keyspaces, output)
    }

    fn open_by(
        open: OpenTables,
        subject: Subject<'a>,
        keyspaces: &[Keyspace],
        output: &mut Output<'_>,
    ) -> Result<Reading<'a>, Error> {
        let folder = match subject {
            Subject::Tables(folder) => folder,
            Subject::Tree(tree) => return Ok(Reading::Tree(tree)),
        };
        let mut faults = Faults::default();
        let tables = open(folder, keyspaces, &mut |error| faults.take_in(error));
        faults.print(output)?;
        Ok(Reading::Tables(tables))
    }

    /// Goes on without what `error` is about; `false` if nothing is left. A page of a tree says
    /// where others are, so a tree is read no further.
    fn leave_out(&mut self, error: &retcd_engine::Error) -> bool {
        match self {
            Reading::Tables(tables) => tables.leave_out(error),
            Reading::Tree(_) => false,
        }
    }

    /// Reads over what is open. An error isn't passed over.
    pub(in crate::dump) fn view(&self) -> Box<dyn View> {
        match self {
            Reading::Tables(tables) => tables.view(),
            Reading::Tree(tree) => tree.view(),
        }
    }

    /// How many keys the records of `range` in what is open say that they add, if all say it.
    pub(in crate::dump) fn keys_added(
        &self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
    ) -> Result<Option<i64>, Error> {
        match self {
            Reading::Tables(tables) => Ok(tables.keys_added(keyspace, range)?),
            Reading::Tree(_) => Ok(None),
        }
    }

    /// Shows each record that `scan` finds, until `each` says that it is enough.
    pub(in crate::dump) fn each(
        &mut self,
        scan: &Scan<'_>,
        output: &mut Output<'_>,
        each: &mut dyn FnMut(&mut Output<'_>, Record) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut place = Place::default();
        loop {
            let view = self.view();
            let error = match read_on(&*view, scan, &mut place, output, each) {
                Ok(done) => return done,
                Err(error) => error,
            };
            output.fault(&error)?;
            if !self.leave_out(&error) {
                return Ok(());
            }
        }
    }

    /// Shows each version of `keyspace` with what it takes on disk.
    pub(in crate::dump) fn walk(
        &mut self,
        keyspace: Keyspace,
        range: &Range,
        output: &mut Output<'_>,
        each: &mut dyn FnMut(Seen<'_>),
    ) -> Result<(), Error> {
        let (mut key, mut version) = (Vec::new(), None);
        loop {
            let error = match self.walk_on(keyspace, range, &mut key, &mut version, each) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            output.fault(&error)?;
            if !self.leave_out(&error) {
                return Ok(());
            }
        }
    }

    /// Walks from behind (`key`, `version`), and leaves there where it is.
    fn walk_on(
        &self,
        keyspace: Keyspace,
        range: &Range,
        key: &mut Vec<u8>,
        version: &mut Option<Version>,
        each: &mut dyn FnMut(Seen<'_>),
    ) -> retcd_engine::Result<()> {
        let mut resumes = version.is_some();
        let from = key.clone();
        let mut take = |seen: Seen<'_>| {
            let record = seen.record;
            if resumes && record.key == *key && Some(record.version) >= *version {
                return;
            }
            resumes = false;
            key.clear();
            key.extend_from_slice(record.key);
            *version = Some(record.version);
            each(seen);
        };
        match self {
            Reading::Tables(tables) => {
                let mut walk = tables.walk(keyspace, range.from(&from))?;
                while let Some(seen) = walk.next()? {
                    take(seen);
                }
            }
            Reading::Tree(tree) => {
                let mut walk = tree.walk(keyspace, range.from(&from))?;
                while let Some(seen) = walk.next()? {
                    take(seen);
                }
            }
        }
        Ok(())
    }
}
