//! Responses that people needn't see: a sentence stands for them.

use prost::Message;
use serde::{Serialize, Serializer};

use super::{HasHeader, Page, Show};
use crate::failure::Outcome;

/// A sentence for people, the response in every other format.
pub(crate) struct Told<M> {
    text: String,
    response: M,
}

impl<M> Told<M> {
    /// As fields, the response's header is all that is printed.
    pub(crate) fn new(text: impl Into<String>, response: M) -> Self {
        Self { text: text.into(), response }
    }
}

impl<M: Serialize> Serialize for Told<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.response.serialize(serializer)
    }
}

impl<M: HasHeader + Message + Serialize> Show for Told<M> {
    fn simple(&self, page: &mut Page) -> Outcome {
        page.line(&self.text)
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.response.header())
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.response.encode_to_vec())
    }
}
