//! The receiver's side: files come in chunks, in the order of the manifest's files or any other,
//! but each from its beginning to its end.
//!
//! One snapshot at a time, whatever its form: [`super::from_etcd`] has the other one. Its folder
//! belongs to this until it is offered to raft, and then to raft until it is installed or turns out
//! not to be needed. A start removes what is left.

use super::manifest::Manifest;
use crate::metrics::{Metrics, SnapshotMetrics};
use parking_lot::Mutex;
use retcd_api::raftpb;
use retcd_engine::bolt::Database;
use retcd_engine::lsm;
use retcd_vfs::{AppendFile, Vfs};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Why something isn't taken.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It isn't what comes next: the sender asks again what is here.
    OutOfStep,
    /// Another snapshot is on its way to be the state.
    Busy,
    /// It can't be used here.
    Unusable(String),
    /// A file can't be written.
    Io(io::Error),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::OutOfStep => f.write_str("not the next chunk"),
            Refusal::Busy => f.write_str("a snapshot is being installed"),
            Refusal::Unusable(why) => f.write_str(why),
            Refusal::Io(error) => write!(f, "failed to save snapshot: {error}"),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Io(error)
    }
}

/// See the module's text.
pub(crate) struct Receiver {
    vfs: Arc<dyn Vfs>,
    /// Where the files go.
    dir: PathBuf,
    /// This member's storage engine.
    engine: &'static str,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

enum State {
    /// Nothing is here.
    Idle,
    /// Some of it is here.
    Receiving(Box<Reception>),
    /// Some of a database of etcd's is here, or it is being imported.
    Database,
    /// Raft has been offered it.
    Offered,
}

struct Reception {
    manifest: Manifest,
    files: Vec<Received>,
    began: Instant,
    metrics: SnapshotMetrics,
}

/// As far as a file is here.
#[derive(Default)]
struct Received {
    bytes: u64,
    /// Open between its first chunk and its last.
    file: Option<Box<dyn AppendFile>>,
}

impl Receiver {
    /// Nothing is here; what is left of an earlier life is removed.
    pub(crate) fn open(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        engine: &'static str,
        metrics: Arc<Metrics>,
    ) -> io::Result<Receiver> {
        let state = Mutex::new(State::Idle);
        let receiver = Receiver { vfs, dir: dir.to_owned(), engine, metrics, state };
        remove_folder(&*receiver.vfs, dir)?;
        receiver.remove_staged()?;
        Ok(receiver)
    }

    /// Where a database of etcd's waits to be imported.
    fn staged(&self) -> PathBuf {
        self.dir.with_extension("etcd")
    }

    fn remove_staged(&self) -> io::Result<()> {
        let staged = self.staged();
        match self.vfs.exists(&staged)? {
            true => self.vfs.remove_file(&staged),
            false => Ok(()),
        }
    }

    /// Begins a database of etcd's: the file that it goes into.
    pub(super) fn begin_database(&self) -> Result<Box<dyn AppendFile>, Refusal> {
        let mut state = self.state.lock();
        match &mut *state {
            State::Offered | State::Database => return Err(Refusal::Busy),
            State::Receiving(reception) => reception.metrics.failed(),
            State::Idle => {}
        }
        *state = State::Idle;
        remove_folder(&*self.vfs, &self.dir)?;
        self.remove_staged()?;
        let file = self.vfs.create_append(&self.staged())?;
        *state = State::Database;
        Ok(file)
    }

    /// The database that is here.
    pub(super) fn database(&self) -> retcd_engine::Result<Database> {
        Database::open(&*self.vfs, &self.staged())
    }

    /// The database was imported into the folder, durably: raft is offered that.
    pub(super) fn end_database(&self) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        self.remove_staged()?;
        self.vfs.sync_dir(&self.dir)?;
        *state = State::Offered;
        Ok(())
    }

    /// The database won't be the state.
    pub(super) fn give_up_database(&self) {
        self.give_up(&mut self.state.lock());
    }

    /// Where the files are.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The snapshot that was offered is the state now.
    pub(crate) fn installed(&self) {
        *self.state.lock() = State::Idle;
    }

    /// The snapshot that was offered isn't needed.
    pub(crate) fn discard(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        *state = State::Idle;
        remove_folder(&*self.vfs, &self.dir)
    }

    /// Begins a snapshot, or goes on with it: how much of each file is here.
    pub(super) fn begin(&self, manifest: Manifest) -> Result<Vec<u64>, Refusal> {
        let mut state = self.state.lock();
        match &mut *state {
            State::Offered | State::Database => return Err(Refusal::Busy),
            State::Receiving(reception) if reception.manifest == manifest => {
                return Ok(reception.files.iter().map(|file| file.bytes).collect());
            }
            State::Receiving(reception) => {
                reception.metrics.failed();
                *state = State::Idle;
            }
            State::Idle => {}
        }
        if manifest.engine != self.engine {
            return Err(Refusal::Unusable(format!(
                "the snapshot is of the storage engine {}, and this member has {}",
                manifest.engine, self.engine
            )));
        }
        if !manifest.is_sound() {
            return Err(Refusal::Unusable("bad names of files".into()));
        }
        remove_folder(&*self.vfs, &self.dir)?;
        self.vfs.create_dir_all(&self.dir)?;
        let files: Vec<_> = manifest.files.iter().map(|_| Received::default()).collect();
        let counts = vec![0; files.len()];
        let metrics = self.metrics.network().receiving(manifest.from);
        tracing::info!(
            "remote-peer-id" = %format_args!("{:x}", manifest.from),
            "incoming-snapshot-index" = manifest.index,
            bytes = manifest.bytes(),
            "receiving database snapshot"
        );
        let began = Instant::now();
        *state = State::Receiving(Box::new(Reception { manifest, files, began, metrics }));
        Ok(counts)
    }

    /// Takes a chunk of a file.
    pub(super) fn chunk(
        &self,
        file: usize,
        offset: u64,
        checksum: u32,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        let State::Receiving(reception) = &mut *state else {
            return Err(Refusal::OutOfStep);
        };
        let taken = reception.take(&*self.vfs, &self.dir, file, offset, checksum, bytes);
        if matches!(taken, Err(Refusal::Io(_))) {
            self.give_up(&mut state);
        }
        taken
    }

    /// Everything was sent: verifies it, makes it durable, and gives the message for raft, which is
    /// offered the snapshot with that.
    pub(super) fn finish(&self) -> Result<raftpb::Message, Refusal> {
        let mut state = self.state.lock();
        let State::Receiving(reception) = &mut *state else {
            return Err(Refusal::OutOfStep);
        };
        match reception.end(&*self.vfs, &self.dir) {
            Err(Refusal::OutOfStep) => Err(Refusal::OutOfStep),
            Err(refusal) => {
                self.give_up(&mut state);
                Err(refusal)
            }
            Ok(()) => {
                let message = reception.manifest.message();
                reception.metrics.succeeded(reception.began.elapsed());
                *state = State::Offered;
                Ok(message)
            }
        }
    }

    fn give_up(&self, state: &mut State) {
        if let State::Receiving(reception) = state {
            reception.metrics.failed();
        }
        *state = State::Idle;
        let removed = remove_folder(&*self.vfs, &self.dir);
        if let Err(error) = removed.and_then(|()| self.remove_staged()) {
            tracing::warn!(%error, "files of a snapshot that was given up stay behind");
        }
    }
}

impl Reception {
    fn take(
        &mut self,
        vfs: &dyn Vfs,
        dir: &Path,
        file: usize,
        offset: u64,
        checksum: u32,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        let (Some(listed), Some(received)) =
            (self.manifest.files.get(file), self.files.get_mut(file))
        else {
            return Err(Refusal::Unusable("no such file".into()));
        };
        let end = offset.saturating_add(bytes.len() as u64);
        if offset != received.bytes || end > listed.bytes || bytes.is_empty() {
            return Err(Refusal::OutOfStep);
        }
        if crc32fast::hash(bytes) != checksum {
            return Err(Refusal::OutOfStep);
        }
        let open = match &mut received.file {
            Some(open) => open,
            None => received.file.insert(vfs.create_append(&dir.join(&listed.name))?),
        };
        open.append(bytes)?;
        received.bytes = end;
        if end == listed.bytes {
            open.sync()?;
            received.file = None;
        }
        Ok(())
    }

    /// Checks that all files are here, and makes their names durable.
    fn end(&mut self, vfs: &dyn Vfs, dir: &Path) -> Result<(), Refusal> {
        let listed = || self.manifest.files.iter();
        if listed().zip(&self.files).any(|(file, received)| file.bytes != received.bytes) {
            return Err(Refusal::OutOfStep);
        }
        for empty in listed().filter(|file| file.bytes == 0) {
            vfs.create_append(&dir.join(&empty.name))?.sync()?;
        }
        vfs.sync_dir(dir)?;
        if self.manifest.engine == "lsm" {
            let verified = lsm::checkpoint::verify(vfs, dir);
            let applied = verified.map_err(|error| match error {
                // It says nothing about the snapshot.
                retcd_engine::Error::Io { source, .. } => Refusal::Io(source),
                error => Refusal::Unusable(error.to_string()),
            })?;
            if (applied.index, applied.term) != (self.manifest.index, self.manifest.index_term) {
                return Err(Refusal::Unusable("its files are of another index".into()));
            }
        }
        Ok(())
    }
}

/// Removes a folder of files, if it is there.
pub(super) fn remove_folder(vfs: &dyn Vfs, dir: &Path) -> io::Result<()> {
    if !vfs.exists(dir)? {
        return Ok(());
    }
    for name in vfs.list(dir)? {
        vfs.remove_file(&dir.join(name))?;
    }
    vfs.remove_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::super::manifest::tests::manifest;
    use super::*;
    use crate::flags::MetricsDetail;
    use crate::metrics::Facts;
    use retcd_vfs::MemVfs;

    const DIR: &str = "/snap/incoming";

    fn receiver(vfs: &MemVfs) -> Receiver {
        let metrics = Arc::new(Metrics::new(&Facts {
            member_id: 2,
            quota_bytes: None,
            log_io: "direct".to_owned(),
            log_depth: 1,
            detail: MetricsDetail::Basic,
        }));
        Receiver::open(Arc::new(vfs.clone()), DIR.as_ref(), "btree", metrics).expect("memory")
    }

    fn of_btree(files: &[(&str, u64)]) -> Manifest {
        Manifest { engine: "btree".into(), ..manifest(files) }
    }

    fn send(receiver: &Receiver, file: usize, offset: u64, bytes: &[u8]) -> Result<(), Refusal> {
        receiver.chunk(file, offset, crc32fast::hash(bytes), bytes)
    }

    fn names(vfs: &MemVfs) -> usize {
        let dir = Path::new(DIR);
        if vfs.exists(dir).expect("memory") { vfs.list(dir).expect("memory").len() } else { 0 }
    }

    #[test]
    fn files_come_in_chunks_and_go_on_where_they_were() {
        let vfs = MemVfs::new();
        let receiver = receiver(&vfs);
        let wanted = of_btree(&[("a", 4), ("b", 3), ("empty", 0)]);
        assert!(matches!(send(&receiver, 0, 0, b"12"), Err(Refusal::OutOfStep)), "none began");
        assert_eq!(receiver.begin(wanted.clone()).expect("it is sound"), [0, 0, 0]);
        send(&receiver, 0, 0, b"12").expect("the first chunk");
        assert!(matches!(send(&receiver, 0, 0, b"12"), Err(Refusal::OutOfStep)), "again");
        assert!(matches!(send(&receiver, 0, 2, b"345"), Err(Refusal::OutOfStep)), "too long");
        assert!(matches!(receiver.chunk(0, 2, 7, b"34"), Err(Refusal::OutOfStep)), "damaged");
        assert!(matches!(send(&receiver, 3, 0, b"1"), Err(Refusal::Unusable(_))));
        assert!(matches!(receiver.finish(), Err(Refusal::OutOfStep)));
        assert_eq!(receiver.begin(wanted.clone()).expect("the same one"), [2, 0, 0]);
        send(&receiver, 1, 0, b"abc").expect("any order of files");
        send(&receiver, 0, 2, b"34").expect("the rest");
        let message = receiver.finish().expect("all is here");
        assert_eq!(message, wanted.message());
        assert_eq!(names(&vfs), 3);
        assert!(matches!(receiver.begin(wanted.clone()), Err(Refusal::Busy)));
        receiver.discard().expect("memory");
        assert_eq!(names(&vfs), 0);
        receiver.begin(wanted).expect("there is room again");
    }

    #[test]
    fn another_snapshot_takes_the_place_and_a_start_clears_it() {
        let vfs = MemVfs::new();
        let first = receiver(&vfs);
        first.begin(of_btree(&[("a", 4)])).expect("it is sound");
        send(&first, 0, 0, b"12").expect("the first chunk");
        assert_eq!(first.begin(of_btree(&[("b", 4)])).expect("it is sound"), [0]);
        assert_eq!(names(&vfs), 0);
        send(&first, 0, 0, b"1234").expect("all of it");
        assert_eq!(names(&vfs), 1);
        receiver(&vfs);
        assert_eq!(names(&vfs), 0);
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let vfs = MemVfs::new();
        let receiver = receiver(&vfs);
        let refused = receiver.begin(manifest(&[("a", 1)])).expect_err("of the other engine");
        assert!(refused.to_string().contains("lsm"), "{refused}");
        assert!(receiver.begin(of_btree(&[("../a", 1)])).is_err());
    }
}
