//! What a check found, and what it comes to.
//!
//! A finding has a name that scripts can rely on, and one of three weights: a start is refused; a
//! start isn't, but something is damaged or lost; or nothing that matters, worth knowing.

use super::super::db::fault::Fault;
use super::super::db::output::Line;
use crate::notation::Count;
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// Findings of one name that are kept; the others are counted.
const FINDINGS_MAX: usize = 20;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Weight {
    /// A server refuses to start here.
    Refused,
    /// It starts, but something is damaged or lost.
    Damaged,
    /// Nothing is wrong.
    Note,
}

/// Something that was found.
#[derive(Serialize)]
#[serde(tag = "type", rename = "finding")]
pub(super) struct Finding {
    weight: Weight,
    /// What kind of thing it is.
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    reason: String,
}

impl Finding {
    /// One about no file.
    pub(super) fn new(weight: Weight, name: &'static str, reason: impl Into<String>) -> Finding {
        Finding { weight, name, file: None, offset: None, reason: reason.into() }
    }

    /// The same about a file or folder.
    pub(super) fn of(self, path: &Path) -> Finding {
        Finding { file: Some(path.display().to_string()), ..self }
    }

    /// The same at a place in the file.
    pub(super) fn at(self, offset: u64) -> Finding {
        Finding { offset: Some(offset), ..self }
    }

    /// A fault that a reader of the database told.
    pub(super) fn fault(weight: Weight, name: &'static str, fault: impl Into<Fault>) -> Finding {
        let Fault { file, offset, reason } = fault.into();
        Finding { weight, name, file, offset, reason }
    }

    /// The file that it is about, and where in it.
    pub(super) fn place(&self) -> (Option<String>, Option<u64>) {
        (self.file.clone(), self.offset)
    }
}

impl Line for Finding {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Finding { weight, name, file, offset, reason } = self;
        let weight = match weight {
            Weight::Refused => "REFUSED",
            Weight::Damaged => "DAMAGED",
            Weight::Note => "note",
        };
        write!(out, "{weight} {name}")?;
        match (file, offset) {
            (Some(file), Some(offset)) => write!(out, ", {file} at {offset}")?,
            (Some(file), None) => write!(out, ", {file}")?,
            (None, _) => {}
        }
        writeln!(out, ": {reason}")
    }
}

/// What was read, for people who want to know what the verdict rests on.
#[derive(Default, Serialize)]
#[serde(tag = "type", rename = "checked")]
pub(super) struct Checked {
    /// The log's last entry; absent if the log can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_term: Option<u64>,
    /// What is known to be committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<u64>,
    /// Up to where the database goes; absent if it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) applied_index: Option<u64>,
    /// Entries that the log alone has: a start applies them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log_only: Option<u64>,
    /// Bytes at the log's end that a start gives up, an estimate.
    pub(super) given_up_bytes: u64,
    /// Bytes of the database that were read.
    pub(super) database_bytes: u64,
}

impl Checked {
    /// The log's end and the database's, put together.
    pub(super) fn compare(&mut self) {
        let entries = self.last_index.zip(self.applied_index);
        self.log_only = entries.map(|(last, applied)| last.saturating_sub(applied));
    }
}

impl Line for Checked {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        match (self.last_index, self.last_term) {
            (Some(last), Some(term)) => {
                write!(out, "log: up to entry {last} of term {term}")?;
                match self.commit {
                    Some(commit) => writeln!(out, ", commit index {commit}")?,
                    None => writeln!(out)?,
                }
            }
            _ => writeln!(out, "log: its end isn't known")?,
        }
        match self.applied_index {
            Some(index) => write!(out, "database: applied index {index}, ")?,
            None => write!(out, "database: its applied index isn't known, ")?,
        }
        writeln!(out, "{} read", Count(self.database_bytes, "byte"))?;
        let (entries, them) = match self.log_only {
            None | Some(0) => return Ok(()),
            Some(1) => ("1 entry is".to_owned(), "it"),
            Some(entries) => (format!("{entries} entries are"), "them"),
        };
        write!(out, "{entries} in the log only: ")?;
        match (self.commit, self.last_index) {
            (Some(commit), Some(last)) if commit < last => writeln!(
                out,
                "a start applies those up to {commit}, and others once they are committed"
            ),
            _ => writeln!(out, "a start applies {them}"),
        }
    }
}

/// Everything that was found.
#[derive(Default)]
pub(super) struct Report {
    pub(super) checked: Checked,
    pub(super) findings: Vec<Finding>,
    /// How many weren't kept.
    dropped: u64,
    refused: u64,
    damaged: u64,
}

impl Report {
    pub(super) fn add(&mut self, finding: Finding) {
        match finding.weight {
            Weight::Refused => self.refused += 1,
            Weight::Damaged => self.damaged += 1,
            Weight::Note => {}
        }
        let same = self.findings.iter().filter(|kept| kept.name == finding.name);
        match same.count() < FINDINGS_MAX {
            true => self.findings.push(finding),
            false => self.dropped += 1,
        }
    }

    /// What it comes to.
    pub(super) fn verdict(&self) -> VerdictLine {
        VerdictLine {
            healthy: self.refused + self.damaged == 0,
            starts: self.refused == 0,
            refused: self.refused,
            damaged: self.damaged,
            not_shown: self.dropped,
            given_up_bytes: self.checked.given_up_bytes,
        }
    }
}

/// The answer.
#[derive(Serialize)]
#[serde(tag = "type", rename = "verdict")]
pub(super) struct VerdictLine {
    pub(super) healthy: bool,
    /// Whether a server would start.
    starts: bool,
    /// How many findings of each weight there are.
    refused: u64,
    damaged: u64,
    /// Findings that have no line, since there are so many of their kind.
    not_shown: u64,
    given_up_bytes: u64,
}

impl Line for VerdictLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.not_shown > 0 {
            writeln!(out, "… and {} like these", Count(self.not_shown, "finding"))?;
        }
        match (self.healthy, self.starts) {
            (true, _) => write!(out, "verdict: healthy, a server would start")?,
            (false, true) => write!(out, "verdict: not healthy, though a server would start")?,
            (false, false) => write!(out, "verdict: not healthy, a server would not start")?,
        }
        match self.given_up_bytes {
            0 => writeln!(out),
            bytes => {
                writeln!(
                    out,
                    "; {bytes} bytes at the log's end, never acknowledged, would be cut off"
                )
            }
        }
    }
}
