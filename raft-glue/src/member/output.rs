//! From raft's readies to outputs.

use super::grouping::split;
use super::{Member, SnapshotOrder, Unpersisted, role_of};
use crate::convert::{entry_to_log, message_to_etcd};
use crate::limits::GROUP_BYTES_SPLIT;
use crate::{KIND_NORMAL, Output, Result, RoleChange};
use raft::eraftpb::{Entry, Message, MessageType};
use retcd_wal::HardState;

impl Member {
    /// Whether [`Member::take_output`] would return something.
    pub fn has_output(&self) -> bool {
        !self.proposals.is_empty()
            || !self.output.is_empty()
            || self.may_begin_read_round()
            || self.raw.has_ready()
    }

    /// Everything that follows from the inputs so far, except that committed entries come in
    /// portions of bounded size.
    ///
    /// # Errors
    ///
    /// The member must stop on any.
    pub fn take_output(&mut self) -> Result<Output> {
        self.raw.store().check()?;
        self.propose_gathered();
        self.begin_read_round();
        if self.raw.has_ready() {
            self.take_ready()?;
        }
        self.note_role();
        self.raw.store().check()?;
        Ok(std::mem::take(&mut self.output))
    }

    fn take_ready(&mut self) -> Result<()> {
        let mut ready = self.raw.ready();
        let number = ready.number();
        if !ready.snapshot().is_empty() {
            self.begin_install(number, ready.snapshot());
        }
        self.note_reads(ready.take_read_states());
        let committed = ready.take_committed_entries();
        if let Some(last) = committed.last() {
            self.handed_out = last.index;
        }
        self.output.committed = committed.into_iter().map(entry_to_log).collect();
        let changes = self.output.committed.iter().filter(|entry| entry.kind != KIND_NORMAL);
        self.changes_out.extend(changes.map(|entry| entry.index));
        // A leader's messages may leave before its own sync, everybody else's only after it. A
        // lone voter leads before it has written that it does: it waits, too.
        let term = self.raw.raft.term;
        let mut messages = ready.take_messages();
        if term == self.term_persisted {
            self.send(std::mem::take(&mut messages));
        }
        messages.append(&mut ready.take_persisted_messages());
        let is_group = ready.must_sync();
        let entries = ready.take_entries();
        if is_group {
            self.group(number, entries)?;
        }
        self.raw.advance_append_async(ready);
        if is_group || !self.unpersisted.is_empty() {
            self.unpersisted.push_back(Unpersisted { number, is_group, term, messages });
        } else {
            self.send(messages);
            self.raw.on_persist_ready(number);
        }
        self.tell_install();
        Ok(())
    }

    /// Puts the entries into the tail, where raft reads them from now on, and into a group.
    fn group(&mut self, number: u64, entries: Vec<Entry>) -> Result<()> {
        self.note_ingested(&entries);
        let mut for_log = Vec::with_capacity(entries.len());
        for entry in entries {
            for_log.push(entry_to_log(entry.clone()));
            self.raw.mut_store().put(entry)?;
        }
        let state = self.raw.raft.hard_state();
        let state = HardState { term: state.term, vote: state.vote, commit: state.commit };
        let before = std::mem::replace(&mut self.logged, state);
        let limit = GROUP_BYTES_SPLIT.min(self.config.group_bytes_max);
        let mut groups = Vec::new();
        split(number, for_log, before, state, limit, &mut groups);
        self.give_out(groups, number);
        Ok(())
    }

    pub(super) fn send(&mut self, messages: Vec<Message>) {
        for message in messages {
            let is_snapshot = message.msg_type == MessageType::MsgSnapshot;
            let message = message_to_etcd(message);
            match is_snapshot {
                true => self.output.snapshots.push(SnapshotOrder { to: message.to, message }),
                false => self.output.messages.push(message),
            }
        }
    }

    /// Tells a new role. Reads that went to the leader of before are lost.
    fn note_role(&mut self) {
        let raft = &self.raw.raft;
        let now = RoleChange { leader: raft.leader_id, role: role_of(raft.state), term: raft.term };
        if self.known_role != now {
            self.known_role = now;
            self.output.role = Some(now);
            self.give_up_reads();
        }
    }
}
