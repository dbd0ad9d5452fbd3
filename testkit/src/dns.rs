//! A DNS server that knows some SRV records and nothing else.
//!
//! It answers by UDP: a name that it knows with its records, in the order in which they were given,
//! any other with NXDOMAIN. What isn't a query of one question gets no answer.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread::JoinHandle;

/// Most bytes of a message by UDP.
const MESSAGE_BYTES_MAX: usize = 512;

/// Bytes before the question.
const HEADER_BYTES: usize = 12;

/// The type of SRV records.
const TYPE_SRV: [u8; 2] = [0, 33];

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Srv<'a> {
    /// Its priority.
    pub priority: u16,
    /// Its weight.
    pub weight: u16,
    /// Its port.
    pub port: u16,
    /// Its host.
    pub target: &'a str,
}

impl<'a> Srv<'a> {
    /// A record without preference.
    pub fn new(target: &'a str, port: u16) -> Srv<'a> {
        Srv { priority: 0, weight: 0, port, target }
    }
}

/// The running server. Dropping it ends it.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl DnsServer {
    /// Starts one on a port of its own. `zone` has names, without a dot at the end, and their
    /// records.
    pub fn start(zone: &[(&str, &[Srv<'_>])]) -> io::Result<DnsServer> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        let answers = zone.iter().map(|(name, records)| {
            let data = records.iter().map(record_data).collect::<Vec<_>>();
            (name.to_ascii_lowercase(), data)
        });
        let answers: BTreeMap<String, Vec<Vec<u8>>> = answers.collect();
        let thread = std::thread::Builder::new().name("dns".to_owned()).spawn(move || {
            let mut buffer = [0; MESSAGE_BYTES_MAX];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                // An empty datagram from the owner ends it.
                if length == 0 {
                    return;
                }
                if let Some(answer) = answer(&buffer[..length], &answers) {
                    // Whoever asked may be gone.
                    let _ = socket.send_to(&answer, from);
                }
            }
        })?;
        Ok(DnsServer { address, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        let sent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|socket| socket.send_to(&[], self.address));
        if let (Ok(_), Some(thread)) = (sent, self.thread.take()) {
            // It only fails if the thread panicked, which was shown then.
            let _ = thread.join();
        }
    }
}

/// Priority, weight, port, target.
fn record_data(record: &Srv<'_>) -> Vec<u8> {
    let mut data = Vec::new();
    for number in [record.priority, record.weight, record.port] {
        data.extend(number.to_be_bytes());
    }
    for label in record.target.split('.').filter(|label| !label.is_empty()) {
        data.push(label.len() as u8);
        data.extend(label.as_bytes());
    }
    data.push(0);
    data
}

/// The name that is asked for, and where the question ends.
fn question(query: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = HEADER_BYTES;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        let label = query.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
    Some((labels.join("."), at + 4)).filter(|(_, end)| *end <= query.len())
}

fn answer(query: &[u8], answers: &BTreeMap<String, Vec<Vec<u8>>>) -> Option<Vec<u8>> {
    let (name, end) = question(query)?;
    let is_srv = query[end - 4..end - 2] == TYPE_SRV;
    let records = answers.get(&name).filter(|_| is_srv);
    let count = records.map_or(0, Vec::len) as u16;
    let mut answer = query[..2].to_vec();
    // An answer of one who recurses, and its code.
    answer.extend([0x81, if records.is_some() { 0x80 } else { 0x83 }]);
    for number in [1, count, 0, 0] {
        answer.extend(u16::to_be_bytes(number));
    }
    answer.extend(&query[HEADER_BYTES..end]);
    for data in records.into_iter().flatten() {
        // The question's name, SRV of the Internet, a life of 0 seconds.
        answer.extend([0xc0, HEADER_BYTES as u8, 0, 33, 0, 1, 0, 0, 0, 0]);
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}
