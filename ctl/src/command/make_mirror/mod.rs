//! `make-mirror`: keeps a copy of keys in another cluster.
//!
//! 1. All keys are copied as they are at one revision, in transactions of many keys ([`base`]),
//!    unless the user says from which revision on changes are to be copied.
//! 2. From the revision behind it on, changes are watched and repeated, each revision in a
//!    transaction of its own ([`changes`]).
//!
//! Both may be done twice without harm, so a request that got no answer is sent again. What is at
//! the destination and not among what is copied stays there. Leases aren't copied.

mod base;
mod changes;
mod destination;

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;

use crate::app::App;
use crate::cli::Global;
use crate::client::{Client, Settings};
use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use crate::terminal;
use destination::Destination;

/// How often the number of copied keys is printed.
const TELL_INTERVAL: Duration = Duration::from_secs(30);

/// How often people at a terminal are shown it.
const SHOW_INTERVAL: Duration = Duration::from_millis(500);

const EXAMPLES: &str =
    "Runs until it is stopped; prints every 30 seconds how many keys were copied.

Examples:
  etcdctl make-mirror standby:2379
  etcdctl make-mirror --prefix app/ --dest-prefix copy/app/ standby:2379";

/// Keep a copy of keys in another cluster
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl make-mirror [OPTIONS] DESTINATION", after_help = EXAMPLES)]
pub(crate) struct MakeMirror {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Only keys that begin so
    #[arg(long, default_value = "", hide_default_value = true, value_name = "PREFIX")]
    prefix: String,
    /// Copy no keys, but what changes from this revision on; 0 to begin with all keys
    #[arg(long, default_value_t = 0, value_name = "REVISION")]
    rev: i64,
    /// How many keys to write in one transaction, at most
    #[arg(long, default_value_t = 128, value_name = "N")]
    max_txn_ops: i64,
    /// What copies begin with instead of --prefix
    #[arg(long, default_value = "", hide_default_value = true, value_name = "PREFIX")]
    dest_prefix: String,
    /// Take the prefix away from copies
    #[arg(long)]
    no_dest_prefix: bool,
    /// Certificate to identify with at the destination, in PEM
    #[arg(long, default_value = "", hide_default_value = true, value_name = "FILE")]
    dest_cert: String,
    /// Private key of that certificate, in PEM
    #[arg(long, default_value = "", hide_default_value = true, value_name = "FILE")]
    dest_key: String,
    /// Certificates of the authorities to trust at the destination, in PEM
    #[arg(long, default_value = "", hide_default_value = true, value_name = "FILE")]
    dest_cacert: String,
    /// Don't use TLS to the destination unless it or a certificate asks for it
    #[arg(long, default_value_t = true)]
    dest_insecure_transport: bool,
    /// Who to log in as at the destination, NAME or NAME:PASSWORD
    #[arg(long, default_value = "", hide_default_value = true, value_name = "USER")]
    dest_user: String,
    /// Password of --dest-user, which then has none
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    dest_password: String,
}

impl MakeMirror {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let [destination] = &self.args[..] else {
            return Err(Failure::bad_arguments("make-mirror takes one destination argument"));
        };
        if self.no_dest_prefix && !self.dest_prefix.is_empty() {
            return Err(Failure::bad_arguments(
                "`--dest-prefix` and `--no-dest-prefix` cannot be set at the same time, choose one",
            ));
        }
        let (settings, _) = app.settings()?;
        let global = self.destination_flags(app.global(), &destination.to_string_lossy())?;
        let client = Client::connect(Settings::new(&global, |_| false)?).await?;
        let source = Client::connect(settings).await?;
        let copied = Arc::new(AtomicU64::new(0));
        let destination = self.destination(client, copied.clone());
        tokio::select! {
            ended = self.copy(&source, &destination) => ended,
            never = tell(&copied) => match never {},
        }
    }

    /// The flags as they are for the destination.
    fn destination_flags(&self, source: &Global, endpoint: &str) -> Outcome<Global> {
        let is_incomplete = self.dest_password.is_empty() && !self.dest_user.contains(':');
        let password = if !self.dest_user.is_empty() && is_incomplete {
            terminal::ask_secretly("Destination Password: ")?
        } else {
            self.dest_password.clone()
        };
        // A name with an empty password stands for nobody, as it does for the source.
        let is_nobody = is_incomplete && password.is_empty();
        let user = if is_nobody { String::new() } else { self.dest_user.clone() };
        Ok(Global {
            endpoints: vec![endpoint.to_owned()],
            cert: self.dest_cert.clone(),
            key: self.dest_key.clone(),
            cacert: self.dest_cacert.clone(),
            insecure_transport: self.dest_insecure_transport,
            insecure_skip_tls_verify: false,
            user,
            password,
            auth_jwt_token: String::new(),
            discovery_srv: String::new(),
            ..source.clone()
        })
    }

    fn destination(&self, client: Client, copied: Arc<AtomicU64>) -> Destination {
        let prefix = match (&self.dest_prefix, self.no_dest_prefix) {
            (_, true) => "",
            (prefix, false) if prefix.is_empty() => &self.prefix,
            (prefix, false) => prefix,
        };
        Destination {
            client,
            operations_max: usize::try_from(self.max_txn_ops).unwrap_or(usize::MAX).max(1),
            source_prefix_length: self.prefix.len(),
            prefix: Bytes::copy_from_slice(prefix.as_bytes()),
            copied,
        }
    }

    /// Copies until something fails.
    async fn copy(&self, source: &Client, destination: &Destination) -> Outcome {
        let prefix = Bytes::copy_from_slice(self.prefix.as_bytes());
        // The first revision is the one of an empty cluster.
        let done = if self.rev > 1 {
            self.rev - 1
        } else {
            base::copy(source, &prefix, destination).await.map_err(Failure::error)?
        };
        changes::copy(source, &prefix, done + 1, destination).await.map_err(Failure::error)
    }
}

enum Never {}

/// Prints from time to time how many keys were copied, and shows it on a terminal more often.
async fn tell(copied: &AtomicU64) -> Never {
    let mut progress = Progress::new();
    let mut tells = tokio::time::interval(TELL_INTERVAL);
    let mut shows = tokio::time::interval(SHOW_INTERVAL);
    tells.tick().await;
    loop {
        tokio::select! {
            _ = tells.tick() => println!("{}", copied.load(Ordering::Relaxed)),
            _ = shows.tick() => {
                progress.show(|| format!("{} keys copied", copied.load(Ordering::Relaxed)));
            }
        }
    }
}
