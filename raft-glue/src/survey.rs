//! What has to be known of the entries that a start finds in the log, without keeping them: where
//! the membership changes are, and that the entries can be what raft has written.

use crate::convert::is_known_kind;
use crate::member::agreed_hard_state;
use crate::{Error, KIND_NORMAL, Result};
use retcd_vfs::Vfs;
use retcd_wal::{Flushed, Log, Recovery, Seen, SnapshotMark};
use std::path::Path;

/// Reads the log in `dir` as a start does whose engine has flushed up to `flushed`, and changes
/// nothing.
///
/// # Errors
///
/// Those for which a start refuses the log: [`Error::Log`], [`Error::Inconsistent`],
/// [`Error::UnknownEntry`].
pub fn inspect_log(vfs: &dyn Vfs, dir: &Path, flushed: Flushed) -> Result<Recovery> {
    let mut survey = Survey::new(flushed);
    let recovery = Log::inspect_seeing(vfs, dir, flushed, &mut |seen| survey.see(seen))?;
    survey.finish()?;
    let state = recovery.state;
    let applied = SnapshotMark { index: flushed.index, term: flushed.term };
    let last = SnapshotMark { index: state.last_index, term: state.last_term };
    agreed_hard_state(state.hard_state, applied, last)?;
    Ok(recovery)
}

/// A look at the entries above the flushed index. Memory: a few words for each membership change
/// and each change of the term.
pub(crate) struct Survey {
    flushed_term: u64,
    conf_changes: Vec<u64>,
    /// Where each term begins, ascending.
    terms: Vec<(u64, u64)>,
    /// The first entry that raft can't have written, and what is wrong with it.
    fault: Option<(u64, Fault)>,
}

#[derive(Clone, Copy)]
enum Fault {
    TermFalls,
    UnknownKind,
}

impl Survey {
    /// A look at what is behind `flushed`.
    pub(crate) fn new(flushed: Flushed) -> Survey {
        let (conf_changes, terms) = (Vec::new(), Vec::new());
        Survey { flushed_term: flushed.term, conf_changes, terms, fault: None }
    }

    /// Follows the log.
    pub(crate) fn see(&mut self, seen: Seen) {
        let Seen::Entry { index, term, kind } = seen else {
            self.forget_from(0);
            return;
        };
        self.forget_from(index);
        let before = self.terms.last().map_or(self.flushed_term, |(_, term)| *term);
        if term != before {
            self.terms.push((index, term));
        }
        if kind != KIND_NORMAL {
            self.conf_changes.push(index);
        }
        if term < before {
            self.fault.get_or_insert((index, Fault::TermFalls));
        } else if !is_known_kind(kind) {
            self.fault.get_or_insert((index, Fault::UnknownKind));
        }
    }

    fn forget_from(&mut self, index: u64) {
        let from = |changes: &[u64]| changes.partition_point(|&change| change < index);
        self.conf_changes.truncate(from(&self.conf_changes));
        self.terms.truncate(self.terms.partition_point(|(begin, _)| *begin < index));
        self.fault = self.fault.filter(|(at, _)| *at < index);
    }

    /// Indexes of the membership changes that are left, ascending.
    ///
    /// # Errors
    ///
    /// [`Error::Inconsistent`] if terms fall, [`Error::UnknownEntry`].
    pub(crate) fn finish(self) -> Result<Vec<u64>> {
        match self.fault {
            None => Ok(self.conf_changes),
            Some((index, Fault::TermFalls)) => {
                let reason = "an entry's term is below its predecessor's";
                Err(Error::Inconsistent { reason, index })
            }
            Some((index, Fault::UnknownKind)) => {
                Err(Error::UnknownEntry { index, reason: "its kind is unknown" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KIND_CONF_CHANGE;

    fn survey(seen: &[(u64, u64, u8)]) -> Survey {
        let mut survey = Survey::new(Flushed { index: 5, term: 2 });
        for &(index, term, kind) in seen {
            survey.see(Seen::Entry { index, term, kind });
        }
        survey
    }

    #[test]
    fn membership_changes_that_were_replaced_are_forgotten() {
        let change = KIND_CONF_CHANGE;
        let found = survey(&[(6, 2, change), (7, 2, change), (8, 2, 0), (7, 3, 0), (8, 3, change)]);
        assert_eq!(found.finish().expect("nothing is wrong"), [6, 8]);
        let mut restarted = survey(&[(6, 2, change), (7, 1, 0)]);
        restarted.see(Seen::Restart);
        assert_eq!(restarted.finish().expect("nothing is left"), [0_u64; 0]);
    }

    #[test]
    fn falling_terms_and_unknown_kinds_are_refused_unless_they_were_replaced() {
        let refused = survey(&[(6, 1, 0)]).finish();
        assert!(matches!(refused, Err(Error::Inconsistent { index: 6, .. })));
        let refused = survey(&[(6, 2, 0), (7, 4, 0), (8, 3, 0), (9, 4, 0)]).finish();
        assert!(matches!(refused, Err(Error::Inconsistent { index: 8, .. })));
        let refused = survey(&[(6, 2, 0), (7, 2, 9), (8, 2, 0)]).finish();
        assert!(matches!(refused, Err(Error::UnknownEntry { index: 7, .. })));
        let replaced = survey(&[(6, 2, 0), (7, 4, 0), (8, 3, 9), (8, 4, 0), (9, 5, 0)]);
        replaced.finish().expect("what was wrong is gone");
        let replaced = survey(&[(6, 4, 0), (7, 4, 0), (7, 3, 0)]).finish();
        assert!(matches!(replaced, Err(Error::Inconsistent { index: 7, .. })));
    }
}
