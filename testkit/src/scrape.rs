//! HTTP/1.1 GET over a plain socket, and the values in a Prometheus text.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// No answer of a test server takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two questions for something that is still to come.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// An answer: status code and body.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body, chunked coding removed.
    pub body: String,
}

/// Asks `path` of the server at `address` and closes the connection.
pub fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    parse(&text).ok_or_else(|| io::Error::other(format!("not an HTTP answer: {text}")))
}

/// Asks again and again until the answer is as wanted; the last answer if it never is.
///
/// For what a server does by itself some time after its start and announces nowhere else.
pub fn get_until(
    address: SocketAddr,
    path: &str,
    is_wanted: impl Fn(&Answer) -> bool,
) -> io::Result<Answer> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get(address, path)?;
        if is_wanted(&answer) || Instant::now() > deadline {
            return Ok(answer);
        }
        thread::sleep(POLL_INTERVAL);
    }
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if is_chunked { dechunk(body)? } else { body.to_owned() };
    Some(Answer { status, body })
}

fn dechunk(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.push_str(rest.get(..size)?);
        body = rest.get(size + 2..)?;
    }
}

/// The sum over all series called `name` (labels ignored); `None` when there is none.
pub fn metric(text: &str, name: &str) -> Option<f64> {
    let values: Vec<f64> = text
        .lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with(' ') || rest.starts_with('{'))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse().ok())
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined() {
        let text =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        assert_eq!(parse(text), Some(Answer { status: 200, body: "abcd".to_owned() }));
    }

    #[test]
    fn a_metric_is_the_sum_of_its_series() {
        let text = "# HELP a x\na_total 5\na{x=\"1\"} 1\na{x=\"2\"} 2.5\n";
        assert_eq!(metric(text, "a"), Some(3.5));
        assert_eq!(metric(text, "b"), None);
    }
}
