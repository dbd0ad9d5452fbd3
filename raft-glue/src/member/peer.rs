//! What peers send: checked before raft sees it, because raft asserts what it expects of them.

use super::Member;
use super::grouping::fits;
use crate::conf_change::checked_conf_change;
use crate::convert::{conf_change_proposal, message_from_etcd};
use crate::limits::{INFLIGHT_MESSAGES_FROM_DISK_MAX, INFLIGHT_MESSAGES_MAX};
use crate::{Error, Result};
use raft::StateRole;
use raft::eraftpb::{Entry, EntryType, Message, MessageType};
use retcd_api::raftpb;

impl Member {
    /// Steps a peer's message. One that no peer may send is ignored.
    pub(super) fn receive(&mut self, message: raftpb::Message) -> Result<()> {
        let Some(mut message) = message_from_etcd(message) else {
            return Ok(());
        };
        if !self.may_come(&mut message) {
            return Ok(());
        }
        let last = self.raw.raft.raft_log.last_index();
        if message.msg_type == MessageType::MsgHeartbeat
            && message.term >= self.raw.raft.term
            && message.commit > last
        {
            return Err(Error::LogLost { commit: message.commit, last });
        }
        if message.msg_type == MessageType::MsgReadIndex && self.raw.raft.state == StateRole::Leader
        {
            self.questioned(message);
            return Ok(());
        }
        self.pace(&message);
        // Proposals can be dropped and senders unknown: both are the network's everyday life.
        let _ = self.raw.step(message);
        Ok(())
    }

    /// Bounds what is under way to a follower that answers, by where its next entries come from.
    fn pace(&mut self, message: &Message) {
        let is_answer = matches!(
            message.msg_type,
            MessageType::MsgAppendResponse | MessageType::MsgHeartbeatResponse
        );
        if !is_answer {
            return;
        }
        let on_disk = self.raw.store().last_on_disk();
        let Some(progress) = self.raw.raft.prs().get(message.from) else {
            return;
        };
        let messages_max = match progress.next_idx <= on_disk {
            true => INFLIGHT_MESSAGES_FROM_DISK_MAX,
            false => INFLIGHT_MESSAGES_MAX,
        };
        self.raw.raft.adjust_max_inflight_msgs(message.from, messages_max);
    }

    fn may_come(&self, message: &mut Message) -> bool {
        let id = self.config.id;
        if message.to != id || message.from == id || message.from == raft::INVALID_ID {
            return false;
        }
        // Without a term raft would take a message for its own.
        let forwarded =
            matches!(message.msg_type, MessageType::MsgPropose | MessageType::MsgReadIndex);
        if forwarded != (message.term == 0) {
            return false;
        }
        match message.msg_type {
            MessageType::MsgPropose => {
                !message.entries.is_empty()
                    && !self.is_overloaded()
                    && message.entries.iter_mut().all(|entry| self.may_be_proposed(entry))
            }
            MessageType::MsgReadIndex | MessageType::MsgReadIndexResp => message.entries.len() == 1,
            MessageType::MsgAppend => is_continuous(message.index, &message.entries),
            // A lone voter is told by nobody to campaign; see `Member::tick`.
            MessageType::MsgTimeoutNow => !self.is_lone_candidate() && !self.awaits_snapshot(),
            _ => true,
        }
    }

    fn may_be_proposed(&self, entry: &mut Entry) -> bool {
        match entry.entry_type {
            EntryType::EntryNormal => fits(entry.data.len(), self.config.group_bytes_max),
            EntryType::EntryConfChange => match checked_conf_change(&entry.data) {
                Some(checked) => {
                    *entry = conf_change_proposal(checked);
                    true
                }
                None => false,
            },
            EntryType::EntryConfChangeV2 => false,
        }
    }
}

fn is_continuous(after: u64, entries: &[Entry]) -> bool {
    let first = after.checked_add(1);
    first
        .is_some_and(|first| entries.iter().zip(first..).all(|(entry, index)| entry.index == index))
}
