//! A scrub: `CURRENT` and the manifest, then one pass over all tables that were there when it
//! began, oldest number first.
//!
//! It holds no table between two steps, so files go when merges are through with them; what is gone
//! is passed over, and what merges wrote meanwhile is left to the next pass. So a pass ends,
//! however fast tables are written.

use std::sync::Arc;

use super::manifest::ManifestScrub;
use super::store::Store;
use super::tree::TableHandle;
use crate::table::{FileNumber, TableScrub};
use crate::{Result, Scrub, Scrubbed};

/// See the module's text.
pub(super) struct LsmScrub {
    store: Arc<Store>,
    names: Names,
    /// The next table has this number or a larger one.
    from: FileNumber,
    /// Tables from this number on are of the next pass.
    end: FileNumber,
    under_way: Option<(FileNumber, TableScrub)>,
}

/// How far the scrub of the manifest is.
enum Names {
    Ahead,
    UnderWay(Box<ManifestScrub>),
    Done,
}

impl LsmScrub {
    /// A pass over what there is now.
    pub(super) fn new(store: Arc<Store>) -> LsmScrub {
        // Numbers are given out before their tables are named: this one is above all that are.
        let end = FileNumber(store.take_number());
        LsmScrub { store, names: Names::Ahead, from: FileNumber(0), end, under_way: None }
    }

    /// Reads on in the manifest.
    fn read_names(&mut self) -> Scrubbed {
        if matches!(self.names, Names::Ahead) {
            self.names = match self.store.scrub_manifest() {
                Ok(Some(scrub)) => Names::UnderWay(Box::new(scrub)),
                Ok(None) => Names::Done,
                Err(error) => {
                    self.names = Names::Done;
                    return Scrubbed { damage: vec![error], ..Scrubbed::default() };
                }
            };
        }
        let Names::UnderWay(scrub) = &mut self.names else {
            return Scrubbed::default();
        };
        let step = scrub.step();
        if step.is_last {
            self.names = Names::Done;
        }
        step
    }

    /// The table under way if it is still there, or the next one.
    fn table(&mut self) -> Option<(Arc<TableHandle>, &mut TableScrub)> {
        let tree = Arc::clone(&self.store.picture().disk);
        let tables = || tree.all_runs().flat_map(|run| &run.tables);
        let number = |table: &Arc<TableHandle>| table.table().file().number;
        let here = self.under_way.as_ref().map(|(number, _)| *number);
        if let Some(table) = tables().find(|table| Some(number(table)) == here) {
            let (_, scrub) = self.under_way.as_mut()?;
            return Some((Arc::clone(table), scrub));
        }
        let due = tables().filter(|table| (self.from..self.end).contains(&number(table)));
        let next = due.min_by_key(|table| number(table))?;
        self.from = FileNumber(number(next).0 + 1);
        let (_, scrub) = self.under_way.insert((number(next), TableScrub::default()));
        Some((Arc::clone(next), scrub))
    }
}

impl Scrub for LsmScrub {
    fn step(&mut self, bytes: u64) -> Result<Scrubbed> {
        self.store.front.health.check()?;
        let mut done = Scrubbed::default();
        while done.bytes < bytes && !matches!(self.names, Names::Done) {
            let step = self.read_names();
            done.bytes += step.bytes;
            done.damage.extend(step.damage);
        }
        while done.bytes < bytes {
            let Some((table, scrub)) = self.table() else {
                done.is_last = true;
                break;
            };
            let mut is_last = false;
            while done.bytes < bytes && !is_last {
                let piece = scrub.step(table.table());
                done.bytes += piece.bytes;
                done.damage.extend(piece.damage);
                is_last = piece.is_last;
            }
            if is_last {
                self.under_way = None;
            }
        }
        Ok(done)
    }
}
