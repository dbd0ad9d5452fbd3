//! Many clients that write at once, each on a connection of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use retcd_api::etcdserverpb::PutRequest;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::random::Keys;
use super::stats::Stats;
use crate::client::{Client, Deadline};
use crate::progress::Progress;

/// How exact clocks wake us: what is due is given out this often.
const TICK: Duration = Duration::from_millis(1);

/// How far writing may lag behind its rate and still catch up, if not by the time of one write.
const LAG_MAX: Duration = Duration::from_millis(2);

/// How often progress is shown.
const SHOW_INTERVAL: Duration = Duration::from_millis(200);

/// Clients and what they write.
pub(super) struct Workers {
    tasks: JoinSet<()>,
    shared: Arc<Shared>,
}

struct Shared {
    keys: Keys,
    value: Bytes,
    /// One permit for each write. Closed when no further one is to begin.
    permits: Semaphore,
    /// How many may be begun at all.
    limit: u64,
    begun: AtomicU64,
    stats: Mutex<Stats>,
}

impl Workers {
    /// Starts so many clients, evenly over the endpoints of `client`. They wait for permits.
    pub(super) fn start(client: &Client, count: usize, keys: Keys, value: Bytes) -> Self {
        Self::start_limited(client, count, keys, value, u64::MAX)
    }

    /// Starts so many clients that write `limit` keys without waiting, and end.
    pub(super) fn start_all(
        client: &Client,
        count: usize,
        keys: Keys,
        value: Bytes,
        limit: u64,
    ) -> Self {
        let workers = Self::start_limited(client, count, keys, value, limit);
        // Each client ends by a permit for a write too many.
        let permits = usize::try_from(limit).unwrap_or(Semaphore::MAX_PERMITS) + count;
        workers.shared.permits.add_permits(permits);
        workers
    }

    fn start_limited(client: &Client, count: usize, keys: Keys, value: Bytes, limit: u64) -> Self {
        let endpoints = &client.settings().endpoints;
        let endpoints: Vec<_> = endpoints.iter().map(|one| one.text.as_str()).collect();
        let shared = Arc::new(Shared {
            keys,
            value,
            permits: Semaphore::new(0),
            limit,
            begun: AtomicU64::new(0),
            stats: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for number in 0..count {
            // Each begins with another endpoint, and has all of them.
            let mut order = endpoints.clone();
            order.rotate_left(number % endpoints.len());
            tasks.spawn(work(client.at_all(order), shared.clone()));
        }
        Self { tasks, shared }
    }

    /// Lets writes begin at a rate, for so long. No more wait than there are clients.
    pub(super) async fn pace(&self, rate: u32, time: Duration) {
        let end = Instant::now() + time;
        let step = Duration::from_secs(1) / rate;
        let lag_max = LAG_MAX.max(step);
        let mut next = Instant::now();
        loop {
            let now = Instant::now();
            if now >= end {
                return;
            }
            next = next.max(now - lag_max.min(now.duration_since(next)));
            while next <= now {
                if self.shared.permits.available_permits() < self.tasks.len() {
                    self.shared.permits.add_permits(1);
                }
                next += step;
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Lets no further write begin.
    pub(super) fn close(&self) {
        self.shared.permits.close();
    }

    /// Shows on a terminal how far they are, in words that `text` makes of the number of answers.
    /// Never ends.
    pub(super) fn show<T>(&self, text: T) -> impl Future<Output = ()> + use<T>
    where
        T: Fn(usize) -> String,
    {
        let shared = self.shared.clone();
        async move {
            let mut progress = Progress::new();
            loop {
                progress.show(|| text(shared.stats().count()));
                tokio::time::sleep(SHOW_INTERVAL).await;
            }
        }
    }

    /// Waits until all clients have ended.
    pub(super) async fn wait(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a client doesn't panic");
        }
    }

    /// What came of it, once all have ended.
    pub(super) fn into_stats(self) -> Stats {
        std::mem::take(&mut self.shared.stats())
    }
}

impl Shared {
    fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().expect("nothing panics while it holds them")
    }
}

async fn work(client: Client, shared: Arc<Shared>) {
    while let Ok(permit) = shared.permits.acquire().await {
        permit.forget();
        let number = shared.begun.fetch_add(1, Ordering::Relaxed);
        if number >= shared.limit {
            return;
        }
        let key = shared.keys.key(number).into();
        let request = PutRequest { key, value: shared.value.clone(), ..PutRequest::default() };
        let begun = Instant::now();
        let answer = client.call(request, Deadline::NEVER).await;
        let answer = answer.map(|_| ()).map_err(|error| error.to_string());
        shared.stats().add(begun.elapsed(), answer);
    }
}
