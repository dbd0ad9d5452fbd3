//! Goes through all segments of a folder, whatever state they are in.
//!
//! Recovery reads what a member needs, and stops at the first thing that is wrong. This goes on:
//! a segment that can't be read is reported, and the next one is begun. In each segment the chain
//! of groups is followed to its end, beyond the place where the next segment says that it ends:
//! groups behind that don't count, and are told apart. Nothing is held but one group.

use retcd_vfs::Vfs;
use retcd_wal::{Ending, Error, Found, ReadGroup, SegmentName, SegmentReader};
use std::path::Path;

/// What is met, in the order of the files.
pub(in crate::dump) enum Event<'a> {
    /// A segment begins.
    Segment {
        /// Its name.
        name: SegmentName,
        /// Its header has been read.
        reader: &'a SegmentReader,
    },
    /// A group of the segment that began last.
    Group {
        /// The group.
        group: &'a ReadGroup,
        /// Its checksum.
        checksum: u32,
        /// Whether it is a part of the log.
        counts: bool,
    },
    /// The segment ends.
    End {
        /// At the end of the chain.
        reader: &'a mut SegmentReader,
        /// Why it ends there.
        ending: Ending,
        /// What the next segment says about that.
        junction: Junction,
    },
    /// A segment, or the rest of one, can't be read.
    Unreadable {
        /// Its name.
        name: SegmentName,
        /// Why.
        error: Error,
    },
}

/// How a segment and the next one fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dump) enum Junction {
    /// There is no next segment, or it can't be read, or numbers are missing in between.
    None,
    /// The next one follows the group that ends at this offset.
    Fits(u64),
    /// The next one was begun behind more groups than there are, up to this offset.
    Short(u64),
    /// The next one was begun behind another group that ended at this offset.
    Differs(u64),
}

/// Shows `visit` the segments in `dir`.
///
/// # Errors
///
/// Those of `visit`.
pub(in crate::dump) fn walk<E>(
    vfs: &dyn Vfs,
    dir: &Path,
    names: &[SegmentName],
    visit: &mut dyn FnMut(Event<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let open = |name: &SegmentName| SegmentReader::open(vfs, &dir.join(name.to_string()));
    let mut opened = names.first().map(open);
    for (position, &name) in names.iter().enumerate() {
        let reader = opened.take();
        opened = names.get(position + 1).map(open);
        match reader {
            Some(Ok(mut reader)) => {
                let follows = match &opened {
                    Some(Ok(next)) => Bound::of(&reader, next),
                    _ => None,
                };
                visit(Event::Segment { name, reader: &reader })?;
                read(name, &mut reader, follows, visit)?;
            }
            Some(Err(error)) => visit(Event::Unreadable { name, error })?,
            None => {}
        }
    }
    Ok(())
}

/// Where the next segment says that this one ends.
#[derive(Clone, Copy)]
struct Bound {
    end: u64,
    chain: u32,
}

impl Bound {
    fn of(reader: &SegmentReader, next: &SegmentReader) -> Option<Bound> {
        let next = next.header();
        let follows = reader.header().segment.checked_add(1) == Some(next.segment);
        follows.then_some(Bound { end: next.previous_end, chain: next.previous_chain })
    }
}

fn read<E>(
    name: SegmentName,
    reader: &mut SegmentReader,
    bound: Option<Bound>,
    visit: &mut dyn FnMut(Event<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut junction = match bound {
        None => Junction::None,
        Some(bound) => Junction::Short(bound.end),
    };
    loop {
        if let Some(bound) = bound.filter(|bound| bound.end == reader.offset()) {
            junction = match bound.chain == reader.chain() {
                true => Junction::Fits(bound.end),
                false => Junction::Differs(bound.end),
            };
        }
        let counts = bound.is_none_or(|bound| reader.offset() < bound.end);
        match reader.next_group() {
            Ok(Found::Group(group)) => {
                visit(Event::Group { group: &group, checksum: reader.chain(), counts })?;
            }
            Ok(Found::End(ending)) => return visit(Event::End { reader, ending, junction }),
            Err(error) => return visit(Event::Unreadable { name, error }),
        }
    }
}
