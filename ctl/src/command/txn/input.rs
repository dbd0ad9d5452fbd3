//! The lines of a transaction.

use std::ffi::OsString;
use std::io::BufRead;
use std::os::unix::ffi::OsStringExt;

use clap::{Parser, Subcommand};
use retcd_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::{Compare, RequestOp};

use crate::cli::parse_words;
use crate::command::{del, get, put};
use crate::failure::{Failure, Outcome, code};
use crate::go::quote;
use crate::go::{number, scan};

/// A request on a line of its own.
#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Debug, Subcommand)]
enum Operation {
    Get(get::Get),
    Put(put::Put),
    Del(del::Del),
}

/// Reads comparisons up to an empty line.
pub(super) fn compares(lines: &mut impl BufRead) -> Outcome<Vec<Compare>> {
    part(lines, parse_compare)
}

/// Reads requests up to an empty line.
pub(super) fn requests(lines: &mut impl BufRead) -> Outcome<Vec<RequestOp>> {
    part(lines, parse_request)
}

/// Reads lines up to an empty one. The input must not end before it.
fn part<T>(lines: &mut impl BufRead, parse: fn(&str) -> Outcome<T>) -> Outcome<Vec<T>> {
    let mut parsed = Vec::new();
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).map_err(invalid)?;
        if !line.ends_with('\n') {
            return Err(invalid("EOF"));
        }
        match line.trim() {
            "" => return Ok(parsed),
            line => parsed.push(parse(line)?),
        }
    }
}

fn invalid(message: impl std::fmt::Display) -> Failure {
    Failure::new(code::INVALID_INPUT, message)
}

fn parse_compare(line: &str) -> Outcome<Compare> {
    let malformed = || format!("malformed comparison: {line}");
    let Some((target, rest)) = line.split_once('(') else { return Err(invalid(malformed())) };
    let found = scan::comparison(rest);
    if !found.is_complete {
        let (key, value) = (quote(&found.key), quote(&found.value));
        let got = format!("{target}({key}) {} {value}", found.operator);
        return Err(invalid(format!("{}; got {got}", malformed())));
    }
    let number = |base| {
        let text = String::from_utf8_lossy(&found.value);
        number::parse_int(&text, base)
            .map_err(|_| invalid(format!("invalid txn compare request: {line}")))
    };
    let (target, operand) = match target {
        "ver" | "version" => (CompareTarget::Version, TargetUnion::Version(number(10)?)),
        "c" | "create" => (CompareTarget::Create, TargetUnion::CreateRevision(number(10)?)),
        "m" | "mod" => (CompareTarget::Mod, TargetUnion::ModRevision(number(10)?)),
        "val" | "value" => (CompareTarget::Value, TargetUnion::Value(found.value.clone().into())),
        "lease" => (CompareTarget::Lease, TargetUnion::Lease(number(16)?)),
        other => return Err(invalid(format!("{} (unknown target {other})", malformed()))),
    };
    let result = match found.operator.as_str() {
        "=" => CompareResult::Equal,
        "!=" => CompareResult::NotEqual,
        ">" => CompareResult::Greater,
        "<" => CompareResult::Less,
        other => return Err(invalid(format!("{} (unknown operator {other})", malformed()))),
    };
    Ok(Compare {
        result: result.into(),
        target: target.into(),
        key: found.key.into(),
        target_union: Some(operand),
        ..Compare::default()
    })
}

fn parse_request(line: &str) -> Outcome<RequestOp> {
    let words = scan::words(line).map_err(invalid)?;
    if words.len() < 2 {
        return Err(invalid(format!("invalid txn compare request: {line}")));
    }
    let words = words.into_iter().map(OsString::from_vec).collect();
    let parsed: Line =
        parse_words(words).map_err(|_| invalid(format!("invalid txn request: {line}")))?;
    let request = match parsed.operation {
        Operation::Get(get) => Request::RequestRange(get.request()?),
        // Standard input has the transaction, so a value can't come from there.
        Operation::Put(put) => Request::RequestPut(put.request(|| Ok(Vec::new()))?),
        Operation::Del(del) => Request::RequestDeleteRange(del.request()?),
    };
    Ok(RequestOp { request: Some(request) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: std::fmt::Debug>(outcome: Outcome<T>) -> (String, u8) {
        let failure = outcome.expect_err("the line can't be");
        (failure.text().to_owned(), failure.code())
    }

    #[test]
    fn comparisons_have_a_target_an_operator_and_a_literal() {
        let compare = parse_compare(r#"mod("foo") > "0""#).expect("it can be");
        assert_eq!(compare.target_union, Some(TargetUnion::ModRevision(0)));
        assert_eq!(
            (compare.result(), compare.target()),
            (CompareResult::Greater, CompareTarget::Mod)
        );
        assert_eq!(compare.key, "foo");
        let compare = parse_compare(r#"val("a\x00b") != "x""#).expect("it can be");
        assert_eq!(compare.key, "a\0b");
        let compare = parse_compare(r#"lease("k") = "7d7b""#).expect("it can be");
        assert_eq!(compare.target_union, Some(TargetUnion::Lease(0x7d7b)));
    }

    #[test]
    fn what_is_wrong_with_a_comparison_is_said_in_etcds_words() {
        for (line, message) in [
            ("badcmp", "malformed comparison: badcmp"),
            (
                r#"lease("foo") = 0"#,
                r#"malformed comparison: lease("foo") = 0; got lease("foo") = """#,
            ),
            (r#"mod("foo") > "x""#, r#"invalid txn compare request: mod("foo") > "x""#),
            (
                r#"size("foo") > "1""#,
                r#"malformed comparison: size("foo") > "1" (unknown target size)"#,
            ),
        ] {
            assert_eq!(refused(parse_compare(line)), (format!("Error: {message}\n"), 3));
        }
    }

    #[test]
    fn requests_take_the_flags_of_their_commands() {
        let request = parse_request("get r --prefix --limit=2").expect("it can be").request;
        let Some(Request::RequestRange(range)) = request else { panic!("not a get: {request:?}") };
        assert_eq!((&range.key[..], &range.range_end[..], range.limit), (&b"r"[..], &b"s"[..], 2));
        let request = parse_request(r#"put "a b" 'c d' --prev-kv"#).expect("it can be").request;
        let Some(Request::RequestPut(put)) = request else { panic!("not a put: {request:?}") };
        assert_eq!((&put.key[..], &put.value[..], put.prev_kv), (&b"a b"[..], &b"c d"[..], true));
    }

    #[test]
    fn requests_that_cant_be() {
        assert_eq!(
            refused(parse_request("badop foo")),
            ("Error: invalid txn request: badop foo\n".to_owned(), 3)
        );
        assert_eq!(
            refused(parse_request("get")),
            ("Error: invalid txn compare request: get\n".to_owned(), 3)
        );
        assert_eq!(refused(parse_request("put k")).1, 128);
    }

    #[test]
    fn a_part_ends_with_an_empty_line() {
        let mut lines = &b"get a\n  \nput b c\n"[..];
        assert_eq!(requests(&mut lines).expect("a part").len(), 1);
        assert_eq!(refused(requests(&mut lines)), ("Error: EOF\n".to_owned(), 3));
    }
}
