//! What `etcdutl` can be told.

use super::failure::Failure;
use super::folder::EngineKind;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};

/// Why there is no `migrate`.
pub(super) const NO_MIGRATION: &str = "there is no storage version to migrate: a member opens \
    directories of all earlier versions and brings them up to date by itself. To move between etcd \
    and this server take a snapshot (etcdctl snapshot save) and restore it with the etcdutl of the \
    one that you move to";

/// Works on snapshots, and on data directories of members that don't run
///
/// It reads snapshots of this server and of etcd alike, and makes data directories of this server.
/// Nothing appears under its final name before it is complete.
#[derive(Parser)]
#[command(name = "etcdutl", subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,

    /// Form of the output: simple, json, fields or table
    #[arg(short = 'w', long, global = true, value_name = "FORM", default_value = "simple")]
    #[arg(help_heading = "Output")]
    pub(super) write_out: String,
}

const EXAMPLES: &str = "Examples:
  etcdutl snapshot status backup.db -w table
  etcdutl snapshot restore backup.db --data-dir default.etcd
  etcdutl defrag --data-dir default.etcd
  etcdutl completion bash > /etc/bash_completion.d/etcdutl";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Look at a snapshot, or make a data directory of one
    #[command(subcommand_required = true, arg_required_else_help = true)]
    #[command(after_help = SNAPSHOT_EXAMPLES)]
    Snapshot {
        #[command(subcommand)]
        command: SnapshotCommand,
    },
    /// Give back all space that a stopped member's database doesn't need
    ///
    /// A running member does that by itself, and on request (etcdctl defrag). A directory that a
    /// member runs on is refused.
    #[command(after_help = "Example:\n  etcdutl defrag --data-dir default.etcd")]
    Defrag(DefragArgs),
    /// Print the hash by which members compare their keys and history
    ///
    /// Of a snapshot, or of the data directory of a member that doesn't run. Equal content gives
    /// the number that a member's HashKV gives, also one of etcd's.
    #[command(after_help = HASHKV_EXAMPLES)]
    Hashkv(HashkvArgs),
    /// Make a data directory for a new cluster of that of a member that doesn't run
    ///
    /// Everything that the member knows to be committed is taken, also what only its log has. The
    /// backup is the only member of a cluster of its own, with new ids; nothing is changed in the
    /// directory that it is made of. Of a member that runs, take a snapshot instead.
    #[command(after_help = BACKUP_EXAMPLES)]
    Backup(BackupArgs),
    /// Not available: says what to do instead
    #[command(after_help = INSTEAD_EXAMPLES)]
    Migrate(Anything),
    /// Print the version
    #[command(after_help = "Example:\n  etcdutl version")]
    Version,
    /// Print a script that completes commands in a shell
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completion {
        /// The shell
        shell: Shell,
    },
}

const SNAPSHOT_EXAMPLES: &str = "Examples:
  etcdutl snapshot status backup.db -w table
  etcdutl snapshot restore backup.db --data-dir default.etcd";

const BACKUP_EXAMPLES: &str = "Examples:
  etcdutl backup --data-dir default.etcd --backup-dir backup.etcd
  etcd --data-dir backup.etcd";

const INSTEAD_EXAMPLES: &str = "Example:
  etcdctl snapshot save backup.db
  etcdutl snapshot restore backup.db --data-dir default.etcd";

const COMPLETION_EXAMPLES: &str = "Examples:
  source <(etcdutl completion bash)
  etcdutl completion fish > ~/.config/fish/completions/etcdutl.fish";

const HASHKV_EXAMPLES: &str = "Examples:
  etcdutl hashkv backup.db
  etcdutl hashkv backup.db --rev 1000 -w json";

#[derive(Subcommand)]
pub(super) enum SnapshotCommand {
    /// Print hash, revision, number of keys and size of a snapshot, after checking that it is whole
    #[command(after_help = "Example:\n  etcdutl snapshot status backup.db -w table")]
    Status(FileArgs),
    /// Make a data directory for a member of a new cluster
    ///
    /// Keys, history, leases, users, roles and alarms are the snapshot's; members and ids are new.
    /// Each member of the new cluster is restored from the same snapshot, with its own --name and
    /// --initial-advertise-peer-urls and the same --initial-cluster and --initial-cluster-token.
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore(RestoreArgs),
}

const RESTORE_EXAMPLES: &str = "Examples:
  One member:
    etcdutl snapshot restore backup.db --data-dir default.etcd
  One of three, whose clients shall notice that the past has changed:
    etcdutl snapshot restore backup.db --data-dir m1.etcd --name m1 \\
      --initial-cluster m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380 \\
      --initial-advertise-peer-urls http://10.0.0.1:2380 \\
      --bump-revision 1000000000 --mark-compacted";

/// A snapshot's file.
#[derive(clap::Args)]
pub(super) struct FileArgs {
    /// The snapshot
    #[arg(value_name = "FILE", num_args = 0..)]
    files: Vec<PathBuf>,
}

impl FileArgs {
    pub(super) fn file(&self) -> Result<&Path, Failure> {
        one(&self.files, "snapshot status requires exactly one argument")
    }
}

fn one<'a>(files: &'a [PathBuf], otherwise: &str) -> Result<&'a Path, Failure> {
    match files {
        [file] => Ok(file),
        _ => Err(Failure::BadArguments(otherwise.to_owned())),
    }
}

#[derive(clap::Args)]
pub(super) struct DefragArgs {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl DefragArgs {
    pub(super) fn data_dir(&self) -> Result<&Path, Failure> {
        self.data_dir.as_deref().ok_or(Failure::MissingFlag("data-dir"))
    }
}

#[derive(clap::Args)]
pub(super) struct HashkvArgs {
    /// A snapshot, or a data directory
    #[arg(value_name = "FILE", num_args = 0..)]
    paths: Vec<PathBuf>,

    /// Up to this revision; 0 for the newest
    #[arg(long = "rev", value_name = "REVISION", default_value_t = 0)]
    pub(super) revision: i64,
}

impl HashkvArgs {
    pub(super) fn path(&self) -> Result<&Path, Failure> {
        one(&self.paths, "hashkv requires exactly one argument")
    }
}

#[derive(clap::Args)]
pub(super) struct BackupArgs {
    /// The data directory of the member that doesn't run
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Where its log lies, if not within the data directory
    #[arg(long, value_name = "DIR")]
    wal_dir: Option<PathBuf>,

    /// The data directory to be made; it must not exist, or be empty
    #[arg(long, value_name = "DIR")]
    backup_dir: Option<PathBuf>,

    /// Where the new log is to lie, if not within the new data directory; it must not exist
    #[arg(long, value_name = "DIR")]
    backup_wal_dir: Option<PathBuf>,

    /// Taken for etcd's sake: there is nothing else than the third version's data
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(default_value_t = true, action = clap::ArgAction::Set, hide_possible_values = true)]
    with_v3: bool,
}

impl BackupArgs {
    /// The directory that there is, and the one to be made.
    pub(super) fn dirs(&self) -> Result<(&Path, &Path), Failure> {
        if !self.with_v3 {
            return Err(Failure::BadArguments(
                "--with-v3=false would leave nothing: there is only the third version's data"
                    .to_owned(),
            ));
        }
        let data_dir = self.data_dir.as_deref().ok_or(Failure::MissingFlag("data-dir"))?;
        let backup_dir = self.backup_dir.as_deref().ok_or(Failure::MissingFlag("backup-dir"))?;
        Ok((data_dir, backup_dir))
    }

    pub(super) fn wal_dir(&self) -> Option<&Path> {
        self.wal_dir.as_deref().filter(|dir| !dir.as_os_str().is_empty())
    }

    pub(super) fn backup_wal_dir(&self) -> Option<&Path> {
        self.backup_wal_dir.as_deref()
    }
}

/// What is taken and not looked at, so that the command can say why.
#[derive(clap::Args)]
pub(super) struct Anything {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    _rest: Vec<String>,
}

#[derive(clap::Args)]
pub(super) struct RestoreArgs {
    /// The snapshot
    #[arg(value_name = "FILE", num_args = 0..)]
    files: Vec<PathBuf>,

    /// The data directory to be made; it must not exist, or be empty
    #[arg(long, value_name = "DIR", help_heading = "Target")]
    data_dir: Option<PathBuf>,

    /// Where the log is to lie, if not within the data directory; it must not exist
    #[arg(long, value_name = "DIR", help_heading = "Target")]
    pub(super) wal_dir: Option<PathBuf>,

    /// The engine with which the server is going to run
    #[arg(long, value_name = "KIND", value_enum, default_value = "lsm")]
    #[arg(help_heading = "Target")]
    pub(super) backend_engine: EngineKind,

    /// This member's name
    #[arg(long, value_name = "NAME", default_value = "default", help_heading = "Cluster")]
    pub(super) name: String,

    /// All members as NAME=PEER-URL,… [default: NAME=http://localhost:2380 with the name default]
    #[arg(long, value_name = "MEMBERS", help_heading = "Cluster")]
    initial_cluster: Option<String>,

    /// Tells clusters apart that have the same URLs
    #[arg(long, value_name = "TOKEN", default_value = "etcd-cluster", help_heading = "Cluster")]
    pub(super) initial_cluster_token: String,

    /// Where the other members reach this one, as in --initial-cluster
    #[arg(long, value_name = "URLS", default_value = "http://localhost:2380")]
    #[arg(help_heading = "Cluster")]
    pub(super) initial_advertise_peer_urls: String,

    /// Raise the revision by so much, above any that a client may have seen
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Safety")]
    pub(super) bump_revision: u64,

    /// Compact everything below the raised revision, so that watches begin anew
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(default_value_t = false, action = clap::ArgAction::Set, hide_possible_values = true)]
    #[arg(help_heading = "Safety")]
    pub(super) mark_compacted: bool,

    /// Take a snapshot without a hash, such as a copied database, or with a wrong one
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(default_value_t = false, action = clap::ArgAction::Set, hide_possible_values = true)]
    #[arg(help_heading = "Safety")]
    pub(super) skip_hash_check: bool,

    /// Taken and not needed: this server's database isn't mapped into memory
    #[arg(long = "initial-memory-map-size", value_name = "BYTES", help_heading = "Target")]
    _initial_memory_map_size: Option<u64>,
}

impl RestoreArgs {
    pub(super) fn file(&self) -> Result<&Path, Failure> {
        one(&self.files, "snapshot restore requires exactly one argument")
    }

    pub(super) fn data_dir(&self) -> Result<&Path, Failure> {
        self.data_dir.as_deref().ok_or(Failure::MissingFlag("data-dir"))
    }

    pub(super) fn initial_cluster(&self) -> String {
        let default = || "default=http://localhost:2380".to_owned();
        self.initial_cluster.clone().unwrap_or_else(default)
    }
}

/// A shell that completes commands.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    pub(super) fn generator(self) -> clap_complete::Shell {
        match self {
            Shell::Bash => clap_complete::Shell::Bash,
            Shell::Zsh => clap_complete::Shell::Zsh,
            Shell::Fish => clap_complete::Shell::Fish,
        }
    }
}
