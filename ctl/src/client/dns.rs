//! The part of DNS that SRV records need (RFC 1035 and RFC 2782): a query, and reading its answer.
//!
//! | message | bytes |
//! |---|---|
//! | header | id (2), flags (2), how many questions, answers, authorities, additionals (2 each) |
//! | question | name, type (2), class (2) |
//! | record | name, type (2), class (2), time to live (4), length (2), data |
//! | SRV data | priority (2), weight (2), port (2), name of the target |
//!
//! A name is a list of labels, each behind its length, and ends with a zero or with a pointer to
//! where the rest of it stands.

use std::io;

const SRV: u16 = 33;
const INTERNET: u16 = 1;
const HEADER_BYTES: usize = 12;
const RECURSION_DESIRED: u16 = 0x0100;
const CUT_SHORT: u8 = 0x02;

/// The two bits of a length byte that make it a pointer.
const POINTER: u8 = 0xc0;

/// More than any name that can be: pointers might lead in a circle.
const LABELS_MAX: usize = 128;

/// Where a member is.
#[derive(Debug, PartialEq)]
pub(super) struct Record {
    pub(super) priority: u16,
    pub(super) port: u16,
    pub(super) target: String,
}

/// A query for the SRV records of `name`.
pub(super) fn query(name: &str) -> io::Result<Vec<u8>> {
    let mut id = [0; 2];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
    let mut message = id.to_vec();
    for number in [RECURSION_DESIRED, 1, 0, 0, 0] {
        message.extend(number.to_be_bytes());
    }
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length));
        message.push(length.ok_or_else(|| malformed("a name that can't be"))?);
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(SRV.to_be_bytes());
    message.extend(INTERNET.to_be_bytes());
    Ok(message)
}

/// Whether the answer has more than fitted.
pub(super) fn is_cut_short(answer: &[u8]) -> bool {
    answer.get(2).is_some_and(|flags| flags & CUT_SHORT != 0)
}

/// The records of an answer to `query`.
pub(super) fn read(query: &[u8], answer: &[u8]) -> io::Result<Vec<Record>> {
    let mut reader = Reader { message: answer, at: 0 };
    let header = reader.take(HEADER_BYTES)?;
    if header[..2] != query[..2] {
        return Err(malformed("an answer to another question"));
    }
    match header[3] & 0x0f {
        0 => {}
        3 => return Err(io::Error::other("no such host")),
        code => return Err(io::Error::other(format!("the name server answers error {code}"))),
    }
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    for _ in 0..count(4) {
        reader.name()?;
        reader.take(4)?;
    }
    let mut records = Vec::new();
    for _ in 0..count(6) {
        reader.name()?;
        let kind = reader.number()?;
        reader.take(6)?;
        let length = usize::from(reader.number()?);
        let end = reader.at + length;
        if kind == SRV {
            let (priority, _weight, port) = (reader.number()?, reader.number()?, reader.number()?);
            records.push(Record { priority, port, target: reader.name()? });
        }
        reader.at = end;
    }
    if records.is_empty() {
        return Err(io::Error::other("no such host"));
    }
    Ok(records)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let end = self.at + length;
        let taken = self.message.get(self.at..end);
        self.at = end;
        taken.ok_or_else(|| malformed("an answer that ends early"))
    }

    fn number(&mut self) -> io::Result<u16> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A name, without the dot at its end. Reading goes on behind it, or behind its first pointer.
    fn name(&mut self) -> io::Result<String> {
        let mut labels: Vec<String> = Vec::new();
        let mut behind = None;
        for _ in 0..LABELS_MAX {
            let length = self.take(1)?[0];
            if length == 0 {
                self.at = behind.unwrap_or(self.at);
                return Ok(labels.join("."));
            }
            if length & POINTER == POINTER {
                let low = self.take(1)?[0];
                behind.get_or_insert(self.at);
                self.at = usize::from(u16::from_be_bytes([length & !POINTER, low]));
                continue;
            }
            let label = self.take(usize::from(length))?;
            labels.push(String::from_utf8_lossy(label).into_owned());
        }
        Err(malformed("a name without an end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with two records, their names pointers to the question's.
    fn answer(query: &[u8]) -> Vec<u8> {
        let mut message = query.to_vec();
        message[2] |= 0x80;
        message[7] = 2;
        for (priority, port, host) in [(2u16, 2379u16, &b"\x01b"[..]), (1, 12379, &b"\x01a"[..])] {
            message.extend([POINTER, 12]);
            message.extend([0, 33, 0, 1, 0, 0, 0, 60]);
            // The target is a label and a pointer to the domain behind the first two of the name.
            let target = [host, &[POINTER, 12 + 13 + 5]].concat();
            message.extend((6 + target.len() as u16).to_be_bytes());
            for number in [priority, 0, port] {
                message.extend(number.to_be_bytes());
            }
            message.extend(target);
        }
        message
    }

    #[test]
    fn records_name_hosts_and_ports() {
        let query = query("_etcd-client._tcp.example.org").expect("a name");
        let records = read(&query, &answer(&query)).expect("an answer");
        let record =
            |priority, port, target: &str| Record { priority, port, target: target.into() };
        assert_eq!(records, [record(2, 2379, "b.example.org"), record(1, 12379, "a.example.org")]);
    }

    #[test]
    fn damage_is_an_error() {
        let query = query("_etcd-client._tcp.example.org").expect("a name");
        let whole = answer(&query);
        for length in 0..whole.len() {
            assert!(read(&query, &whole[..length]).is_err(), "{length}");
        }
        for at in 0..whole.len() {
            for byte in [0, 0xff, POINTER] {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                // Not to panic and not to run forever is all that is asked.
                let _ = read(&query, &damaged);
            }
        }
        let mut missing = whole;
        missing[3] |= 3;
        let error = read(&query, &missing).expect_err("there is no such name");
        assert_eq!(error.to_string(), "no such host");
        assert!(super::query("a..b").is_err());
    }
}
