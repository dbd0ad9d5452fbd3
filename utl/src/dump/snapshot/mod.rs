//! `etcd-dump snapshot`: what is in a snapshot's file, and whether it is whole.
//!
//! 1. The hash at its end is that of what is before it.
//! 2. Each page of the database is used once, and keys ascend.
//! 3. What it says of the cluster is printed as `meta` prints it, then how much there is:
//!    revisions, keys, versions, and bytes by prefix.
//!
//! The file is read three times, once for each. Memory is the prefixes, of which there is a limit.

mod line;

use super::Surroundings;
use super::db::Error;
use super::db::args::{DELIMITER, DEPTH, PREFIXES_SHOWN, key};
use super::db::fault::Fault;
use super::db::output::Output;
use super::db::space::prefix_of;
use super::etcds::{Facts, Pairs};
use super::form::Form;
use super::meta;
use crate::progress::Progress;
use crate::snapshot_hash::{self, SnapshotHash};
use bytes::Bytes;
use line::{Hash, OthersLine, PairsLine, PrefixLine, SnapshotLine};
use retcd_engine::bolt::Database;
use retcd_vfs::Vfs;
use std::cmp::Reverse;
use std::path::{Path, PathBuf};

/// Show what is in a snapshot: hash, revisions, keys, members, leases, users, and bytes by prefix
///
/// FILE is what `etcdctl snapshot save` wrote, from etcd or from this server, or a database of
/// etcd's. Everything in it is read and checked. Nothing is changed.
///
/// Exit code: 0 whole (with or without a hash), 1 damaged or unreadable, 2 wrong arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::dump) struct Args {
    /// A snapshot
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// How many parts of a key make a prefix [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    depth: Option<u8>,

    /// What separates the parts of a key [default: /]
    #[arg(long, value_name = "TEXT", value_parser = key)]
    delimiter: Option<Bytes>,

    /// At most so many prefixes, the largest [default: 20]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    #[command(flatten)]
    form: Form,
}

const EXAMPLES: &str = "\
Examples:
  etcd-dump snapshot backup.db                    is it whole, and of when is it?
  etcd-dump snapshot backup.db --depth 3 --limit 50
  etcd-dump snapshot backup.db --json | jq 'select(.type == \"pairs\") | .revision'
  etcd-dump snapshot backup.db && etcdutl snapshot restore backup.db --data-dir new.etcd";

/// What was read of a file.
struct Contents {
    bytes: u64,
    page_bytes: u32,
    hash: Hash,
    /// Why the database isn't whole.
    damage: Option<retcd_engine::Error>,
    facts: retcd_engine::Result<(Facts, Pairs)>,
}

/// Prints it. Says whether it is whole.
pub(super) fn run(args: &Args, surroundings: &mut Surroundings<'_>) -> Result<bool, Error> {
    let (vfs, path) = (surroundings.vfs, &args.file);
    if vfs.list(path).is_ok() {
        let what = "this is a folder; etcd-dump meta, check and db show data directories";
        return Err(Error::Folder(path.clone(), what));
    }
    // Read before anything is printed: a progress line and the output would mix.
    let contents = read(args, vfs, path, &mut surroundings.progress("reading"))?;
    let mut output = Output::new(args.form.format(), surroundings.out);
    show(args, path, contents, &mut output)?;
    output.finish()
}

fn read(
    args: &Args,
    vfs: &dyn Vfs,
    path: &Path,
    progress: &mut Progress<'_>,
) -> Result<Contents, Error> {
    vfs.open_read(path).map_err(|error| Error::Io(path.to_owned(), error))?;
    let hash = snapshot_hash::check(vfs, path, &mut |read| progress.add(read));
    let hash = match hash.map_err(|error| Error::Io(path.to_owned(), error))? {
        SnapshotHash::Missing => Hash::Missing,
        SnapshotHash::Right => Hash::Right,
        SnapshotHash::Wrong { .. } => Hash::Wrong,
    };
    let database = Database::open(vfs, path)?;
    let damage = database.verify_telling(&mut |read| progress.add(read)).err();
    let depth = usize::from(args.depth.unwrap_or(DEPTH));
    let delimiter = args.delimiter.as_deref().unwrap_or(DELIMITER);
    let facts = Facts::read(&database).and_then(|facts| {
        let prefix = |key: &[u8]| prefix_of(key, delimiter, depth).len();
        let compacted = facts.compacted.unwrap_or(0);
        let pairs = Pairs::read(&database, compacted, &prefix, &mut |read| progress.add(read))?;
        Ok((facts, pairs))
    });
    let (bytes, page_bytes) = (database.file_bytes(), database.meta().page_bytes);
    Ok(Contents { bytes, page_bytes, hash, damage, facts })
}

fn show(
    args: &Args,
    path: &Path,
    contents: Contents,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let Contents { bytes, page_bytes, hash, damage, facts } = contents;
    let file = path.display().to_string();
    let whole = damage.is_none() && facts.is_ok() && hash != Hash::Wrong;
    output.print(&SnapshotLine { file: file.clone(), bytes, page_bytes, hash, whole })?;
    if hash == Hash::Wrong {
        output.fault(Fault::of_file(&file, "the hash at the end isn't that of what is before"))?;
    }
    if let Some(error) = &damage {
        output.fault(error)?;
    }
    let (facts, pairs) = match facts {
        Ok(read) => read,
        // The damage was told, unless only this reading found it.
        Err(error) if damage.is_none() => return output.fault(&error),
        Err(_) => return Ok(()),
    };
    for reason in &pairs.faults {
        output.fault(Fault::of_file(&file, reason))?;
    }
    let line = PairsLine::of(&facts, &pairs);
    meta::show_facts(facts, path, None, output)?;
    output.gap()?;
    output.print(&line)?;
    show_prefixes(args, pairs, output)
}

/// Prints the largest prefixes, and the others as one.
fn show_prefixes(args: &Args, pairs: Pairs, output: &mut Output<'_>) -> Result<(), Error> {
    let Pairs { prefixes, mut others, total, .. } = pairs;
    let mut rows: Vec<_> = prefixes.into_iter().collect();
    // Of equals, the one that comes first in the order of keys.
    rows.sort_by_key(|(_, sums)| Reverse(sums.bytes()));
    let left = rows.split_off(rows.len().min(args.limit.unwrap_or(PREFIXES_SHOWN)));
    if !output.is_json() {
        PrefixLine::write_head(output.raw())?;
    }
    for (prefix, sums) in rows {
        output.print(&PrefixLine { prefix, sums, percent: sums.percent_of(total) })?;
    }
    let told = left.len() as u64;
    left.iter().for_each(|(_, sums)| others.add(*sums));
    if others.versions > 0 {
        output.print(&OthersLine { told, sums: others, percent: others.percent_of(total) })?;
    }
    Ok(())
}
