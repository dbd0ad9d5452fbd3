//! `hashkv`: the number by which members compare their content, of a snapshot or of a data
//! directory.
//!
//! A snapshot is in the order of revisions, and what the number leaves out depends on what comes
//! later. So it is imported into an engine on scratch files, which answers as a member would.

use super::Surroundings;
use super::args::HashkvArgs;
use super::failure::Failure;
use super::folder::{self, EngineKind};
use super::output::{Field, Format, print};
use super::source;
use bytes::Bytes;
use retcd_engine::Engine;
use retcd_mvcc::{Config, IMPORT_BATCH_RECORDS, ImportAs, ImportMembers, KvHash, Store, import};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// What is printed.
pub(super) struct Hash(KvHash);

impl Hash {
    /// Prints it.
    pub(super) fn print(&self, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
        let field = |title, name, json, number: i64| {
            let text = number.to_string();
            Field { title, name, json, number, text }
        };
        let KvHash { hash, hash_revision, compact_revision, .. } = self.0;
        let fields = [
            field("hash", "Hash", "hash", hash.into()),
            field("hash revision", "Hash revision", "hashRevision", hash_revision),
            field("compact revision", "Compact revision", "compactRevision", compact_revision),
        ];
        print(&fields, format, out)
    }
}

/// Computes the number for what `args` name.
pub(super) fn read(
    args: &HashkvArgs,
    surroundings: &mut Surroundings<'_>,
) -> Result<Hash, Failure> {
    let path = args.path()?;
    if surroundings.vfs.list(path).is_ok() {
        let opened = folder::open(&surroundings.vfs, path)?;
        surroundings.tell(format_args!(
            "of what is flushed in {}; what only the log has isn't in it",
            opened.dir.display()
        ));
        return hash_of(opened.engine, args.revision);
    }
    let scratch = surroundings.scratch.clone();
    let hash = of_file(path, &scratch, args.revision, surroundings);
    folder::remove(&*surroundings.vfs, &scratch)?;
    hash
}

fn of_file(
    path: &Path,
    scratch: &Path,
    revision: i64,
    surroundings: &mut Surroundings<'_>,
) -> Result<Hash, Failure> {
    let vfs = surroundings.vfs.clone();
    let database = source::open(&*vfs, path)?;
    vfs.create_dir_all(scratch).map_err(Failure::io(scratch))?;
    let engine = EngineKind::Lsm.open_to_fill(&vfs, &scratch.join("db"))?;
    let mut progress = surroundings.progress("reading", database.file_bytes());
    let target = ImportAs {
        index: 1,
        term: 1,
        conf_state: Bytes::new(),
        members: ImportMembers::Founders(&[]),
        revision_bump: 0,
        batch_records: IMPORT_BATCH_RECORDS,
        waiting_memtables_max: folder::WAITING_MEMTABLES_MAX,
    };
    import(&database, &engine, &target, &mut |bytes| {
        progress.add(bytes);
        true
    })?;
    drop(progress);
    hash_of(engine, revision)
}

fn hash_of(engine: Arc<dyn Engine>, revision: i64) -> Result<Hash, Failure> {
    let (store, _) = Store::open(engine, Config::default())?;
    Ok(Hash(store.hash_kv(revision)?))
}
