//! Transactions: compares of every kind, both branches, nesting, one revision for all changes.

use etcd_client::{Compare, CompareOp, DeleteOptions, GetOptions, Txn, TxnOp, TxnOpResponse};

use crate::common::{Member, refusal};

#[tokio::test]
async fn a_branch_is_taken_by_its_compares() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    client.put("foo", "bar", None).await.expect("put");
    let compares = |value: &str| {
        [
            Compare::value("foo", CompareOp::Equal, value),
            Compare::version("foo", CompareOp::Greater, 0),
            Compare::create_revision("foo", CompareOp::Less, 3),
            Compare::mod_revision("missing", CompareOp::Equal, 0),
            Compare::lease("foo", CompareOp::Equal, 0),
        ]
    };
    let txn = |value: &str| {
        Txn::new()
            .when(compares(value))
            .and_then([TxnOp::put("won", value, None)])
            .or_else([TxnOp::get("foo", None), TxnOp::get("won", None)])
    };
    assert!(client.txn(txn("bar")).await.expect("txn").succeeded());
    let lost = client.txn(txn("other")).await.expect("txn");
    assert!(!lost.succeeded());
    let answers = lost.op_responses();
    let [TxnOpResponse::Get(foo), TxnOpResponse::Get(won)] = &answers[..] else {
        panic!("two reads were asked for: {answers:?}");
    };
    assert_eq!((foo.kvs()[0].value(), won.kvs()[0].value()), (&b"bar"[..], &b"bar"[..]));
}

#[tokio::test]
async fn all_changes_share_one_revision_and_reads_see_those_before_them() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    client.put("old", "x", None).await.expect("put");
    let operations = [
        TxnOp::get("a", None),
        TxnOp::put("a", "1", None),
        TxnOp::get("a", None),
        TxnOp::put("b", "2", None),
        TxnOp::delete("old", Some(DeleteOptions::new().with_prev_key())),
        TxnOp::txn(
            Txn::new()
                .when([Compare::value("a", CompareOp::Equal, "1")])
                .and_then([TxnOp::put("nested", "yes", None)])
                .or_else([TxnOp::put("nested", "no", None)]),
        ),
    ];
    let answer = client.txn(Txn::new().and_then(operations)).await.expect("txn");
    assert_eq!(answer.header().map(|header| header.revision()), Some(3));
    let counts: Vec<i64> = answer
        .op_responses()
        .iter()
        .filter_map(|answer| match answer {
            TxnOpResponse::Get(get) => Some(get.count()),
            TxnOpResponse::Delete(delete) => Some(delete.deleted()),
            _ => None,
        })
        .collect();
    assert_eq!(counts, [0, 1, 1]);
    let all = client.get("", Some(GetOptions::new().with_all_keys())).await.expect("get");
    let state: Vec<(&[u8], &[u8], i64)> =
        all.kvs().iter().map(|kv| (kv.key(), kv.value(), kv.mod_revision())).collect();
    // The compares of a nested transaction are evaluated before anything is applied.
    let expected: [(&[u8], &[u8], i64); 3] =
        [(b"a", b"1", 3), (b"b", b"2", 3), (b"nested", b"no", 3)];
    assert_eq!(state, expected);
}

#[tokio::test]
async fn ambiguous_or_endless_transactions_are_refused() {
    let member = Member::start(&["--max-txn-ops=3"]);
    let mut client = member.client().await;
    let put = |key: &str| TxnOp::put(key, "v", None);
    let duplicate = "etcdserver: duplicate key given in txn request";
    let twice = Txn::new().and_then([put("a"), put("a")]);
    assert_eq!(refusal(client.txn(twice).await), duplicate);
    let both = Txn::new()
        .and_then([put("a1"), TxnOp::delete("a", Some(DeleteOptions::new().with_prefix()))]);
    assert_eq!(refusal(client.txn(both).await), duplicate);
    let many = Txn::new().and_then([put("a"), put("b"), put("c"), put("d")]);
    let too_many = refusal(client.txn(many).await);
    assert_eq!(too_many, "etcdserver: too many operations in txn request");
    let all = client.get("", Some(GetOptions::new().with_all_keys())).await.expect("get");
    assert_eq!((all.count(), all.header().map(|header| header.revision())), (0, Some(1)));
}
