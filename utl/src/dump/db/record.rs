//! The records of one keyspace, decoded.

use super::Error;
use super::args::Records;
use super::fault::Fault;
use super::keys;
use super::output::{Line, Output, bytes, name_of};
use super::reading::{Reading, Scan};
use super::subject::Subject;
use crate::notation::{Cut, Quoted};
use bytes::Bytes;
use retcd_api::etcdserverpb::{AlarmMember, AlarmType};
use retcd_api::leasepb::Lease;
use retcd_engine::{Keyspace, Projection, Record, Version};
use retcd_mvcc::auth::AuthItem;
use retcd_mvcc::membership::{Downgrade, Member};
use retcd_mvcc::stored::{Named, RevKind, attachment, named, rev_kind};
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};

/// Bytes of a key that bounds something which text shows.
const KEY_BYTES_SHOWN: usize = 80;

/// The key of a record as its keyspace means it, for text.
pub(super) struct KeyName<'a> {
    pub(super) keyspace: Keyspace,
    pub(super) key: &'a Bytes,
}

impl fmt::Display for KeyName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = |key| Cut(key, KEY_BYTES_SHOWN);
        let number = |at: usize| {
            let bytes = self.key.get(at..)?.first_chunk()?;
            Some(u64::from_be_bytes(*bytes))
        };
        match (self.keyspace, attachment(self.key), self.key.strip_prefix(b"lease/")) {
            (Keyspace::Rev, Ok((_, sub)), _) if sub.len() == 8 => {
                let (main, sub) = (number(0).unwrap_or(0), number(8).unwrap_or(0));
                write!(f, "{main}.{sub}")
            }
            (Keyspace::Lease, Ok((lease, key)), _) => {
                write!(f, "lease {lease:016x} {}", cut(&key))
            }
            (Keyspace::Meta, _, Some(id)) if id.len() == 8 => {
                write!(f, "lease {:016x}", number(b"lease/".len()).unwrap_or(0))
            }
            _ => cut(self.key).fmt(f),
        }
    }
}

/// Prints the records that are asked for.
pub(super) fn show(
    subject: Subject<'_>,
    asked: &Records,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let mut reading = Reading::open(subject, &[asked.keyspace], output)?;
    let scan = Scan {
        keyspace: asked.keyspace,
        range: &asked.range,
        at: Version::MAX,
        all_versions: asked.all_versions,
        projection: match asked.keyspace {
            Keyspace::Kv => keys::projection(asked.values),
            _ => Projection::Full,
        },
    };
    let mut left = asked.limit;
    if left == 0 {
        return Ok(());
    }
    reading.each(&scan, output, &mut |output, record| {
        match asked.keyspace {
            Keyspace::Kv => keys::print(subject, record, asked.values, output)?,
            Keyspace::Rev => print(subject, &record, ChangeLine::of(&record), output)?,
            Keyspace::Lease => print(subject, &record, AttachmentLine::of(&record), output)?,
            Keyspace::Meta => print(subject, &record, Ok(NamedLine::of(&record)), output)?,
        }
        left -= 1;
        Ok(left > 0)
    })
}

fn print(
    subject: Subject<'_>,
    record: &Record,
    line: Result<impl Line, retcd_mvcc::Error>,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    match line {
        Ok(line) => output.print(&line),
        Err(error) => {
            let file = Some(subject.path().display().to_string());
            let reason = format!("{}: {error}", Quoted(&record.key));
            output.fault(Fault { file, offset: None, reason })
        }
    }
}

/// What a revision did to a key.
#[derive(Serialize)]
#[serde(tag = "type", rename = "change")]
struct ChangeLine {
    revision: u64,
    sub: u64,
    /// `put` or `delete`.
    change: &'static str,
    #[serde(serialize_with = "bytes")]
    key: Bytes,
}

impl ChangeLine {
    fn of(record: &Record) -> Result<ChangeLine, retcd_mvcc::Error> {
        let change = match rev_kind(record)? {
            RevKind::Put => "put",
            RevKind::Delete => "delete",
        };
        let Version { main, sub } = record.version;
        Ok(ChangeLine { revision: main, sub, change, key: record.value.clone() })
    }
}

impl Line for ChangeLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let ChangeLine { revision, sub, change, key } = self;
        writeln!(out, "{revision}.{sub} {change} {}", Quoted(key))
    }
}

/// A key that is attached to a lease, or was.
#[derive(Serialize)]
#[serde(tag = "type", rename = "attachment")]
struct AttachmentLine {
    lease: i64,
    #[serde(serialize_with = "bytes")]
    key: Bytes,
    /// Raft index of the entry that says so.
    index: u64,
    sub: u64,
    detached: bool,
}

impl AttachmentLine {
    fn of(record: &Record) -> Result<AttachmentLine, retcd_mvcc::Error> {
        let (lease, key) = attachment(&record.key)?;
        let Version { main, sub } = record.version;
        Ok(AttachmentLine { lease, key, index: main, sub, detached: record.tombstone })
    }
}

impl Line for AttachmentLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let AttachmentLine { lease, key, index, .. } = self;
        let what = if self.detached { "no longer has" } else { "has" };
        writeln!(out, "lease {lease:016x} {what} {} (entry {index})", Quoted(key))
    }
}

/// Named state.
#[derive(Serialize)]
#[serde(tag = "type", rename = "named")]
struct NamedLine {
    #[serde(serialize_with = "bytes")]
    name: Bytes,
    /// Raft index of the entry that says so.
    index: u64,
    sub: u64,
    #[serde(flatten)]
    what: What,
}

/// What a name stands for.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Gone(bool),
    Lease {
        id: i64,
        ttl: i64,
        remaining_ttl: i64,
    },
    Alarm {
        member: u64,
        alarm: &'static str,
    },
    Member(Member),
    Removed(u64),
    Version(String),
    Downgrade(Downgrade),
    AuthEnabled(bool),
    AuthRevision(u64),
    /// Without the hash of the password.
    User {
        user: String,
        roles: Vec<String>,
    },
    Role {
        role: String,
        permissions: usize,
    },
    /// What this version doesn't know may be a secret: its length only.
    UnknownBytes(usize),
}

impl What {
    fn of_auth(item: AuthItem) -> What {
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        match item {
            AuthItem::Enabled(is_on) => What::AuthEnabled(is_on),
            AuthItem::Revision(revision) => What::AuthRevision(revision),
            AuthItem::User(user) => What::User { user: text(&user.name), roles: user.roles },
            AuthItem::Role(role) => {
                What::Role { role: text(&role.name), permissions: role.key_permission.len() }
            }
        }
    }
}

impl NamedLine {
    fn of(record: &Record) -> NamedLine {
        let Version { main, sub } = record.version;
        let what = match (record.tombstone, named(record)) {
            (true, _) => What::Gone(true),
            (false, Ok(Named::Lease(Lease { id, ttl, remaining_ttl }))) => {
                What::Lease { id, ttl, remaining_ttl }
            }
            (false, Ok(Named::Alarm(AlarmMember { member_id, alarm }))) => What::Alarm {
                member: member_id,
                alarm: AlarmType::try_from(alarm).map_or("unknown", |alarm| alarm.as_str_name()),
            },
            (false, Ok(Named::Member(member))) => What::Member(member),
            (false, Ok(Named::Removed(id))) => What::Removed(id),
            (false, Ok(Named::Version(version))) => What::Version(version),
            (false, Ok(Named::Downgrade(downgrade))) => What::Downgrade(downgrade),
            (false, Ok(Named::Auth(item))) => What::of_auth(item),
            (false, _) => What::UnknownBytes(record.value.len()),
        };
        NamedLine { name: record.key.clone(), index: main, sub, what }
    }
}

impl Line for NamedLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let name = Quoted(&self.name);
        match &self.what {
            What::Gone(_) => write!(out, "{name} is gone")?,
            What::Lease { id, ttl, remaining_ttl } => write!(
                out,
                "lease {id:016x} TTL {ttl} s, remaining when last told {remaining_ttl} s"
            )?,
            What::Alarm { member, alarm } => write!(out, "alarm {alarm} of member {member:x}")?,
            What::Member(member) => {
                let Member { id, name, peer_urls, client_urls, is_learner } = member;
                let name = Quoted(name.as_bytes());
                let role = if *is_learner { "learner" } else { "member" };
                let (peers, clients) = (peer_urls.join(","), client_urls.join(","));
                write!(out, "{role} {id:x} {name}, peers {peers}, clients {clients}")?;
            }
            What::Removed(id) => write!(out, "member {id:x} was removed")?,
            What::Version(version) => {
                write!(out, "cluster version {}", Quoted(version.as_bytes()))?;
            }
            What::Downgrade(downgrade) => write!(out, "downgrade {downgrade:?}")?,
            What::AuthEnabled(is_on) => {
                write!(out, "authentication is {}", if *is_on { "on" } else { "off" })?;
            }
            What::AuthRevision(revision) => write!(out, "revision {revision} of users and roles")?,
            What::User { user, roles } => {
                write!(out, "user {} with roles {}", Quoted(user.as_bytes()), roles.join(","))?;
            }
            What::Role { role, permissions } => {
                write!(out, "role {} with {permissions} permissions", Quoted(role.as_bytes()))?;
            }
            What::UnknownBytes(bytes) => {
                let keyspace = name_of(Keyspace::Meta);
                write!(out, "{name}: {bytes} bytes that this version doesn't know in {keyspace}")?;
            }
        }
        writeln!(out, " (entry {})", self.index)
    }
}
