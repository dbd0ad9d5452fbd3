//! Responses that people needn't see: a sentence stands for them.

use prost::Message;
use serde::{Serialize, Serializer};

use super::{HasHeader, Page, Show, unsupported};
use crate::failure::Outcome;

/// A sentence for people, the response in every other format.
pub(crate) struct Told<M> {
    text: String,
    response: M,
    has_fields: bool,
}

impl<M> Told<M> {
    /// As fields, the response's header is all that is printed.
    pub(crate) fn new(text: impl Into<String>, response: M) -> Self {
        Self { text: text.into(), response, has_fields: true }
    }

    /// As fields, it can't be printed.
    pub(crate) fn without_fields(self) -> Self {
        Self { has_fields: false, ..self }
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
        if !self.has_fields {
            return Err(unsupported("fields"));
        }
        page.header_fields(&self.response.header())
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.response.encode_to_vec())
    }
}
