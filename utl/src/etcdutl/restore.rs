//! `snapshot restore`: from a snapshot, ours or etcd's, to the data directory of a member of a new
//! cluster.
//!
//! 1. Flags, the target and the snapshot's hash are checked: until then nothing is written.
//! 2. Engine and log are made in `DATA/member.part` (a log that lies elsewhere in `DIR.part`). A
//!    member refuses to start beside that, so a restore that was killed isn't taken for an empty
//!    directory.
//! 3. When all of it is durable, the log gets its name, then `DATA/member.part` becomes
//!    `DATA/member`. That is the moment from which on the member exists.
//!
//! A restore that fails removes what it wrote; one that was killed is begun anew by the next.

use super::args::RestoreArgs;
use super::failure::Failure;
use super::folder::EngineKind;
use super::place::Place;
use super::{Surroundings, cluster, source};
use crate::notation::Count;
use crate::snapshot_hash::{self, HASH_BYTES, SnapshotHash};
use retcd_engine::bolt::Database;
use retcd_mvcc::{IMPORT_BATCH_RECORDS, ImportAs, ImportMembers, Imported, import};
use retcd_raft_glue::{DataDir, Founders, begin_log_behind};
use retcd_vfs::{FileLock, Vfs};
use std::sync::Arc;

/// Runs it.
pub(super) fn run(args: &RestoreArgs, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let file = args.file()?;
    let data_dir = args.data_dir()?;
    if (args.bump_revision > 0) != args.mark_compacted {
        return Err(Failure::BadArguments(
            "--mark-compacted required if --bump-revision > 0, and allowed only then".to_owned(),
        ));
    }
    let advertised = &args.initial_advertise_peer_urls;
    let (cluster, token) = (args.initial_cluster(), &args.initial_cluster_token);
    let resolve = surroundings.resolve;
    let founders = cluster::founders(&args.name, &cluster, advertised, token, resolve)?;
    let place = Place::new(data_dir, args.wal_dir.as_deref());
    let vfs = surroundings.vfs.clone();
    place.check(&*vfs)?;
    let database = source::open(&*vfs, file)?;
    check(&database, args, surroundings)?;
    let (file, target) = (file.display(), data_dir.display());
    surroundings.tell(format_args!("restoring {file} into {target}"));
    let target = Target { kind: args.backend_engine, revision_bump: args.bump_revision };
    // Nobody else begins in the same place until the end.
    let held = place.begin(&*vfs)?;
    let filled = fill(&place, &*held, &database, &founders, target, surroundings);
    let imported = match filled.and_then(|(imported, _data_dir)| {
        place.show(&*vfs)?;
        Ok(imported)
    }) {
        Ok(imported) => imported,
        Err(failure) => {
            // The first failure is the one to be told.
            let _ = place.remove_parts(&*vfs);
            return Err(failure);
        }
    };
    drop(held);
    report(&imported, &founders, args, surroundings);
    Ok(())
}

/// What a directory is made for.
pub(super) struct Target {
    /// The engine with which the server is going to run.
    pub(super) kind: EngineKind,
    /// By how much the revision is raised.
    pub(super) revision_bump: u64,
}

/// Makes sure that the file is what was saved, as far as it can be told.
fn check(
    database: &Database,
    args: &RestoreArgs,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let (vfs, path) = (surroundings.vfs.clone(), database.path());
    let has_hash = snapshot_hash::has_hash(database.file_bytes());
    if args.skip_hash_check {
        let why = if has_hash { "isn't looked at" } else { "there is none" };
        surroundings.tell(format_args!(
            "Warning: the hash of the snapshot {why}: damage in it may go unnoticed"
        ));
        database.verify()?;
        return Ok(());
    }
    let mut progress = surroundings.progress("checking", database.file_bytes());
    let hash = snapshot_hash::check(&*vfs, path, &mut |bytes| progress.add(bytes));
    match hash.map_err(Failure::io(path))? {
        SnapshotHash::Right => Ok(()),
        SnapshotHash::Missing => {
            Err(Failure::Refused("snapshot missing hash but --skip-hash-check=false".to_owned()))
        }
        SnapshotHash::Wrong { expected, got } => Err(Failure::Refused(format!(
            "expected sha256 {}, got {}",
            numbers(&expected),
            numbers(&got)
        ))),
    }
}

/// Bytes as Go prints them.
fn numbers(bytes: &[u8; HASH_BYTES]) -> String {
    let texts: Vec<String> = bytes.iter().map(u8::to_string).collect();
    format!("[{}]", texts.join(" "))
}

/// Makes engine and log under their names of before the end, for who holds the place.
pub(super) fn fill(
    place: &Place,
    held: &dyn FileLock,
    database: &Database,
    founders: &Founders,
    into: Target,
    surroundings: &mut Surroundings<'_>,
) -> Result<(Imported, DataDir), Failure> {
    let vfs: Arc<dyn Vfs> = surroundings.vfs.clone();
    let data_dir = DataDir::open_held(vfs.clone(), place.part(), place.log_part(), held)?;
    let engine = into.kind.open(&vfs, data_dir.engine())?;
    let mark = founders.mark();
    let target = ImportAs {
        index: mark.index,
        term: mark.term,
        conf_state: founders.conf_state(),
        members: ImportMembers::Founders(&founders.members),
        revision_bump: into.revision_bump,
        batch_records: IMPORT_BATCH_RECORDS,
    };
    let mut progress = surroundings.progress("restoring", database.file_bytes());
    let imported = import(database, &engine, &target, &mut |bytes| {
        progress.add(bytes);
        true
    })?;
    drop(progress);
    drop(engine);
    begin_log_behind(&data_dir, founders, surroundings.log)?;
    Ok((imported, data_dir))
}

/// Says what is there now, and what a careful operator would want to know.
fn report(
    imported: &Imported,
    founders: &Founders,
    args: &RestoreArgs,
    surroundings: &mut Surroundings<'_>,
) {
    let Imported { revision, alarms, .. } = *imported;
    for name in &imported.ignored {
        surroundings.tell(format_args!("Warning: the bucket {name} means nothing here: left out"));
    }
    if args.bump_revision == 0 {
        surroundings.tell(format_args!(
            "Warning: the revision goes back to {revision}. Clients that have seen higher ones, \
             by watches or in caches, won't notice, and may miss changes. --bump-revision=N \
             --mark-compacted makes them begin anew"
        ));
    }
    if imported.auth_enabled {
        surroundings.tell(format_args!(
            "Warning: authentication is on in this snapshot, and this version's server has none: \
             it will refuse to start on it. Disable authentication before you take the snapshot"
        ));
    }
    if alarms > 0 {
        let alarms = Count(alarms, "alarm");
        surroundings.tell(format_args!(
            "Warning: {alarms} in the snapshot stay raised: see etcdctl alarm list and disarm"
        ));
    }
    tell_content(imported, founders, surroundings);
}

/// Says what the member has, and who it is.
pub(super) fn tell_content(
    imported: &Imported,
    founders: &Founders,
    surroundings: &mut Surroundings<'_>,
) {
    let Imported { revision, compacted, keys, versions, leases, users, .. } = *imported;
    let (keys, versions) = (Count(keys, "key"), Count(versions, "version"));
    let (leases, users) = (Count(leases, "lease"), Count(users, "user"));
    let compacted = match compacted {
        ..0 => "nothing compacted".to_owned(),
        compacted => format!("compacted {compacted}"),
    };
    surroundings.tell(format_args!(
        "restored revision {revision}, {compacted}: {keys} in {versions}, {leases}, {users}"
    ));
    let identity = founders.identity;
    let members = Count(founders.members.len() as u64, "member");
    surroundings.tell(format_args!(
        "member {:x} of cluster {:x}, which has {members}",
        identity.member, identity.cluster
    ));
}
