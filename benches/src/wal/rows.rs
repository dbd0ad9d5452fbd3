//! Rows: slices of the raw floor and of the log in turn, and the medians of both.

use super::floor::{self, Floor};
use super::latency::Latencies;
use super::tended::Tended;
use super::writers::{Queue, Run};
use crate::Error;
use crate::stats::median;
use bytes::Bytes;
use retcd_wal::{GROUP_HEADER_BYTES, Stats};
use std::time::{Duration, Instant};

/// Bytes of a record besides its payload.
const RECORD_BYTES: usize = 24;

/// How long a row's slices are, and how many.
#[derive(Clone, Copy, Debug)]
pub struct Slices {
    /// One slice of the log, and one of the floor.
    pub duration: Duration,
    /// Of each.
    pub rounds: usize,
}

/// What one row says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row {
    /// The floor's median in microseconds, for a group of one entry.
    pub floor_p50: f64,
    /// An entry's median latency in microseconds.
    pub p50: f64,
    /// Its 99th percentile.
    pub p99: f64,
    /// The median, over the rounds, of the log's median as a multiple of the floor's.
    pub ratio: f64,
    /// Entries in a second.
    pub per_second: f64,
    /// Groups in a second.
    pub groups_per_second: f64,
    /// Entries in a group.
    pub entries_per_group: f64,
    /// Durable writes for a group.
    pub syncs_per_group: f64,
    /// Bytes written for a byte of payload.
    pub bytes_per_byte: f64,
}

/// Bytes on the disk of a group of one entry.
pub fn group_of_one(payload_bytes: usize) -> usize {
    (GROUP_HEADER_BYTES + RECORD_BYTES + payload_bytes).next_multiple_of(4096)
}

/// One thread that appends one entry after the other; what is timed is the log's call alone.
pub fn log_alone(
    floor: &mut Floor,
    log: &mut Tended,
    payload: &Bytes,
    slices: Slices,
) -> Result<Row, Error> {
    let mut rounds = Vec::new();
    for _ in 0..slices.rounds {
        let before = log.stats();
        let (floor, run) =
            in_turns(floor, payload.len(), slices.duration, || log.append(1, payload))?;
        rounds.push(round(floor, run, before, log.stats()));
    }
    Ok(medians(&rounds))
}

/// One thread that keeps as many groups under way as the log takes, an entry each; what is timed is
/// each group from its begin until it was seen to be durable.
pub fn pipelined(
    floor: &mut Floor,
    log: &mut Tended,
    payload: &Bytes,
    slices: Slices,
) -> Result<Row, Error> {
    let mut rounds = Vec::new();
    for _ in 0..slices.rounds {
        let floor = floor.run(group_of_one(payload.len()), slices.duration)?;
        let before = log.stats();
        let mut run = Run::default();
        let started_at = Instant::now();
        while run.took < slices.duration {
            if let Some(took) = log.begin(payload)? {
                run.latencies.add(took);
            }
            run.took = started_at.elapsed();
        }
        while let Some(took) = log.complete()? {
            run.latencies.add(took);
        }
        run.took = started_at.elapsed();
        rounds.push(round(floor, run, before, log.stats()));
    }
    Ok(medians(&rounds))
}

/// One writer; what is timed is everything from its entry to its answer.
pub fn one_writer(floor: &mut Floor, queue: &Queue, slices: Slices) -> Result<Row, Error> {
    let mut rounds = Vec::new();
    for _ in 0..slices.rounds {
        let before = queue.stats()?;
        let (floor, run) = in_turns(floor, queue.payload_bytes(), slices.duration, || {
            let started_at = Instant::now();
            queue.append()?;
            Ok(started_at.elapsed())
        })?;
        rounds.push(round(floor, run, before, queue.stats()?));
    }
    Ok(medians(&rounds))
}

/// Writes of the floor and of the log in turns, a few of each at a time: whatever slows the disk
/// down slows both down.
fn in_turns(
    floor: &mut Floor,
    payload_bytes: usize,
    duration: Duration,
    mut write: impl FnMut() -> Result<Duration, Error>,
) -> Result<(Latencies, Run), Error> {
    const TURN: usize = 4;
    let block = floor::block(group_of_one(payload_bytes));
    let mut raw = Latencies::default();
    let mut run = Run::default();
    while run.took < duration {
        for _ in 0..TURN {
            raw.add(floor.write(&block)?);
        }
        let started_at = Instant::now();
        for _ in 0..TURN {
            run.latencies.add(write()?);
        }
        run.took += started_at.elapsed();
    }
    Ok((raw, run))
}

/// Many writers; what is timed is everything from a writer's entry to its answer.
pub fn many_writers(
    floor: &mut Floor,
    queue: &Queue,
    writers: usize,
    slices: Slices,
) -> Result<Row, Error> {
    let mut rounds = Vec::new();
    for _ in 0..slices.rounds {
        let floor = floor.run(group_of_one(queue.payload_bytes()), slices.duration)?;
        let before = queue.stats()?;
        let run = queue.run(writers, slices.duration)?;
        rounds.push(round(floor, run, before, queue.stats()?));
    }
    Ok(medians(&rounds))
}

fn round(mut floor: Latencies, mut run: Run, before: Stats, after: Stats) -> Row {
    let floor_p50 = floor.micros(0.5);
    let p50 = run.latencies.micros(0.5);
    let seconds = run.took.as_secs_f64();
    let entries = run.latencies.count() as f64;
    let groups = (after.groups - before.groups) as f64;
    let of = |count: fn(&Stats) -> u64| (count(&after) - count(&before)) as f64;
    Row {
        floor_p50,
        p50,
        p99: run.latencies.micros(0.99),
        ratio: p50 / floor_p50,
        per_second: entries / seconds,
        groups_per_second: groups / seconds,
        entries_per_group: entries / groups,
        syncs_per_group: of(|stats| stats.syncs) / groups,
        bytes_per_byte: of(|stats| stats.bytes) / of(|stats| stats.payload_bytes),
    }
}

fn medians(rounds: &[Row]) -> Row {
    let of = |value: fn(&Row) -> f64| median(&rounds.iter().map(value).collect::<Vec<_>>());
    Row {
        floor_p50: of(|row| row.floor_p50),
        p50: of(|row| row.p50),
        p99: of(|row| row.p99),
        ratio: of(|row| row.ratio),
        per_second: of(|row| row.per_second),
        groups_per_second: of(|row| row.groups_per_second),
        entries_per_group: of(|row| row.entries_per_group),
        syncs_per_group: of(|row| row.syncs_per_group),
        bytes_per_byte: of(|row| row.bytes_per_byte),
    }
}

/// The head above rows.
pub const HEAD: &str = concat!(
    "mode      bytes  what         floor p50      p50      p99  x floor  per second",
    "   groups/s  entries/group  syncs/group  written/byte",
);

/// One line of the table.
pub fn line(mode: &str, payload_bytes: usize, what: &str, row: &Row) -> String {
    format!(
        "{mode:<9}{payload_bytes:>6}  {what:<12} {:>9.0} {:>8.0} {:>8.0} {:>8.2} {:>11.0} \
         {:>10.0} {:>14.1} {:>12.3} {:>13.2}",
        row.floor_p50,
        row.p50,
        row.p99,
        row.ratio,
        row.per_second,
        row.groups_per_second,
        row.entries_per_group,
        row.syncs_per_group,
        row.bytes_per_byte,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_under_their_heads() {
        let line = line("buffered", 65_536, "1000 writers", &Row::default());
        assert_eq!(line.chars().count(), HEAD.chars().count());
    }

    #[test]
    fn a_group_of_one_is_whole_blocks() {
        assert_eq!(group_of_one(64), 4096);
        assert_eq!(group_of_one(4096), 8192);
        assert_eq!(group_of_one(65_536), 69_632);
    }
}
