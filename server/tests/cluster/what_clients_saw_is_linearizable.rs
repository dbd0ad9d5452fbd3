//! What clients of all members see is linearizable while members are killed, paused and cut off.

use crate::common::{Members, block_on};
use crate::fault::FAULTS;
use crate::recorded_load::RecordedLoad;
use retcd_testkit::WireCutter;

/// Faults, one after the other.
const STRIKES: u64 = 8;

#[test]
fn what_clients_saw_is_linearizable() {
    let cutter = WireCutter::new();
    let (mut members, ids) = block_on(Members::found_to_be_parted(3, &cutter));
    let load = RecordedLoad::new(members.cluster.endpoints());
    load.during(|random| {
        for _ in 0..STRIKES {
            load.goes_on();
            let victim = random.below(3) as usize;
            let fault = FAULTS[random.below(3) as usize];
            fault.strike(&mut members.cluster, &cutter, &ids, victim);
            load.goes_on();
            fault.mend(&mut members.cluster, &cutter, victim);
        }
    });
    load.judge();
    block_on(members.agree(&[0, 1, 2]));
}
