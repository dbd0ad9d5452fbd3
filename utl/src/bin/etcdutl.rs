//! `etcdutl`: works on snapshots and data directories of stopped members. See
//! [`retcd_utl::etcdutl`].

use retcd_api::initial_cluster::system_resolver;
use retcd_utl::etcdutl::{Surroundings, run};
use retcd_vfs::RealVfs;
use retcd_wal::Options;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let mut surroundings = Surroundings {
        vfs: Arc::new(RealVfs),
        out: &mut io::stdout().lock(),
        err: &mut io::stderr(),
        shows_progress: io::stderr().is_terminal(),
        scratch: std::env::temp_dir().join(format!("etcdutl-{}", std::process::id())),
        resolve: &system_resolver,
        // The system's random numbers are behind the salt.
        log: Options { salt: RandomState::new().build_hasher().finish(), ..Options::default() },
    };
    ExitCode::from(run(std::env::args_os(), &mut surroundings))
}
