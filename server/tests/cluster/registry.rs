//! A registry of the second version, as far as founding members use it: a directory of etcd's old
//! keys with its size, over HTTP/1.1, one request a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The directory.
const DIRECTORY: &str = "/v2/keys/registry/token";

/// Index of the directory's size; keys follow.
const SIZE_INDEX: usize = 1;

/// The running registry. Its threads end with the test's process.
pub(crate) struct Registry {
    address: SocketAddr,
}

/// What members put: names and values, in their order.
type Keys = Arc<(Mutex<Vec<(String, String)>>, Condvar)>;

impl Registry {
    /// Starts one for a cluster of `size` members.
    pub(crate) fn start(size: usize) -> Registry {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let keys = Keys::default();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let keys = keys.clone();
                std::thread::spawn(move || answer(stream, size, &keys));
            }
        });
        Registry { address }
    }

    /// The URL that members are given.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{DIRECTORY}", self.address)
    }
}

fn node((name, value): &(String, String), index: usize) -> serde_json::Value {
    let key = format!("/registry/token/{name}");
    serde_json::json!({"key": key, "value": value, "createdIndex": index, "modifiedIndex": index})
}

/// Reads a request and answers it. Whoever hangs up isn't answered.
fn answer(stream: TcpStream, size: usize, keys: &Keys) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut form = vec![0; length];
    reader.read_exact(&mut form).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let name = path.strip_prefix(DIRECTORY)?.trim_start_matches('/');
    let value = String::from_utf8(form).ok()?;
    let (status, index, content) = match method.as_str() {
        "PUT" => put(keys, name, value.strip_prefix("value=")?),
        _ => get(keys, name, query, size)?,
    };
    let content = content.to_string();
    let mut stream = reader.into_inner();
    let length = content.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nX-Etcd-Index: {index}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(content.as_bytes()).ok()
}

type Reply = (&'static str, usize, serde_json::Value);

fn put((keys, changed): &(Mutex<Vec<(String, String)>>, Condvar), name: &str, form: &str) -> Reply {
    let mut keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
    let index = SIZE_INDEX + keys.len() + 1;
    if keys.iter().any(|(known, _)| known == name) {
        let cause = format!("/registry/token/{name}");
        let message = "Key already exists";
        let refusal = serde_json::json!({"errorCode": 105, "message": message, "cause": cause});
        return ("412 Precondition Failed", index - 1, refusal);
    }
    keys.push((name.to_owned(), form_decoded(form)));
    changed.notify_all();
    let created = node(&keys[keys.len() - 1], index);
    ("201 Created", index, serde_json::json!({"action": "create", "node": created}))
}

fn get(
    (keys, changed): &(Mutex<Vec<(String, String)>>, Condvar),
    name: &str,
    query: &str,
    size: usize,
) -> Option<Reply> {
    let mut keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
    let found = match name {
        "_config/size" => serde_json::json!({"key": "/registry/token/_config/size",
            "value": size.to_string(), "createdIndex": SIZE_INDEX, "modifiedIndex": SIZE_INDEX}),
        _ if query.contains("wait=true") => {
            let wanted = query.split('&').find_map(|part| part.strip_prefix("waitIndex="))?;
            let wanted: usize = wanted.parse().ok()?;
            while SIZE_INDEX + keys.len() < wanted {
                keys = changed.wait(keys).unwrap_or_else(PoisonError::into_inner);
            }
            let place = wanted.checked_sub(SIZE_INDEX + 1)?;
            node(keys.get(place)?, wanted)
        }
        _ => {
            let numbered = keys.iter().enumerate();
            // Not in their order: who reads them has to sort.
            let nodes = numbered.rev().map(|(place, key)| node(key, SIZE_INDEX + 1 + place));
            let nodes: Vec<_> = nodes.collect();
            serde_json::json!({"key": "/registry/token", "dir": true, "nodes": nodes})
        }
    };
    let index = SIZE_INDEX + keys.len();
    Some(("200 OK", index, serde_json::json!({"action": "get", "node": found})))
}

fn form_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at(2);
        let byte = u8::from_str_radix(code, 16).expect("two hexadecimal digits");
        decoded.push(char::from(byte));
        decoded.push_str(rest);
    }
    decoded
}
