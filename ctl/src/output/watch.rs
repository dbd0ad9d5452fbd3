//! What a watch has seen.

use prost::Message;
use retcd_api::etcdserverpb::{ResponseHeader, WatchResponse};
use retcd_api::mvccpb::Event;
use serde::Serialize;

use super::{HasHeader, Page, Show};
use crate::failure::Outcome;

/// Events, progress, or the end of a watch. In JSON its names begin with capitals.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Watched {
    pub(crate) header: ResponseHeader,
    /// `None` if the stream broke before there was a response.
    pub(crate) events: Option<Vec<Event>>,
    pub(crate) compact_revision: i64,
    pub(crate) canceled: bool,
    pub(crate) created: bool,
}

impl Watched {
    /// A watch that ended without a response.
    pub(crate) fn broken() -> Self {
        Self {
            header: ResponseHeader::default(),
            events: None,
            compact_revision: 0,
            canceled: true,
            created: false,
        }
    }

    /// The events, if there are any.
    pub(crate) fn events(&self) -> &[Event] {
        self.events.as_deref().unwrap_or_default()
    }
}

impl From<WatchResponse> for Watched {
    fn from(response: WatchResponse) -> Self {
        Self {
            header: response.header(),
            events: Some(response.events),
            compact_revision: response.compact_revision,
            canceled: response.canceled,
            created: response.created,
        }
    }
}

impl Show for Watched {
    fn simple(&self, page: &mut Page) -> Outcome {
        for event in self.events() {
            page.line(event.r#type().as_str_name())?;
            event.prev_kv.iter().try_for_each(|pair| page.pair(pair))?;
            event.kv.iter().try_for_each(|pair| page.pair(pair))?;
        }
        Ok(())
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.header)?;
        for event in self.events() {
            page.field("Type", event.r#type().as_str_name())?;
            event.prev_kv.iter().try_for_each(|pair| page.pair_fields("Prev", pair))?;
            event.kv.iter().try_for_each(|pair| page.pair_fields("", pair))?;
        }
        Ok(())
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        let response = WatchResponse {
            header: Some(self.header),
            events: self.events().to_vec(),
            compact_revision: self.compact_revision,
            canceled: self.canceled,
            created: self.created,
            ..WatchResponse::default()
        };
        Ok(response.encode_to_vec())
    }
}
