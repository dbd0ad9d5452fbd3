//! The founding members of a cluster from SRV records: who they are, and who of them is this one.
//!
//! 1. This member's advertised peer URLs are resolved to addresses.
//! 2. Each record's target is resolved. One at an address of this member's is this member; the
//!    others get numbers for names, which nobody sees later: ids come from the URLs.
//! 3. What https and http records give is put together.
//!
//! That is etcd's way, save that numbers go on over both kinds of records: etcd begins anew and so
//! takes the first of each for one member with two URLs.

use crate::srv::{Dns, Record, host_port, service_name};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// The service whose records name members.
const SERVICE: &str = "etcd-server";

/// A member's own peer URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerUrl {
    /// `http` or `https`.
    pub scheme: String,
    /// `host:port`.
    pub host_port: String,
}

impl fmt::Display for PeerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host_port)
    }
}

/// Whom this member looks for, and where.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// `--discovery-srv`.
    pub domain: &'a str,
    /// `--discovery-srv-name`, or empty.
    pub suffix: &'a str,
    /// This member's name.
    pub name: &'a str,
    /// Its peer URLs.
    pub advertised: &'a [PeerUrl],
}

/// No members were found.
#[derive(Debug)]
pub struct Error {
    https: String,
    http: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.https, self.http)
    }
}

impl std::error::Error for Error {}

/// The members, each as `name=url`, under the name that this member has or a number. Needs tokio's
/// runtime.
///
/// # Errors
///
/// If there are no records, or none leads anywhere.
pub async fn find(dns: &Dns, search: Search<'_>) -> Result<Vec<String>, Error> {
    let mut members = Members { named: Vec::new(), numbered: 0 };
    let mut failures = Vec::new();
    for scheme in ["https", "http"] {
        let service = service_name(SERVICE, scheme, search.suffix);
        let found = look_up(dns, search, scheme, &service, &mut members).await;
        let error = found.as_ref().err().map(String::as_str).unwrap_or_default();
        let advertised: Vec<String> = search.advertised.iter().map(PeerUrl::to_string).collect();
        tracing::info!(
            "service-scheme" = scheme,
            "service-name" = service.as_str(),
            "server-name" = search.name,
            "discovery-srv" = search.domain,
            "advertise-peer-urls" = ?advertised,
            "found-cluster" = ?members.named,
            error,
            "get cluster for {service} SRV"
        );
        failures.extend(found.err());
    }
    match <[String; 2]>::try_from(failures) {
        Ok([https, http]) => Err(Error { https, http }),
        Err(_) => Ok(members.named),
    }
}

async fn look_up(
    dns: &Dns,
    search: Search<'_>,
    scheme: &str,
    service: &str,
    members: &mut Members,
) -> Result<(), String> {
    let failure =
        |error: &dyn fmt::Display| format!("error querying DNS SRV records for _{service} {error}");
    let mut own = BTreeMap::new();
    for url in search.advertised {
        own.insert(resolve(&url.host_port).await.map_err(|error| failure(&error))?, url);
    }
    let records = dns.records(service, search.domain).await.map_err(|error| failure(&error))?;
    let mut resolved = Vec::new();
    for record in records {
        let address = resolve(&host_port(&record.target, record.port)).await;
        resolved.push((record, address));
    }
    members.add(scheme, search.name, &own, resolved).map_err(|error| failure(&error))
}

/// The address that the system knows for `host:port`, of IPv4 if there is one.
async fn resolve(host_port: &str) -> io::Result<SocketAddr> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(host_port).await?.collect();
    let first = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    first.copied().ok_or_else(|| io::Error::other(format!("{host_port}: no such host")))
}

/// What was found so far.
#[derive(Debug)]
struct Members {
    named: Vec<String>,
    numbered: usize,
}

impl Members {
    /// Adds those of one service. Fails, with the last reason, if it adds none.
    fn add(
        &mut self,
        scheme: &str,
        own_name: &str,
        own: &BTreeMap<SocketAddr, &PeerUrl>,
        records: Vec<(Record, io::Result<SocketAddr>)>,
    ) -> Result<(), String> {
        let before = self.named.len();
        let mut failed = "no record leads to a member".to_owned();
        for (Record { target, port, .. }, address) in records {
            let address = match address {
                Ok(address) => address,
                Err(error) => {
                    failed = format!("{target}: {error}");
                    continue;
                }
            };
            let url = format!("{scheme}://{}", host_port(&target, port));
            let name = match own.get(&address) {
                Some(expected) if expected.scheme != scheme => {
                    failed = format!(
                        "bootstrap at {url} from DNS has scheme mismatch with expected peer \
                         {expected}"
                    );
                    continue;
                }
                Some(_) => own_name.to_owned(),
                None => {
                    self.numbered += 1;
                    (self.numbered - 1).to_string()
                }
            };
            self.named.push(format!("{name}={url}"));
        }
        match self.named.len() > before {
            true => Ok(()),
            false => Err(failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(target: &str, port: u16) -> Record {
        Record { priority: 0, weight: 0, port, target: target.to_owned() }
    }

    fn address(text: &str) -> io::Result<SocketAddr> {
        text.parse().map_err(|_| io::Error::other("no such host"))
    }

    fn url(scheme: &str, host_port: &str) -> PeerUrl {
        PeerUrl { scheme: scheme.to_owned(), host_port: host_port.to_owned() }
    }

    fn members() -> Members {
        Members { named: Vec::new(), numbered: 0 }
    }

    #[test]
    fn a_member_finds_itself_by_its_address_and_numbers_the_others() {
        let advertised = url("http", "b.test:2380");
        let own = BTreeMap::from([(address("10.0.0.2:2380").expect("valid"), &advertised)]);
        let mut members = members();
        let records = vec![
            (record("a.test", 2380), address("10.0.0.1:2380")),
            (record("gone.test", 2380), address("nowhere")),
            (record("other-name-of-b.test", 2380), address("10.0.0.2:2380")),
            // The same host with another port is somebody else.
            (record("b.test", 2390), address("10.0.0.2:2390")),
        ];
        members.add("http", "b", &own, records).expect("found");
        let named =
            ["0=http://a.test:2380", "b=http://other-name-of-b.test:2380", "1=http://b.test:2390"];
        assert_eq!(members.named, named);
        let more = vec![(record("::1", 1), address("[::1]:1"))];
        members.add("https", "b", &own, more).expect("found");
        assert_eq!(members.named[3], "2=https://[::1]:1");
    }

    #[test]
    fn a_record_of_the_other_scheme_is_not_this_member() {
        let advertised = url("http", "10.0.0.2:2380");
        let own = BTreeMap::from([(address("10.0.0.2:2380").expect("valid"), &advertised)]);
        let mut members = members();
        let records = vec![(record("b.test", 2380), address("10.0.0.2:2380"))];
        assert_eq!(
            members.add("https", "b", &own, records),
            Err(
                "bootstrap at https://b.test:2380 from DNS has scheme mismatch with expected peer \
                 http://10.0.0.2:2380"
                    .to_owned()
            )
        );
        let records = vec![(record("gone.test", 1), address("nowhere"))];
        assert_eq!(
            members.add("https", "b", &own, records),
            Err("gone.test: no such host".to_owned())
        );
        assert!(members.named.is_empty());
    }
}
