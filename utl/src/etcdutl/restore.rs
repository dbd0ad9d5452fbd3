//! `snapshot restore`: from a snapshot, ours or etcd's, to the data directory of a member of a new
//! cluster.
//!
//! 1. Flags and the target are checked, and that the snapshot has a hash, and in a small one that
//!    it is right: until then nothing is written. That of a large one is computed while the rest
//!    goes on, which is given up if it is wrong.
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
use super::{Surroundings, cluster, folder, source};
use crate::notation::Count;
use crate::snapshot_hash::{self, HASH_BYTES, SnapshotHash};
use retcd_engine::bolt::Database;
use retcd_mvcc::{IMPORT_BATCH_RECORDS, ImportAs, ImportMembers, Imported, import};
use retcd_raft_glue::{DataDir, Founders, begin_log_behind};
use retcd_vfs::{FileLock, Vfs};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    let hash = Hash::of(&database, args)?.check_if_small(&database, surroundings)?;
    hash.warn(surroundings);
    if args.skip_hash_check {
        database.verify()?;
    }
    let (file, target) = (file.display(), data_dir.display());
    surroundings.tell(format_args!("restoring {file} into {target}"));
    let target = Target { kind: args.backend_engine, revision_bump: args.bump_revision };
    // Nobody else begins in the same place until the end.
    let held = place.begin(&*vfs)?;
    let filled = hash.check_beside(&*vfs, database.path(), |is_right| {
        let filled = fill(&place, &*held, &database, &founders, target, is_right, surroundings);
        filled.map(|(imported, _data_dir)| imported)
    });
    let imported = match filled.and_then(|imported| {
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

/// Longest file whose hash is computed before anything is written, in bytes: a tenth of a second.
const HASHED_FIRST_BYTES: u64 = 64 << 20;

/// What a directory is made for.
pub(super) struct Target {
    /// The engine with which the server is going to run.
    pub(super) kind: EngineKind,
    /// By how much the revision is raised.
    pub(super) revision_bump: u64,
}

/// What is done about the hash at the end of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hash {
    /// It must be right.
    Checked,
    /// It is.
    Right,
    /// Nobody wants to know.
    PassedOver,
    /// There is none, and that is all right.
    Missing,
}

impl Hash {
    fn of(database: &Database, args: &RestoreArgs) -> Result<Hash, Failure> {
        match (snapshot_hash::has_hash(database.file_bytes()), args.skip_hash_check) {
            (true, false) => Ok(Hash::Checked),
            (true, true) => Ok(Hash::PassedOver),
            (false, true) => Ok(Hash::Missing),
            (false, false) => Err(Failure::Refused(
                "snapshot missing hash but --skip-hash-check=false".to_owned(),
            )),
        }
    }

    fn warn(self, surroundings: &mut Surroundings<'_>) {
        let why = match self {
            Hash::Checked | Hash::Right => return,
            Hash::PassedOver => "the hash of the snapshot isn't looked at",
            Hash::Missing => "the snapshot has no hash",
        };
        surroundings.tell(format_args!("Warning: {why}: damage in it may go unnoticed"));
    }

    /// Computes it at once where that takes no time.
    fn check_if_small(
        self,
        database: &Database,
        surroundings: &mut Surroundings<'_>,
    ) -> Result<Hash, Failure> {
        if self != Hash::Checked || database.file_bytes() > HASHED_FIRST_BYTES {
            return Ok(self);
        }
        let (vfs, path) = (surroundings.vfs.clone(), database.path());
        let mut progress = surroundings.progress("checking", database.file_bytes());
        let hash = snapshot_hash::check(&*vfs, path, &mut |bytes| progress.add(bytes));
        refuse_wrong(hash.map_err(Failure::io(path))?).map(|()| Hash::Right)
    }

    /// Does `work` while another thread computes the hash. The work can ask whether the hash may
    /// still be right. If it isn't, that is what is wrong, whatever the work has met.
    fn check_beside<T>(
        self,
        vfs: &dyn Vfs,
        path: &Path,
        work: impl FnOnce(&dyn Fn() -> bool) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self != Hash::Checked {
            return work(&|| true);
        }
        let is_wrong = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let hashing = scope.spawn(|| {
                let hash = snapshot_hash::check(vfs, path, &mut |_| {});
                let hash = hash.map_err(Failure::io(path)).and_then(refuse_wrong);
                is_wrong.store(hash.is_err(), Ordering::Relaxed);
                hash
            });
            let done = work(&|| !is_wrong.load(Ordering::Relaxed));
            hashing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            done
        })
    }
}

fn refuse_wrong(hash: SnapshotHash) -> Result<(), Failure> {
    match hash {
        SnapshotHash::Right => Ok(()),
        // It was there when it was looked for.
        SnapshotHash::Missing => Err(Failure::Refused("the snapshot has changed".to_owned())),
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

/// Makes engine and log under their names of before the end, for who holds the place. It is
/// given up when nobody wants it any more.
pub(super) fn fill(
    place: &Place,
    held: &dyn FileLock,
    database: &Database,
    founders: &Founders,
    into: Target,
    is_wanted: &dyn Fn() -> bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(Imported, DataDir), Failure> {
    let vfs: Arc<dyn Vfs> = surroundings.vfs.clone();
    let data_dir = DataDir::open_held(vfs.clone(), place.part(), place.log_part(), held)?;
    let engine = into.kind.open_to_fill(&vfs, data_dir.engine())?;
    let mark = founders.mark();
    let target = ImportAs {
        index: mark.index,
        term: mark.term,
        conf_state: founders.conf_state(),
        members: ImportMembers::Founders(&founders.members),
        revision_bump: into.revision_bump,
        batch_records: IMPORT_BATCH_RECORDS,
        waiting_memtables_max: folder::WAITING_MEMTABLES_MAX,
    };
    let mut progress = surroundings.progress("restoring", database.file_bytes());
    let imported = import(database, &engine, &target, &mut |bytes| {
        progress.add(bytes);
        is_wanted()
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

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_vfs::MemVfs;
    use sha2::{Digest, Sha256};

    #[test]
    fn what_is_done_beside_a_wrong_hash_is_given_up() {
        let vfs = MemVfs::new();
        let content = vec![7; 4096];
        let right = [&content[..], &Sha256::digest(&content)].concat();
        for (name, bytes) in [("right", right.clone()), ("wrong", [&right[1..], &[0]].concat())] {
            let file = vfs.create_append(Path::new(name));
            file.and_then(|mut file| file.append(&bytes)).expect("memory");
        }
        let path = Path::new("right");
        let done = Hash::Checked.check_beside(&vfs, path, |is_right| Ok(is_right()));
        assert!(done.expect("nothing is wrong"));
        let failed = Hash::Checked.check_beside(&vfs, path, |_| {
            Err::<(), _>(Failure::Refused("the disk is full".to_owned()))
        });
        assert_eq!(failed.expect_err("the work failed").to_string(), "the disk is full");
        let refused = Hash::Checked.check_beside(&vfs, Path::new("wrong"), |is_right| {
            while is_right() {
                std::thread::yield_now();
            }
            Err::<(), _>(Failure::Refused("it was given up".to_owned()))
        });
        let refused = refused.expect_err("the hash is wrong").to_string();
        assert!(refused.starts_with("expected sha256 ["), "{refused}");
        let passed_over = Hash::PassedOver.check_beside(&vfs, Path::new("wrong"), |_| Ok(5));
        assert_eq!(passed_over.expect("nobody looks"), 5);
    }
}
