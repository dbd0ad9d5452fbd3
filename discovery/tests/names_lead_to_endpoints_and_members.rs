//! SRV records of a small DNS server become endpoints for clients and founding members.

use retcd_discovery::peers::{self, PeerUrl, Search};
use retcd_discovery::srv::{Dns, client_endpoints};
use retcd_testkit::{DnsServer, Srv};

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

fn peer(scheme: &str, host_port: &str) -> PeerUrl {
    PeerUrl { scheme: scheme.to_owned(), host_port: host_port.to_owned() }
}

#[test]
fn endpoints_come_by_priority_with_tls_first() {
    let server = DnsServer::start(&[
        (
            "_etcd-client._tcp.example.test",
            &[
                Srv { priority: 2, ..Srv::new("c.example.test", 3) },
                Srv { priority: 1, weight: 1, ..Srv::new("a.example.test", 1) },
                Srv { priority: 1, weight: 9, ..Srv::new("b.example.test", 2) },
            ],
        ),
        ("_etcd-client-ssl._tcp.example.test", &[Srv::new("s.example.test", 4)]),
        ("_etcd-client-blue._tcp.example.test", &[Srv::new("blue.example.test", 5)]),
    ]);
    let server = server.expect("a DNS server");
    let found = run(async {
        let dns = Dns::at(server.address());
        let plain = client_endpoints(&dns, "example.test", "").await;
        let blue = client_endpoints(&dns, "example.test", "blue").await;
        (plain.expect("found"), blue.expect("found"))
    });
    let plain = [
        "https://s.example.test:4",
        "http://b.example.test:2",
        "http://a.example.test:1",
        "http://c.example.test:3",
    ];
    assert_eq!(found.0, plain);
    assert_eq!(found.1, ["http://blue.example.test:5"]);
}

#[test]
fn a_domain_without_records_is_said_in_gos_words() {
    let server = DnsServer::start(&[("_etcd-client._tcp.none.test", &[Srv::new(".", 0)])]);
    let server = server.expect("a DNS server");
    let at = server.address();
    let error = run(async { client_endpoints(&Dns::at(at), "none.test", "").await });
    assert_eq!(
        error.expect_err("no endpoints").to_string(),
        format!(
            "dns lookup errors: lookup _etcd-client-ssl._tcp.none.test on {at}: no such host and \
             lookup _etcd-client._tcp.none.test on {at}: no such host"
        )
    );
    let name = "a..b";
    let error = run(async { Dns::at(at).records("etcd-client", name).await });
    assert_eq!(
        error.expect_err("an empty label").to_string(),
        format!("lookup _etcd-client._tcp.a..b on {at}: not a domain name")
    );
}

#[test]
fn a_member_is_the_record_at_its_own_address() {
    let records = [Srv::new("127.0.0.1", 2380), Srv::new("127.0.0.1", 2381)];
    let server = DnsServer::start(&[
        ("_etcd-server._tcp.example.test", &records),
        ("_etcd-server-ssl-blue._tcp.example.test", &records),
    ]);
    let server = server.expect("a DNS server");
    let find = |suffix: &str, own: PeerUrl| {
        let advertised = [own];
        let domain = "example.test";
        let search = Search { domain, suffix, name: "b", advertised: &advertised };
        run(async { peers::find(&Dns::at(server.address()), search).await })
    };
    let found = find("", peer("http", "127.0.0.1:2381")).expect("found");
    assert_eq!(found, ["0=http://127.0.0.1:2380", "b=http://127.0.0.1:2381"]);
    let found = find("blue", peer("https", "127.0.0.1:2380")).expect("found");
    assert_eq!(found, ["b=https://127.0.0.1:2380", "0=https://127.0.0.1:2381"]);
    let at = server.address();
    let error = find("red", peer("http", "127.0.0.1:2380")).expect_err("no such service");
    let of = |service: &str| {
        format!(
            "error querying DNS SRV records for _{service} lookup _{service}._tcp.example.test on \
             {at}: no such host"
        )
    };
    let both = format!("{}; {}", of("etcd-server-ssl-red"), of("etcd-server-red"));
    assert_eq!(error.to_string(), both);
}
