//! Changes of the membership, as services ask for them.

use super::handle::{Event, Member, is_dropped};
use super::pending::Pending;
use crate::peers::Peers;
use prost::Message;
use retcd_api::{Code, Error, Result};
use retcd_mvcc::Response;
use retcd_mvcc::membership::MemberChange;
use retcd_raft_glue::{Input, Member as Consensus};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What a proposer is told while an earlier change isn't through. It tries again.
pub(super) const CHANGE_PENDING: &str = "etcdserver: another membership change is under way";

/// How long it waits before that.
const RETRY: Duration = Duration::from_millis(20);

impl Member {
    /// Proposes a change of the membership, as often as there is no leader to take it or another
    /// change is under way, and waits until it is applied.
    ///
    /// # Errors
    ///
    /// As [`Member::propose`], and those of applying it.
    pub(crate) async fn propose_membership(&self, change: &MemberChange) -> Result<Response> {
        let ends = Instant::now() + self.limits.request_timeout;
        loop {
            let mut pending = Pending::register();
            if self.status.is_stopped() {
                return Err(Error::Stopped);
            }
            let data = change.to_conf_change(pending.id).encode_to_vec().into();
            let propose = Input::ProposeConfChange { token: pending.id, data };
            self.events.send(Event::Input(propose)).map_err(|_| Error::Stopped)?;
            match tokio::time::timeout_at(ends, pending.answer()).await {
                Ok(Some(Err(error))) if is_pending(&error) || is_dropped(&error) => {}
                Ok(Some(answer)) => return answer,
                Ok(None) => return Err(Error::Stopped),
                Err(_) => return Err(Error::Timeout),
            }
            if Instant::now() + RETRY >= ends {
                return Err(Error::Timeout);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Takes note of the applied membership, at the start and whenever it has changed.
    pub(super) fn membership_applied(&self, peers: &Peers) {
        let members = self.store.members();
        let own = members.iter().find(|member| member.id == self.identity.member);
        self.status.set_learns(own.is_some_and(|own| own.is_learner));
        peers.set_members(&members);
    }

    /// Whether this member only learns. Asked by each call, so it is known without a lock.
    pub(crate) fn is_learner(&self) -> bool {
        self.status.learns()
    }

    /// Whether a member's log is nearly as long as that of this one, which leads: nine tenths of
    /// it, as in etcd.
    pub(crate) async fn is_in_sync(&self, id: u64) -> Result<bool> {
        let matched = self.inspect(Consensus::matched).await?.ok_or(Error::NotLeader)?;
        let of = |wanted: u64| matched.iter().find(|(id, _)| *id == wanted).map(|(_, at)| *at);
        let (Some(own), Some(theirs)) = (of(self.identity.member), of(id)) else {
            return Ok(false);
        };
        Ok(u128::from(theirs) * 10 >= u128::from(own) * 9)
    }

    /// Asks the consensus something.
    async fn inspect<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Consensus) -> T + Send + 'static,
    ) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        let look = Box::new(move |consensus: &Consensus| {
            // Whoever asked may have given up.
            let _ = sender.send(ask(consensus));
        });
        self.events.send(Event::Inspect(look)).map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Stopped)
    }
}

fn is_pending(error: &Error) -> bool {
    matches!(error, Error::Other(Code::Unavailable, text) if text == CHANGE_PENDING)
}
