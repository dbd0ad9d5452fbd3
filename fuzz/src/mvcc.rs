//! Every way in which a store is read, for targets that open one on whatever there is.

use bytes::{Bytes, BytesMut};
use retcd_api::etcdserverpb::{RangeRequest, ResponseHeader};
use retcd_engine::sort::Sorter;
use retcd_mvcc::watch::{History, PieceLimit};
use retcd_mvcc::{DatabaseOrigin, Store};
use retcd_vfs::MemVfs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const LIMIT: PieceLimit = PieceLimit { revisions: 5, scanned: 5, bytes: 500 };

/// Asks for everything that readers can ask for; what isn't answered is none of the caller's
/// business.
pub fn read_everything(store: &Arc<Store>, compacted: i64, newest: i64) {
    let all = RangeRequest { key: "\0".into(), range_end: "\0".into(), ..RangeRequest::default() };
    for revision in [0, compacted, newest - 1] {
        for (limit, sort_order, count_only) in [(0, 0, false), (2, 2, false), (0, 1, true)] {
            let request = RangeRequest { revision, limit, sort_order, count_only, ..all.clone() };
            let _ = store.range(&request);
            let _ = store.range_into(&request, &ResponseHeader::default(), &mut BytesMut::new());
        }
        let _ = store.hash_kv(revision);
        let _ = store.pair_at(b"a", revision);
        let _ = store.events(revision.max(1)..=newest, LIMIT, &|_| true);
    }
    let _ = store.hash();
    if let Ok(mut stream) = Arc::clone(store).range_stream(all, 64) {
        while let Ok(Some(_)) = stream.next_piece() {}
    }
    store.promote(Duration::from_secs(5), Duration::from_secs(1));
    for lease in store.leases() {
        let _ = store.lease_keys(lease);
        let _ = store.lease_time_to_live(lease, Duration::from_secs(9));
        let _ = store.lease_renew(lease, Duration::from_secs(9));
    }
    let _ = store.expired_leases(Duration::from_secs(1 << 40), 10);
    let _ = store.lease_checkpoints_due(Duration::from_secs(1 << 40));
    let _ = (store.alarms(), store.members(), store.cluster_version());
    let sorter = Sorter::new(Arc::new(MemVfs::new()), Path::new("/sort"), 1 << 20);
    let conf_state_json = &|_: &Bytes| Some(b"{}".to_vec());
    let origin = DatabaseOrigin { term: 1, conf_state_json, is_wanted: &|| true };
    if let Ok(database) = store.etcd_database(sorter, &origin) {
        let _ = database.write(&mut Vec::new());
    }
}
