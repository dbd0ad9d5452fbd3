//! `backup`: from the data directory of a member that doesn't run to the directory of a member of a
//! new cluster, with everything that the old one knows to be committed.
//!
//! 1. The old directory is locked, and its files are copied into `BACKUP/member.part/copy`.
//! 2. On the copy the member goes on alone, as with `--force-new-cluster`, until all that its log
//!    has is applied. The old directory isn't touched by that.
//! 3. What it has then is written as a snapshot, and a member is made of that under new ids, as
//!    `snapshot restore` does it.
//! 4. The copy goes, and `BACKUP/member.part` becomes `BACKUP/member`.
//!
//! What is left of a backup that was killed looks like that of a restore: no member starts on it,
//! and the next one removes it.

use super::args::BackupArgs;
use super::failure::Failure;
use super::folder::{self, EngineKind};
use super::place::Place;
use super::restore::{self, Target};
use super::{Surroundings, source};
use retcd_engine::sort::Sorter;
use retcd_mvcc::{Config, DatabaseOrigin, Imported};
use retcd_raft_glue::{
    BootstrapOptions, DataDir, Error as MemberError, Founders, FoundingMember, Inline, Input,
    MEMBER_NAME, bootstrap,
};
use retcd_vfs::{AppendFile, FileLock, Vfs};
use retcd_wal::segments;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// The only member of the new cluster, until somebody says otherwise.
const NAME: &str = "default";
const PEER_URL: &str = "http://localhost:2380";

/// The old member's folder, within the new one's.
const COPY_NAME: &str = "copy";
/// The copied member's content, beside it.
const SNAPSHOT_NAME: &str = "backup.db";

/// How much of a file is in memory while it is copied.
const PIECE_BYTES: usize = 1 << 20;
/// How many entries are applied at once.
const BATCH_ENTRIES: usize = 1000;
/// How much the sort of the snapshot's pairs may hold in memory.
const SORT_BYTES: usize = 32 << 20;
const ELECTION_TICKS: usize = 10;
/// A lone member leads after fewer ticks.
const TICKS_MAX: usize = 10 * ELECTION_TICKS;

/// Runs it.
pub(super) fn run(args: &BackupArgs, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let (data_dir, backup_dir) = args.dirs()?;
    let vfs = surroundings.vfs.clone();
    let held = folder::hold(&*vfs, data_dir, args.wal_dir())?;
    check_source(args, &*vfs)?;
    let place = Place::new(backup_dir, args.backup_wal_dir());
    place.check(&*vfs)?;
    let token = format!("backup-{:x}", surroundings.log.salt);
    let founders = Founders::new(NAME, &[founder()], &token)?;
    let (from, to) = (data_dir.display(), backup_dir.display());
    surroundings.tell(format_args!("backing up {from} to {to}"));
    let copy = place.part().join(COPY_NAME);
    // Nobody else begins in the same place until the end.
    let begun = place.begin(&*vfs)?;
    let made = copy_member(data_dir, args.wal_dir(), &copy, surroundings).and_then(|kind| {
        drop(held);
        write_snapshot(&copy, kind, &copy.join(SNAPSHOT_NAME), surroundings)?;
        make(&place, &*begun, kind, &founders, surroundings)
    });
    let imported = match made {
        Ok(imported) => imported,
        Err(failure) => {
            // The first failure is the one to be told.
            let _ = place.remove_parts(&*vfs);
            return Err(failure);
        }
    };
    drop(begun);
    restore::tell_content(&imported, &founders, surroundings);
    Ok(())
}

fn founder() -> FoundingMember {
    FoundingMember { name: NAME.to_owned(), peer_urls: vec![PEER_URL.to_owned()] }
}

/// Makes sure that there is a log, and that nothing is to be made in what is copied.
fn check_source(args: &BackupArgs, vfs: &dyn Vfs) -> Result<(), Failure> {
    let (data_dir, backup_dir) = args.dirs()?;
    let member = data_dir.join(MEMBER_NAME);
    let log_dir = args.wal_dir().map_or_else(|| member.join("wal"), Path::to_owned);
    let names = match vfs.exists(&log_dir).map_err(Failure::io(&log_dir))? {
        true => segments(vfs, &log_dir).map_err(MemberError::from)?,
        false => Vec::new(),
    };
    if names.is_empty() {
        let log_dir = log_dir.display();
        let reason = format!("there is no log in \"{log_dir}\": --wal-dir says where it lies");
        return Err(Failure::Refused(reason));
    }
    // Folders in the member's own may be links to elsewhere.
    for copied in [&member, &member.join("snap"), &member.join("snap/db"), &log_dir] {
        if !vfs.exists(copied).map_err(Failure::io(copied))? {
            continue;
        }
        for made in [Some(backup_dir), args.backup_wal_dir()].into_iter().flatten() {
            if vfs.leads_into(made, copied).map_err(Failure::io(copied))? {
                let (made, copied) = (made.display(), copied.display());
                return Err(Failure::BadArguments(format!(
                    "\"{made}\" lies within \"{copied}\", which is to be backed up"
                )));
            }
        }
    }
    Ok(())
}

/// Makes the new member of the copy of the old one.
fn make(
    place: &Place,
    held: &dyn FileLock,
    kind: EngineKind,
    founders: &Founders,
    surroundings: &mut Surroundings<'_>,
) -> Result<Imported, Failure> {
    let (vfs, copy) = (surroundings.vfs.clone(), place.part().join(COPY_NAME));
    let database = source::open(&*vfs, &copy.join(SNAPSHOT_NAME))?;
    let target = Target { kind, revision_bump: 0 };
    let wanted = &|| true;
    let filled = restore::fill(place, held, &database, founders, target, wanted, surroundings)?;
    let (imported, _data_dir) = filled;
    drop(database);
    folder::remove(&*vfs, &copy)?;
    place.show(&*vfs)?;
    Ok(imported)
}

/// Copies what the member has; nobody can start it meanwhile.
fn copy_member(
    data_dir: &Path,
    log_dir: Option<&Path>,
    copy: &Path,
    surroundings: &mut Surroundings<'_>,
) -> Result<EngineKind, Failure> {
    let vfs = surroundings.vfs.clone();
    let member = data_dir.join(MEMBER_NAME);
    let kind = folder::kind_of(&*vfs, &member.join("snap/db"))?;
    let mut progress = surroundings.progress("copying", 0);
    let mut copied = |bytes| progress.add(bytes);
    let own_log = member.join("wal");
    let passed_over = log_dir.map(|_| &*own_log);
    copy_folder(&*vfs, &member, copy, passed_over, &mut copied)?;
    if let Some(log_dir) = log_dir {
        copy_folder(&*vfs, log_dir, &copy.join("wal"), None, &mut copied)?;
    }
    Ok(kind)
}

/// Copies a folder and all in it, except one path, and locks, which are no content.
fn copy_folder(
    vfs: &dyn Vfs,
    from: &Path,
    to: &Path,
    passed_over: Option<&Path>,
    copied: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    vfs.create_dir_all(to).map_err(Failure::io(to))?;
    for name in vfs.list(from).map_err(Failure::io(from))? {
        let (from, to) = (from.join(&name), to.join(&name));
        if passed_over == Some(&*from) {
            continue;
        }
        match vfs.list(&from) {
            Ok(_) => copy_folder(vfs, &from, &to, passed_over, copied)?,
            Err(_) if name == Path::new("lock") => {}
            Err(_) => copy_file(vfs, &from, &to, copied)?,
        }
    }
    Ok(())
}

fn copy_file(
    vfs: &dyn Vfs,
    from: &Path,
    to: &Path,
    copied: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    let source = vfs.open_read(from).map_err(Failure::io(from))?;
    let mut target = vfs.create_append(to).map_err(Failure::io(to))?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = 0;
    loop {
        let read = source.read_at(at, &mut piece).map_err(Failure::io(from))?;
        if read == 0 {
            return target.sync().map_err(Failure::io(to));
        }
        target.append(&piece[..read]).map_err(Failure::io(to))?;
        at += read as u64;
        copied(read as u64);
    }
}

/// Opens the copied member, lets it apply all that it has, and writes that as a snapshot.
fn write_snapshot(
    copy: &Path,
    kind: EngineKind,
    file: &Path,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let vfs: Arc<dyn Vfs> = surroundings.vfs.clone();
    let data_dir = DataDir::open_member(vfs.clone(), copy, None)?;
    let options = BootstrapOptions {
        name: NAME.to_owned(),
        initial_cluster: Vec::new(),
        initial_cluster_token: String::new(),
        joins: None,
        stands_alone: Some(founder()),
        log: surroundings.log,
        store: Config::default(),
        election_ticks: ELECTION_TICKS,
        pre_vote: true,
        seed: surroundings.log.salt,
    };
    let own = vfs.clone();
    let member = Inline::new(bootstrap(data_dir, options, move |dir| kind.open(&own, dir))?);
    let member = caught_up(member)?;
    let scratch = copy.join("sort");
    vfs.create_dir_all(&scratch).map_err(Failure::io(&scratch))?;
    // The new member's configuration is its own.
    let conf_state_json = &|_: &bytes::Bytes| Some(b"{}".to_vec());
    let term = member.parts().log.state().last_term;
    let origin = DatabaseOrigin { term, conf_state_json, is_wanted: &|| true };
    let sorter = Sorter::new(vfs.clone(), &scratch, SORT_BYTES);
    let database = member.store().etcd_database(sorter, &origin)?;
    let append = vfs.create_append(file).map_err(Failure::io(file))?;
    let mut writer = io::BufWriter::with_capacity(PIECE_BYTES, Appending(append));
    database.write(&mut writer)?;
    let Appending(mut append) =
        writer.into_inner().map_err(|error| Failure::Io(file.to_owned(), error.into_error()))?;
    append.sync().map_err(Failure::io(file))?;
    drop(database);
    Ok(member.close()?)
}

/// Lets a lone member apply everything that its log has.
fn caught_up(mut member: Inline) -> Result<Inline, Failure> {
    let last = member.parts().log.state().last_index;
    for _ in 0..TICKS_MAX {
        while member.consult()?
            || member.submit()?
            || member.complete()?
            || member.apply(BATCH_ENTRIES)?
            || member.maintain()?
        {
            // Nobody waits for what it has to say, and it would grow.
            member.told();
        }
        if member.store().applied_index() >= last {
            return Ok(member);
        }
        member.step(Input::Tick)?;
    }
    let applied = member.store().applied_index();
    Err(Failure::Refused(format!(
        "the member's log goes up to {last}, and only {applied} can be applied"
    )))
}

/// A file that is written from front to end.
struct Appending(Box<dyn AppendFile>);

impl Write for Appending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
