//! A session's lease.

use std::time::Duration;

use retcd_api::etcdserverpb::LeaseGrantRequest;
use tokio::task::JoinHandle;

use crate::client::{CallError, Client, Deadline};
use crate::command::lease;

/// A lease that is prolonged as long as this lives. Then it is left to run out.
pub(in crate::command) struct Lease {
    pub(in crate::command) id: i64,
    /// Ends when the lease has ended.
    renewals: JoinHandle<()>,
}

impl Lease {
    /// Begins a lease of so many seconds.
    pub(in crate::command) async fn grant(client: &Client, ttl: i64) -> Result<Self, CallError> {
        let granted = client.call(LeaseGrantRequest { ttl, id: 0 }, Deadline::NEVER).await?;
        let renewals = tokio::spawn(renew(client.clone(), granted.id, seconds(granted.ttl)));
        Ok(Self { id: granted.id, renewals })
    }

    /// Waits until the lease has ended, because nobody could be told to prolong it, or because
    /// somebody revoked it.
    pub(in crate::command) async fn lost(&mut self) {
        let ended = (&mut self.renewals).await;
        assert!(!ended.is_err_and(|error| error.is_panic()), "prolonging the lease panicked");
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewals.abort();
    }
}

/// Prolongs a lease each time that a third of it is over, until it has ended.
async fn renew(client: Client, id: i64, mut life: Duration) {
    let mut lives_until = Deadline::after(life);
    loop {
        tokio::time::sleep(life / 3).await;
        let Ok(Ok(renewed)) = lives_until.limit(lease::renew(&client, id)).await else { return };
        if renewed.ttl <= 0 {
            return;
        }
        life = seconds(renewed.ttl);
        lives_until = Deadline::after(life);
    }
}

fn seconds(ttl: i64) -> Duration {
    Duration::from_secs(ttl.unsigned_abs())
}
