//! The lines of `etcd-dump meta`, as JSON and as text.

use super::super::db::output::Line;
use super::super::db::state::{AppliedPart, Ids};
use super::super::directory::Directory;
use super::super::etcds::{Facts, Position};
use crate::notation::{Count, Quoted};
use retcd_mvcc::membership::Member;
use retcd_wal::HardState;
use serde::Serialize;
use std::io::{self, Write};

/// Whose directory it is.
#[derive(Serialize)]
#[serde(tag = "type", rename = "directory")]
pub(in crate::dump) struct DirectoryLine {
    dir: String,
    /// `retcd` or `etcd`.
    writer: &'static str,
    /// `lsm`, `btree`, `bbolt`, `none`.
    engine: &'static str,
    in_use: bool,
}

impl DirectoryLine {
    pub(in crate::dump) fn of(directory: &Directory) -> DirectoryLine {
        DirectoryLine {
            dir: directory.dir.display().to_string(),
            writer: directory.kind.writer(),
            engine: directory.kind.engine(),
            in_use: directory.in_use,
        }
    }
}

impl Line for DirectoryLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let DirectoryLine { dir, writer, engine, in_use } = self;
        match *engine {
            "none" => writeln!(out, "data directory {dir}: of {writer}, without an engine")?,
            engine => writeln!(out, "data directory {dir}: of {writer}, engine {engine}")?,
        }
        match in_use {
            true => {
                writeln!(out, "  a member seems to run on it: what it writes meanwhile is left out")
            }
            false => Ok(()),
        }
    }
}

/// What the log says.
#[derive(Serialize)]
#[serde(tag = "type", rename = "log")]
pub(super) struct LogLine {
    pub(super) dir: String,
    pub(super) files: usize,
    /// Versions of the format, ascending; none for etcd's, whose log has no version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) formats: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cluster: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) member: Option<u64>,
    /// Absent, with the next two, if there are no entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_term: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hard_state: Option<HardStatePart>,
    /// Behind which snapshot the log begins anew, or at which one was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) snapshot: Option<MarkPart>,
    /// A part at its end that never was written as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) torn: Option<TornPart>,
}

/// Where a log's end is torn.
#[derive(Clone, Serialize)]
pub(super) struct TornPart {
    pub(super) file: String,
    pub(super) offset: u64,
}

/// A hard state.
#[derive(Clone, Copy, Serialize)]
pub(super) struct HardStatePart {
    term: u64,
    vote: u64,
    commit: u64,
}

impl HardStatePart {
    /// `None` if raft has kept nothing yet.
    pub(super) fn of(state: HardState) -> Option<HardStatePart> {
        let HardState { term, vote, commit } = state;
        (state != HardState::default()).then_some(HardStatePart { term, vote, commit })
    }
}

/// A snapshot's place.
#[derive(Clone, Copy, Serialize)]
pub(super) struct MarkPart {
    index: u64,
    term: u64,
}

impl MarkPart {
    /// `None` for none.
    pub(super) fn of(at: Position) -> Option<MarkPart> {
        let Position { index, term } = at;
        (index > 0).then_some(MarkPart { index, term })
    }
}

impl Line for LogLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "log {}: {}", self.dir, Count(self.files as u64, "file"))?;
        match self.formats.is_empty() {
            true => writeln!(out)?,
            false => writeln!(out, " of {}", Versions(&self.formats))?,
        }
        if let (Some(member), Some(cluster)) = (self.member, self.cluster) {
            writeln!(out, "  member {member:x} of cluster {cluster:x}")?;
        }
        match self.hard_state {
            Some(HardStatePart { term, vote, commit }) => {
                write!(out, "  term {term}, ")?;
                match vote {
                    0 => write!(out, "no vote")?,
                    vote => write!(out, "vote for {vote:x}")?,
                }
                writeln!(out, ", commit index {commit}")?;
            }
            None => writeln!(out, "  no hard state")?,
        }
        match (self.first_index, self.last_index, self.last_term) {
            (Some(first), Some(last), Some(term)) => {
                write!(out, "  entries {first} to {last}, the last of term {term}")?;
            }
            _ => write!(out, "  no entries")?,
        }
        match self.snapshot {
            Some(MarkPart { index, term }) => {
                writeln!(out, "; snapshot at index {index} of term {term}")?;
            }
            None => writeln!(out)?,
        }
        match &self.torn {
            Some(TornPart { file, offset }) => writeln!(
                out,
                "  its end is torn, at {offset} of {file}: that was never acknowledged"
            ),
            None => Ok(()),
        }
    }
}

/// Versions of a format, in words.
struct Versions<'a>(&'a [u32]);

impl std::fmt::Display for Versions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            [] => f.write_str("no format"),
            [version] => write!(f, "format {version}"),
            [versions @ .., last] => {
                f.write_str("formats")?;
                versions.iter().try_for_each(|version| write!(f, " {version}"))?;
                write!(f, " and {last}")
            }
        }
    }
}

/// Versions of the formats of a part of the database.
#[derive(Serialize)]
pub(super) struct FormatPart {
    /// `manifest`, `tables`, `tree`, `bbolt`.
    pub(super) of: &'static str,
    pub(super) versions: Vec<u32>,
}

/// What the database says of itself.
#[derive(Serialize)]
#[serde(tag = "type", rename = "database")]
pub(super) struct DatabaseLine {
    pub(super) path: String,
    pub(super) formats: Vec<FormatPart>,
    #[serde(flatten)]
    pub(super) covers: Covers,
    /// How many entries the log goes on behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log_only: Option<u64>,
}

/// Up to where it goes.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Covers {
    /// Of ours.
    Applied(AppliedPart),
    /// Of etcd's.
    Consistent {
        #[serde(skip_serializing_if = "Option::is_none")]
        consistent_index: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        term: Option<u64>,
        revision: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        compacted_revision: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        voters: Option<Vec<u64>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        learners: Option<Vec<u64>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        storage_version: Option<String>,
    },
}

impl Covers {
    /// What etcd's database says.
    pub(super) fn of_etcds(facts: &Facts) -> Covers {
        let configuration = facts.configuration.clone();
        let (voters, learners) = configuration.map(|c| (c.voters, c.learners)).unzip();
        Covers::Consistent {
            consistent_index: facts.consistent_index,
            term: facts.term,
            revision: facts.revision,
            compacted_revision: facts.compacted,
            voters,
            learners,
            storage_version: facts.storage_version.clone(),
        }
    }
}

impl std::fmt::Display for Covers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Covers::Consistent {
            consistent_index,
            term,
            revision,
            compacted_revision,
            voters,
            learners,
            storage_version,
        } = self
        else {
            let Covers::Applied(applied) = self else { return Ok(()) };
            return applied.fmt(f);
        };
        match consistent_index {
            Some(index) => write!(f, "consistent index {index}")?,
            None => f.write_str("no consistent index")?,
        }
        if let Some(term) = term {
            write!(f, " of term {term}")?;
        }
        write!(f, "; revision {revision}, ")?;
        match compacted_revision {
            Some(revision) => write!(f, "compacted revision {revision}")?,
            None => f.write_str("never compacted")?,
        }
        if let Some(voters) = voters {
            write!(f, "; voters {}", Ids(voters))?;
        }
        if let Some(learners) = learners.as_ref().filter(|learners| !learners.is_empty()) {
            write!(f, ", learners {}", Ids(learners))?;
        }
        match storage_version {
            Some(version) => write!(f, "; storage version {}", Quoted(version.as_bytes())),
            None => Ok(()),
        }
    }
}

impl Line for DatabaseLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "database {}:", self.path)?;
        for (at, FormatPart { of, versions }) in self.formats.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(out, "{comma} {of} of {}", Versions(versions))?;
        }
        writeln!(out, "\n  {}", self.covers)?;
        match self.log_only {
            Some(0) => writeln!(out, "  the log has no entries behind that"),
            Some(entries) => {
                let entries = Count(entries, "more entry");
                let text = entries.to_string().replace("entrys", "entries");
                writeln!(out, "  the log has {text}")
            }
            None => Ok(()),
        }
    }
}

/// A member.
#[derive(Serialize)]
#[serde(tag = "type", rename = "member")]
pub(super) struct MemberLine {
    #[serde(flatten)]
    pub(super) member: Member,
}

impl Line for MemberLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Member { id, name, peer_urls, client_urls, is_learner } = &self.member;
        let role = if *is_learner { "learner" } else { "member" };
        write!(out, "{role} {id:x} {}", Quoted(name.as_bytes()))?;
        for (what, urls) in [("peers", peer_urls), ("clients", client_urls)] {
            if !urls.is_empty() {
                let urls = Quoted(urls.join(",").as_bytes()).to_string();
                write!(out, ", {what} {}", urls.trim_matches('"'))?;
            }
        }
        writeln!(out)
    }
}

/// A member that was removed.
#[derive(Serialize)]
#[serde(tag = "type", rename = "removed")]
pub(super) struct RemovedLine {
    pub(super) id: u64,
}

impl Line for RemovedLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "member {:x} was removed", self.id)
    }
}

/// What all members share.
#[derive(Default, Serialize)]
#[serde(tag = "type", rename = "cluster")]
pub(super) struct ClusterLine {
    /// Absent if nobody has decided it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    /// The version to which the cluster goes down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) downgrade: Option<String>,
    pub(super) auth_enabled: bool,
    pub(super) users: u64,
    pub(super) roles: u64,
    pub(super) leases: u64,
    pub(super) alarms: u64,
}

impl Line for ClusterLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.version {
            Some(version) => write!(out, "cluster version {}", Plain(version))?,
            None => write!(out, "no cluster version yet")?,
        }
        if let Some(target) = &self.downgrade {
            write!(out, ", going down to {}", Plain(target))?;
        }
        let ClusterLine { users, roles, leases, alarms, .. } = *self;
        let auth = if self.auth_enabled { "on" } else { "off" };
        let (users, roles) = (Count(users, "user"), Count(roles, "role"));
        let (leases, alarms) = (Count(leases, "lease"), Count(alarms, "alarm"));
        writeln!(out, "; authentication {auth}, {users}, {roles}; {leases}, {alarms}")
    }
}

/// Text from disk, in which nothing can steer a terminal.
struct Plain<'a>(&'a str);

impl std::fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Quoted(self.0.as_bytes()).to_string().trim_matches('"'))
    }
}
