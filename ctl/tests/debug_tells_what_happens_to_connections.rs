//! With `--debug` standard error says which endpoints are tried and what comes of it: here one
//! refuses connections, and the other takes one and says nothing.

use std::net::TcpListener;
use std::process::Command;

/// Nobody listens there.
const DEAD: &str = "127.0.0.1:1";

#[test]
fn debug_tells_what_happens_to_connections() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let silent = silent.local_addr().expect("it is bound").to_string();
    let get = |flags: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_etcdctl"))
            .args(["--endpoints", &format!("{DEAD},{silent}"), "--command-timeout=2s"])
            .args(flags)
            .args(["get", "key"])
            .output()
            .expect("the program is built");
        String::from_utf8(output.stderr).expect("it is text")
    };
    let told = get(&["--debug", "--user=somebody:secret"]);
    for line in [
        format!("\"msg\":\"connecting\",\"endpoint\":\"{DEAD}\""),
        format!("\"msg\":\"can't connect\",\"endpoint\":\"{DEAD}\",\"error\":"),
        format!("\"msg\":\"connecting\",\"endpoint\":\"{silent}\""),
        "ETCDCTL_USER=<hidden>".to_owned(),
    ] {
        assert!(told.contains(&line), "{line} isn't in {told}");
    }
    assert!(!told.contains("secret"), "{told}");
    let told = get(&[]);
    assert!(!told.contains("connecting"), "{told}");
}
