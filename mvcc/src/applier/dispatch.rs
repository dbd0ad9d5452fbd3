//! From an entry to the operation in it, and what stands in its way: alarms and the quota.

use std::time::Duration;

use prost::Message;
use retcd_api::Code;
use retcd_api::etcdserverpb::alarm_request::AlarmAction;
use retcd_api::etcdserverpb::{
    self, AlarmRequest, AlarmType, AuthDisableResponse, AuthStatusResponse, InternalRaftRequest,
};

use super::{Applier, CommittedEntry, Outcome, Response};
use crate::quota::QuotaCost;
use crate::range::{range, revision_header};
use crate::read::Reader;
use crate::{Error, Result};

impl Applier {
    /// Executes an entry; one that was executed before does nothing. `now` is the time since some
    /// fixed start.
    ///
    /// # Errors
    ///
    /// A refusal is in the outcome. An error means that the engine failed or that the entry can't
    /// be understood: the member must stop.
    pub fn apply(&mut self, entry: &CommittedEntry, now: Duration) -> Result<Outcome> {
        let mut outcome = Outcome { request_id: 0, result: Ok(Response::None), raise: None };
        if !self.begin_entry(entry.index, entry.term) || entry.data.is_empty() {
            return Ok(outcome);
        }
        let Ok(request) = InternalRaftRequest::decode(entry.data.clone()) else {
            // Before etcd 3, and up to 3.6 for what members tell of themselves.
            let request = etcdserverpb::Request::decode(entry.data.clone())
                .map_err(|_| Error::Entry { index: entry.index })?;
            outcome.request_id = request.id;
            self.v2_request(request);
            return Ok(outcome);
        };
        outcome.request_id = match &request.header {
            Some(header) if header.id != 0 => header.id,
            _ => request.id,
        };
        let cost = request.quota_cost();
        let admitted = self.quota_admits(cost);
        outcome.result = match self.execute(request, now) {
            Ok(response) => Ok(response),
            Err(Error::Refused(error)) => Err(error),
            Err(error) => return Err(error),
        };
        assert!(
            outcome.result.is_ok() || self.changes.is_empty(),
            "an entry was refused after it had begun to write"
        );
        self.end_entry();
        if !admitted && outcome.result.is_ok() {
            outcome.result = Err(retcd_api::Error::NoSpace);
            outcome.raise = self.no_space_alarm();
        }
        Ok(outcome)
    }

    /// Whether the request fits into the quota. The engine is asked once per batch; what the batch
    /// adds meanwhile is estimated.
    fn quota_admits(&mut self, cost: u64) -> bool {
        let Some(quota) = self.store.config().quota_bytes.filter(|_| cost > 0) else {
            return true;
        };
        let used = *self.used_bytes.get_or_insert_with(|| self.store.used_bytes());
        let wanted = used.saturating_add(cost);
        self.used_bytes = Some(wanted);
        wanted < quota
    }

    fn no_space_alarm(&self) -> Option<AlarmRequest> {
        if self.store.is_alarm_raised(AlarmType::Nospace) {
            return None;
        }
        Some(AlarmRequest {
            action: AlarmAction::Activate.into(),
            member_id: self.store.config().member_id,
            alarm: AlarmType::Nospace.into(),
        })
    }

    /// What raised alarms forbid. Unlike the quota, they are the same on all members.
    fn check_alarms(&self, request: &InternalRaftRequest) -> retcd_api::Result<()> {
        let alarms = self.resident().alarms.read();
        let uses_pairs = request.range.is_some()
            || request.put.is_some()
            || request.delete_range.is_some()
            || request.txn.is_some()
            || request.compaction.is_some()
            || request.lease_grant.is_some()
            || request.lease_revoke.is_some();
        if uses_pairs && alarms.is_raised(AlarmType::Corrupt) {
            return Err(retcd_api::Error::Corrupt);
        }
        if request.quota_cost() > 0 && alarms.is_raised(AlarmType::Nospace) {
            return Err(retcd_api::Error::NoSpace);
        }
        Ok(())
    }

    fn execute(&mut self, request: InternalRaftRequest, now: Duration) -> Result<Response> {
        self.check_alarms(&request)?;
        if let Some(request) = &request.range {
            Ok(Response::Range(range(self, request)?))
        } else if let Some(request) = request.put {
            Ok(Response::Put(self.put(request)?))
        } else if let Some(request) = &request.delete_range {
            Ok(Response::DeleteRange(self.delete_range(request)?))
        } else if let Some(request) = &request.txn {
            Ok(Response::Txn(self.txn(request)?))
        } else if let Some(request) = &request.compaction {
            Ok(Response::Compaction(self.compact(request)?))
        } else if let Some(request) = &request.lease_grant {
            Ok(Response::LeaseGrant(self.lease_grant(request, now)?))
        } else if let Some(request) = &request.lease_revoke {
            Ok(Response::LeaseRevoke(self.lease_revoke(request)?))
        } else if let Some(request) = &request.lease_checkpoint {
            Ok(Response::LeaseCheckpoint(self.lease_checkpoint(request, now)))
        } else if let Some(request) = &request.alarm {
            Ok(Response::Alarm(self.alarm(request)))
        } else {
            self.execute_cluster(request)
        }
    }

    fn execute_cluster(&mut self, request: InternalRaftRequest) -> Result<Response> {
        if let Some(request) = request.cluster_version_set {
            self.set_cluster_version(request.ver);
        } else if let Some(request) = request.cluster_member_attr_set {
            self.set_member_attributes(request);
        } else if let Some(request) = request.downgrade_info_set {
            self.set_downgrade(request);
        } else if let Some(request) = request.v2 {
            self.v2_request(request);
        } else if request.downgrade_version_test.is_none() {
            return self.execute_auth(&request);
        }
        Ok(Response::None)
    }

    /// Authentication is never enabled in this version, so most of it is refused.
    fn execute_auth(&mut self, request: &InternalRaftRequest) -> Result<Response> {
        let header = Some(revision_header(self.revision()));
        if request.auth_status.is_some() {
            Ok(Response::AuthStatus(AuthStatusResponse {
                header,
                enabled: false,
                auth_revision: self.resident().auth.read().revision,
            }))
        } else if request.auth_disable.is_some() {
            Ok(Response::AuthDisable(AuthDisableResponse { header }))
        } else if request.authenticate.is_some() {
            Err(retcd_api::Error::AuthNotEnabled.into())
        } else {
            let text = "etcdserver: the request isn't supported by this version";
            Err(retcd_api::Error::Other(Code::Unimplemented, text.into()).into())
        }
    }
}
