//! Watches: live and from the past, filters, previous values, progress, compaction, cancellation.

use etcd_client::{
    Event, EventType, Txn, TxnOp, WatchFilterType, WatchOptions, WatchResponse, WatchStream,
};

use crate::common::{Member, soon};

/// (type, key, value, mod revision)
type Seen = (EventType, String, String, i64);

fn seen(event: &Event) -> Seen {
    let kv = event.kv().expect("an event has a key");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (event.event_type(), text(kv.key()), text(kv.value()), kv.mod_revision())
}

async fn next(watch: &mut WatchStream) -> WatchResponse {
    soon(watch.message()).await.expect("the stream lives").expect("the stream goes on")
}

async fn events(watch: &mut WatchStream, count: usize) -> Vec<Seen> {
    let mut all = Vec::new();
    while all.len() < count {
        let answer = next(watch).await;
        assert!(!answer.canceled(), "{}", answer.cancel_reason());
        all.extend(answer.events().iter().map(seen));
    }
    assert_eq!(all.len(), count, "{all:?}");
    all
}

fn put(key: &str, value: &str, revision: i64) -> Seen {
    (EventType::Put, key.to_owned(), value.to_owned(), revision)
}

fn delete(key: &str, revision: i64) -> Seen {
    (EventType::Delete, key.to_owned(), String::new(), revision)
}

#[tokio::test]
async fn a_watch_sees_what_happens_after_it() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    client.put("before", "x", None).await.expect("put");
    let options = WatchOptions::new().with_prefix().with_prev_key();
    let mut watch = client.watch("w", Some(options)).await.expect("watch");
    assert!(next(&mut watch).await.created());

    client.put("w1", "a", None).await.expect("put");
    client.put("other", "x", None).await.expect("put");
    client.delete("w1", None).await.expect("delete");
    let both = Txn::new().and_then([TxnOp::put("w2", "b", None), TxnOp::put("w3", "c", None)]);
    client.txn(both).await.expect("txn");

    let expected = [put("w1", "a", 3), delete("w1", 5), put("w2", "b", 6), put("w3", "c", 6)];
    assert_eq!(events(&mut watch, 4).await, expected);
}

#[tokio::test]
async fn a_watch_from_the_past_catches_up_and_goes_on() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    for number in 0..300 {
        client.put("k", number.to_string(), None).await.expect("put");
    }
    let options = WatchOptions::new().with_start_revision(100).with_prev_key();
    let mut watch = client.watch("k", Some(options)).await.expect("watch");
    assert!(next(&mut watch).await.created());
    client.put("k", "live", None).await.expect("put");

    let mut expected: Vec<Seen> =
        (98..300).map(|number| put("k", &number.to_string(), number + 2)).collect();
    expected.push(put("k", "live", 302));
    assert_eq!(events(&mut watch, expected.len()).await, expected);
}

#[tokio::test]
async fn a_watch_below_the_compacted_revision_is_told_where_history_begins() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    for value in ["1", "2", "3", "4"] {
        client.put("k", value, None).await.expect("put");
    }
    client.compact(4, None).await.expect("compact");
    let from = |revision| Some(WatchOptions::new().with_start_revision(revision));
    let mut late = client.watch("k", from(2)).await.expect("watch");
    let mut answer = next(&mut late).await;
    if answer.created() && !answer.canceled() {
        answer = next(&mut late).await;
    }
    assert!(answer.canceled());
    assert_eq!(answer.compact_revision(), 4);

    let mut good = client.watch("k", from(4)).await.expect("watch");
    assert!(next(&mut good).await.created());
    assert_eq!(events(&mut good, 2).await, [put("k", "3", 4), put("k", "4", 5)]);
}

#[tokio::test]
async fn filters_leave_out_and_previous_values_come_along() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    let filters = [WatchFilterType::NoPut];
    let options = WatchOptions::new().with_filters(filters).with_prev_key();
    let mut watch = client.watch("k", Some(options)).await.expect("watch");
    assert!(next(&mut watch).await.created());
    client.put("k", "last words", None).await.expect("put");
    client.delete("k", None).await.expect("delete");
    let answer = next(&mut watch).await;
    let [event] = answer.events() else { panic!("one event passes the filter: {answer:?}") };
    assert_eq!(seen(event), delete("k", 3));
    assert_eq!(event.prev_kv().map(|kv| kv.value()), Some(&b"last words"[..]));
}

#[tokio::test]
async fn progress_is_told_on_request_and_a_cancelled_watch_falls_silent() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    let mut watch = client.watch("k", None).await.expect("watch");
    let first = next(&mut watch).await;
    assert!(first.created());
    watch.watch("l", None).await.expect("watch");
    let second = next(&mut watch).await;
    assert!(second.created() && second.watch_id() != first.watch_id());

    client.put("unrelated", "x", None).await.expect("put");
    watch.request_progress().await.expect("progress");
    let progress = next(&mut watch).await;
    assert!(progress.events().is_empty());
    assert_eq!(progress.header().map(|header| header.revision()), Some(2));

    watch.cancel(first.watch_id()).await.expect("cancel");
    let cancelled = next(&mut watch).await;
    assert!(cancelled.canceled() && cancelled.watch_id() == first.watch_id());
    client.put("k", "unseen", None).await.expect("put");
    client.put("l", "seen", None).await.expect("put");
    assert_eq!(events(&mut watch, 1).await, [put("l", "seen", 4)]);
}
