//! Endpoints by DNS: the SRV records of a domain say where the members are.
//!
//! `_etcd-client-ssl._tcp.DOMAIN` names those with TLS, `_etcd-client._tcp.DOMAIN` those without; a
//! service's name is put behind `etcd-client` and `etcd-client-ssl`. The system's name servers are
//! asked, over UDP and, for answers that don't fit, over TCP.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use super::dns::{self, Record};

const RESOLVER_CONFIGURATION: &str = "/etc/resolv.conf";
const DNS_PORT: u16 = 53;

/// How long one server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// The largest answer over UDP, in bytes.
const DATAGRAM_BYTES_MAX: usize = 4096;

/// URLs of the members of a domain, by priority.
///
/// # Errors
///
/// Neither of the two names has records: what the last one's lookup ended with.
pub(super) fn endpoints(domain: &str, service: &str) -> Result<Vec<String>, String> {
    let service = if service.is_empty() { String::new() } else { format!("-{service}") };
    let mut found = Vec::new();
    let mut problem = None;
    for (kind, scheme) in [("etcd-client-ssl", "https"), ("etcd-client", "http")] {
        let name = format!("_{kind}{service}._tcp.{domain}");
        match look_up(&name) {
            Ok(mut records) => {
                records.sort_by_key(|record| record.priority);
                let url = |record: &Record| format!("{scheme}://{}:{}", record.target, record.port);
                found.extend(records.iter().map(url));
            }
            Err(error) => problem = Some(format!("lookup {name}: {error}")),
        }
    }
    match problem {
        Some(problem) if found.is_empty() => Err(problem),
        _ => Ok(found),
    }
}

/// Asks one server after the other.
fn look_up(name: &str) -> io::Result<Vec<Record>> {
    let query = dns::query(name)?;
    let mut problem = io::Error::other("no name server");
    for server in servers() {
        let answer = over_udp(server, &query).and_then(|answer| {
            if dns::is_cut_short(&answer) { over_tcp(server, &query) } else { Ok(answer) }
        });
        match answer.and_then(|answer| dns::read(&query, &answer)) {
            Ok(records) => return Ok(records),
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

fn servers() -> Vec<SocketAddr> {
    let text = fs::read_to_string(RESOLVER_CONFIGURATION).unwrap_or_default();
    let address = |line: &str| -> Option<IpAddr> {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()?.parse().ok())?
    };
    let mut found: Vec<IpAddr> = text.lines().filter_map(address).collect();
    if found.is_empty() {
        found.push(Ipv4Addr::LOCALHOST.into());
    }
    found.into_iter().map(|address| SocketAddr::new(address, DNS_PORT)).collect()
}

fn over_udp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any: SocketAddr = if server.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    socket.connect(server)?;
    socket.send(query)?;
    let mut answer = vec![0; DATAGRAM_BYTES_MAX];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

/// Messages have their length before them there.
fn over_tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, ANSWER_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(query)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
