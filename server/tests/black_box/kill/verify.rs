//! Asks a restarted server for everything and holds it against what was recorded.

use std::collections::{BTreeMap, BTreeSet};

use etcd_client::{Client, Error, Event, EventType, GetOptions, GetResponse, WatchOptions};
use retcd_testkit::Server;
use retcd_testkit::random::Random;

use super::history::{Change, History, Record, State};
use super::workload::{Attempt, Outcome, Request};
use crate::common::connect;

/// What a restarted server tells.
pub(crate) struct Told {
    revision: i64,
    state: State,
    /// The changes of each revision after the last one that was checked before.
    changes: BTreeMap<i64, Vec<Change>>,
    compacted_revision: i64,
    hash: u32,
    leases: BTreeSet<i64>,
    /// A revision of the past and the state there.
    past: (i64, State),
    /// Whether a read just below the compacted revision was refused.
    compacted_is_gone: bool,
}

/// Asks for everything. Any failing answer ends the test: the server must serve again.
pub(crate) async fn observe(server: &Server, history: &History, random: &mut Random) -> Told {
    let mut client = connect(server).await;
    let now = read_all(&mut client, 0).await.expect("a read of all keys");
    let revision = now.header().expect("a header").revision();
    let hash = client.hash_kv(0).await.expect("a hash");
    let compacted_revision = hash.compact_version();
    let oldest = compacted_revision.max(1);
    let past_revision = oldest + random.below((revision - oldest + 1) as u64) as i64;
    let past = read_all(&mut client, past_revision).await.expect("a read of the past");
    let below = match compacted_revision {
        ..2 => None,
        compacted => Some(read_all(&mut client, compacted - 1).await),
    };
    let leases = client.leases().await.expect("the leases");
    Told {
        revision,
        state: state_of(&now),
        changes: changes_between(&mut client, history.last_revision + 1, revision).await,
        compacted_revision,
        hash: hash.hash(),
        leases: leases.leases().iter().map(|lease| lease.id()).collect(),
        past: (past_revision, state_of(&past)),
        compacted_is_gone: below.is_none_or(|answer| answer.is_err()),
    }
}

async fn read_all(client: &mut Client, revision: i64) -> Result<GetResponse, Error> {
    client.get("", Some(GetOptions::new().with_all_keys().with_revision(revision))).await
}

fn state_of(answer: &GetResponse) -> State {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let record = |kv: &etcd_client::KeyValue| Record {
        value: text(kv.value()),
        create_revision: kv.create_revision(),
        mod_revision: kv.mod_revision(),
        version: kv.version(),
        lease: kv.lease(),
    };
    answer.kvs().iter().map(|kv| (text(kv.key()), record(kv))).collect()
}

/// All events of the revisions `from..=to`, by a watch.
async fn changes_between(client: &mut Client, from: i64, to: i64) -> BTreeMap<i64, Vec<Change>> {
    let mut changes: BTreeMap<i64, Vec<Change>> = BTreeMap::new();
    if from > to {
        return changes;
    }
    let options = WatchOptions::new().with_all_keys().with_start_revision(from);
    let mut watch = client.watch("", Some(options)).await.expect("a watch");
    // A revision is never split, so the last one is complete with its first event.
    while !changes.contains_key(&to) {
        let answer = watch.message().await.expect("the stream lives").expect("more events");
        assert!(!answer.canceled(), "watch from {from}: {}", answer.cancel_reason());
        for event in answer.events() {
            let (revision, change) = change_of(event);
            changes.entry(revision).or_default().push(change);
        }
    }
    changes
}

fn change_of(event: &Event) -> (i64, Change) {
    let kv = event.kv().expect("an event has a key");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let key = text(kv.key());
    let change = match event.event_type() {
        EventType::Put => Change::Put { key, value: text(kv.value()), lease: kv.lease() },
        EventType::Delete => Change::Delete { key },
    };
    (kv.mod_revision(), change)
}

/// Holds what the server tells against what was tried, and takes it into the history.
pub(crate) fn check(
    history: &mut History,
    attempts: &[Attempt],
    told: &Told,
) -> Result<String, String> {
    let before = history.last_revision;
    check_revisions(history, attempts, told)?;
    if told.state != history.state {
        return Err(difference("the state", &told.state, &history.state));
    }
    check_compaction(history, attempts, told)?;
    let (past_revision, past) = &told.past;
    let expected = history.state_at(*past_revision);
    if *past != expected {
        return Err(difference(&format!("the state at {past_revision}"), past, &expected));
    }
    check_leases(history, attempts, told)?;
    if told.hash != history.hash() {
        let (told, expected) = (told.hash, history.hash());
        return Err(format!("HashKV is {told}, the history gives {expected}"));
    }
    let unknown = attempts.iter().filter(|attempt| attempt.outcome == Outcome::Unknown).count();
    Ok(format!(
        "{} requests, {unknown} unanswered, revisions {} to {}, compacted {}, {} leases",
        attempts.len(),
        before + 1,
        told.revision,
        told.compacted_revision,
        told.leases.len(),
    ))
}

/// Every revision is the effect of exactly one request, and no acknowledged one is missing.
fn check_revisions(history: &mut History, attempts: &[Attempt], told: &Told) -> Result<(), String> {
    let mut acknowledged = BTreeMap::new();
    let mut candidates: Vec<&Request> = Vec::new();
    for attempt in attempts {
        match attempt.outcome {
            Outcome::AppliedAt(revision) => {
                if let Some(other) = acknowledged.insert(revision, &attempt.request) {
                    return Err(format!("{revision} was given to {other:?} too"));
                }
            }
            Outcome::Done | Outcome::Unknown => candidates.push(&attempt.request),
            Outcome::NoEffect => {}
        }
    }
    if told.revision < history.last_revision {
        let (now, before) = (told.revision, history.last_revision);
        return Err(format!("the revision went back from {before} to {now}"));
    }
    for revision in history.last_revision + 1..=told.revision {
        let Some(changes) = told.changes.get(&revision) else {
            return Err(format!("revision {revision} of {} has no events", told.revision));
        };
        if let Some(request) = acknowledged.remove(&revision) {
            let expected = request.effects(&history.state);
            if *changes != expected {
                return Err(format!("revision {revision}: {request:?} made {changes:?}"));
            }
        } else {
            let found = candidates.iter().position(|r| r.effects(&history.state) == *changes);
            let Some(found) = found else {
                return Err(format!("revision {revision}: nobody sent {changes:?}"));
            };
            // Of two deletes with the same effect either may have been first, so both stay.
            if !matches!(candidates[found], Request::DeleteRange { .. }) {
                candidates.swap_remove(found);
            }
        }
        history.push(revision, changes);
    }
    match acknowledged.first_key_value() {
        Some((revision, request)) => Err(format!(
            "acknowledged at {revision} and lost, now at {}: {request:?}",
            told.revision
        )),
        None => Ok(()),
    }
}

fn check_compaction(
    history: &mut History,
    attempts: &[Attempt],
    told: &Told,
) -> Result<(), String> {
    let mut possible = BTreeSet::from([history.compacted_revision]);
    let mut at_least = history.compacted_revision;
    for attempt in attempts {
        if let Request::Compact { revision } = attempt.request {
            possible.insert(revision);
            if attempt.outcome == Outcome::Done {
                at_least = at_least.max(revision);
            }
        }
    }
    let now = told.compacted_revision;
    if now < at_least || !possible.contains(&now) {
        return Err(format!("compacted revision {now}, acknowledged {at_least}"));
    }
    if !told.compacted_is_gone {
        return Err(format!("a read below the compacted revision {now} was answered"));
    }
    history.compacted_revision = now;
    Ok(())
}

fn check_leases(history: &mut History, attempts: &[Attempt], told: &Told) -> Result<(), String> {
    let mut certain = history.leases.clone();
    let mut possible = history.leases.clone();
    for attempt in attempts {
        match (&attempt.request, attempt.outcome) {
            (Request::Grant { lease }, Outcome::Done) => {
                certain.insert(*lease);
                possible.insert(*lease);
            }
            (Request::Grant { lease }, Outcome::Unknown) => {
                possible.insert(*lease);
            }
            (Request::Revoke { lease }, Outcome::Done) => {
                certain.remove(lease);
                possible.remove(lease);
            }
            (Request::Revoke { lease }, Outcome::Unknown) => {
                certain.remove(lease);
            }
            _ => {}
        }
    }
    if !certain.is_subset(&told.leases) || !told.leases.is_subset(&possible) {
        let lost: Vec<_> = certain.difference(&told.leases).collect();
        let unsent: Vec<_> = told.leases.difference(&possible).collect();
        return Err(format!("leases lost: {lost:x?}, leases that nobody asked for: {unsent:x?}"));
    }
    let attached: BTreeSet<i64> =
        told.state.values().map(|record| record.lease).filter(|lease| *lease != 0).collect();
    if !attached.is_subset(&told.leases) {
        return Err(format!("keys on leases that are gone: {attached:x?}, {:x?}", told.leases));
    }
    history.leases = told.leases.clone();
    Ok(())
}

/// The first key on which two states disagree.
fn difference(what: &str, told: &State, expected: &State) -> String {
    let keys: BTreeSet<&String> = told.keys().chain(expected.keys()).collect();
    let shorten = |record: Option<&Record>| {
        let text = format!("{record:?}");
        text.chars().take(300).collect::<String>()
    };
    let first = keys.into_iter().find(|key| told.get(*key) != expected.get(*key));
    let first = first.map(String::as_str).unwrap_or_default();
    let (told, expected) = (shorten(told.get(first)), shorten(expected.get(first)));
    format!("{what} is wrong at {first}: told {told}, expected {expected}")
}
