//! The figures of a page.

use super::super::space::Tallied;
use super::figure::{Figure, Place, WIDTH, scaled};
use super::gathered::{Gathered, Part, Run};
use super::text::Grouped;
use crate::notation::{Cut, Size};

/// Bytes of a prefix or key that is shown.
pub(super) const KEY_BYTES_SHOWN: usize = 80;

/// Height of the one bar of what fills the database.
const BAR_HEIGHT: f64 = 48.0;
/// Space between neighbours, so that they can be told apart.
const GAP: f64 = 2.0;

/// Where the columns of the ages begin and end, and how high they are.
const AGES_LEFT: f64 = 70.0;
const AGES_TOP: f64 = 16.0;
const AGES_HEIGHT: f64 = 200.0;

/// Height of a run's row, and where its bar begins.
const ROW_HEIGHT: f64 = 22.0;
const ROW_LEFT: f64 = 190.0;

/// What fills the database, as one bar: prefixes, largest first, then the rest.
pub(super) fn space(gathered: &Gathered) -> String {
    let Tallied { largest, others, prefixes_left, total } = &gathered.space.tallied;
    let sizes = &gathered.space.sizes;
    let description = "One bar whose parts are as long as the bytes that they take on disk: keys \
                       by prefix, then what belongs to no key. The table below has the numbers.";
    let mut figure = Figure::new("space", "What fills the database", description, BAR_HEIGHT);
    let mut parts: Vec<(&str, u64, String)> = Vec::new();
    for row in largest {
        let name = Cut(&row.prefix, KEY_BYTES_SHOWN).to_string();
        parts.push(("prefix", row.sums.stored_bytes.round() as u64, name));
    }
    if *prefixes_left > 0 {
        let name = format!("{} other prefixes", Grouped(*prefixes_left));
        parts.push(("others", others.stored_bytes.round() as u64, name));
    }
    for rest in sizes.rest(total.stored_bytes.round() as u64, gathered.is_all) {
        parts.push((class_of(rest.of), rest.bytes, rest.what.to_owned()));
    }
    let mut x = 0.0;
    for (class, bytes, name) in parts {
        // Rounded sums may be a bit longer than the whole.
        let width = scaled(bytes, sizes.everything, WIDTH).min(WIDTH - x);
        let shown = if width > 3.0 * GAP { width - GAP } else { width };
        let place = Place { x, y: 0.0, width: shown, height: BAR_HEIGHT };
        figure.bar(class, place, bytes, &format!("{name}: {}", Size(bytes)));
        x += width;
    }
    figure.finish()
}

/// The class of what belongs to no prefix.
pub(super) fn class_of(rest: &str) -> &'static str {
    match rest {
        "kv" => "index",
        "rev" => "rev",
        "lease" => "lease",
        "meta" => "meta",
        _ => "free",
    }
}

/// How many versions are stored of which revisions.
pub(super) fn ages(gathered: &Gathered) -> String {
    let ages = &gathered.ages;
    let newest = gathered.state.as_ref().map_or(0, |state| state.revision.cast_unsigned());
    let highest = ages.columns.iter().map(|(live, others)| live + others).max().unwrap_or(0);
    // Even, so that half of it can be named.
    let top = highest.next_multiple_of(2).max(2);
    let description = "Columns over the revisions, oldest on the left: how many of the stored \
                       versions were written then, those with which a key exists below and others \
                       above. A dashed line is the compacted revision.";
    let height = AGES_TOP + AGES_HEIGHT + 30.0;
    let mut figure = Figure::new("ages", "Revisions of what is stored", description, height);
    let bottom = AGES_TOP + AGES_HEIGHT;
    for share in [0_u32, 1, 2] {
        let y = bottom - AGES_HEIGHT * f64::from(share) / 2.0;
        figure.line("grid", (AGES_LEFT, y), (WIDTH, y));
        let amount = top / 2 * u64::from(share);
        figure.label("end", (AGES_LEFT - 8.0, y + 4.0), &Grouped(amount).to_string());
    }
    let step = (WIDTH - AGES_LEFT) / ages.columns.len() as f64;
    for (at, (live, others)) in ages.columns.iter().enumerate() {
        let (first, last) = ages.revisions(at);
        let x = AGES_LEFT + step * at as f64;
        let mut y = bottom;
        for (class, amount, what) in
            [("live", *live, "live"), ("old", *others, "superseded or deleted")]
        {
            if amount == 0 {
                continue;
            }
            let length = scaled(amount, top, AGES_HEIGHT);
            y -= length;
            let place = Place { x, y, width: step - GAP, height: length };
            let (first, last) = (Grouped(first), Grouped(last));
            let tip = format!("revisions {first} to {last}: {} {what}", Grouped(amount));
            figure.bar(class, place, amount, &tip);
        }
    }
    let compacted = gathered.state.as_ref().map_or(0, |state| state.compacted.max(0));
    if compacted > 0 {
        let x = AGES_LEFT + scaled(compacted.cast_unsigned(), newest, WIDTH - AGES_LEFT);
        figure.line("mark", (x, AGES_TOP), (x, bottom));
        figure.label("middle", (x.clamp(150.0, WIDTH - 80.0), 11.0), "compacted");
    }
    figure.label("start", (AGES_LEFT, bottom + 20.0), "1");
    figure.label("end", (WIDTH, bottom + 20.0), &format!("revision {}", Grouped(newest)));
    figure.finish()
}

/// A row for each run: its tables as long as they are large.
pub(super) fn layout(gathered: &Gathered) -> String {
    let largest = gathered.runs.iter().map(|run| run.totals.file_bytes).max().unwrap_or(0);
    let description = "A row for each run, newest last in its keyspace: its tables in the order of \
                       their keys, as long as their files. The table below has the numbers of \
                       each run.";
    rows("layout", "How runs and tables lie", description, gathered, &|figure, run, y| {
        let mut x = ROW_LEFT;
        for Part { table, totals } in &run.parts {
            let width = scaled(totals.file_bytes, largest, WIDTH - ROW_LEFT);
            let shown = if width > 3.0 { width - 1.0 } else { width };
            let (size, records) = (Size(totals.file_bytes), Grouped(totals.records));
            let name = match totals.tables {
                1 => format!("{table:016x}.sst"),
                tables => format!("{table:016x}.sst and {} behind it", Grouped(tables - 1)),
            };
            let (low, high) = (Grouped(totals.main_min), Grouped(totals.main_max));
            let tip = format!("{name}: {size}, {records} records, versions {low} to {high}");
            let place = Place { x, y: y + 4.0, width: shown, height: ROW_HEIGHT - 8.0 };
            figure.bar(run.keyspace, place, totals.file_bytes, &tip);
            x += width;
        }
    })
}

/// A row for each run: from which version to which its records are.
pub(super) fn spans(gathered: &Gathered) -> String {
    let reach = gathered.runs.iter().map(|run| run.totals.main_max).max().unwrap_or(0);
    let description = "A row for each run: a bar from the oldest to the newest version of its \
                       records. Versions are revisions in the keyspaces kv and rev, and raft \
                       indexes in the others.";
    rows("spans", "Which versions lie in which run", description, gathered, &|figure, run, y| {
        let (low, high) = (run.totals.main_min, run.totals.main_max);
        let from = ROW_LEFT + scaled(low, reach, WIDTH - ROW_LEFT);
        let to = ROW_LEFT + scaled(high, reach, WIDTH - ROW_LEFT);
        let width = (to - from).max(2.0);
        let x = from.min(WIDTH - width);
        let place = Place { x, y: y + 4.0, width, height: ROW_HEIGHT - 8.0 };
        let tip = format!("{}: versions {} to {}", run.name, Grouped(low), Grouped(high));
        figure.bar(run.keyspace, place, high.saturating_sub(low), &tip);
    })
}

fn rows(
    id: &str,
    title: &str,
    description: &str,
    gathered: &Gathered,
    draw: &dyn Fn(&mut Figure, &Run, f64),
) -> String {
    let height = ROW_HEIGHT * gathered.runs.len() as f64;
    let mut figure = Figure::new(id, title, description, height.max(1.0));
    for (at, run) in gathered.runs.iter().enumerate() {
        let y = ROW_HEIGHT * at as f64;
        figure.label("start", (0.0, y + 15.0), &run.name);
        draw(&mut figure, run, y);
    }
    figure.finish()
}
