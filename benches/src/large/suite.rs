//! Runs the sections for each server and prints the table.

use std::fs;

use retcd_testkit::ServerOptions;

use super::member::Member;
use super::{Section, count, filled, kill, list, longest, space, start};
use crate::corpus::Kind;
use crate::engine::results::Results;
use crate::options::Options;
use crate::{Error, suite};

/// Says beside a data directory what it is filled with.
const LABEL: &str = "bench-load";

/// Where one server's findings go.
pub(super) struct Findings<'a> {
    results: &'a mut Results,
    server: &'static str,
}

impl Findings<'_> {
    /// Adds one.
    pub(super) fn add(&mut self, name: &str, value: f64) {
        eprintln!("{}: {name} {value:.3}", self.server);
        self.results.add(self.server, name, value);
    }
}

/// Measures and prints everything that the options ask for.
pub fn run(options: &Options) -> Result<(), Error> {
    let what = match options.corpus.kind {
        Kind::R => "keys of 32 B with 256 B of text",
        Kind::K8s => "pods of 2 KB",
    };
    println!("{} {what}, transactions of 64 puts, 16 under way\n", options.keys);
    let temporary = tempfile::tempdir_in(&options.folder)?;
    let folder = options.data.as_deref().unwrap_or(temporary.path());
    let mut results = Results::default();
    for program in 0..suite::programs(options, folder).len() {
        let (name, _) = suite::programs(options, folder).swap_remove(program);
        let own = folder.join(name);
        fs::create_dir_all(&own)?;
        let (name, how) = suite::programs(options, &own).swap_remove(program);
        let mut findings = Findings { results: &mut results, server: name };
        measure(options, how, &mut findings)?;
        if options.data.is_none() {
            fs::remove_dir_all(&own)?;
        }
    }
    println!("{}", results.table());
    Ok(())
}

fn measure(
    options: &Options,
    how: ServerOptions,
    findings: &mut Findings<'_>,
) -> Result<(), Error> {
    let label_path = how.data_dir.with_file_name(LABEL);
    let label = format!("{} {:?}", options.keys, options.corpus);
    let mut member = Member::new(how, options.corpus, options.keys)?;
    let is_filled = fs::read_to_string(&label_path).is_ok_and(|found| found == label);
    if !is_filled || options.sections.contains(&Section::Fill) {
        if label_path.exists() {
            fs::remove_file(&label_path)?;
        }
        filled::measure(&mut member, findings)?;
        fs::write(&label_path, label)?;
    }
    for section in Section::ALL {
        if !options.sections.contains(&section) {
            continue;
        }
        let findings = &mut *findings;
        match section {
            Section::Fill => {}
            Section::Start => start::measure(&mut member, findings)?,
            Section::Count => count::measure(&mut member, findings)?,
            Section::List => list::measure(&mut member, findings)?,
            Section::Longest => {
                longest::measure(&mut member, findings, options.dead, options.duration)?;
            }
            Section::Space => space::measure(&mut member, findings, options.overwrites)?,
            Section::Kill => kill::measure(&mut member, findings, options.duration)?,
        }
    }
    member.stop()
}
