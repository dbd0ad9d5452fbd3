//! Responses about keys, and of transactions, which are made of these.

use prost::Message;
use retcd_api::etcdserverpb::response_op::Response;
use retcd_api::etcdserverpb::{DeleteRangeResponse, PutResponse, RangeResponse, TxnResponse};

use super::{HasHeader, Page, Show};
use crate::failure::Outcome;

impl Show for RangeResponse {
    fn simple(&self, page: &mut Page) -> Outcome {
        self.kvs.iter().try_for_each(|pair| page.pair(pair))
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.header())?;
        self.kvs.iter().try_for_each(|pair| page.pair_fields("", pair))?;
        page.field("More", self.more)?;
        page.field("Count", self.count)
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.encode_to_vec())
    }
}

impl Show for PutResponse {
    fn simple(&self, page: &mut Page) -> Outcome {
        page.line("OK")?;
        self.prev_kv.iter().try_for_each(|pair| page.pair(pair))
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.header())?;
        self.prev_kv.iter().try_for_each(|pair| page.pair_fields("Prev", pair))
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.encode_to_vec())
    }
}

impl Show for DeleteRangeResponse {
    fn simple(&self, page: &mut Page) -> Outcome {
        page.line(self.deleted)?;
        self.prev_kvs.iter().try_for_each(|pair| page.pair(pair))
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.header())?;
        page.field("Deleted", self.deleted)?;
        self.prev_kvs.iter().try_for_each(|pair| page.pair_fields("Prev", pair))
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.encode_to_vec())
    }
}

impl Show for TxnResponse {
    fn simple(&self, page: &mut Page) -> Outcome {
        page.line(if self.succeeded { "SUCCESS" } else { "FAILURE" })?;
        for operation in &self.responses {
            page.line("")?;
            match &operation.response {
                Some(Response::ResponseRange(response)) => response.simple(page)?,
                Some(Response::ResponsePut(response)) => response.simple(page)?,
                Some(Response::ResponseDeleteRange(response)) => response.simple(page)?,
                Some(Response::ResponseTxn(response)) => response.simple(page)?,
                None => {}
            }
        }
        Ok(())
    }

    fn fields(&self, page: &mut Page) -> Outcome {
        page.header_fields(&self.header())?;
        page.field("Succeeded", self.succeeded)?;
        for operation in &self.responses {
            match &operation.response {
                Some(Response::ResponseRange(response)) => response.fields(page)?,
                Some(Response::ResponsePut(response)) => response.fields(page)?,
                Some(Response::ResponseDeleteRange(response)) => response.fields(page)?,
                Some(Response::ResponseTxn(response)) => response.fields(page)?,
                None => {}
            }
        }
        Ok(())
    }

    fn protobuf(&self) -> Outcome<Vec<u8>> {
        Ok(self.encode_to_vec())
    }
}
