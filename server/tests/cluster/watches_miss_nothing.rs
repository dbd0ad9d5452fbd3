//! Watches on one prefix, each through a member of its own, while writers write and members are
//! killed, paused and cut off. A watch whose member was killed goes on through another one from the
//! revision behind the last that it saw; one whose member lives through it all has nothing to do
//! but to wait.
//!
//! Nothing else is written, so revisions have no gap: each watch must see each revision once, in
//! order and whole, and what was acknowledged must be there under its own.

use crate::common::{Members, block_on, soon};
use crate::fault::{FAULTS, Fault};
use crate::progress::Progress;
use etcd_client::{Client, Error, EventType, Txn, TxnOp, WatchOptions, WatchStream};
use retcd_testkit::random::{Random, fresh_seed};
use retcd_testkit::{Cluster, WireCutter};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

const WRITERS: u64 = 3;

/// Faults, one after the other.
const STRIKES: usize = 9;

/// Writes that have to be acknowledged between two steps of a fault.
const ANSWERS_PER_STEP: u64 = 40;

/// How long a writer waits for an answer; then it goes on with another member.
const PATIENCE: Duration = Duration::from_secs(2);

/// This member is paused and cut off, and never killed.
const SURVIVOR: usize = 2;

/// The last key that is written.
const END: &str = "w/end";

/// What an event tells; `None` for a value that was deleted.
type Change = (String, Option<String>);

/// Changes by revision. Those of one revision are in the order in which they came.
type Changes = BTreeMap<i64, Vec<Change>>;

/// What a watcher has to tell in the end.
#[derive(Default)]
struct Seen {
    changes: Changes,
    /// Streams that ended under it.
    broken: usize,
}

#[test]
fn while_members_are_killed_paused_and_cut_off() {
    let seed = fresh_seed();
    println!("seed {seed}");
    let cutter = WireCutter::new();
    let (mut members, ids) = block_on(Members::found_to_be_parted(3, &cutter));
    let endpoints: Vec<String> = (0..3).map(|number| members.cluster.endpoint(number)).collect();
    let (watching, writing) = (Progress::default(), Progress::default());
    let acknowledged = Mutex::default();
    let watched: Vec<Seen> = std::thread::scope(|scope| {
        let (endpoints, watching, writing) = (&endpoints, &watching, &writing);
        let acknowledged = &acknowledged;
        let _watchers_end = watching.end_later();
        let watchers: Vec<_> = (0..3)
            .map(|home| scope.spawn(move || block_on(watch_to_the_end(endpoints, home, watching))))
            .collect();
        watching.wait_until(3);
        let writers: Vec<_>;
        {
            let _writers_end = writing.end_later();
            let write =
                move |number| block_on(write(endpoints, number, seed, writing, acknowledged));
            writers = (0..WRITERS).map(|number| scope.spawn(move || write(number))).collect();
            let mut random = Random::new(seed);
            for number in 0..STRIKES {
                writing.wait_for(ANSWERS_PER_STEP);
                strike(&mut members.cluster, &cutter, &ids, number, &mut random, writing);
            }
            writing.wait_for(ANSWERS_PER_STEP);
        }
        // What they are just writing would come behind the end, where nobody watches.
        writers.into_iter().for_each(|writer| writer.join().expect("it doesn't panic"));
        block_on(write_the_end(endpoints));
        watching.wait_until(6);
        watchers.into_iter().map(|watcher| watcher.join().expect("it doesn't panic")).collect()
    });
    let acknowledged = acknowledged.into_inner().expect("no writer panicked");
    for (home, seen) in watched.iter().enumerate() {
        judge(&seen.changes, &acknowledged, home);
        assert_eq!(seen.changes, watched[0].changes, "watches {home} and 0 differ");
    }
    assert_eq!(watched[SURVIVOR].broken, 0, "its member was never gone");
    assert!(watched[0].broken + watched[1].broken > 0, "a member was killed");
}

/// Nothing is missing, and nothing acknowledged is elsewhere or different.
fn judge(changes: &Changes, acknowledged: &Changes, home: usize) {
    let last = *changes.keys().next_back().expect("the end at least");
    // A new cluster's revision is 1.
    let missing: Vec<i64> =
        (2..=last).filter(|revision| !changes.contains_key(revision)).take(9).collect();
    assert_eq!(missing, [0_i64; 0], "watch {home} has missed revisions");
    for (revision, wrote) in acknowledged {
        assert_eq!(changes.get(revision), Some(wrote), "watch {home}, revision {revision}");
    }
}

/// Does something to one member, lets the others go on, and mends it.
fn strike(
    cluster: &mut Cluster,
    cutter: &WireCutter,
    ids: &[u64],
    number: usize,
    random: &mut Random,
    writing: &Progress,
) {
    let fault = FAULTS[number % FAULTS.len()];
    let mortal = if fault == Fault::Killed { SURVIVOR } else { ids.len() };
    let victim = random.below(mortal as u64) as usize;
    fault.strike(cluster, cutter, ids, victim);
    writing.wait_for(ANSWERS_PER_STEP);
    fault.mend(cluster, cutter, victim);
}

async fn connect(endpoint: &str) -> Option<Client> {
    tokio::time::timeout(PATIENCE, Client::connect([endpoint], None)).await.ok()?.ok()
}

/// Watches from the first revision on, through the member `home` as long as that goes. Counts its
/// begin and its end.
async fn watch_to_the_end(endpoints: &[String], home: usize, watching: &Progress) -> Seen {
    let mut seen = Seen::default();
    let mut place = home;
    while !watching.is_over() {
        let last = seen.changes.keys().next_back().copied().unwrap_or(0);
        let options = WatchOptions::new().with_prefix().with_start_revision(last + 1);
        if let Some(mut client) = connect(&endpoints[place]).await
            && let watched = client.watch("w/", Some(options))
            && let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, watched).await
        {
            if last == 0 && seen.broken == 0 {
                watching.answered();
            }
            if watch_through(stream, &mut seen.changes, watching).await {
                watching.answered();
                return seen;
            }
            seen.broken += 1;
        }
        place = (place + 1) % endpoints.len();
    }
    seen
}

/// Watches until the end was seen; `false` if the stream ended before.
async fn watch_through(
    mut stream: WatchStream,
    changes: &mut Changes,
    watching: &Progress,
) -> bool {
    while !watching.is_over() {
        // It is looked now and then whether the test has failed meanwhile.
        let next = tokio::time::timeout(PATIENCE, note_next(&mut stream, changes)).await;
        match next {
            Ok(Ok(Some(is_end))) if is_end => return true,
            Ok(Ok(Some(_))) | Err(_) => {}
            Ok(Ok(None) | Err(_)) => return false,
        }
    }
    false
}

/// Takes one message; whether it had the end in it, and `None` if there is none any more.
async fn note_next(stream: &mut WatchStream, changes: &mut Changes) -> Result<Option<bool>, Error> {
    let Some(message) = stream.message().await? else { return Ok(None) };
    assert!(!message.canceled(), "{}", message.cancel_reason());
    let before = changes.keys().next_back().copied().unwrap_or(0);
    let mut newest = before;
    let mut is_end = false;
    for event in message.events() {
        let pair = event.kv().expect("a pair");
        let revision = pair.mod_revision();
        assert!(revision > before, "revision {revision} after a message with {before}");
        assert!(revision >= newest, "revision {revision} after {newest}");
        newest = revision;
        let key = pair.key_str().expect("text").to_owned();
        is_end |= key == END;
        let value = (event.event_type() == EventType::Put)
            .then(|| pair.value_str().expect("text").to_owned());
        changes.entry(revision).or_default().push((key, value));
    }
    Ok(Some(is_end))
}

/// Writes until it is told to stop, and notes what is acknowledged.
async fn write(
    endpoints: &[String],
    number: u64,
    seed: u64,
    progress: &Progress,
    acknowledged: &Mutex<Changes>,
) {
    let mut random = Random::new(seed ^ ((number + 1) << 32));
    let mut place = number as usize;
    let mut client = None;
    let mut count = 0;
    while !progress.is_over() {
        let connected = match client.take() {
            Some(connected) => Some(connected),
            None => connect(&endpoints[place]).await,
        };
        let Some(mut connected) = connected else {
            place = (place + 1) % endpoints.len();
            continue;
        };
        count += 1;
        let wanted = choose(number, count, &mut random);
        let wrote = tokio::time::timeout(PATIENCE, change(&mut connected, &wanted)).await;
        match wrote {
            Ok(Ok(revision)) => {
                if let Some(revision) = revision {
                    let before = acknowledged.lock().expect("no panic").insert(revision, wanted);
                    assert_eq!(before, None, "revision {revision} was acknowledged twice");
                }
                progress.answered();
                client = Some(connected);
            }
            // It may have happened all the same.
            _ => place = (place + 1) % endpoints.len(),
        }
    }
}

/// One key, two at once, or a key that may not be there.
fn choose(number: u64, count: u64, random: &mut Random) -> Vec<Change> {
    let mut key = || format!("w/{number}/{}", random.below(20));
    let value = Some(format!("{number} {count}"));
    let (one, other) = (key(), key());
    match count % 4 {
        0 => vec![(one, None)],
        1 if one != other => vec![(one, value.clone()), (other, value)],
        _ => vec![(one, value)],
    }
}

/// Writes; the revision, if something has changed.
async fn change(client: &mut Client, wanted: &[Change]) -> Result<Option<i64>, Error> {
    if let [(key, None)] = wanted {
        let response = client.delete(key.as_str(), None).await?;
        let revision = response.header().expect("a header").revision();
        return Ok((response.deleted() == 1).then_some(revision));
    }
    let puts: Vec<TxnOp> = wanted
        .iter()
        .map(|(key, value)| TxnOp::put(key.as_str(), value.as_deref().expect("a put"), None))
        .collect();
    let response = client.txn(Txn::new().and_then(puts)).await?;
    Ok(Some(response.header().expect("a header").revision()))
}

/// Writes the last key, as often as it takes to be acknowledged.
async fn write_the_end(endpoints: &[String]) {
    let end = [(END.to_owned(), Some(String::new()))];
    soon(async {
        for endpoint in endpoints.iter().cycle() {
            if let Some(mut client) = connect(endpoint).await
                && let Ok(Ok(_)) = tokio::time::timeout(PATIENCE, change(&mut client, &end)).await
            {
                return;
            }
        }
    })
    .await;
}
