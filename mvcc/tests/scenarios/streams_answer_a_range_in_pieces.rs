//! A range in pieces: one revision for all of them, header and totals with the last.

use std::sync::Arc;

use retcd_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use retcd_api::etcdserverpb::{RangeRequest, RangeResponse};
use retcd_api::{Code, Error};

use crate::support::{Member, get, keys, list, refused, revision};

fn numbers(count: usize) -> Member {
    let mut member = Member::new();
    for number in 0..count {
        member.put(&format!("key{number:03}"), &"x".repeat(100));
    }
    member
}

fn pieces(member: &Member, request: RangeRequest, piece_bytes: usize) -> Vec<RangeResponse> {
    let mut stream = Arc::clone(&member.store)
        .range_stream(request, piece_bytes)
        .expect("the request can be streamed");
    std::iter::from_fn(|| stream.next_piece().expect("nothing is compacted")).collect()
}

#[test]
fn pieces_make_up_the_range() {
    let member = numbers(200);
    let whole = member.range(&list("key", "\0"));
    let pieces = pieces(&member, list("key", "\0"), 4000);
    assert!(pieces.len() > 3, "{}", pieces.len());
    assert_eq!(pieces[0].kvs.len(), 10);
    let (last, others) = pieces.split_last().unwrap();
    for piece in others {
        assert_eq!((&piece.header, piece.more, piece.count), (&None, false, 0));
    }
    assert_eq!((revision(&last.header), last.more, last.count), (201, false, 200));
    let streamed: Vec<_> = pieces.iter().flat_map(|piece| &piece.kvs).cloned().collect();
    assert_eq!(streamed, whole.kvs);
}

#[test]
fn the_limit_counts_over_all_pieces() {
    let member = numbers(50);
    let request = RangeRequest { limit: 25, ..list("key", "\0") };
    let pieces = pieces(&member, request, 1 << 20);
    let lengths: Vec<usize> = pieces.iter().map(|piece| piece.kvs.len()).collect();
    assert_eq!(lengths, [10, 15]);
    assert_eq!((pieces[1].more, pieces[1].count), (true, 50));
}

#[test]
fn a_key_a_count_and_nothing_are_one_piece() {
    let member = numbers(3);
    let one = pieces(&member, get("key001"), 100);
    assert_eq!((one.len(), keys(&one[0])), (1, vec!["key001".into()]));
    assert_eq!((revision(&one[0].header), one[0].count), (4, 1));
    let count = pieces(&member, RangeRequest { count_only: true, ..list("key", "\0") }, 100);
    assert_eq!((count.len(), count[0].count, count[0].kvs.len()), (1, 3, 0));
    let nothing = pieces(&member, list("z", "\0"), 100);
    assert_eq!((nothing.len(), nothing[0].count, revision(&nothing[0].header)), (1, 0, 4));
    let empty = pieces(&member, list("b", "a"), 100);
    assert_eq!((empty.len(), empty[0].count, revision(&empty[0].header)), (1, 0, 4));
}

#[test]
fn the_first_piece_pins_the_revision() {
    let mut member = numbers(30);
    let mut stream = Arc::clone(&member.store).range_stream(list("key", "\0"), 1 << 20).unwrap();
    stream.next_piece().unwrap();
    member.put("key999", "later");
    let mut last = stream.next_piece().unwrap().unwrap();
    while let Some(piece) = stream.next_piece().unwrap() {
        last = piece;
    }
    assert_eq!((revision(&last.header), last.count), (31, 30));
}

#[test]
fn a_compaction_in_between_ends_the_stream() {
    let mut member = numbers(30);
    let mut stream = Arc::clone(&member.store).range_stream(list("key", "\0"), 1 << 20).unwrap();
    stream.next_piece().unwrap();
    member.put("key000", "newer");
    member.try_compact(32).unwrap();
    assert_eq!(stream.next_piece().map_err(refused), Err(Error::Compacted));
    assert_eq!(stream.next_piece().unwrap(), None);
}

#[test]
fn other_orders_and_filters_are_refused() {
    let member = numbers(1);
    let refusal = |request| {
        let stream = Arc::clone(&member.store).range_stream(request, 100);
        refused(stream.err().expect("it is refused"))
    };
    let descending = RangeRequest { sort_order: SortOrder::Descend.into(), ..list("a", "\0") };
    let error = refusal(descending);
    assert_eq!(error.code(), Code::Unimplemented);
    assert_eq!(error.message(), "RangeStream does not support custom sort orders");
    let filtered = RangeRequest { min_mod_revision: 1, ..list("a", "\0") };
    assert_eq!(refusal(filtered).message(), "RangeStream does not support revision filters");
    let unknown = RangeRequest { sort_order: 9, ..list("a", "\0") };
    assert_eq!(refusal(unknown), Error::InvalidSortOption);
    let ascending = RangeRequest {
        sort_order: SortOrder::Ascend.into(),
        sort_target: SortTarget::Key.into(),
        ..list("key", "\0")
    };
    assert_eq!(pieces(&member, ascending, 100).len(), 1);
    let future = RangeRequest { revision: 9, ..list("a", "\0") };
    let mut stream = Arc::clone(&member.store).range_stream(future, 100).unwrap();
    assert_eq!(stream.next_piece().map_err(refused), Err(Error::FutureRev));
}
