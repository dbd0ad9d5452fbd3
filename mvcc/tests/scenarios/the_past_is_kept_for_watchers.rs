//! What a watcher that is behind gets to read: every change of every revision from the compacted
//! one on, in order, in pieces.

use retcd_api::Error;
use retcd_mvcc::watch::{History, HistoryPiece, PieceLimit};
use retcd_mvcc::{Change, ChangeKind};

use crate::support::{Member, delete, op, ops, put, refused};

const UNLIMITED: PieceLimit =
    PieceLimit { revisions: usize::MAX, scanned: usize::MAX, bytes: usize::MAX };

fn told(member: &Member, from: i64, to: i64, limit: PieceLimit) -> HistoryPiece {
    member.store.events(from..=to, limit, &|_| true).expect("nothing of it is compacted")
}

/// `key=value` or `-key` for each change, after its revision.
fn text(piece: &HistoryPiece) -> String {
    let change = |change: &Change| {
        let key = String::from_utf8_lossy(&change.key);
        match &change.kind {
            ChangeKind::Put { value, .. } => format!("{key}={}", String::from_utf8_lossy(value)),
            ChangeKind::Delete => format!("-{key}"),
        }
    };
    let commits = piece.commits.iter().map(|commit| {
        let changes: Vec<String> = commit.changes.iter().map(change).collect();
        format!("{}:{}", commit.revision, changes.join(","))
    });
    commits.collect::<Vec<_>>().join(" ")
}

fn history() -> Member {
    let mut member = Member::new();
    member.put("a", "1");
    member.put("b", "1");
    member.txn(ops(vec![op(put("c", "1")), op(delete("a", "")), op(put("d", "1"))]));
    member.txn(ops(vec![op(delete("\0", "\0")), op(put("c", "2"))]));
    member.put("a", "2");
    member
}

#[test]
fn changes_come_in_the_order_of_their_revisions() {
    let member = history();
    let piece = told(&member, 2, 6, UNLIMITED);
    assert_eq!(text(&piece), "2:a=1 3:b=1 4:c=1,-a,d=1 5:-b,-c,-d,c=2 6:a=2");
    assert_eq!(piece.next, 7);
    let put = &piece.commits[4].changes[0].kind;
    let ChangeKind::Put { create_revision, version, .. } = put else { panic!("not a put") };
    assert_eq!((*create_revision, *version), (6, 1));
    assert_eq!(text(&told(&member, 3, 4, UNLIMITED)), "3:b=1 4:c=1,-a,d=1");
    let beyond = told(&member, 6, 100, UNLIMITED);
    assert_eq!((text(&beyond).as_str(), beyond.next), ("6:a=2", 7));
}

#[test]
fn only_wanted_keys_are_told() {
    let member = history();
    let piece = member.store.events(2..=6, UNLIMITED, &|key| key == b"c").unwrap();
    assert_eq!(text(&piece), "4:c=1 5:-c,c=2");
    assert_eq!(piece.next, 7);
}

#[test]
fn a_piece_ends_at_a_limit_and_between_revisions() {
    let member = history();
    for limit in [
        PieceLimit { revisions: 1, ..UNLIMITED },
        PieceLimit { scanned: 1, ..UNLIMITED },
        PieceLimit { bytes: 1, ..UNLIMITED },
    ] {
        let piece = told(&member, 4, 6, limit);
        assert_eq!((text(&piece).as_str(), piece.next), ("4:c=1,-a,d=1", 5));
    }
    let two = told(&member, 2, 6, PieceLimit { scanned: 3, ..UNLIMITED });
    assert_eq!((text(&two).as_str(), two.next), ("2:a=1 3:b=1 4:c=1,-a,d=1", 5));
}

#[test]
fn the_compacted_revision_itself_is_told() {
    let mut member = history();
    member.try_compact(5).unwrap();
    assert_eq!(text(&told(&member, 5, 6, UNLIMITED)), "5:-b,-c,-d,c=2 6:a=2");
    let below = member.store.events(4..=6, UNLIMITED, &|_| true).map_err(refused);
    assert_eq!(below, Err(Error::Compacted));
}

#[test]
fn previous_pairs_are_found_until_they_are_compacted() {
    let mut member = history();
    let value = |member: &Member, key: &[u8], revision| {
        let pair = member.store.pair_at(key, revision).expect("the engine doesn't fail");
        pair.map(|pair| String::from_utf8_lossy(&pair.value).into_owned())
    };
    assert_eq!(value(&member, b"a", 3).as_deref(), Some("1"));
    assert_eq!(value(&member, b"a", 4), None);
    assert_eq!(value(&member, b"c", 5).as_deref(), Some("2"));
    member.try_compact(4).unwrap();
    assert_eq!(value(&member, b"a", 3), None);
}
