//! Grants, revokes and checkpoints of leases.

use std::time::Duration;

use prost::Message;
use retcd_api::etcdserverpb::{
    LeaseCheckpointRequest, LeaseCheckpointResponse, LeaseGrantRequest, LeaseGrantResponse,
    LeaseRevokeRequest, LeaseRevokeResponse,
};
use retcd_api::leasepb;
use retcd_engine::{Keyspace, Projection, Version};

use super::Applier;
use crate::range::revision_header;
use crate::read::Reader;
use crate::resident::{attached_keys, lease_name};
use crate::{Error, Result};

impl Applier {
    pub(super) fn lease_grant(
        &mut self,
        request: &LeaseGrantRequest,
        now: Duration,
    ) -> Result<LeaseGrantResponse> {
        let lease = self.resident().lessor.lock().grant(request.id, request.ttl, now)?;
        self.store_lease(&lease);
        Ok(LeaseGrantResponse {
            header: Some(revision_header(self.revision())),
            id: lease.id,
            ttl: lease.ttl,
            error: String::new(),
        })
    }

    /// Takes the attached keys along, in their order, in one revision.
    pub(super) fn lease_revoke(
        &mut self,
        request: &LeaseRevokeRequest,
    ) -> Result<LeaseRevokeResponse> {
        self.resident().lessor.lock().revoke(request.id)?;
        for key in attached_keys(self.view()?, request.id, Version::MAX)? {
            let Some(pair) = self.newest(&key, Projection::Keys)? else {
                return Err(Error::undecodable(Keyspace::Lease, "an attached key is gone"));
            };
            self.delete_pair(&pair)?;
        }
        self.push_record(Keyspace::Meta, lease_name(request.id), None);
        Ok(LeaseRevokeResponse { header: Some(revision_header(self.revision())) })
    }

    pub(super) fn lease_checkpoint(
        &mut self,
        request: &LeaseCheckpointRequest,
        now: Duration,
    ) -> LeaseCheckpointResponse {
        for checkpoint in &request.checkpoints {
            let (id, remaining) = (checkpoint.id, checkpoint.remaining_ttl);
            let changed = self.resident().lessor.lock().checkpoint(id, remaining, now);
            if let Some(lease) = changed {
                self.store_lease(&lease);
            }
        }
        LeaseCheckpointResponse { header: Some(revision_header(self.revision())) }
    }

    fn store_lease(&mut self, lease: &leasepb::Lease) {
        let value = lease.encode_to_vec().into();
        self.push_record(Keyspace::Meta, lease_name(lease.id), Some(value));
    }
}
