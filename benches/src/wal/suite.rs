//! The whole measurement of the log, and its plot.

use super::floor::Floor;
use super::modes::{MODES, Mode};
use super::options::Options;
use super::rows::{self, Row, Slices};
use super::tended::Tended;
use super::writers::Queue;
use super::{modes::RawCall, recovery};
use crate::Error;
use crate::plot::{self, Panel, Series};
use bytes::Bytes;
use retcd_wal::IoMode;
use std::fs;
use std::path::Path;

/// Payload sizes in bytes.
const SIZES: [usize; 4] = [64, 256, 4 << 10, 64 << 10];
/// Numbers of writers.
const WRITERS: [usize; 6] = [1, 4, 16, 64, 256, 1000];
/// Limits of a group in bytes, swept with many writers.
const GROUP_LIMITS: [usize; 5] = [4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// The limit otherwise.
const GROUP_BYTES_MAX: usize = 4 << 20;
/// Who sweeps them.
const SWEEP_WRITERS: usize = 1000;
/// With this payload, in bytes; recovery is measured with it, too.
const SWEEP_BYTES: usize = 256;
/// What is plotted, in bytes.
const PLOTTED_BYTES: [usize; 2] = [256, 4 << 10];
/// Groups under way at once, swept with one entry each.
const DEPTHS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// Groups that are read again, in bytes.
const RECOVERED_GROUPS: [usize; 2] = [4 << 10, 1 << 20];

/// One point of the sweep over writers.
struct Point {
    mode: &'static str,
    payload_bytes: usize,
    writers: usize,
    row: Row,
}

/// Measures and prints everything, and writes the plot.
pub fn run(options: &Options) -> Result<(), Error> {
    let folder = tempfile::tempdir_in(&options.folder)?;
    println!("file system: {}", file_system(folder.path())?);
    println!("times in microseconds; the floor is one group of one entry, durable, by raw calls");
    println!("{}", rows::HEAD);
    let mut points = Vec::new();
    for mode in MODES {
        match measure(folder.path(), mode, options)? {
            Some(measured) => points.extend(measured),
            None => println!("{}: not on this file system", mode.name),
        }
    }
    for depth in DEPTHS {
        overlap(folder.path(), depth, options)?;
    }
    for group_bytes in RECOVERED_GROUPS {
        recover(folder.path(), group_bytes, options.segments)?;
    }
    let path = options.plot.join("performance-wal.svg");
    fs::write(&path, plot::svg(&panels(&points)))?;
    println!("plot: {}", path.display());
    Ok(())
}

/// Everything of one mode, with one log.
fn measure(folder: &Path, mode: Mode, options: &Options) -> Result<Option<Vec<Point>>, Error> {
    let slices = Slices { duration: options.slice, rounds: options.rounds };
    let Some(mut floor) = Floor::new(folder, &format!("floor-{}", mode.name), mode.raw)? else {
        return Ok(None);
    };
    let Some(mut log) = tended(&folder.join(mode.name), mode)? else {
        return Ok(None);
    };
    let print = |payload_bytes: usize, what: &str, row: &Row| {
        println!("{}", rows::line(mode.name, payload_bytes, what, row));
    };
    let mut points = Vec::new();
    for payload_bytes in SIZES {
        let payload = payload(payload_bytes);
        print(
            payload_bytes,
            "log thread",
            &rows::log_alone(&mut floor, &mut log, &payload, slices)?,
        );
        let queue = Queue::new(log, payload, GROUP_BYTES_MAX);
        for writers in WRITERS {
            let row = match writers {
                1 => rows::one_writer(&mut floor, &queue, slices)?,
                _ => rows::many_writers(&mut floor, &queue, writers, slices)?,
            };
            let what = if writers == 1 { "writer" } else { "writers" };
            print(payload_bytes, &format!("{writers} {what}"), &row);
            points.push(Point { mode: mode.name, payload_bytes, writers, row });
        }
        log = queue.into_log()?;
    }
    for limit in GROUP_LIMITS {
        let queue = Queue::new(log, payload(SWEEP_BYTES), limit);
        let row = rows::many_writers(&mut floor, &queue, SWEEP_WRITERS, slices)?;
        print(SWEEP_BYTES, &format!("group {} K", limit >> 10), &row);
        log = queue.into_log()?;
    }
    Ok(Some(points))
}

/// A log; `None` where the system refuses its way of writing.
fn tended(folder: &Path, mode: Mode) -> Result<Option<Tended>, Error> {
    match Tended::new(folder, mode) {
        Err(error) if matches!(error.downcast_ref(), Some(retcd_wal::Error::Refused { .. })) => {
            println!("{}: {error}", mode.name);
            Ok(None)
        }
        log => log.map(Some),
    }
}

/// One thread with `depth` groups under way.
fn overlap(folder: &Path, depth: usize, options: &Options) -> Result<(), Error> {
    let slices = Slices { duration: options.slice, rounds: options.rounds };
    let name = "uring";
    let mode = Mode { name, io: IoMode::Uring, depth, raw: RawCall::DirectDsync };
    let Some(mut floor) = Floor::new(folder, "floor-overlap", mode.raw)? else {
        return Ok(());
    };
    let folder = folder.join(format!("overlap-{depth}"));
    let Some(mut log) = tended(&folder, mode)? else {
        return Ok(());
    };
    let row = rows::pipelined(&mut floor, &mut log, &payload(SWEEP_BYTES), slices)?;
    println!("{}", rows::line(name, SWEEP_BYTES, &format!("depth {depth}"), &row));
    drop(log);
    fs::remove_dir_all(folder)?;
    Ok(())
}

fn recover(folder: &Path, group_bytes: usize, segments: u64) -> Result<(), Error> {
    let folder = folder.join("recovered");
    let payload = payload(SWEEP_BYTES);
    let recovered = recovery::measure(&folder, &payload, group_bytes, segments)?;
    let megabytes = recovered.file_bytes as f64 / 1e6;
    println!(
        "recovery, {SWEEP_BYTES} B in groups of {} KiB: {} entries, {:.0} MB/s of files, \
         {:.0} ms for each segment of {:.0} MB",
        group_bytes >> 10,
        recovered.entries,
        megabytes / recovered.seconds,
        recovered.seconds * 1e3 / segments as f64,
        megabytes / segments as f64,
    );
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// Bytes that look alike but don't repeat soon.
fn payload(bytes: usize) -> Bytes {
    let noise = std::iter::successors(Some(1u32), |z| Some(z.wrapping_mul(747_796_405) + 1));
    noise.map(|z| (z >> 24) as u8).take(bytes).collect()
}

fn panels(points: &[Point]) -> Vec<Panel> {
    let series = |value: fn(&Row) -> f64| -> Vec<Series> {
        let mut all = Vec::new();
        for mode in MODES {
            for bytes in PLOTTED_BYTES {
                let own = points
                    .iter()
                    .filter(|point| point.mode == mode.name && point.payload_bytes == bytes);
                let points = own.map(|p| (p.writers as f64, value(&p.row))).collect();
                all.push(Series { name: format!("{}, {bytes} B", mode.name), points });
            }
        }
        all
    };
    // One line for each raw call, whoever is compared with it.
    let has_own_call = |mode: &&Mode| {
        MODES.iter().find(|m| m.raw == mode.raw).is_some_and(|m| m.name == mode.name)
    };
    let floors = MODES.iter().filter(has_own_call).filter_map(|mode| {
        let of = |p: &&Point| p.mode == mode.name && p.payload_bytes == PLOTTED_BYTES[0];
        let point = points.iter().filter(of).find(|point| point.writers == 1)?;
        let call = match mode.raw {
            RawCall::DirectDsync => "direct",
            RawCall::WriteAndSync => "buffered",
        };
        Some((format!("raw floor, {call}"), point.row.floor_p50))
    });
    let floors: Vec<_> = floors.collect();
    let per_second = floors.iter().map(|(name, micros)| (name.clone(), 1e6 / micros)).collect();
    vec![
        Panel {
            title: "entries a second".into(),
            across: "writers",
            series: series(|row| row.per_second),
            lines: per_second,
        },
        Panel {
            title: "p50 of an entry, µs".into(),
            across: "writers",
            series: series(|row| row.p50),
            lines: floors,
        },
    ]
}

/// What the folder lies on.
fn file_system(folder: &Path) -> Result<String, Error> {
    let kind = rustix::fs::statfs(folder)?.f_type;
    Ok(match kind {
        0xef53 => "ext4".into(),
        0x5846_5342 => "xfs".into(),
        0x9123_683e => "btrfs".into(),
        0x0102_1994 => "tmpfs".into(),
        0x794c_7630 => "overlayfs".into(),
        other => format!("type {other:#x}"),
    })
}
