//! Clients of all members put, read, delete and compare, and write down what they saw. It has to be
//! explained by each key having had one value after the other.

use crate::common::block_on;
use crate::progress::Progress;
use etcd_client::{Client, Compare, CompareOp, Error, Txn, TxnOp};
use retcd_testkit::linearizability::register::{Call, Register};
use retcd_testkit::linearizability::{Operation, Verdict, check};
use retcd_testkit::random::{Random, fresh_seed};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const CLIENTS: u64 = 6;

/// Few enough that clients meet, and many enough that a history of one can be checked: each call
/// without an answer doubles what there is to try.
const KEYS: u64 = 12;

/// Answers that have to come between two steps of what happens to the members: the cluster goes on
/// meanwhile.
const ANSWERS_PER_STEP: u64 = 60;

/// How long a client waits for an answer; then it goes on with another member.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many calls the search for an explanation may place for one key.
const STEPS_MAX: usize = 2_000_000;

type Value = u64;

/// What all clients write down, and whom they ask.
pub(crate) struct RecordedLoad {
    seed: u64,
    endpoints: Mutex<Vec<String>>,
    /// One history for each key.
    histories: Vec<Mutex<Vec<Operation<Call<Value>>>>>,
    clock: AtomicU64,
    progress: Progress,
}

impl RecordedLoad {
    /// Nobody has asked yet.
    pub(crate) fn new(endpoints: Vec<String>) -> RecordedLoad {
        let seed = fresh_seed();
        println!("seed {seed}");
        RecordedLoad {
            seed,
            endpoints: Mutex::new(endpoints),
            histories: (0..KEYS).map(|_| Mutex::default()).collect(),
            clock: AtomicU64::new(1),
            progress: Progress::default(),
        }
    }

    /// Has the clients work while `happens` does.
    pub(crate) fn during(&self, happens: impl FnOnce(&mut Random)) {
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                scope.spawn(move || {
                    let random = Random::new(self.seed ^ (number << 32));
                    block_on(run_client(self, number, random));
                });
            }
            let _end = self.progress.end_later();
            happens(&mut Random::new(self.seed));
            self.goes_on();
        });
    }

    /// Waits until some more calls are answered.
    pub(crate) fn goes_on(&self) {
        self.progress.wait_for(ANSWERS_PER_STEP);
    }

    /// Clients that connect from now on ask one of these.
    pub(crate) fn ask_others(&self, endpoints: Vec<String>) {
        *self.endpoints.lock().expect("no client panicked") = endpoints;
    }

    /// Looks for an explanation of what the clients saw.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn judge(self) {
        let seed = self.seed;
        for (key, history) in self.histories.into_iter().enumerate() {
            let mut history = history.into_inner().expect("no client panicked");
            history.sort_by_key(|operation| operation.invoked);
            match check(Register::default(), &history, STEPS_MAX) {
                Verdict::Linearizable => {}
                Verdict::Refuted(stuck) => {
                    let next: Vec<_> = stuck.next.iter().map(|&place| &history[place]).collect();
                    panic!("seed {seed}, key {key}: {:?} can't be before {next:?}", stuck.state);
                }
                Verdict::Undecided => {
                    panic!("seed {seed}, key {key}: too many calls without answers");
                }
            }
        }
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn endpoint(&self, number: usize) -> String {
        let endpoints = self.endpoints.lock().expect("nobody panicked");
        endpoints[number % endpoints.len()].clone()
    }
}

async fn run_client(record: &RecordedLoad, number: u64, mut random: Random) {
    let mut member = number as usize;
    let mut client: Option<Client> = None;
    let mut next_value = 1;
    // What the client believes of each key, to compare with something that may be there.
    let mut believed: Vec<Option<Value>> = vec![None; KEYS as usize];
    while !record.progress.is_over() {
        let connected = match client.take() {
            Some(connected) => Some(connected),
            None => {
                member += 1;
                let connecting = Client::connect([record.endpoint(member)], None);
                tokio::time::timeout(PATIENCE, connecting).await.ok().and_then(Result::ok)
            }
        };
        let Some(mut connected) = connected else { continue };
        let key = random.below(KEYS);
        next_value += 1;
        let value = (number << 32) + next_value;
        let mut call = choose(&mut random, value, believed[key as usize]);
        let invoked = record.now();
        let asked = ask(&mut connected, key, &mut call);
        let is_answered = matches!(tokio::time::timeout(PATIENCE, asked).await, Ok(Ok(())));
        let returned = is_answered.then(|| record.now());
        if is_answered {
            record.progress.answered();
            believed[key as usize] = match &call {
                Call::Read { found } => *found,
                Call::Write { value, .. } | Call::CompareAndSet { value, .. } => *value,
            };
            client = Some(connected);
        }
        // A read without an answer has had no effect.
        if is_answered || !matches!(call, Call::Read { .. }) {
            let mut history = record.histories[key as usize].lock().expect("no client panicked");
            history.push(Operation { call, invoked, returned });
        }
    }
}

fn choose(random: &mut Random, value: Value, believed: Option<Value>) -> Call<Value> {
    match random.below(10) {
        0..5 => Call::Read { found: None },
        5..8 => Call::Write { value: Some(value), existed: None },
        8 => Call::Write { value: None, existed: None },
        _ => Call::CompareAndSet { expected: believed, value: Some(value), succeeded: None },
    }
}

/// Asks a member, and enters its answer.
async fn ask(client: &mut Client, key: u64, call: &mut Call<Value>) -> Result<(), Error> {
    let key = format!("key {key}");
    match call {
        Call::Read { found } => {
            let response = client.get(key, None).await?;
            *found = response
                .kvs()
                .first()
                .map(|pair| pair.value_str().expect("a number").parse().expect("a number"));
        }
        Call::Write { value: Some(value), .. } => {
            client.put(key, value.to_string(), None).await?;
        }
        Call::Write { value: None, existed } => {
            *existed = Some(client.delete(key, None).await?.deleted() == 1);
        }
        Call::CompareAndSet { expected, value, succeeded } => {
            let compare = match expected {
                Some(expected) => {
                    Compare::value(key.clone(), CompareOp::Equal, expected.to_string())
                }
                None => Compare::version(key.clone(), CompareOp::Equal, 0),
            };
            let value = value.expect("it sets something").to_string();
            let put = TxnOp::put(key, value, None);
            let response = client.txn(Txn::new().when([compare]).and_then([put])).await?;
            *succeeded = Some(response.succeeded());
        }
    }
    Ok(())
}
