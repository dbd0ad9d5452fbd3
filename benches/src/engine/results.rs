//! What the runs found: rows by name, a column for each candidate, and points for the plot.
//!
//! A run prints its findings as lines, since it is another process; anything else that it prints
//! is none of them. The table has the rows in the order in which they first came.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::plot::{Panel, Series};
use crate::stats::median;

/// Begins the line of a value: name and value follow, each behind a tab.
const VALUE: &str = "value";
/// Begins the line of a point: panel, x and y follow.
const POINT: &str = "point";

/// What is plotted: name and x axis.
const PANELS: [(&str, &str); 3] = [
    ("puts a second while loading", "keys loaded"),
    ("µs for a range", "keys in the range"),
    ("space by live data while overwriting", "keys overwritten"),
];

/// A panel of the plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plotted {
    /// Puts a second, by keys loaded.
    LoadRate = 0,
    /// Microseconds, by keys in a range.
    Range = 1,
    /// Factor of space, by keys overwritten.
    Space = 2,
}

/// Prints a finding of this run.
pub fn print_value(name: &str, value: f64) {
    println!("{VALUE}\t{name}\t{value}");
}

/// Prints a point of this run.
pub fn print_point(panel: Plotted, x: f64, y: f64) {
    println!("{POINT}\t{}\t{x}\t{y}", panel as usize);
}

/// Findings of all runs.
#[derive(Debug, Default)]
pub struct Results {
    names: Vec<String>,
    candidates: Vec<&'static str>,
    values: BTreeMap<(String, &'static str), Vec<f64>>,
    points: BTreeMap<(usize, &'static str), Vec<(f64, f64)>>,
}

impl Results {
    /// Takes what a run of `candidate` has printed.
    pub fn take(&mut self, candidate: &'static str, printed: &str) {
        for line in printed.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            if let [VALUE, name, value] = fields[..]
                && let Ok(value) = value.parse()
            {
                self.add(candidate, name, value);
            }
            if let [POINT, panel, x, y] = fields[..]
                && let (Ok(panel), Ok(x), Ok(y)) = (panel.parse(), x.parse(), y.parse())
            {
                self.points.entry((panel, candidate)).or_default().push((x, y));
            }
        }
    }

    /// Adds a value; several of one name count by their median.
    pub fn add(&mut self, candidate: &'static str, name: &str, value: f64) {
        if !self.candidates.contains(&candidate) {
            self.candidates.push(candidate);
        }
        if self.names.iter().all(|known| known != name) {
            self.names.push(name.to_owned());
        }
        self.values.entry((name.to_owned(), candidate)).or_default().push(value);
    }

    /// A Markdown table of medians.
    pub fn table(&self) -> String {
        let mut table = String::from("| what |");
        for candidate in &self.candidates {
            push(&mut table, format_args!(" {candidate} |"));
        }
        push(&mut table, format_args!("\n|---|{}\n", "---|".repeat(self.candidates.len())));
        for name in &self.names {
            push(&mut table, format_args!("| {name} |"));
            for candidate in &self.candidates {
                match self.values.get(&(name.clone(), candidate)) {
                    Some(values) => push(&mut table, format_args!(" {} |", short(median(values)))),
                    None => table.push_str(" – |"),
                }
            }
            table.push('\n');
        }
        table
    }

    /// The panels that have points. Points at one x are one, at their median.
    pub fn panels(&self) -> Vec<Panel> {
        let mut panels = Vec::new();
        for (number, (title, across)) in PANELS.into_iter().enumerate() {
            let series = self.candidates.iter().filter_map(|candidate| {
                let points = self.points.get(&(number, *candidate))?;
                Some(Series { name: (*candidate).to_owned(), points: medians(points) })
            });
            let series: Vec<Series> = series.collect();
            if !series.is_empty() {
                panels.push(Panel { title: title.to_owned(), across, series, lines: vec![] });
            }
        }
        panels
    }
}

fn medians(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut points = points.to_vec();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let at_one_x = points.chunk_by(|a, b| a.0 == b.0);
    at_one_x.map(|own| (own[0].0, median(&own.iter().map(|p| p.1).collect::<Vec<_>>()))).collect()
}

fn push(table: &mut String, part: std::fmt::Arguments<'_>) {
    table.write_fmt(part).expect("a string takes everything");
}

/// Three digits that count, and thousands apart.
fn short(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_order_and_show_medians() {
        let mut results = Results::default();
        results.take("a", "value\tz\t1\nnoise\nvalue\tb\t1234567\npoint\t1\t10\t5\n");
        results.take("a", "value\tz\t3\npoint\t1\t10\t7");
        results.take("b", "value\tz\t12.34\nvalue\tz\tnonsense");
        let expected =
            "| what | a | b |\n|---|---|---|\n| z | 2.00 | 12.3 |\n| b | 1,234,567 | – |\n";
        assert_eq!(results.table(), expected);
        let panels = results.panels();
        assert_eq!(panels.len(), 1);
        assert_eq!(panels[0].series[0].points, [(10.0, 6.0)]);
    }
}
