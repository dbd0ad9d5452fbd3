//! The program asks a small DNS server where the members are. Nobody is there: what it says about
//! them shows whom it tried.

use retcd_testkit::{DnsServer, Srv};
use std::process::{Command, Output};

/// A port that nobody listens on.
const NOBODY: u16 = 1;

fn run(dns: &DnsServer, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etcdctl"));
    command.env_clear().env("RETCD_DNS_SERVER", dns.address().to_string());
    command.args(["--command-timeout=1s", "endpoint", "health"]).args(arguments);
    command.output().expect("the program can be run")
}

fn said(output: &Output) -> String {
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(stdout).into_owned() + &String::from_utf8_lossy(stderr)
}

#[test]
fn what_the_records_name_is_tried() {
    let record = [Srv::new("127.0.0.1", NOBODY)];
    let dns = DnsServer::start(&[("_etcd-client-blue._tcp.example.test", &record)]);
    let dns = dns.expect("a DNS server");
    let blue = ["--discovery-srv=example.test", "--discovery-srv-name=blue"];
    let output = run(&dns, &blue);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(text.contains("http://127.0.0.1:1 is unhealthy"), "{text}");

    let secure = [blue[0], blue[1], "--insecure-discovery=false", "--endpoints=127.0.0.1:1"];
    let text = said(&run(&dns, &secure));
    assert!(text.contains("ignoring discovered insecure endpoint \"http://127.0.0.1:1\"\n"));
    assert!(text.contains("127.0.0.1:1 is unhealthy") && !text.contains("http://127.0.0.1:1 is"));
}

#[test]
fn a_domain_without_records_ends_it() {
    let dns = DnsServer::start(&[]).expect("a DNS server");
    let output = run(&dns, &["--discovery-srv=none.test"]);
    assert_eq!(output.status.code(), Some(1));
    let at = dns.address();
    let expected = format!(
        "Error: dns lookup errors: lookup _etcd-client-ssl._tcp.none.test on {at}: no such host \
         and lookup _etcd-client._tcp.none.test on {at}: no such host"
    );
    assert!(said(&output).contains(&expected), "{}", said(&output));
}
