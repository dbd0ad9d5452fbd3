//! Put, get and delete: versions and revisions, ranges, orders, limits, the past, the refusals.

use etcd_client::{
    CompactionOptions, DeleteOptions, GetOptions, PutOptions, SortOrder, SortTarget,
};

use crate::common::{Member, refusal};

#[tokio::test]
async fn a_key_counts_its_versions_and_starts_again_after_a_delete() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    let first = client.put("foo", "bar", None).await.expect("put");
    assert_eq!(first.header().map(|header| header.revision()), Some(2));
    let options = PutOptions::new().with_prev_key();
    let second = client.put("foo", "baz", Some(options)).await.expect("put");
    assert_eq!(second.prev_key().map(|kv| kv.value()), Some(&b"bar"[..]));

    let got = client.get("foo", None).await.expect("get");
    let kv = &got.kvs()[0];
    assert_eq!((kv.value(), kv.version()), (&b"baz"[..], 2));
    assert_eq!((kv.create_revision(), kv.mod_revision()), (2, 3));

    let options = DeleteOptions::new().with_prev_key();
    let deleted = client.delete("foo", Some(options)).await.expect("delete");
    assert_eq!(deleted.deleted(), 1);
    assert_eq!(deleted.prev_kvs()[0].value(), b"baz");
    assert_eq!(client.delete("foo", None).await.expect("delete").deleted(), 0);

    client.put("foo", "again", None).await.expect("put");
    let got = client.get("foo", None).await.expect("get");
    let kv = &got.kvs()[0];
    assert_eq!((kv.create_revision(), kv.mod_revision(), kv.version()), (5, 5, 1));
}

#[tokio::test]
async fn ranges_are_ordered_limited_and_counted() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    for (key, value) in [("k2", "a"), ("k1", "c"), ("k3", "b"), ("l", "x")] {
        client.put(key, value, None).await.expect("put");
    }
    let keys = |answer: &etcd_client::GetResponse| -> Vec<String> {
        let name = |kv: &etcd_client::KeyValue| String::from_utf8_lossy(kv.key()).into_owned();
        answer.kvs().iter().map(name).collect()
    };
    let prefix = || GetOptions::new().with_prefix();

    let all = client.get("k", Some(prefix())).await.expect("get");
    assert_eq!(keys(&all), ["k1", "k2", "k3"]);
    let page = client.get("k", Some(prefix().with_limit(2))).await.expect("get");
    assert_eq!((keys(&page).len(), page.more(), page.count()), (2, true, 3));
    let by_value = prefix().with_sort(SortTarget::Value, SortOrder::Descend);
    let by_value = client.get("k", Some(by_value)).await.expect("get");
    assert_eq!(keys(&by_value), ["k1", "k3", "k2"]);
    let counted = client.get("k", Some(prefix().with_count_only())).await.expect("get");
    assert_eq!((counted.kvs().len(), counted.count()), (0, 3));
    let bare = client.get("k1", Some(GetOptions::new().with_keys_only())).await.expect("get");
    assert_eq!(bare.kvs()[0].value(), b"");
    let rest = client.get("k2", Some(GetOptions::new().with_from_key())).await.expect("get");
    assert_eq!(keys(&rest), ["k2", "k3", "l"]);
    let local = client.get("k", Some(prefix().with_serializable())).await.expect("get");
    assert_eq!(local.count(), 3);
    let recent = client.get("k", Some(prefix().with_min_mod_revision(3))).await.expect("get");
    assert_eq!(keys(&recent), ["k1", "k3"]);
}

#[tokio::test]
async fn the_past_is_readable_until_it_is_compacted() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    for value in ["1", "2", "3"] {
        client.put("k", value, None).await.expect("put");
    }
    let at = |revision| Some(GetOptions::new().with_revision(revision));
    let old = client.get("k", at(3)).await.expect("get");
    assert_eq!(old.kvs()[0].value(), b"2");
    assert_eq!(old.header().map(|header| header.revision()), Some(4));
    let future = refusal(client.get("k", at(5)).await);
    assert_eq!(future, "etcdserver: mvcc: required revision is a future revision");

    let physical = CompactionOptions::new().with_physical();
    client.compact(3, Some(physical)).await.expect("compact");
    let compacted = "etcdserver: mvcc: required revision has been compacted";
    assert_eq!(refusal(client.get("k", at(2)).await), compacted);
    assert_eq!(client.get("k", at(3)).await.expect("get").kvs()[0].value(), b"2");
    assert_eq!(refusal(client.compact(3, None).await), compacted);
}

#[tokio::test]
async fn what_cannot_be_put_is_refused_with_the_known_words() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    let no_key = refusal(client.put("", "v", None).await);
    assert_eq!(no_key, "etcdserver: key is not provided");
    let lease = PutOptions::new().with_lease(4711);
    let no_lease = refusal(client.put("k", "v", Some(lease)).await);
    assert_eq!(no_lease, "etcdserver: requested lease not found");
    let keep = PutOptions::new().with_ignore_value();
    assert_eq!(refusal(client.put("k", "", Some(keep)).await), "etcdserver: key not found");
    let large = vec![b'x'; 1_600_000];
    let too_large = refusal(client.put("k", large, None).await);
    assert_eq!(too_large, "etcdserver: request is too large");
    assert_eq!(client.get("k", None).await.expect("get").count(), 0);
}
