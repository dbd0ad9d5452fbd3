//! What `Maintenance.Snapshot` streams: etcd's buckets, with everything that isn't a pair where
//! etcd keeps it. The pairs are compared with a model in `random_requests`.

use std::path::Path;
use std::sync::Arc;

use retcd_api::etcdserverpb::alarm_request::AlarmAction;
use retcd_api::etcdserverpb::{AlarmRequest, AlarmType};
use retcd_engine::bolt::{Database, Entry};
use retcd_engine::sort::Sorter;
use retcd_mvcc::{DatabaseOrigin, Error};
use retcd_vfs::{CrashVfs, Fault, MemVfs, Vfs};

use crate::support::*;

fn sorter(vfs: &impl SharedVfs) -> Sorter {
    vfs.shared().create_dir_all(Path::new("/out")).expect("memory");
    Sorter::new(vfs.shared(), Path::new("/out"), 100)
}

trait SharedVfs {
    fn shared(&self) -> Arc<dyn Vfs>;
}

impl<V: Vfs + Clone> SharedVfs for V {
    fn shared(&self) -> Arc<dyn Vfs> {
        Arc::new(self.clone())
    }
}

const ORIGIN: DatabaseOrigin<'_> = DatabaseOrigin {
    term: 7,
    conf_state_json: &|_| Some(b"{\"voters\":[10]}".to_vec()),
    is_wanted: &|| true,
};

/// Bucket, key and value of everything, escaped; `0..` stands for seven zeros.
fn dump(member: &Member) -> Vec<String> {
    let vfs = MemVfs::new();
    let database = member.store.etcd_database(sorter(&vfs), &ORIGIN).expect("memory");
    let mut file = Vec::new();
    database.write(&mut file).expect("memory");
    let path = Path::new("/out/db");
    vfs.create_append(path).and_then(|mut to| to.append(&file)).expect("memory");
    let database = Database::open(&vfs, path).expect("memory");
    let mut lines = Vec::new();
    for bucket in database.root().entries(&database).expect("memory") {
        let (name, Entry::Bucket(bucket)) = bucket.expect("memory") else {
            panic!("the root holds buckets");
        };
        lines.push(format!("{}:", name.escape_ascii()));
        for pair in bucket.entries(&database).expect("memory") {
            let (key, Entry::Value(value)) = pair.expect("memory") else {
                panic!("buckets hold values");
            };
            lines.push(format!("{} = {}", key.escape_ascii(), value.escape_ascii()));
        }
    }
    lines.into_iter().map(|line| line.replace(&r"\x00".repeat(7), "0..")).collect()
}

#[test]
fn everything_that_is_stored() {
    let mut member = Member::new();
    member.put("a", "1");
    member.put("a", "2");
    member.put("b", "1");
    member.delete(delete("b", ""));
    member.grant(0x1234);
    member
        .execute(
            AlarmRequest {
                action: AlarmAction::Activate.into(),
                member_id: 0xa,
                alarm: AlarmType::Nospace.into(),
            }
            .into_entry(),
        )
        .expect("an alarm can be raised");
    member.try_compact(3).expect("it is in the past");
    assert_eq!(
        dump(&member),
        [
            "alarm:",
            r"\x08\n\x10\x01 = ",
            "auth:",
            r"authRevision = 0..\x01",
            "authRoles:",
            "authUsers:",
            "cluster:",
            "key:",
            r"0..\x03_0..\x00 = \n\x01a\x10\x02\x18\x03 \x02*\x012",
            r"0..\x04_0..\x00 = \n\x01b\x10\x04\x18\x04 \x01*\x011",
            r"0..\x05_0..\x00t = \n\x01b",
            "lease:",
            r"\x00\x00\x00\x00\x00\x00\x124 = \x08\xb4$\x10<",
            "members:",
            "members_removed:",
            "meta:",
            r#"confState = {\"voters\":[10]}"#,
            r"consistent_index = 0..\x07",
            r"finishedCompactRev = 0..\x03_0..\x00",
            r"scheduledCompactRev = 0..\x03_0..\x00",
            r"term = 0..\x07",
        ]
    );
}

#[test]
fn what_it_was_made_of_may_change_afterwards() {
    let mut member = Member::new();
    member.put("a", "1");
    let vfs = MemVfs::new();
    let database = member.store.etcd_database(sorter(&vfs), &ORIGIN).expect("memory");
    let mut before = Vec::new();
    database.write(&mut before).expect("memory");
    member.put("a", "2");
    member.try_compact(3).expect("it is the current one");
    let mut after = Vec::new();
    database.write(&mut after).expect("memory");
    assert!(before == after);
}

/// Neither a full disk nor a client that is gone concerns anyone else.
#[test]
fn failures_are_the_calls_own() {
    let mut member = Member::new();
    for n in 0..20 {
        member.put(&format!("key{n}"), "value");
    }
    let vfs = CrashVfs::new();
    let sorter = sorter(&vfs);
    vfs.fail_at(vfs.operations() + 3, Fault::NoSpace);
    let full = member.store.etcd_database(sorter, &ORIGIN).err();
    assert!(matches!(full, Some(Error::Scratch(_))), "{full:?}");
    assert!(vfs.list(Path::new("/out")).expect("memory").is_empty(), "nothing stays behind");
    let vfs = MemVfs::new();
    let database = member.store.etcd_database(self::sorter(&vfs), &ORIGIN).expect("memory");
    let mut too_short = [0; 10_000];
    let gone = database.write(too_short.as_mut_slice());
    assert!(matches!(gone, Err(Error::Output(_))), "{gone:?}");
}

#[test]
fn what_nobody_wants_any_more_is_given_up() {
    let mut member = Member::new();
    for n in 0..3000 {
        member.put(&format!("key{n}"), "value");
    }
    let vfs = MemVfs::new();
    for asked_max in [1, 5] {
        let asked = std::cell::Cell::new(0);
        let is_wanted = || {
            asked.set(asked.get() + 1);
            asked.get() < asked_max
        };
        let origin = DatabaseOrigin { is_wanted: &is_wanted, ..ORIGIN };
        let given_up = member.store.etcd_database(sorter(&vfs), &origin).err();
        assert!(matches!(given_up, Some(Error::Output(_))), "{given_up:?}");
        assert_eq!(asked.get(), asked_max, "it ended at once");
        assert!(vfs.list(Path::new("/out")).expect("memory").is_empty(), "nothing stays behind");
    }
}
