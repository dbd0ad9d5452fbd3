//! A snapshot that is interrupted while it comes leaves neither a file under its name nor the part
//! of it that was there: here the member takes the connection and says nothing, and the user stops.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use retcd_testkit::log::Log;
use rustix::process::{Pid, Signal, kill_process};

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_interrupted_snapshot_leaves_no_file() {
    for signal in [Signal::INT, Signal::TERM] {
        let silent = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let endpoint = silent.local_addr().expect("it is bound").to_string();
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let mut program = Command::new(env!("CARGO_BIN_EXE_etcdctl"))
            .args(["--endpoints", &endpoint, "snapshot", "save"])
            .arg(folder.path().join("snapshot"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program is built");
        let log = Log::collect(program.stderr.take().expect("it is piped"));
        log.wait_for("created temporary db file", PATIENCE).expect("it begins with its file");
        kill_process(Pid::from_child(&program), signal).expect("it runs");
        let status = program.wait().expect("it is ours");
        assert_eq!(status.code(), Some(5), "{}", log.text());
        let left = fs::read_dir(folder.path()).expect("it is there").count();
        assert_eq!(left, 0, "files are left");
    }
}
