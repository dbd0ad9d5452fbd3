//! A transaction as one line: `if mod("a") = 3 then put key="a" value="b" else range key="a"`.

use super::kv;
use super::message::Message;
use crate::notation::Quoted;
use retcd_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::{Compare, RequestOp, TxnRequest};
use std::fmt;

/// A transaction as text; values are cut to `bytes_max`.
pub(super) struct Text<'a> {
    pub(super) request: &'a TxnRequest,
    pub(super) bytes_max: usize,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TxnRequest { compare: compares, success, failure } = self.request;
        for (position, compare) in compares.iter().enumerate() {
            f.write_str(if position == 0 { "if " } else { " and " })?;
            self.compare(compare, f)?;
        }
        if !compares.is_empty() {
            f.write_str(" then ")?;
        }
        self.operations(success, f)?;
        if !failure.is_empty() {
            f.write_str(" else ")?;
            self.operations(failure, f)?;
        }
        Ok(())
    }
}

impl Text<'_> {
    fn compare(&self, compare: &Compare, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = match CompareTarget::try_from(compare.target) {
            Ok(CompareTarget::Version) => "version",
            Ok(CompareTarget::Create) => "create",
            Ok(CompareTarget::Mod) => "mod",
            Ok(CompareTarget::Value) => "value",
            Ok(CompareTarget::Lease) => "lease",
            Err(_) => "unknown",
        };
        let result = match CompareResult::try_from(compare.result) {
            Ok(CompareResult::Equal) => "=",
            Ok(CompareResult::NotEqual) => "!=",
            Ok(CompareResult::Greater) => ">",
            Ok(CompareResult::Less) => "<",
            Err(_) => "?",
        };
        write!(f, "{target}({}", Quoted(&compare.key))?;
        if !compare.range_end.is_empty() {
            write!(f, " to {}", Quoted(&compare.range_end))?;
        }
        write!(f, ") {result} ")?;
        match &compare.target_union {
            None => f.write_str("0"),
            Some(
                TargetUnion::Version(number)
                | TargetUnion::CreateRevision(number)
                | TargetUnion::ModRevision(number),
            ) => write!(f, "{number}"),
            Some(TargetUnion::Lease(lease)) => write!(f, "{lease:016x}"),
            Some(TargetUnion::Value(value)) => {
                let start = &value[..value.len().min(self.bytes_max)];
                write!(f, "{}", Quoted(start))?;
                match start.len() < value.len() {
                    true => write!(f, "...({} bytes)", value.len()),
                    false => Ok(()),
                }
            }
        }
    }

    fn operations(&self, list: &[RequestOp], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if list.is_empty() {
            return f.write_str("nothing");
        }
        for (position, operation) in list.iter().enumerate() {
            if position > 0 {
                f.write_str("; ")?;
            }
            match &operation.request {
                None => f.write_str("nothing")?,
                Some(Request::RequestRange(range)) => {
                    self.operation("range", kv::range(range), f)?
                }
                Some(Request::RequestPut(put)) => self.operation("put", kv::put(put), f)?,
                Some(Request::RequestDeleteRange(delete)) => {
                    self.operation("delete-range", kv::delete_range(delete), f)?;
                }
                Some(Request::RequestTxn(request)) => {
                    write!(f, "({})", Text { request, bytes_max: self.bytes_max })?;
                }
            }
        }
        Ok(())
    }

    fn operation(
        &self,
        name: &str,
        mut message: Message,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        message.cut_values(self.bytes_max);
        write!(f, "{name} {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest};

    fn compare(result: CompareResult, target: CompareTarget, union: TargetUnion) -> Compare {
        Compare {
            result: result.into(),
            target: target.into(),
            key: "a".into(),
            target_union: Some(union),
            ..Compare::default()
        }
    }

    fn op(request: Request) -> RequestOp {
        RequestOp { request: Some(request) }
    }

    #[test]
    fn every_part_of_a_transaction_is_shown() {
        use CompareResult::*;
        let put =
            PutRequest { key: "a".into(), value: "0123456789".into(), ..PutRequest::default() };
        let range = RangeRequest { key: "a".into(), ..RangeRequest::default() };
        let delete = DeleteRangeRequest { key: "a".into(), ..DeleteRangeRequest::default() };
        let inner =
            TxnRequest { success: vec![op(Request::RequestRange(range))], ..TxnRequest::default() };
        let to_z = compare(Less, CompareTarget::Lease, TargetUnion::Lease(255));
        let request = TxnRequest {
            compare: vec![
                compare(Equal, CompareTarget::Mod, TargetUnion::ModRevision(3)),
                compare(NotEqual, CompareTarget::Version, TargetUnion::Version(0)),
                compare(Greater, CompareTarget::Create, TargetUnion::CreateRevision(7)),
                compare(Equal, CompareTarget::Value, TargetUnion::Value("0123456789".into())),
                Compare { range_end: "z".into(), ..to_z },
                Compare { result: 9, target: 9, target_union: None, ..Compare::default() },
            ],
            success: vec![op(Request::RequestPut(put)), op(Request::RequestDeleteRange(delete))],
            failure: vec![op(Request::RequestTxn(inner)), RequestOp { request: None }],
        };
        let text = Text { request: &request, bytes_max: 4 }.to_string();
        let expected = r#"if mod("a") = 3 and version("a") != 0 and create("a") > 7 and "#
            .to_owned()
            + r#"value("a") = "0123"...(10 bytes) and lease("a" to "z") < 00000000000000ff and "#
            + r#"unknown("") ? 0 then put key="a" value="0123"...(10 bytes); "#
            + r#"delete-range key="a" else (range key="a"); nothing"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn an_empty_transaction_does_nothing() {
        let request = TxnRequest::default();
        assert_eq!(Text { request: &request, bytes_max: 4 }.to_string(), "nothing");
    }
}
