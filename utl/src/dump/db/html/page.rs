//! The page: headings, numbers, figures, and a table beside each figure.

use super::super::space::{Row, Sums, Tallied, percent};
use super::bars::{self, KEY_BYTES_SHOWN, class_of};
use super::figure::add;
use super::gathered::Gathered;
use super::text::{Escaped, Grouped};
use crate::notation::{Cut, Size};

const STYLE: &str = include_str!("page.css");

/// Faults that are listed.
const FAULTS_MAX: usize = 50;

/// All of it.
pub(super) fn page(gathered: &Gathered) -> String {
    let path = Escaped(&gathered.path);
    let mut page = String::new();
    // No source of anything is allowed but the style in the page itself.
    add(
        &mut page,
        format_args!(
            "{}\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{path}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <h1>What is in <code>{path}</code></h1>\n",
            super::BEGINNING
        ),
    );
    add_summary(&mut page, gathered);
    add_space(&mut page, gathered);
    add_ages(&mut page, gathered);
    if !gathered.runs.is_empty() {
        add_layout(&mut page, gathered);
    }
    page.push_str(
        "<footer>Made by <code>etcd-dump db --html</code>. What a member has only in its log isn't \
         here; <code>etcd-dump wal</code> shows it.</footer>\n</main>\n</body>\n</html>\n",
    );
    page
}

fn add_summary(page: &mut String, gathered: &Gathered) {
    let Gathered { engine, index, term, .. } = gathered;
    let total = &gathered.space.tallied.total;
    page.push_str("<dl class=\"numbers\">\n");
    let mut number = |name: &str, value: String| {
        let (name, value) = (Escaped(name), Escaped(value));
        add(page, format_args!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
    };
    number("on disk", Size(gathered.space.sizes.everything).to_string());
    number("keys", Grouped(total.keys).to_string());
    number("versions", Grouped(total.versions).to_string());
    if let Some(state) = &gathered.state {
        number("revision", Grouped(state.revision.cast_unsigned()).to_string());
        number(
            "compacted at",
            match u64::try_from(state.compacted) {
                Ok(revision) => Grouped(revision).to_string(),
                Err(_) => "never".to_owned(),
            },
        );
    }
    number("reclaimable now", Size(total.reclaimable_bytes).to_string());
    page.push_str("</dl>\n");
    let (index, term) = (Grouped(*index), Grouped(*term));
    add(
        page,
        format_args!(
            "<p>The engine is the {engine} one. Its files go up to entry {index} of term {term}."
        ),
    );
    if !gathered.is_all {
        page.push_str(" Only keys in a range were asked for: the others aren't counted here.");
    }
    if gathered.is_held {
        page.push_str(" A member seems to run on it: what it writes meanwhile is left out.");
    }
    page.push_str("</p>\n");
    add_faults(page, gathered);
}

fn add_faults(page: &mut String, gathered: &Gathered) {
    if gathered.faults.is_empty() {
        return;
    }
    page.push_str(
        "<section class=\"faults\"><h2>Not everything could be read</h2>\n<p>What is damaged isn't \
         in the figures.</p>\n<ul>\n",
    );
    for fault in gathered.faults.iter().take(FAULTS_MAX) {
        let file = Escaped(fault.file.as_deref().unwrap_or(&gathered.path));
        let reason = Escaped(&fault.reason);
        match fault.offset {
            Some(offset) => {
                add(page, format_args!("<li><code>{file}</code> at {offset}: {reason}</li>\n"));
            }
            None => add(page, format_args!("<li><code>{file}</code>: {reason}</li>\n")),
        }
    }
    if let Some(more) = gathered.faults.len().checked_sub(FAULTS_MAX).filter(|more| *more > 0) {
        add(page, format_args!("<li>and {more} more</li>\n"));
    }
    page.push_str("</ul></section>\n");
}

fn add_space(page: &mut String, gathered: &Gathered) {
    let Tallied { largest, others, prefixes_left, total } = &gathered.space.tallied;
    let everything = gathered.space.sizes.everything;
    page.push_str("<section><h2>Space by prefix</h2>\n<figure>\n");
    page.push_str(&bars::space(gathered));
    page.push_str(
        "<figcaption><span class=\"key prefix\"></span>keys by prefix \
         <span class=\"key others\"></span>other prefixes <span class=\"key index\"></span>indexes \
         <span class=\"key rev\"></span>history for watches <span class=\"key lease\"></span>keys \
         attached to leases <span class=\"key meta\"></span>leases, alarms, members \
         <span class=\"key free\"></span>free and bookkeeping</figcaption>\n</figure>\n",
    );
    page.push_str(
        "<div class=\"wide\"><table>\n<thead><tr><th>prefix</th><th>on disk</th><th>share</th>\
         <th>keys</th><th>versions</th><th>bytes of keys</th><th>bytes of values</th>\
         <th>superseded</th><th>reclaimable</th></tr></thead>\n<tbody>\n",
    );
    for Row { prefix, sums } in largest {
        let name = Cut(prefix, KEY_BYTES_SHOWN);
        add_sums(page, &format!("<code>{}</code>", Escaped(name)), sums, everything);
    }
    if *prefixes_left > 0 {
        let name = format!("{} other prefixes", Grouped(*prefixes_left));
        add_sums(page, &name, others, everything);
    }
    page.push_str("</tbody>\n<tfoot>\n");
    add_sums(page, "all of these", total, everything);
    page.push_str("</tfoot></table></div>\n");
    page.push_str(
        "<div class=\"wide\"><table>\n<thead><tr><th>what else takes room</th><th>on disk</th>\
         <th>share</th></tr></thead>\n<tbody>\n",
    );
    let stored = total.stored_bytes.round() as u64;
    for rest in gathered.space.sizes.rest(stored, gathered.is_all) {
        let (class, what) = (class_of(rest.of), Escaped(rest.what));
        let (size, share) = (Size(rest.bytes), percent(rest.bytes as f64, everything));
        add(
            page,
            format_args!(
                "<tr><th scope=\"row\"><span class=\"key {class}\"></span>{what}</th>\
                 <td>{size}</td><td>{share:.1} %</td></tr>\n"
            ),
        );
    }
    page.push_str("</tbody></table></div></section>\n");
}

/// A row; `name` is markup.
fn add_sums(page: &mut String, name: &str, sums: &Sums, everything: u64) {
    let stored = Size(sums.stored_bytes.round() as u64);
    let share = percent(sums.stored_bytes, everything);
    let (keys, versions) = (Grouped(sums.keys), Grouped(sums.versions));
    add(
        page,
        format_args!(
            "<tr><th scope=\"row\">{name}</th><td>{stored}</td><td>{share:.1} %</td>\
             <td>{keys}</td><td>{versions}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            Size(sums.key_bytes),
            Size(sums.value_bytes),
            Size(sums.superseded_bytes),
            Size(sums.reclaimable_bytes),
        ),
    );
}

fn add_ages(page: &mut String, gathered: &Gathered) {
    let ages = &gathered.ages;
    page.push_str("<section><h2>How old what is stored is</h2>\n");
    if gathered.state.is_none() {
        return page.push_str("<p>The newest revision isn't known.</p></section>\n");
    }
    page.push_str(
        "<p>Revisions count writes; when they were written isn't kept. What is superseded below \
         the compacted revision goes with the next merges.</p>\n<figure>\n",
    );
    page.push_str(&bars::ages(gathered));
    page.push_str(
        "<figcaption><span class=\"key live\"></span>versions with which a key exists \
         <span class=\"key old\"></span>superseded versions and deletions</figcaption>\n</figure>\n\
         <details><summary>The numbers</summary>\n<div class=\"wide\"><table>\n\
         <thead><tr><th>revisions</th><th>live</th><th>superseded or deleted</th></tr></thead>\n\
         <tbody>\n",
    );
    for (at, &(live, others)) in ages.columns.iter().enumerate() {
        if live + others == 0 {
            continue;
        }
        let (first, last) = ages.revisions(at);
        let (first, last) = (Grouped(first), Grouped(last));
        let (live, others) = (Grouped(live), Grouped(others));
        add(
            page,
            format_args!(
                "<tr><th scope=\"row\">{first} to {last}</th><td>{live}</td>\
                 <td>{others}</td></tr>\n"
            ),
        );
    }
    page.push_str("</tbody></table></div></details></section>\n");
}

fn add_layout(page: &mut String, gathered: &Gathered) {
    page.push_str("<section><h2>Runs and tables</h2>\n<p>");
    let tables = Grouped(gathered.totals.tables);
    let runs = Grouped(gathered.runs.len() as u64 + gathered.runs_left);
    add(page, format_args!("{tables} tables in {runs} runs."));
    if gathered.tables_in_part > 1 {
        let most = gathered.tables_in_part;
        add(page, format_args!(" Up to {most} neighbours are drawn as one."));
    }
    if gathered.runs_left > 0 {
        let left = Grouped(gathered.runs_left);
        add(page, format_args!(" {left} further runs aren't drawn."));
    }
    page.push_str("</p>\n<figure>\n");
    page.push_str(&bars::layout(gathered));
    page.push_str(
        "<figcaption><span class=\"key kv\"></span>kv <span class=\"key rev\"></span>rev \
         <span class=\"key lease\"></span>lease <span class=\"key meta\"></span>meta: tables, as \
         long as their files</figcaption>\n</figure>\n<figure>\n",
    );
    page.push_str(&bars::spans(gathered));
    page.push_str(
        "<figcaption>the oldest and the newest version in each run</figcaption>\n</figure>\n\
         <details><summary>The numbers</summary>\n<div class=\"wide\"><table>\n\
         <thead><tr><th>run</th><th>tables</th><th>on disk</th><th>records</th><th>tombstones</th>\
         <th>oldest version</th><th>newest</th><th>superseded</th><th>reclaimable</th></tr>\
         </thead>\n\
         <tbody>\n",
    );
    for run in &gathered.runs {
        let (name, totals) = (Escaped(&run.name), &run.totals);
        add(
            page,
            format_args!(
                "<tr><th scope=\"row\">{name}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
                 <td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                Grouped(totals.tables),
                Size(totals.file_bytes),
                Grouped(totals.records),
                Grouped(totals.tombstones),
                Grouped(totals.main_min),
                Grouped(totals.main_max),
                Size(totals.superseded_bytes),
                Size(totals.reclaimable_bytes),
            ),
        );
    }
    page.push_str("</tbody></table></div></details></section>\n");
}
