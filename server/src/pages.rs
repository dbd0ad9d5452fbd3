//! The member as the source of the HTTP pages.

use std::sync::Arc;

use retcd_api::etcdserverpb::{AlarmType, RangeRequest};

use crate::flags::Config;
use crate::http::{Alarm, Later, RaftStatus, Source};
use crate::member::{Member, pressure};
use crate::metrics::{Metrics, Numbers};

pub(crate) use crate::http::Pages;

/// The pages of a client port; other ports' views are made of it.
pub(crate) fn pages(config: &Config, member: &Arc<Member>, metrics: &Arc<Metrics>) -> Pages {
    let source = MemberSource { member: member.clone(), metrics: metrics.clone() };
    let arguments = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    Pages::new(Arc::new(source), metrics.clone(), config.http.clone(), arguments)
}

struct MemberSource {
    member: Arc<Member>,
    metrics: Arc<Metrics>,
}

impl Source for MemberSource {
    fn alarms(&self) -> Vec<Alarm> {
        let alarms = self.member.store.alarms();
        alarms
            .iter()
            .map(|alarm| match AlarmType::try_from(alarm.alarm) {
                Ok(AlarmType::Nospace) => Alarm::NoSpace,
                Ok(AlarmType::Corrupt) => Alarm::Corrupt,
                Ok(AlarmType::None) | Err(_) => Alarm::Unknown,
            })
            .collect()
    }

    fn has_leader(&self) -> bool {
        self.member.status.leader() != 0
    }

    fn is_learner(&self) -> bool {
        self.member.is_learner()
    }

    fn cluster_version(&self) -> Option<String> {
        self.member.store.cluster_version()
    }

    fn serializable_read(&self) -> Later<'_, Result<(), String>> {
        Box::pin(async { read_a_key(&self.member) })
    }

    fn linearizable_read(&self) -> Later<'_, Result<(), String>> {
        Box::pin(async {
            self.member.linearizable().await.map_err(|error| error.to_string())?;
            read_a_key(&self.member)
        })
    }

    fn raft_status(&self) -> RaftStatus {
        let status = &self.member.status;
        RaftStatus {
            id: self.member.identity.member,
            term: status.term(),
            lead: status.leader(),
            commit: status.committed(),
            applied: status.applied(),
        }
    }

    /// Reading `/proc` and writing two thousand lines is too much for a network thread.
    fn metrics(&self) -> Later<'_, Vec<u8>> {
        let (member, metrics) = (self.member.clone(), self.metrics.clone());
        let render = tokio::task::spawn_blocking(move || metrics.text(&numbers(&member)));
        Box::pin(async {
            match render.await {
                Ok(text) => text,
                Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
                // The server stops.
                Err(_) => Vec::new(),
            }
        })
    }
}

/// etcd's health checks read the first key, whatever it is.
fn read_a_key(member: &Member) -> Result<(), String> {
    let request = RangeRequest { keys_only: true, limit: 1, ..Default::default() };
    let range = member.checked(member.store.range(&request));
    range.map(|_| ()).map_err(|error| error.to_string())
}

fn numbers(member: &Member) -> Numbers {
    let hub = member.store.hub().stats();
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let engine = member.engine.stats();
    Numbers {
        admission_pressure: pressure(&engine),
        committed: signed(member.status.committed()),
        applied: signed(member.status.applied()),
        is_learner: member.is_learner(),
        cluster_version: member.store.cluster_version(),
        revision: member.store.revision(),
        compacted_revision: member.store.compacted_revision(),
        keys: signed(member.store.key_count()),
        watch_streams: signed(hub.streams as u64),
        watchers: signed(hub.watchers as u64),
        unsynced_watchers: signed(hub.unsynced_watchers as u64),
        pending_events: signed(hub.pending_events as u64),
        engine,
        used_bytes: member.store.used_bytes(),
    }
}
