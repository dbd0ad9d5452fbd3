//! Alarms: what is wrong with which member, as the whole cluster agreed on.
//!
//! Raised and cleared through raft only. While `NOSPACE` is raised for any member, all members
//! refuse what takes space; while `CORRUPT` is, all of them refuse every write.

use std::collections::BTreeSet;

use bytes::Bytes;
use retcd_api::etcdserverpb::alarm_request::AlarmAction;
use retcd_api::etcdserverpb::{AlarmMember, AlarmRequest, AlarmType};

/// What a request did to the set of alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmChange {
    /// Nothing.
    None,
    /// An alarm was added, and is to be stored.
    Raised(AlarmMember),
    /// An alarm was removed, and its record is to be deleted.
    Cleared(AlarmMember),
}

/// The raised alarms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    /// By kind, then member.
    raised: BTreeSet<(i32, u64)>,
}

impl Alarms {
    /// The alarms that were stored.
    pub fn new(stored: impl IntoIterator<Item = AlarmMember>) -> Alarms {
        let raised = stored.into_iter().map(|alarm| (alarm.alarm, alarm.member_id)).collect();
        Alarms { raised }
    }

    /// Applies a request. Gives the alarms of the response, and what is to be stored.
    ///
    /// `GET` lists the alarms of the asked kind (`NONE` for all). `ACTIVATE` and `DEACTIVATE`
    /// concern exactly one member and kind: raising `NONE` does nothing, and clearing what isn't
    /// raised neither. Raising what is raised already answers it again.
    pub fn apply(&mut self, request: &AlarmRequest) -> (Vec<AlarmMember>, AlarmChange) {
        let alarm = AlarmMember { member_id: request.member_id, alarm: request.alarm };
        let entry = (alarm.alarm, alarm.member_id);
        match AlarmAction::try_from(request.action) {
            Ok(AlarmAction::Get) => (self.list(request.alarm), AlarmChange::None),
            Ok(AlarmAction::Activate) if request.alarm != AlarmType::None as i32 => {
                let change = if self.raised.insert(entry) {
                    AlarmChange::Raised(alarm)
                } else {
                    AlarmChange::None
                };
                (vec![alarm], change)
            }
            Ok(AlarmAction::Deactivate) if self.raised.remove(&entry) => {
                (vec![alarm], AlarmChange::Cleared(alarm))
            }
            Ok(AlarmAction::Activate | AlarmAction::Deactivate) | Err(_) => {
                (Vec::new(), AlarmChange::None)
            }
        }
    }

    /// The alarms of this kind, or all for `NONE`, by kind, then member.
    pub fn list(&self, kind: i32) -> Vec<AlarmMember> {
        self.raised
            .iter()
            .filter(|(alarm, _)| kind == AlarmType::None as i32 || *alarm == kind)
            .map(|&(alarm, member_id)| AlarmMember { member_id, alarm })
            .collect()
    }

    /// Whether this alarm is raised for any member.
    pub fn is_raised(&self, kind: AlarmType) -> bool {
        self.raised.iter().any(|(alarm, _)| *alarm == kind as i32)
    }
}

/// What the names of all alarms in the `meta` keyspace begin with.
pub const ALARM_NAME_PREFIX: &str = "alarm/";

/// The name under which an alarm lies in the `meta` keyspace; its value is the encoded
/// `AlarmMember`.
pub fn alarm_name(alarm: &AlarmMember) -> Bytes {
    let AlarmMember { member_id, alarm } = alarm;
    format!("{ALARM_NAME_PREFIX}{alarm}/{member_id:016x}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(member_id: u64, kind: AlarmType) -> AlarmMember {
        AlarmMember { member_id, alarm: kind.into() }
    }

    fn request(action: AlarmAction, member_id: u64, kind: AlarmType) -> AlarmRequest {
        AlarmRequest { action: action.into(), member_id, alarm: kind.into() }
    }

    #[test]
    fn alarms_are_raised_listed_and_cleared() {
        let mut alarms = Alarms::default();
        let no_space = alarm(7, AlarmType::Nospace);
        let corrupt = alarm(3, AlarmType::Corrupt);
        let raise = request(AlarmAction::Activate, 7, AlarmType::Nospace);
        assert_eq!(alarms.apply(&raise), (vec![no_space], AlarmChange::Raised(no_space)));
        assert_eq!(alarms.apply(&raise), (vec![no_space], AlarmChange::None));
        alarms.apply(&request(AlarmAction::Activate, 3, AlarmType::Corrupt));
        assert!(alarms.is_raised(AlarmType::Nospace));
        let get = request(AlarmAction::Get, 0, AlarmType::None);
        assert_eq!(alarms.apply(&get), (vec![no_space, corrupt], AlarmChange::None));
        let get = request(AlarmAction::Get, 0, AlarmType::Corrupt);
        assert_eq!(alarms.apply(&get), (vec![corrupt], AlarmChange::None));
        let clear = request(AlarmAction::Deactivate, 7, AlarmType::Nospace);
        assert_eq!(alarms.apply(&clear), (vec![no_space], AlarmChange::Cleared(no_space)));
        assert_eq!(alarms.apply(&clear), (Vec::new(), AlarmChange::None));
        assert!(!alarms.is_raised(AlarmType::Nospace));
    }

    #[test]
    fn none_is_never_raised_nor_cleared() {
        let mut alarms = Alarms::new([alarm(1, AlarmType::Nospace)]);
        for action in [AlarmAction::Activate, AlarmAction::Deactivate] {
            for member in [0, 1] {
                let nothing = request(action, member, AlarmType::None);
                assert_eq!(alarms.apply(&nothing), (Vec::new(), AlarmChange::None));
            }
        }
        let unknown = AlarmRequest { action: 9, ..AlarmRequest::default() };
        assert_eq!(alarms.apply(&unknown), (Vec::new(), AlarmChange::None));
        assert_eq!(alarms, Alarms::new([alarm(1, AlarmType::Nospace)]));
    }

    #[test]
    fn names_tell_alarms_apart() {
        assert_eq!(alarm_name(&alarm(0xabc, AlarmType::Corrupt)), "alarm/2/0000000000000abc");
    }
}
