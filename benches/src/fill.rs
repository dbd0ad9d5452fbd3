//! Writes many keys into a server: in transactions, several of them under way.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::{PutRequest, RequestOp, TxnRequest};
use retcd_testkit::random::Random;
use tokio::task::JoinSet;

use crate::Error;
use crate::client::{Call, Connection, frame};
use crate::corpus::{Corpus, Order};

/// Puts per transaction, below the limit of 128.
const PUTS_PER_TXN: u64 = 64;
/// Transactions under way.
const WRITERS: u64 = 16;

/// What a server says that is behind.
const REFUSED: &str = "too many requests";
/// Time until a refused request is sent again.
const PAUSE: Duration = Duration::from_millis(10);

/// What is written.
#[derive(Clone, Copy, Debug)]
pub enum Pairs {
    /// Each of the first keys once.
    Each(u64),
    /// The first keys again, in random order, with values that no other seed gives them.
    Again {
        /// From so many.
        keys: u64,
        /// So many puts.
        puts: u64,
        /// Which they are.
        seed: u64,
    },
}

impl Pairs {
    /// How many puts.
    fn count(self) -> u64 {
        match self {
            Pairs::Each(keys) => keys,
            Pairs::Again { puts, .. } => puts,
        }
    }

    fn put(self, place: u64, corpus: Corpus) -> PutRequest {
        let (number, generation) = match self {
            Pairs::Each(_) => (place, 0),
            Pairs::Again { keys, seed, .. } => {
                // A stretch of a random order: one transaction must not have a key twice.
                let from = Random::new(seed).below(keys);
                let number = Order::Random.number((from + place) % keys, keys);
                (number, 1 + ((seed << 32) | (place / keys)))
            }
        };
        let (key, value) = (corpus.key(number), corpus.value(number, generation));
        PutRequest { key, value, ..PutRequest::default() }
    }
}

/// Writes them, and says how many bytes the keys and values had.
pub fn write(server: SocketAddr, corpus: Corpus, pairs: Pairs) -> Result<u64, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(write_with_many(server, corpus, pairs))
}

async fn write_with_many(server: SocketAddr, corpus: Corpus, pairs: Pairs) -> Result<u64, Error> {
    let connection = Connection::open(server).await?;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let mut call = connection.method("/etcdserverpb.KV/Txn")?;
        writers.spawn(async move {
            let mut bytes = 0;
            let mut first = writer * PUTS_PER_TXN;
            while first < pairs.count() {
                let last = (first + PUTS_PER_TXN).min(pairs.count());
                let puts = (first..last).map(|place| pairs.put(place, corpus)).map(|put| {
                    bytes += (put.key.len() + put.value.len()) as u64;
                    RequestOp { request: Some(Request::RequestPut(put)) }
                });
                let txn = TxnRequest { success: puts.collect(), ..TxnRequest::default() };
                persist(&mut call, frame(&txn)).await?;
                first += WRITERS * PUTS_PER_TXN;
            }
            Ok::<u64, Error>(bytes)
        });
    }
    let mut bytes = 0;
    while let Some(outcome) = writers.join_next().await {
        bytes += outcome??;
    }
    Ok(bytes)
}

/// Sends a request until the server takes it: one that is behind refuses with a text that asks for
/// a pause.
pub async fn persist(call: &mut Call, frame: Bytes) -> Result<(), Error> {
    loop {
        match call.send_bytes(frame.clone()).await {
            Err(error) if error.to_string().contains(REFUSED) => tokio::time::sleep(PAUSE).await,
            outcome => return outcome.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Kind;

    #[test]
    fn a_second_round_changes_values_of_keys_that_are_there() {
        let corpus = Corpus::new(Kind::R);
        let first = Pairs::Each(5).put(4, corpus);
        assert_eq!(first.key, corpus.key(4));
        let again = |seed| Pairs::Again { keys: 1, puts: 9, seed }.put(8, corpus);
        assert_eq!(again(1).key, corpus.key(0));
        assert_ne!(again(1).value, again(2).value);
        assert_eq!(again(1), again(1));
        let numbers = (0..64).map(|place| {
            let pairs = Pairs::Again { keys: 64, puts: 64, seed: 5 };
            pairs.put(place, corpus).key
        });
        assert_eq!(numbers.collect::<std::collections::HashSet<_>>().len(), 64);
    }
}
