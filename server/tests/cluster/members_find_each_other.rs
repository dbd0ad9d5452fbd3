//! Three members that nobody has listed find each other: by the registry of the third version in a
//! cluster of ours, by one of the second version, and by DNS. Nobody is let in who isn't one of
//! them.

use crate::common::{PATIENCE, soon};
use crate::registry::Registry;
use etcd_client::Client;
use retcd_testkit::{DnsServer, Server, ServerOptions, Srv, free_addresses, free_addresses_for};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

const SIGTERM: i32 = 15;

fn options(folder: &Path, name: &str) -> ServerOptions {
    ServerOptions::new(env!("CARGO_BIN_EXE_etcd"), &folder.join(name))
        .argument(format!("--name={name}"))
        .argument("--initial-cluster=")
        .patience(PATIENCE)
}

fn addresses() -> [SocketAddr; 2] {
    free_addresses().expect("free ports")
}

fn spawn(options: &ServerOptions) -> Server {
    Server::spawn(options, addresses()).unwrap_or_else(|error| panic!("{error}"))
}

fn wait_until_ready(servers: &mut [Server]) {
    for server in servers {
        server.wait_until_ready(PATIENCE).unwrap_or_else(|error| panic!("{error}"));
    }
}

async fn client(server: &Server) -> Client {
    let endpoint = server.client_address().to_string();
    Client::connect([endpoint], None).await.expect("the server accepts connections")
}

/// The names of the members, once all have told them. Until then those found by DNS have numbers.
async fn names(server: &Server, count: usize) -> Vec<String> {
    let mut client = client(server).await;
    soon(async {
        loop {
            let list = client.member_list().await.expect("a list");
            let names = list.members().iter().map(|member| member.name().to_owned());
            let is_own = |name: &String| !name.is_empty() && name.parse::<u32>().is_err();
            let mut names: Vec<String> = names.filter(is_own).collect();
            if names.len() == count {
                names.sort();
                return names;
            }
        }
    })
    .await
}

/// Waits for a server that has to end by itself, and tells what it logged last under `message`.
fn refusal(server: Server, message: &str) -> String {
    let line = server.log().wait_for(message, PATIENCE).unwrap_or_else(|log| panic!("{log}"));
    assert_eq!(server.wait().expect("it ends").code(), Some(1));
    line["error"].as_str().expect("a reason").to_owned()
}

const USED_UP: &str = "failed to bootstrap; discovery token was already used";

#[tokio::test]
async fn by_the_registry_of_the_third_version() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = ServerOptions::new(env!("CARGO_BIN_EXE_etcd"), &folder.path().join("registry"));
    let registry = Server::start(&registry).unwrap_or_else(|error| panic!("{error}"));
    let mut keys = client(&registry).await;
    let size = |token: &str| format!("/_etcd/registry/{token}/_config/size");
    soon(keys.put(size("token"), "3", None)).await.expect("put");
    let endpoints = format!("--discovery-endpoints=127.0.0.1:1,{}", registry.client_address());
    let member = |name: &str, token: &str| {
        options(folder.path(), name)
            .argument(endpoints.as_str())
            .argument(format!("--discovery-token={token}"))
    };
    let three = ["a", "b", "c"];
    let mut servers: Vec<Server> = three.iter().map(|name| spawn(&member(name, "token"))).collect();
    wait_until_ready(&mut servers);
    assert_eq!(names(&servers[0], 3).await, three);

    let full = refusal(spawn(&member("d", "token")), USED_UP);
    assert_eq!(full, "failed to join discovery cluster (discovery: cluster is full)");
    let unknown = refusal(spawn(&member("e", "unknown")), USED_UP);
    assert_eq!(unknown, "failed to join discovery cluster (discovery: size key not found)");

    // With its data it needs no registry.
    registry.kill().expect("it runs");
    let stopped = servers.pop().expect("the third");
    let addresses = [stopped.client_address(), stopped.peer_address()];
    stopped.terminate().expect("it ends");
    let mut again = Server::spawn(&member("c", "token"), addresses).expect("it starts");
    let message = "discovery token is ignored since cluster already initialized; \
                   valid logs are found";
    again.log().wait_for(message, PATIENCE).unwrap_or_else(|log| panic!("{log}"));
    again.wait_until_ready(PATIENCE).unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn whoever_waits_for_others_can_be_told_to_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = ServerOptions::new(env!("CARGO_BIN_EXE_etcd"), &folder.path().join("registry"));
    let registry = Server::start(&registry).unwrap_or_else(|error| panic!("{error}"));
    let key = "/_etcd/registry/token/_config/size";
    soon(client(&registry).await.put(key, "3", None)).await.expect("put");
    let lonely = options(folder.path(), "a")
        .argument(format!("--discovery-endpoints={}", registry.client_address()))
        .argument("--discovery-token=token");
    let lonely = spawn(&lonely);
    let message = "waiting for peers from discovery service";
    lonely.log().wait_for(message, PATIENCE).unwrap_or_else(|log| panic!("{log}"));
    let status = lonely.terminate().expect("SIGTERM is delivered");
    assert_eq!(status.signal(), Some(SIGTERM));
}

#[tokio::test]
async fn by_the_registry_of_the_second_version() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = Registry::start(3);
    let member = |name: &str| {
        options(folder.path(), name).argument(format!("--discovery={}", registry.url()))
    };
    let three = ["a", "b", "c"];
    let mut servers: Vec<Server> = three.iter().map(|name| spawn(&member(name))).collect();
    wait_until_ready(&mut servers);
    assert_eq!(names(&servers[0], 3).await, three);

    let full = refusal(spawn(&member("d")), USED_UP);
    assert_eq!(full, "failed to join discovery cluster (discovery: cluster is full)");

    // Whoever has lost its data isn't taken for who it was.
    let lost = servers.pop().expect("the third");
    let addresses = [lost.client_address(), lost.peer_address()];
    lost.kill().expect("it runs");
    std::fs::remove_dir_all(folder.path().join("c")).expect("removed");
    let again = Server::spawn(&member("c"), addresses).expect("it starts");
    let message = "member has been registered with discovery service";
    assert_eq!(refusal(again, message), "discovery: found duplicate id");
}

#[tokio::test]
async fn by_dns() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let places = free_addresses_for(3).expect("free ports");
    let records: Vec<Srv> =
        places.iter().map(|[_, peer]| Srv::new("127.0.0.1", peer.port())).collect();
    let dns = DnsServer::start(&[("_etcd-server-blue._tcp.example.test", &records)]);
    let dns = dns.expect("a DNS server");
    let member = |name: &str| {
        options(folder.path(), name)
            .argument("--discovery-srv=example.test")
            .argument("--discovery-srv-name=blue")
            .variable("RETCD_DNS_SERVER", dns.address().to_string())
    };
    let three = ["a", "b", "c"];
    let start = |(name, place): (&&str, &[SocketAddr; 2])| {
        Server::spawn(&member(name), *place).unwrap_or_else(|error| panic!("{error}"))
    };
    let mut servers: Vec<Server> = three.iter().zip(&places).map(start).collect();
    wait_until_ready(&mut servers);
    assert_eq!(names(&servers[0], 3).await, three);

    let stranger = refusal(spawn(&member("d")), "discovery failed");
    let expected = "error setting up initial cluster: cannot find local etcd member \"d\" in SRV \
                    records";
    assert_eq!(stranger, expected);
    let nowhere = spawn(&member("e").argument("--discovery-srv-name=red"));
    let error = refusal(nowhere, "discovery failed");
    assert!(error.contains("lookup _etcd-server-red._tcp.example.test on "), "{error}");
    assert!(error.ends_with("no such host"), "{error}");
}
