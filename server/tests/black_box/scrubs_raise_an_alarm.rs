//! A byte of a table changes on the disk under the running member. The scrub finds it, says in
//! which file and where, and raises CORRUPT; the member goes on with what etcd allows then.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use etcd_client::{AlarmAction, AlarmOptions, AlarmType, Client};
use retcd_testkit::random::Random;
use retcd_testkit::scrape;

use crate::common::{Member, PATIENCE, refusal, server_binary_is_ours, soon};

/// Starts a member that scrubs once a second, and writes tables.
async fn scrubbed_member() -> (Member, Client) {
    let member = Member::start(&["--scrub-interval=1s", "--memtable-bytes=1048576"]);
    let mut client = member.client().await;
    let mut random = Random::new(61);
    for number in 0..64 {
        // Such values don't compress, so the middle of the largest file is in one of them.
        let noise = (0..6_250).flat_map(|_| random.number().to_le_bytes());
        client.put(format!("key{number}"), noise.collect::<Vec<u8>>(), None).await.expect("put");
    }
    // Merges everything, so that no table goes away any more.
    client.defragment().await.expect("defragment");
    (member, client)
}

fn largest_table(folder: &Path) -> PathBuf {
    let listed = std::fs::read_dir(folder).expect("the engine's folder");
    let paths = listed.map(|entry| entry.expect("an entry").path());
    let tables = paths.filter(|path| path.extension().is_some_and(|end| end == "sst"));
    let bytes = |path: &PathBuf| path.metadata().expect("it isn't merged away").len();
    tables.max_by_key(bytes).expect("something was flushed")
}

/// Turns a bit in the middle of the file and answers where.
fn damage(path: &Path) -> u64 {
    let file: File = OpenOptions::new().read(true).write(true).open(path).expect("a table");
    let middle = file.metadata().expect("its length").len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).expect("it is that long");
    file.write_all_at(&[byte[0] ^ 1], middle).expect("it can be written to");
    middle
}

async fn corrupt_alarms(client: &mut Client) -> usize {
    let alarms = client.alarm(AlarmAction::Get, AlarmType::Corrupt, None).await.expect("alarms");
    alarms.alarms().len()
}

async fn wait_for_alarm(client: &mut Client) {
    soon(async {
        while corrupt_alarms(client).await == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn metric(member: &Member, name: &str) -> f64 {
    let answer = scrape::get(member.server.client_address(), "/metrics").expect("metrics");
    scrape::metric(&answer.body, name).unwrap_or_else(|| panic!("{name} is missing"))
}

#[tokio::test]
async fn scrubs_raise_an_alarm() {
    if !server_binary_is_ours() {
        return;
    }
    let (member, mut client) = scrubbed_member().await;
    let passes = metric(&member, "retcd_scrub_passes_total");
    soon(async {
        while metric(&member, "retcd_scrub_passes_total") < passes + 2.0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(corrupt_alarms(&mut client).await, 0);
    assert_eq!(metric(&member, "retcd_scrub_damage_total"), 0.0);
    assert!(metric(&member, "retcd_scrub_bytes_total") > 3_000_000.0);

    let table = largest_table(&member.folder.path().join("data/member/snap/db"));
    let place = damage(&table);
    let message = "found damage in the engine's files";
    let line =
        member.server.log().wait_for(message, PATIENCE).unwrap_or_else(|log| panic!("{log}"));
    assert_eq!(line["file"].as_str(), table.to_str(), "{line}");
    let offset = line["offset"].as_u64().unwrap_or_else(|| panic!("{line}"));
    // The block of one value, and not more.
    assert!((place - 60_000..=place).contains(&offset), "{line}, {place}");
    assert_eq!(line["reason"], "block checksum doesn't match", "{line}");

    wait_for_alarm(&mut client).await;
    assert!(metric(&member, "retcd_scrub_damage_total") >= 1.0);
    let corrupt = "etcdserver: corrupt cluster";
    assert_eq!(refusal(client.put("a", "b", None).await), corrupt);
    assert_eq!(refusal(client.lease_grant(10, None).await), corrupt);
    client.get("nothing", None).await.expect("reads are answered, as etcd does");
    let status = client.status().await.expect("status");
    assert!(status.errors().iter().any(|text| text.contains("CORRUPT")), "{:?}", status.errors());

    // An operator may insist. The next pass finds the same again.
    let id = status.header().expect("a header").member_id();
    let mut options = AlarmOptions::new();
    options.with_member(id);
    let disarm = client.alarm(AlarmAction::Deactivate, AlarmType::Corrupt, Some(options)).await;
    assert_eq!(disarm.expect("disarmed").alarms().len(), 1);
    wait_for_alarm(&mut client).await;
}
