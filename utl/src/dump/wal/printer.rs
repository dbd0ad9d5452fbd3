//! Turns what is met on the walk into lines.

use super::Error;
use super::args::{Args, Format};
use super::filter::{Filter, HARD_STATE, NORMAL, SNAPSHOT};
use super::folder::Folder;
use super::line::{
    EndingLine, EntryPart, FaultLine, GroupLine, Line, RecordLine, SegmentLine, Status,
};
use super::rewinds::{Follow, Position, Rewinds};
use super::summary::{Biggest, Summary};
use super::text::Text;
use super::walk::{Event, Junction};
use crate::request::Payload;
use retcd_raft_glue::KIND_NORMAL;
use retcd_wal::{Ending, Flushed, LogEntry, ReadGroup, Record, SegmentName, SegmentReader};
use std::io::{self, Write};
use std::path::Path;

/// Writes lines in one of the two forms.
pub(super) struct Output<'a> {
    text: Option<Text>,
    out: &'a mut dyn Write,
}

impl<'a> Output<'a> {
    pub(super) fn new(format: Format, values_max: usize, out: &'a mut dyn Write) -> Output<'a> {
        Output { text: (format == Format::Text).then(|| Text::new(values_max)), out }
    }

    pub(super) fn print(&mut self, line: &Line<'_>) -> io::Result<()> {
        match &mut self.text {
            Some(text) => text.write(self.out, line),
            None => {
                serde_json::to_writer(&mut self.out, line)?;
                self.out.write_all(b"\n")
            }
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Prints a log as it is walked.
pub(super) struct Printer<'a> {
    dir: &'a Path,
    filter: Filter,
    values_max: usize,
    detail: Detail,
    /// The only segment that is shown.
    only: Option<u64>,
    /// The first segment that a start reads.
    first_needed: u64,
    rewinds: Rewinds,
    follow: Follow,
    /// Name of the segment that is being read.
    file: String,
    /// Its number.
    segment: u64,
    /// The group that is being read, if it is printed before its first record that is shown.
    pending: Option<GroupLine>,
    summary: Summary,
    output: Output<'a>,
    all_read: bool,
}

/// How much is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Records,
    Groups,
    Totals,
}

impl<'a> Printer<'a> {
    pub(super) fn new(
        args: &Args,
        dir: &'a Path,
        folder: &Folder,
        flushed: Flushed,
        rewinds: Rewinds,
        output: Output<'a>,
    ) -> Printer<'a> {
        let reach = flushed.index.saturating_add(1);
        let needed = folder.segments.iter().rfind(|name| name.first_index <= reach);
        Printer {
            dir,
            filter: args.filter(),
            values_max: args.values_max(),
            detail: match (args.summary, args.groups_only) {
                (true, _) => Detail::Totals,
                (false, true) => Detail::Groups,
                (false, false) => Detail::Records,
            },
            only: args.segment,
            first_needed: needed.map_or(0, |name| name.segment),
            rewinds,
            follow: Follow::default(),
            file: String::new(),
            segment: 0,
            pending: None,
            summary: Summary::default(),
            output,
            all_read: true,
        }
    }

    /// Prints what is left. Says whether everything could be read.
    pub(super) fn finish(mut self) -> Result<(Output<'a>, bool), Error> {
        if let Some(Position { segment, offset, .. }) = self.rewinds.forgotten() {
            let reason = format!(
                "the log goes back too often: of the entries before segment {segment} offset \
                 {offset}, not all that are superseded are marked"
            );
            let file = self.dir.display().to_string();
            self.output.print(&Line::Fault(FaultLine { file, offset: None, reason }))?;
        }
        if self.detail == Detail::Totals {
            self.output.print(&Line::Summary(&self.summary))?;
        }
        Ok((self.output, self.all_read))
    }

    /// Takes the next event.
    pub(super) fn event(&mut self, event: Event<'_>) -> Result<(), Error> {
        match event {
            Event::Segment { name, reader } => self.segment(name, reader),
            Event::Group { group, checksum, counts } => self.group(group, checksum, counts),
            Event::End { reader, ending, junction } => self.end(reader, ending, junction),
            Event::Unreadable { name, error } => {
                self.all_read &= !matches!(error, retcd_wal::Error::Io { .. });
                if !self.shows(name.segment) {
                    return Ok(());
                }
                let (offset, reason) = without_advice(&error);
                self.fault(name.to_string(), offset, reason)
            }
        }
    }

    fn shows(&self, segment: u64) -> bool {
        self.only.is_none_or(|only| only == segment)
    }

    fn fault(&mut self, file: String, offset: Option<u64>, reason: String) -> Result<(), Error> {
        Ok(self.output.print(&Line::Fault(FaultLine { file, offset, reason }))?)
    }

    fn segment(&mut self, name: SegmentName, reader: &SegmentReader) -> Result<(), Error> {
        let header = reader.header();
        self.follow.last_index = header.state.last_index;
        (self.file, self.segment) = (name.to_string(), name.segment);
        if !self.shows(self.segment) {
            return Ok(());
        }
        self.summary.segment(header.segment_bytes);
        if self.detail != Detail::Totals {
            let needed = self.segment >= self.first_needed;
            let line = SegmentLine::of(self.file.clone(), header, reader.chain(), needed);
            self.output.print(&Line::Segment(Box::new(line)))?;
        }
        match header.name() == name {
            true => Ok(()),
            false => self.fault(self.file.clone(), Some(0), "the header isn't this file's".into()),
        }
    }

    fn group(&mut self, group: &ReadGroup, checksum: u32, counts: bool) -> Result<(), Error> {
        let is_shown = self.shows(self.segment);
        let line = GroupLine::of(group, checksum, counts);
        self.pending = None;
        if is_shown {
            self.summary.group(&line);
            match self.detail {
                Detail::Totals => {}
                _ if self.filter.is_active() => self.pending = Some(line),
                _ => self.output.print(&Line::Group(line))?,
            }
        }
        let mut follow = self.follow;
        let (mut records, mut faults) = (0, Vec::new());
        for (record, number) in group.records().zip(0..) {
            let record = match record {
                Ok(record) => record,
                Err(reason) => {
                    faults.push(reason);
                    break;
                }
            };
            records += 1;
            faults.extend(follow.take(&record).err());
            if is_shown {
                let offset = group.header.offset;
                let position = Position { segment: self.segment, offset, record: number };
                self.record(position, &record, follow.last_index, counts)?;
            }
        }
        if records != group.header.records {
            faults.push("the group doesn't hold as many records as it says");
        }
        if follow.last_index != group.header.last_index {
            faults.push("the group doesn't end at the index that it says");
        }
        if counts {
            self.follow = follow;
        }
        faults.dedup();
        for reason in faults.into_iter().filter(|_| is_shown && counts) {
            self.fault(self.file.clone(), Some(group.header.offset), reason.into())?;
        }
        Ok(())
    }

    fn record(
        &mut self,
        position: Position,
        record: &Record,
        last_index: u64,
        counts: bool,
    ) -> Result<(), Error> {
        let Position { segment, offset, .. } = position;
        let base = RecordLine {
            segment,
            offset,
            kind: SNAPSHOT,
            index: None,
            term: 0,
            vote: None,
            commit: None,
            entry: None,
        };
        let has_keys = self.filter.keys.is_some();
        match record {
            Record::Entry(entry) => self.entry(position, entry, counts, base),
            Record::HardState(state) => {
                if has_keys || !self.filter.admits(last_index, &[HARD_STATE]) {
                    return Ok(());
                }
                self.summary.hard_states += 1;
                let (vote, commit) = (Some(state.vote), Some(state.commit));
                let line = RecordLine { kind: HARD_STATE, term: state.term, vote, commit, ..base };
                self.print_record(line)
            }
            Record::Snapshot(mark) => {
                if has_keys || !self.filter.admits(mark.index, &[SNAPSHOT]) {
                    return Ok(());
                }
                self.summary.snapshots += 1;
                let line = RecordLine { index: Some(mark.index), term: mark.term, ..base };
                self.print_record(line)
            }
        }
    }

    fn entry(
        &mut self,
        position: Position,
        entry: &LogEntry,
        counts: bool,
        base: RecordLine<'_>,
    ) -> Result<(), Error> {
        let mut payload = Payload::of(entry);
        let kind = payload.kind;
        let class = if entry.kind == KIND_NORMAL { NORMAL } else { kind };
        let is_about = self.filter.keys.as_ref().is_none_or(|keys| payload.touches(keys));
        if !is_about || !self.filter.admits(entry.index, &[kind, class]) {
            return Ok(());
        }
        let status = match counts {
            false => Status::GivenUp,
            true if self.rewinds.supersedes(position, entry.index) => Status::Superseded,
            true => Status::Live,
        };
        let (index, term, bytes) = (entry.index, entry.term, entry.data.len());
        let Position { segment, offset, .. } = position;
        let counted = Biggest { bytes: bytes as u64, index, term, kind, segment, offset };
        self.summary.entry(counted, status);
        payload.cut_values(self.values_max);
        let part = EntryPart {
            entry_kind: entry.kind,
            bytes,
            status,
            request: &payload.message,
            fault: payload.fault,
            unknown_bytes: payload.unknown_bytes,
            payload: &payload,
        };
        let line = RecordLine { kind, index: Some(index), term, entry: Some(part), ..base };
        self.print_record(line)
    }

    /// Prints a record, and its group before the first one.
    fn print_record(&mut self, line: RecordLine<'_>) -> Result<(), Error> {
        if let Some(group) = self.pending.take() {
            self.output.print(&Line::Group(group))?;
        }
        match self.detail {
            Detail::Records => Ok(self.output.print(&Line::Record(line))?),
            Detail::Groups | Detail::Totals => Ok(()),
        }
    }

    fn end(
        &mut self,
        reader: &mut SegmentReader,
        ending: Ending,
        junction: Junction,
    ) -> Result<(), Error> {
        let name = self.file.clone();
        let segment = self.segment;
        if !self.shows(segment) {
            return Ok(());
        }
        let offset = reader.offset();
        let behind = match reader.behind() {
            Ok(behind) => behind,
            Err(error) => {
                self.all_read = false;
                return self.fault(name, Some(offset), without_advice(&error).1);
            }
        };
        let (next_follows, next_fits) = match junction {
            Junction::None => (None, None),
            Junction::Fits(end) => (Some(end), Some(true)),
            Junction::Short(end) | Junction::Differs(end) => (Some(end), Some(false)),
        };
        if self.detail != Detail::Totals {
            self.output.print(&Line::Ending(EndingLine {
                segment,
                offset,
                ending: ending.into(),
                behind_synced_through: behind.synced_through,
                behind_written_through: behind.written_through,
                next_follows,
                next_fits,
            }))?;
        }
        match junction {
            Junction::None | Junction::Fits(_) => Ok(()),
            Junction::Short(end) => {
                let reason = format!("the next segment follows groups up to {end}");
                self.fault(name, Some(offset), format!("{reason}, which aren't here"))
            }
            Junction::Differs(end) => {
                let reason = "the next segment follows another group that ended here";
                self.fault(name, Some(end), reason.into())
            }
        }
    }
}

/// Where in the file the error is, and what it is. What to do is for the verdict to say.
fn without_advice(error: &retcd_wal::Error) -> (Option<u64>, String) {
    match error {
        retcd_wal::Error::Damaged { offset, reason, .. } => (Some(*offset), (*reason).to_owned()),
        retcd_wal::Error::Version { found, .. } => {
            (None, format!("log format version {found} isn't supported"))
        }
        retcd_wal::Error::Io { source, .. } => (None, source.to_string()),
        other => (None, other.to_string()),
    }
}
