//! How the program ends: by a signal, by a question, by a mistake in what it was told.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use serde_json::Value;

use crate::common::{Member, server_binary, server_binary_is_ours};

const SIGTERM: i32 = 15;

/// Runs the program to its end, which must come at once.
fn run(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(server_binary());
    command.args(arguments).current_dir(folder.path()).env_clear();
    command.output().expect("the program can be run")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// The last line of the log on standard error.
fn last_line(output: &Output) -> Value {
    let line = text(&output.stderr).lines().last().expect("a line");
    serde_json::from_str(line).expect("a line of the log is JSON")
}

#[test]
fn a_signal_ends_it_cleanly_and_is_seen_by_the_parent() {
    let member = Member::start(&[]);
    let status = member.server.terminate().expect("SIGTERM is delivered");
    assert_eq!(status.signal(), Some(SIGTERM));
}

#[test]
fn it_tells_its_version_on_standard_output() {
    let output = run(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    assert!(lines[0].starts_with("etcd Version: 3."));
    assert!(lines[1].starts_with("Git SHA: "));
    assert!(lines[2].starts_with("Go Version: "));
    assert!(lines[3].starts_with("Go OS/Arch: linux/"));
}

#[test]
fn a_wrong_argument_ends_it_with_2_and_a_wrong_setting_with_1() {
    let output = run(&["--no-such-flag"]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with("flag provided but not defined: -no-such-flag\nUsage:"), "{stderr}");

    let output = run(&["--heartbeat-interval=0"]);
    assert_eq!(output.status.code(), Some(1));
    let line = last_line(&output);
    assert_eq!(line["level"], "warn");
    assert_eq!(line["msg"], "failed to verify flags");
    assert_eq!(line["error"], "--heartbeat-interval must be >0 (set to 0ms)");
}

#[test]
fn a_log_that_cannot_be_opened_ends_it() {
    let output = run(&["--log-outputs=/nonexistent/x"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        last_line(&output)["error"],
        "couldn't open sink \"/nonexistent/x\": open /nonexistent/x: no such file or directory"
    );
}

#[test]
fn what_is_not_there_yet_is_said() {
    if !server_binary_is_ours() {
        return;
    }
    for (argument, part) in [
        ("--cert-file=a.pem", "TLS is not available in this version yet"),
        ("--discovery-cert=x", "not available in this version yet"),
    ] {
        let ports =
            ["--listen-client-urls=http://127.0.0.1:0", "--listen-peer-urls=http://127.0.0.1:0"];
        let advertised = "--advertise-client-urls=http://127.0.0.1:2379";
        let output = run(&[ports[0], ports[1], advertised, argument]);
        assert_eq!(output.status.code(), Some(1), "{argument}");
        let error = last_line(&output)["error"].as_str().expect("a reason").to_owned();
        assert!(error.contains(part), "{error}");
    }
}
