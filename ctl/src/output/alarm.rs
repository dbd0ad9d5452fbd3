//! Alarms.

use std::fmt;

use prost::Message;
use retcd_api::etcdserverpb::{AlarmMember, AlarmResponse, AlarmType};

use super::{HasHeader, Page, Show};
use crate::failure::Outcome;

/// An alarm as etcd writes it: the text form of protobuf, in which empty fields are left out and
/// each field is followed by a space.
struct Text<'a>(&'a AlarmMember);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.member_id != 0 {
            write!(f, "memberID:{} ", self.0.member_id)?;
        }
        match self.0.alarm() {
            AlarmType::None => Ok(()),
            alarm => write!(f, "alarm:{} ", alarm.as_str_name()),
        }
    }
}

impl Show for AlarmResponse {
    fn simple(&self, page: &mut Page) -> Outcome {
        self.alarms.iter().try_for_each(|alarm| page.line(Text(alarm)))
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.header())?;
        for alarm in &self.alarms {
            page.field("MemberID", alarm.member_id)?;
            page.field("AlarmType", alarm.alarm().as_str_name())?;
            page.line("")?;
        }
        Ok(())
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.encode_to_vec())
    }
}
