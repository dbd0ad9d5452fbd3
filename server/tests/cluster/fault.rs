//! What can happen to a member, and how it ends.

use retcd_testkit::{Cluster, WireCutter};

/// See the module's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Killed,
    Paused,
    CutOff,
}

pub(crate) const FAULTS: [Fault; 3] = [Fault::Killed, Fault::Paused, Fault::CutOff];

impl Fault {
    /// Does it to a member. `ids` are those of all members.
    pub(crate) fn strike(
        self,
        cluster: &mut Cluster,
        cutter: &WireCutter,
        ids: &[u64],
        victim: usize,
    ) {
        match self {
            Fault::Killed => cluster.kill(victim).expect("it ran"),
            Fault::Paused => cluster.server(victim).pause().expect("it runs"),
            Fault::CutOff => {
                let id = ids[victim];
                let others: Vec<u64> = ids.iter().copied().filter(|&other| other != id).collect();
                cutter.part(&[id], &others);
            }
        }
    }

    /// Undoes it.
    pub(crate) fn mend(self, cluster: &mut Cluster, cutter: &WireCutter, victim: usize) {
        match self {
            Fault::Killed => cluster.restart(victim).unwrap_or_else(|error| panic!("{error}")),
            Fault::Paused => cluster.server(victim).resume().expect("it is there"),
            Fault::CutOff => cutter.join(),
        }
    }
}
