//! Members and endpoints from SRV records of DNS, by etcd's names for the services:
//! `_etcd-server-ssl._tcp` and `_etcd-server._tcp` name peers, `_etcd-client-ssl._tcp` and
//! `_etcd-client._tcp` endpoints for clients; what the user calls the service follows after a dash.
//!
//! Records come by priority, and within one priority the heaviest first. etcd draws lots by weight
//! there; but all members of a cluster are used, so the order hardly matters, and an order that is
//! the same every time is easier to understand.

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::{Name, Question};
use domain::rdata::Srv;
use domain::resolv::StubResolver;
use domain::resolv::stub::conf::{ResolvConf, ServerConf, Transport};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;

/// Names a DNS server, `address:port`, to ask instead of those in `/etc/resolv.conf`: for tests.
const SERVER_VARIABLE: &str = "RETCD_DNS_SERVER";

/// Most records of one name that are taken.
const RECORDS_MAX: usize = 256;

/// The DNS servers to ask.
#[derive(Debug)]
pub struct Dns {
    resolver: StubResolver,
    servers: String,
    search: Vec<String>,
    ndots: usize,
}

/// What one record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Lower ones come first.
    pub priority: u16,
    /// Among equal priorities, heavier ones come first.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host, without the dot at its end.
    pub target: String,
}

/// Why a name has no records.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The name can't be one of DNS.
    NotAName,
    /// It doesn't exist, or has no such records.
    NoSuchHost,
    /// Nobody answered in time.
    Timeout,
    /// The server failed, or its answer can't be read.
    Misbehaves,
    /// The network failed.
    Io(io::Error),
}

/// A look-up that failed. Its text is Go's, which etcd shows.
#[derive(Debug)]
pub struct LookupError {
    /// The whole name that was asked for.
    pub name: String,
    /// The servers that were asked.
    pub servers: String,
    /// Why there is nothing.
    pub reason: Reason,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LookupError { name, servers, reason } = self;
        write!(f, "lookup {name} on {servers}: ")?;
        match reason {
            Reason::NotAName => f.write_str("not a domain name"),
            Reason::NoSuchHost => f.write_str("no such host"),
            Reason::Timeout => f.write_str("i/o timeout"),
            Reason::Misbehaves => f.write_str("server misbehaving"),
            Reason::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LookupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Neither service of a pair could be looked up.
#[derive(Debug)]
pub struct ClientLookupError {
    /// That of the service with TLS.
    pub https: LookupError,
    /// That of the one without.
    pub http: LookupError,
}

impl fmt::Display for ClientLookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dns lookup errors: {} and {}", self.https, self.http)
    }
}

impl std::error::Error for ClientLookupError {}

impl Dns {
    /// The servers of `/etc/resolv.conf`, with its timeout and its search list; or the one that
    /// the environment names in `RETCD_DNS_SERVER`.
    pub fn of_system() -> Dns {
        let named = std::env::var(SERVER_VARIABLE).ok().and_then(|text| text.parse().ok());
        match named {
            Some(server) => Dns::at(server),
            None => Dns::new(ResolvConf::default()),
        }
    }

    /// One server.
    pub fn at(server: SocketAddr) -> Dns {
        let mut conf = ResolvConf::new();
        conf.servers.push(ServerConf::new(server, Transport::UdpTcp));
        conf.finalize();
        Dns::new(conf)
    }

    fn new(conf: ResolvConf) -> Dns {
        let servers: Vec<String> =
            conf.servers.iter().map(|server| server.addr.to_string()).collect();
        let search = conf.options.search.as_slice();
        let search = search.iter().filter(|suffix| !suffix.is_root());
        Dns {
            servers: servers.join(","),
            search: search.map(|suffix| suffix.to_string()).collect(),
            ndots: conf.options.ndots,
            resolver: StubResolver::from_conf(conf),
        }
    }

    /// The SRV records of `_SERVICE._tcp.DOMAIN`, in the order in which they should be used. Needs
    /// tokio's runtime.
    ///
    /// # Errors
    ///
    /// If there are none; of what was asked first, if the search list gave several names.
    pub async fn records(&self, service: &str, domain: &str) -> Result<Vec<Record>, LookupError> {
        let name = format!("_{service}._tcp.{domain}");
        let mut failed = None;
        for name in candidates(&name, &self.search, self.ndots) {
            match self.ask(&name).await {
                Ok(mut records) => {
                    records.sort_by_key(|record| (record.priority, u16::MAX - record.weight));
                    return Ok(records);
                }
                Err(reason) => failed = failed.or(Some(reason)),
            }
        }
        let servers = self.servers.clone();
        let reason = failed.unwrap_or(Reason::NotAName);
        Err(LookupError { name, servers, reason })
    }

    async fn ask(&self, name: &str) -> Result<Vec<Record>, Reason> {
        let name = Name::<Vec<u8>>::from_str(name).map_err(|_| Reason::NotAName)?;
        let question = Question::new(name, Rtype::SRV, Class::IN);
        let answer = self.resolver.query(question).await.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Reason::Timeout,
            _ => Reason::Io(error),
        })?;
        match answer.header().rcode() {
            Rcode::NOERROR => {}
            Rcode::NXDOMAIN => return Err(Reason::NoSuchHost),
            _ => return Err(Reason::Misbehaves),
        }
        let section = answer.answer().map_err(|_| Reason::Misbehaves)?;
        let mut records = Vec::new();
        for record in section.limit_to_in::<Srv<_>>().take(RECORDS_MAX) {
            let record = record.map_err(|_| Reason::Misbehaves)?;
            let srv = record.data();
            // The root as target says that there is no such service.
            if !srv.target().is_root() {
                let target = srv.target().to_string();
                let (priority, weight, port) = (srv.priority(), srv.weight(), srv.port());
                records.push(Record { priority, weight, port, target });
            }
        }
        match records.is_empty() {
            true => Err(Reason::NoSuchHost),
            false => Ok(records),
        }
    }
}

/// Whole names to ask for, in their order: as it is, and with each suffix of the search list; a
/// name with few dots takes the suffixes first.
fn candidates(name: &str, search: &[String], ndots: usize) -> Vec<String> {
    if name.ends_with('.') {
        return vec![name.to_owned()];
    }
    let with_suffix = search.iter().map(|suffix| format!("{name}.{suffix}."));
    let alone = format!("{name}.");
    match name.matches('.').count() >= ndots {
        true => std::iter::once(alone).chain(with_suffix).collect(),
        false => with_suffix.chain([alone]).collect(),
    }
}

/// The name of a service as DNS has it, without its underscore: `service` for http, with `-ssl`
/// for https, and what the user calls it after another dash.
pub fn service_name(service: &str, scheme: &str, suffix: &str) -> String {
    let ssl = if scheme == "https" { "-ssl" } else { "" };
    let dash = if suffix.is_empty() { "" } else { "-" };
    format!("{service}{ssl}{dash}{suffix}")
}

/// `host:port`, with brackets around an IPv6 address.
pub(crate) fn host_port(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// The endpoints of `domain` for clients, as URLs: those with TLS, then those without. `suffix` is
/// `--discovery-srv-name`, or empty. Needs tokio's runtime.
///
/// # Errors
///
/// If neither service has records.
pub async fn client_endpoints(
    dns: &Dns,
    domain: &str,
    suffix: &str,
) -> Result<Vec<String>, ClientLookupError> {
    let https = endpoints_of(dns, domain, suffix, "https").await;
    let http = endpoints_of(dns, domain, suffix, "http").await;
    match (https, http) {
        (Err(https), Err(http)) => Err(ClientLookupError { https, http }),
        (https, http) => Ok([https, http].into_iter().flatten().flatten().collect()),
    }
}

async fn endpoints_of(
    dns: &Dns,
    domain: &str,
    suffix: &str,
    scheme: &str,
) -> Result<Vec<String>, LookupError> {
    let records = dns.records(&service_name("etcd-client", scheme, suffix), domain).await?;
    let url = |record: &Record| format!("{scheme}://{}", host_port(&record.target, record.port));
    Ok(records.iter().map(url).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_named_as_in_etcd() {
        assert_eq!(service_name("etcd-client", "http", ""), "etcd-client");
        assert_eq!(service_name("etcd-client", "https", ""), "etcd-client-ssl");
        assert_eq!(service_name("etcd-server", "https", "blue"), "etcd-server-ssl-blue");
        assert_eq!(service_name("etcd-server", "http", "blue"), "etcd-server-blue");
    }

    #[test]
    fn the_search_list_completes_names() {
        let search = ["ns.svc.test".to_owned(), "test".to_owned()];
        let of = |name, ndots| candidates(name, &search, ndots);
        assert_eq!(of("_a._tcp.b.", 5), ["_a._tcp.b."]);
        assert_eq!(of("_a._tcp.b", 1), ["_a._tcp.b.", "_a._tcp.b.ns.svc.test.", "_a._tcp.b.test."]);
        assert_eq!(of("_a._tcp.b", 5), ["_a._tcp.b.ns.svc.test.", "_a._tcp.b.test.", "_a._tcp.b."]);
    }
}
