//! The same lines as text for people: aligned, with units, one line per record.

use super::filter::{HARD_STATE, SNAPSHOT};
use super::line::{
    EndingKind, EndingLine, FaultLine, FileLine, GroupLine, Line, LogLine, RecordLine, Recovered,
    SegmentLine, Status, VerdictKind, VerdictLine, reason_of,
};
use super::place::Source;
use super::summary::{Biggest, Summary};
use crate::notation::{Count, Quoted, Size};
use retcd_wal::{Flushed, HardState, SnapshotMark};
use std::fmt;
use std::io::{self, Write};

/// Writes lines as text.
pub(super) struct Text {
    /// How much of a value is shown, in bytes.
    values_max: usize,
    /// The segment that is being shown.
    segment: String,
    /// Whether the columns of its records have been named.
    has_columns: bool,
}

impl Text {
    pub(super) fn new(values_max: usize) -> Text {
        Text { values_max, segment: String::new(), has_columns: false }
    }

    /// Writes one line, which may be several on paper.
    pub(super) fn write(&mut self, out: &mut dyn Write, line: &Line<'_>) -> io::Result<()> {
        match line {
            Line::Log(line) => write_log(out, line),
            Line::File(line) => write_file(out, line),
            Line::Segment(line) => {
                self.has_columns = false;
                self.segment.clone_from(&line.file);
                write_segment(out, line)
            }
            Line::Group(line) => write_group(out, line),
            Line::Record(line) => self.write_record(out, line),
            Line::Fault(line) => {
                let space = if line.file == self.segment { "" } else { "\n" };
                write_fault(out, space, line)
            }
            Line::Ending(line) => write_ending(out, line),
            Line::Summary(line) => {
                writeln!(out, "\nsummary")?;
                write_summary(out, line)
            }
            Line::Verdict(line) => write_verdict(out, line),
        }
    }

    fn write_record(&mut self, out: &mut dyn Write, line: &RecordLine<'_>) -> io::Result<()> {
        if !self.has_columns {
            self.has_columns = true;
            writeln!(out, "    {:>10} {:>6} {:>8}  kind", "index", "term", "bytes")?;
        }
        let index = line.index.map_or_else(|| "-".to_owned(), |index| index.to_string());
        let bytes = line.entry.as_ref().map_or_else(|| "-".to_owned(), |e| e.bytes.to_string());
        write!(out, "    {index:>10} {:>6} {bytes:>8}  {:<12} ", line.term, line.kind)?;
        match (&line.entry, line.kind) {
            (Some(entry), _) => {
                let mark = match entry.status {
                    Status::Live => "",
                    Status::Superseded => "[superseded] ",
                    Status::GivenUp => "[given up] ",
                };
                writeln!(out, "{mark}{}", entry.payload.line(self.values_max))
            }
            (None, HARD_STATE) => {
                let vote = Vote(line.vote.unwrap_or_default());
                writeln!(out, "vote {vote}, commit {}", line.commit.unwrap_or_default())
            }
            (None, SNAPSHOT) => writeln!(out, "the log restarts behind this index"),
            (None, _) => writeln!(out),
        }
    }
}

fn write_log(out: &mut dyn Write, line: &LogLine) -> io::Result<()> {
    writeln!(out, "log {}: {}", line.dir, Count(line.segments as u64, "segment"))?;
    writeln!(out, "  {}", Flush(line.flushed, line.flushed_source))
}

fn write_file(out: &mut dyn Write, line: &FileLine) -> io::Result<()> {
    let quoted = Quoted(line.file.as_bytes()).to_string();
    // A name is quoted only where it needs to be.
    let is_plain = quoted.len() == line.file.len() + 2;
    write!(out, "  file {}", if is_plain { &line.file } else { &quoted })?;
    if let Some(bytes) = line.bytes {
        write!(out, ", {}", Size(bytes))?;
    }
    write!(out, ": {}", line.what)?;
    match line.held_segment {
        Some(segment) => writeln!(out, " (it held segment {segment})"),
        None => writeln!(out),
    }
}

fn write_segment(out: &mut dyn Write, line: &SegmentLine) -> io::Result<()> {
    writeln!(out, "\nsegment {}", line.file)?;
    let file = if line.recycled { "recycled file" } else { "fresh file" };
    let needed = if line.needed { "" } else { ", not read at start: all of it is flushed" };
    writeln!(out, "  format {}, {file} of {} bytes{needed}", line.format, line.bytes)?;
    writeln!(
        out,
        "  number {}, first index {}, term before {}, salt {:016x}, checksum {:08x}",
        line.segment, line.first_index, line.last_term, line.salt, line.checksum
    )?;
    writeln!(out, "  cluster {:x}, member {:x}", line.cluster, line.member)?;
    let (state, mark) = (Hard(line.hard_state), Mark(line.snapshot));
    writeln!(out, "  begins with {state}, {mark}")?;
    if line.previous_end == 0 {
        writeln!(out, "  follows nothing: a log's first segment")?;
    } else {
        let (end, chain) = (line.previous_end, line.previous_chain);
        writeln!(out, "  follows the end at {end} with checksum {chain:08x}")?;
    }
    match &line.cut {
        None => Ok(()),
        Some(cut) => {
            let reason = reason_of(cut).replace('-', " ");
            writeln!(out, "  behind a cut: {reason}, {} bytes given up there", cut.bytes)
        }
    }
}

fn write_group(out: &mut dyn Write, line: &GroupLine) -> io::Result<()> {
    write!(out, "  group at {}: ", line.offset)?;
    match line.is_final {
        true => write!(out, "final group of a clean stop, ")?,
        false => write!(out, "{}, ", Count(u64::from(line.records), "record"))?,
    }
    write!(out, "{} of {} bytes, ", line.bytes, line.padded_bytes)?;
    if line.compressed {
        write!(out, "compressed from {}, ", line.record_bytes)?;
    }
    write!(
        out,
        "last index {}, synced through {}, chain {:08x}, checksum {:08x}",
        line.last_index, line.synced_through, line.chain, line.checksum
    )?;
    writeln!(out, "{}", if line.counts { "" } else { " [given up]" })
}

/// `space` stands before a fault of a file that isn't being shown.
fn write_fault(out: &mut dyn Write, space: &str, line: &FaultLine) -> io::Result<()> {
    let FaultLine { file, offset, reason } = line;
    match offset {
        Some(offset) => writeln!(out, "{space}FAULT in {file} at {offset}: {reason}"),
        None => writeln!(out, "{space}FAULT in {file}: {reason}"),
    }
}

fn write_ending(out: &mut dyn Write, line: &EndingLine) -> io::Result<()> {
    let what = match line.ending {
        EndingKind::Full => "the segment is full",
        EndingKind::Blank => "zeros",
        EndingKind::OldBytes => "old bytes of another segment or place",
        EndingKind::Unrecognized => "something that isn't a group's header",
        EndingKind::Broken => "a group of this segment that isn't whole",
        EndingKind::Unchained => "a whole group that doesn't follow the one before",
    };
    write!(out, "  end at {}: {what}", line.offset)?;
    if line.behind_written_through > line.offset {
        write!(out, "; written up to {}", line.behind_written_through)?;
    }
    if let Some(through) = line.behind_synced_through {
        write!(out, "; whole groups behind, synced through {through}")?;
    }
    match (line.next_fits, line.next_follows) {
        (Some(true), Some(end)) if end == line.offset => {
            writeln!(out, "; the next segment follows")
        }
        (Some(true), Some(end)) => writeln!(out, "; the next segment follows the end at {end}"),
        _ => writeln!(out),
    }
}

fn write_summary(out: &mut dyn Write, line: &Summary) -> io::Result<()> {
    let mut row = |name: &str, count: u64, what: String| {
        writeln!(out, "{}", format!("  {name:<12} {count:>10}  {what}").trim_end())
    };
    row("segments", line.segments, Size(line.segment_bytes).to_string())?;
    let padding = line.padded_bytes.saturating_sub(line.group_bytes);
    let padding = percent(padding, line.padded_bytes);
    let on_disk = Size(line.padded_bytes);
    let (mean, most) = (ratio(line.group_records, line.groups), line.group_records_max);
    let records = format!("{mean:.1} records each, at most {most}");
    let groups = format!("{on_disk}, {padding:.1} % of it padding; {records}");
    row("groups", line.groups, groups)?;
    let compressed = match line.groups_compressed {
        0 => String::new(),
        _ => {
            let (records, stored) = (Size(line.record_bytes), Size(line.group_bytes));
            format!("of all groups, {records} of records are {stored} with headers")
        }
    };
    row("  compressed", line.groups_compressed, compressed)?;
    row("  given up", line.groups_given_up, String::new())?;
    let per_byte = ratio(line.padded_bytes, line.entry_bytes);
    let payload = Size(line.entry_bytes);
    row("entries", line.entries, format!("{payload}, {per_byte:.2} bytes on disk for each byte"))?;
    let live = line.entries.saturating_sub(line.superseded).saturating_sub(line.given_up);
    row("  live", live, String::new())?;
    row("  superseded", line.superseded, String::new())?;
    row("  given up", line.given_up, String::new())?;
    row("hard states", line.hard_states, String::new())?;
    row("snapshots", line.snapshots, String::new())?;
    if let (Some((first, last)), Some((from, to))) = (line.indexes, line.terms) {
        writeln!(out, "  indexes {first} to {last}, terms {from} to {to}")?;
    }
    write_kinds(out, line)
}

fn write_kinds(out: &mut dyn Write, line: &Summary) -> io::Result<()> {
    if line.kinds.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n  {:<28} {:>10} {:>14} {:>10}", "kind", "entries", "bytes", "mean")?;
    for (kind, total) in line.kinds_by_bytes() {
        let mean = total.bytes / total.entries.max(1);
        writeln!(out, "  {kind:<28} {:>10} {:>14} {mean:>10}", total.entries, total.bytes)?;
    }
    let columns = ["biggest entry", "index", "term", "bytes"];
    let [kind, index, term, bytes] = columns;
    writeln!(out, "\n  {kind:<28} {index:>10} {term:>14} {bytes:>10}  where")?;
    for entry in &line.biggest {
        let Biggest { bytes, index, term, kind, segment, offset } = entry;
        write!(out, "  {kind:<28} {index:>10} {term:>14} {bytes:>10}")?;
        writeln!(out, "  segment {segment} at {offset}")?;
    }
    Ok(())
}

fn percent(part: u64, whole: u64) -> f64 {
    ratio(part, whole) * 100.0
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn write_verdict(out: &mut dyn Write, line: &VerdictLine) -> io::Result<()> {
    let file = line.file.as_deref().unwrap_or_default();
    let offset = line.offset.unwrap_or_default();
    let given_up = line.recovered.as_ref().map_or(0, |found| found.given_up_bytes);
    write!(out, "\nverdict: ")?;
    match line.verdict {
        VerdictKind::Closed => writeln!(out, "whole, ends with a clean stop")?,
        VerdictKind::Unmarked => writeln!(out, "whole, ends without a clean stop")?,
        VerdictKind::TornTail | VerdictKind::Hole => {
            let what = match line.verdict {
                VerdictKind::Hole => "a hole among groups that nobody was told of",
                _ => "a torn tail",
            };
            writeln!(out, "{what}, in {file} at {offset}")?;
            writeln!(
                out,
                "  a member that starts cuts the log there and gives up {given_up} bytes"
            )?;
            writeln!(out, "  a member that runs is perhaps just writing there")?;
        }
        VerdictKind::Refused => writeln!(out, "refused, a member would not start")?,
        VerdictKind::Unreadable => writeln!(out, "unreadable, a member would not start")?,
    }
    if let Some(reason) = &line.reason {
        writeln!(out, "  {reason}")?;
    }
    if let Some(found) = &line.recovered {
        write_recovered(out, found)?;
    }
    writeln!(out, "  judged with {}", Flush(line.flushed, line.flushed_source))
}

fn write_recovered(out: &mut dyn Write, found: &Recovered) -> io::Result<()> {
    let (state, mark) = (Hard(found.hard_state), Mark(found.snapshot));
    let (index, term) = (found.last_index, found.last_term);
    writeln!(out, "  last entry {index} of term {term}, {state}, {mark}")?;
    if found.restarts {
        writeln!(out, "  the engine went on without the log: it restarts behind that index")?;
    }
    match &found.discards {
        Some(name) => writeln!(out, "  {name} was never finished: it is removed at start"),
        None => Ok(()),
    }
}

struct Hard(HardState);

impl fmt::Display for Hard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HardState { term, vote, commit } = self.0;
        match self.0 == HardState::default() {
            true => f.write_str("no hard state"),
            false => write!(f, "hard state term {term} vote {} commit {commit}", Vote(vote)),
        }
    }
}

struct Vote(u64);

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("none"),
            member => write!(f, "{member:x}"),
        }
    }
}

struct Mark(SnapshotMark);

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SnapshotMark { index, term } = self.0;
        match index {
            0 => f.write_str("no snapshot mark"),
            _ => write!(f, "snapshot mark {index} of term {term}"),
        }
    }
}

struct Flush(Flushed, Source);

impl fmt::Display for Flush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Flushed { index, term } = self.0;
        write!(f, "flushed index {index} of term {term}, ")?;
        f.write_str(match self.1 {
            Source::Engine => "from the engine's manifest",
            Source::Given => "as given",
            Source::Assumed => "assumed: the engine can't be asked",
        })
    }
}
