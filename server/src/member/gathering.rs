//! Log groups in the making: what comes while others are on their way to the disk goes together.

use retcd_raft_glue::AppendGroup;
use retcd_wal::{Group, HardState, LogEntry, SEGMENT_BYTES_DEFAULT, SnapshotMark, group_bytes_max};
use std::time::{Duration, Instant};

/// What a segment holds, in bytes: pieces that are more together don't go together, whatever
/// [`Grouping::bytes_max`] says, which is asked before the last one is added.
const STORED_BYTES_MAX: u64 = group_bytes_max(SEGMENT_BYTES_DEFAULT);

/// How groups are made.
#[derive(Clone, Debug)]
pub(crate) struct Grouping {
    /// A group doesn't grow beyond this many payload bytes.
    pub(crate) bytes_max: usize,
    /// How long a group waits for company. Zero: never.
    pub(crate) delay: Duration,
}

/// One durable write in the making.
pub(super) struct Gathered {
    /// Number of the newest piece in it.
    pub(super) number: u64,
    pub(super) entries: Vec<LogEntry>,
    pub(super) hard_state: Option<HardState>,
    /// Where the log restarts, before the entries.
    pub(super) snapshot: Option<SnapshotMark>,
    bytes: usize,
    /// At least what it takes in a segment, in bytes.
    stored_bytes: u64,
}

impl From<AppendGroup> for Gathered {
    fn from(group: AppendGroup) -> Gathered {
        let bytes = payload_bytes(&group.entries);
        let stored_bytes = stored_bytes(&group);
        let AppendGroup { number, entries, hard_state, snapshot } = group;
        Gathered { number, entries, hard_state, snapshot, bytes, stored_bytes }
    }
}

impl Gathered {
    fn add(&mut self, group: AppendGroup) {
        self.number = group.number;
        self.bytes += payload_bytes(&group.entries);
        self.stored_bytes += stored_bytes(&group);
        if self.entries.is_empty() {
            self.entries = group.entries;
        } else {
            self.entries.extend(group.entries);
        }
        if group.hard_state.is_some() {
            self.hard_state = group.hard_state;
        }
    }

    /// Whether `group` can go with it: it continues the entries, instead of replacing some or all,
    /// and both together fit into a segment.
    fn goes_with(&self, group: &AppendGroup) -> bool {
        let continues = match (self.entries.last(), group.entries.first()) {
            (Some(last), Some(first)) => first.index == last.index + 1,
            _ => true,
        };
        let more = stored_bytes(group);
        continues && group.snapshot.is_none() && self.stored_bytes + more <= STORED_BYTES_MAX
    }
}

fn stored_bytes(group: &AppendGroup) -> u64 {
    let AppendGroup { entries, hard_state, snapshot, .. } = group;
    retcd_wal::group_bytes(&Group { entries, hard_state: *hard_state, snapshot: *snapshot })
}

fn payload_bytes(entries: &[LogEntry]) -> usize {
    entries.iter().map(|entry| entry.data.len()).sum()
}

/// The group in the making, if there is one.
pub(super) struct Gathering {
    grouping: Grouping,
    gathered: Option<Gathered>,
    /// Until when it waits for company, if it does.
    due: Option<Instant>,
    /// What came behind it and can't go with it.
    behind: Option<AppendGroup>,
}

impl Gathering {
    pub(super) fn new(grouping: Grouping) -> Gathering {
        Gathering { grouping, gathered: None, due: None, behind: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.gathered.is_none()
    }

    /// Whether there is room for what comes next.
    pub(super) fn takes_more(&self) -> bool {
        let has_room = |gathered: &Gathered| gathered.bytes < self.grouping.bytes_max;
        self.behind.is_none() && self.gathered.as_ref().is_none_or(has_room)
    }

    /// Until when the group waits for company; `None` if there is none, or it needn't wait.
    pub(super) fn waits_until(&self) -> Option<Instant> {
        self.due.filter(|_| self.takes_more())
    }

    /// Adds a piece, which there must be room for.
    pub(super) fn add(&mut self, group: AppendGroup) {
        assert!(self.takes_more(), "a group is full");
        match &mut self.gathered {
            None => self.begin(group),
            Some(gathered) if gathered.goes_with(&group) => gathered.add(group),
            Some(_) => self.behind = Some(group),
        }
    }

    /// The group, unless it still waits for company.
    pub(super) fn take_if_due(&mut self) -> Option<Gathered> {
        match self.waits_until() {
            Some(due) if Instant::now() < due => None,
            _ => self.take(),
        }
    }

    /// The group.
    pub(super) fn take(&mut self) -> Option<Gathered> {
        let gathered = self.gathered.take();
        self.due = None;
        if let Some(group) = self.behind.take() {
            self.begin(group);
        }
        gathered
    }

    fn begin(&mut self, group: AppendGroup) {
        let delay = self.grouping.delay;
        self.due = (!delay.is_zero()).then(|| Instant::now() + delay);
        self.gathered = Some(group.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(number: u64, indexes: std::ops::Range<u64>) -> AppendGroup {
        let entry = |index| LogEntry { index, term: 1, kind: 0, data: vec![0; 10].into() };
        let entries = indexes.map(entry).collect();
        AppendGroup { number, entries, hard_state: None, snapshot: None }
    }

    fn gathering(bytes_max: usize, delay: Duration) -> Gathering {
        Gathering::new(Grouping { bytes_max, delay })
    }

    #[test]
    fn pieces_go_together_up_to_the_limit() {
        let mut gathering = gathering(50, Duration::ZERO);
        assert!(gathering.take_if_due().is_none());
        gathering.add(piece(1, 1..3));
        gathering.add(piece(2, 3..5));
        assert!(gathering.takes_more());
        gathering.add(piece(3, 5..7));
        assert!(!gathering.takes_more());
        let gathered = gathering.take_if_due().expect("nothing waits without a delay");
        assert_eq!((gathered.number, gathered.entries.len()), (3, 6));
        assert!(gathering.is_empty() && gathering.takes_more());
    }

    #[test]
    fn pieces_that_no_segment_holds_together_go_one_after_the_other() {
        let large = |number| {
            let data = vec![0; 40 << 20].into();
            let entries = vec![LogEntry { index: number, term: 1, kind: 0, data }];
            AppendGroup { number, entries, hard_state: None, snapshot: None }
        };
        let mut gathering = gathering(60 << 20, Duration::ZERO);
        gathering.add(large(1));
        assert!(gathering.takes_more());
        gathering.add(large(2));
        assert!(!gathering.takes_more());
        assert_eq!(gathering.take().expect("there is one").number, 1);
        assert_eq!(gathering.take().expect("there is a second").number, 2);
    }

    #[test]
    fn a_piece_that_replaces_entries_goes_by_itself() {
        let mut gathering = gathering(50, Duration::from_secs(3600));
        gathering.add(piece(1, 5..8));
        assert!(gathering.take_if_due().is_none(), "it waits for company");
        gathering.add(piece(2, 6..7));
        assert!(!gathering.takes_more());
        assert_eq!(gathering.take_if_due().expect("it can't grow").number, 1);
        assert!(gathering.waits_until().is_some() && gathering.take_if_due().is_none());
        assert_eq!(gathering.take().expect("there is a second").number, 2);
    }

    #[test]
    fn a_piece_that_restarts_the_log_begins_a_group() {
        let mut gathering = gathering(500, Duration::ZERO);
        gathering.add(piece(1, 1..3));
        let mark = SnapshotMark { index: 20, term: 1 };
        gathering.add(AppendGroup { snapshot: Some(mark), ..piece(2, 21..21) });
        assert!(!gathering.takes_more());
        assert_eq!(gathering.take().expect("there is one").snapshot, None);
        gathering.add(piece(3, 21..23));
        let second = gathering.take().expect("there is a second");
        assert_eq!((second.snapshot, second.number, second.entries.len()), (Some(mark), 3, 2));
    }
}
