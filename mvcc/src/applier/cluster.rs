//! Alarms, members and the cluster's version.

use prost::Message;
use retcd_api::etcdserverpb::{self, AlarmRequest, AlarmResponse};
use retcd_api::membershippb::{ClusterMemberAttrSetRequest, DowngradeInfoSetRequest};
use retcd_api::raftpb::ConfChange;
use retcd_engine::Keyspace;
use serde::Deserialize;

use super::{Applier, Outcome, Response};
use crate::alarm::{AlarmChange, alarm_name};
use crate::membership::{Downgrade, MemberChange, MetaItem, Refusal};
use crate::range::revision_header;
use crate::read::Reader;

use bytes::Bytes;

/// Where etcd's older store keeps the cluster's version.
const V2_VERSION_PATH: &str = "/0/version";
/// Where it keeps members; an id in hex digits and `/attributes` follow.
const V2_MEMBERS_PATH: &str = "/0/members/";

/// What a member tells of itself, in the older store's JSON.
#[derive(Deserialize)]
struct V2Attributes {
    #[serde(default)]
    name: String,
    #[serde(rename = "clientURLs", default)]
    client_urls: Vec<String>,
}

impl Applier {
    /// Executes a committed change of the membership. `conf_state` is raft's configuration after
    /// it, and is kept if the change is accepted. Applied before, it does nothing.
    ///
    /// # Errors
    ///
    /// None now; a refusal is in the outcome.
    pub fn apply_conf_change(
        &mut self,
        index: u64,
        term: u64,
        change: &ConfChange,
        conf_state: Bytes,
    ) -> crate::Result<Outcome> {
        let mut outcome =
            Outcome { request_id: change.id, result: Ok(Response::None), raise: None };
        if !self.begin_entry(index, term) {
            return Ok(outcome);
        }
        outcome.result = match self.change_members(change) {
            Ok(items) => {
                items.into_iter().for_each(|item| self.store_item(item));
                self.state.conf_state = conf_state;
                Ok(Response::Members(self.store.members()))
            }
            Err(refusal) => Err(refusal.into()),
        };
        Ok(outcome)
    }

    /// Raft's configuration after the last executed entry.
    pub fn conf_state(&self) -> &Bytes {
        &self.state.conf_state
    }

    fn change_members(&self, change: &ConfChange) -> Result<Vec<MetaItem>, Refusal> {
        self.resident().members.write().apply(MemberChange::of(change)?)
    }

    pub(super) fn alarm(&mut self, request: &AlarmRequest) -> AlarmResponse {
        let (alarms, change) = self.resident().alarms.write().apply(request);
        match change {
            AlarmChange::None => {}
            AlarmChange::Raised(alarm) => {
                let value = alarm.encode_to_vec().into();
                self.push_record(Keyspace::Meta, alarm_name(&alarm), Some(value));
            }
            AlarmChange::Cleared(alarm) => {
                self.push_record(Keyspace::Meta, alarm_name(&alarm), None);
            }
        }
        AlarmResponse { header: Some(revision_header(self.revision())), alarms }
    }

    pub(super) fn set_cluster_version(&mut self, version: String) {
        let item = self.resident().members.write().set_cluster_version(version);
        self.store_item(item);
    }

    pub(super) fn set_member_attributes(&mut self, request: ClusterMemberAttrSetRequest) {
        let attributes = request.member_attributes.unwrap_or_default();
        self.set_attributes(request.member_id, attributes.name, attributes.client_urls);
    }

    pub(super) fn set_downgrade(&mut self, request: DowngradeInfoSetRequest) {
        let downgrade = if request.enabled {
            Downgrade { target_version: request.ver, enabled: true }
        } else {
            Downgrade::default()
        };
        let item = self.resident().members.write().set_downgrade(downgrade);
        self.store_item(item);
    }

    /// An entry of etcd's older store. Up to 3.6 members announce themselves and the cluster's
    /// version in such entries; everything else that they can say is long gone.
    pub(super) fn v2_request(&mut self, request: etcdserverpb::Request) {
        if request.method != "PUT" {
            return;
        }
        if request.path == V2_VERSION_PATH {
            self.set_cluster_version(request.val);
            return;
        }
        let id = request
            .path
            .strip_prefix(V2_MEMBERS_PATH)
            .and_then(|rest| rest.strip_suffix("/attributes"))
            .and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let attributes = serde_json::from_str::<V2Attributes>(&request.val);
        if let (Some(id), Ok(attributes)) = (id, attributes) {
            self.set_attributes(id, attributes.name, attributes.client_urls);
        }
    }

    /// Does nothing for one who isn't a member any more.
    fn set_attributes(&mut self, id: u64, name: String, client_urls: Vec<String>) {
        let item = self.resident().members.write().set_attributes(id, name, client_urls);
        if let Some(item) = item {
            self.store_item(item);
        }
    }

    fn store_item(&mut self, item: MetaItem) {
        self.push_record(Keyspace::Meta, item.name, item.value);
    }
}
