//! `snapshot save`.
//!
//! 1. What comes is written to a file beside the one that is wanted, whose name ends with `.part`.
//! 2. When all of it is there its checksum is checked and the file synced.
//! 3. Then it gets its name, which is synced too.
//!
//! Whatever ends the work before that removes the file, so that nothing incomplete has the name.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use retcd_api::etcdserverpb::SnapshotRequest;

use super::checksum::Checksum;
use crate::app::App;
use crate::client::{CallError, Client, Deadline};
use crate::failure::{Failure, Outcome, code};
use crate::go::io_error::describe;
use crate::go::{duration, log};
use crate::interrupt::Interrupt;
use crate::output::human;
use crate::progress::Progress;

const EXAMPLES: &str = "\
It is taken from the one endpoint that --endpoints names. 'etcdutl snapshot restore' makes a data
directory of it.

Example:
  etcdctl --endpoints=10.0.0.1:2379 snapshot save backup.db";

/// Save all that a member has to a file
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl snapshot save FILE", after_help = EXAMPLES)]
pub(super) struct Save {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Save {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let [file] = &self.args[..] else {
            return Err(Failure::bad_arguments("snapshot save expects one argument"));
        };
        let (settings, mut printer) = app.settings()?;
        let endpoints: Vec<_> = settings.endpoints.iter().map(|one| one.text.clone()).collect();
        let [endpoint] = &endpoints[..] else {
            let endpoints = endpoints.join(" ");
            return Err(interrupted(format!(
                "snapshot must be requested to one selected node, not multiple [{endpoints}]"
            )));
        };
        let deadline = if app.is_given("command-timeout") {
            Deadline::after(app.global().command_timeout)
        } else {
            Deadline::NEVER
        };
        let client = Client::connect(settings).await.map_err(|e| interrupted(e.into_message()))?;
        let mut interrupt = Interrupt::listen()?;
        let mut part = Part::create(Path::new(file)).map_err(interrupted)?;
        tokio::select! {
            fetched = fetch(&client, endpoint, &mut part, deadline) => fetched?,
            () = interrupt.wait() => return Err(interrupted("context canceled")),
        }
        part.publish().map_err(interrupted)?;
        let name = file.to_string_lossy();
        log::write("info", "saved", &[("path", &name)]);
        printer.say(&format!("Snapshot saved at {name}"))
    }
}

fn interrupted(message: impl std::fmt::Display) -> Failure {
    Failure::new(code::INTERRUPTED, message)
}

/// Fills the file.
async fn fetch(client: &Client, endpoint: &str, part: &mut Part, deadline: Deadline) -> Outcome {
    let begun = Instant::now();
    let failed = |error: CallError| interrupted(error);
    let mut stream = client.download(SnapshotRequest {}, deadline).await.map_err(failed)?;
    log::write("info", "fetching snapshot", &[("endpoint", endpoint)]);
    let mut checksum = Checksum::default();
    let mut progress = Progress::new();
    loop {
        let piece = deadline.limit(stream.message()).await.map_err(failed)?;
        let Some(piece) = piece.map_err(|status| failed(status.into()))? else {
            break;
        };
        part.file.write_all(&piece.blob)?;
        checksum.add(&piece.blob);
        progress.show(|| {
            let (done, left) = (checksum.length(), piece.remaining_bytes);
            let speed = done as f64 / begun.elapsed().as_secs_f64();
            let (all, speed) = (human(done + left), human(speed as u64));
            format!("{} of {all}, {speed}/s", human(done))
        });
    }
    drop(progress);
    let size = human(checksum.length());
    checksum.verify().map_err(interrupted)?;
    let took = duration::format(begun.elapsed());
    let fields = [("endpoint", endpoint), ("size", &size), ("took", &took)];
    log::write("info", "fetched snapshot", &fields);
    Ok(())
}

/// A file that isn't complete yet. It is removed unless it is published.
struct Part {
    file: File,
    path: PathBuf,
    /// Where it is to be in the end.
    destination: PathBuf,
    is_published: bool,
}

impl Part {
    /// Makes an empty file, which only its owner may read, beside `destination`.
    fn create(destination: &Path) -> Result<Self, String> {
        let mut name = destination.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let name = path.display();
        let file = options.open(&path).map_err(|error| {
            format!("could not open {name} (open {name}: {})", describe(&error))
        })?;
        log::write("info", "created temporary db file", &[("path", &name.to_string())]);
        Ok(Self { file, path, destination: destination.to_owned(), is_published: false })
    }

    /// Makes it durable under its name.
    fn publish(mut self) -> Result<(), String> {
        let (from, to) = (self.path.display(), self.destination.display());
        self.file
            .sync_all()
            .map_err(|error| format!("could not sync {from} ({})", describe(&error)))?;
        fs::rename(&self.path, &self.destination)
            .map_err(|error| format!("could not rename {from} to {to} ({})", describe(&error)))?;
        self.is_published = true;
        let folder = match self.destination.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced
            .map_err(|error| format!("could not sync {} ({})", folder.display(), describe(&error)))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_published {
            // If it can't be removed it is left, under a name that says what it is.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gets_its_name_when_it_is_complete() {
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let destination = folder.path().join("snapshot");
        fs::write(&destination, "before").expect("the folder is writable");
        let names = || fs::read_dir(folder.path()).expect("it is a folder").count();

        let mut part = Part::create(&destination).expect("the folder is writable");
        part.file.write_all(b"half").expect("there is space");
        assert_eq!(names(), 2);
        drop(part);
        assert_eq!(fs::read(&destination).expect("it was there"), b"before");
        assert_eq!(names(), 1);

        let mut part = Part::create(&destination).expect("the folder is writable");
        part.file.write_all(b"whole").expect("there is space");
        part.publish().expect("the folder is writable");
        assert_eq!(fs::read(&destination).expect("it is there"), b"whole");
        assert_eq!(names(), 1);
    }
}
