//! Decoded blocks in memory, shared by all tables, within a budget of bytes.
//!
//! The cache is split by hash into shards with a lock and an equal part of the budget each. A shard
//! evicts by the clock rule: its hand goes round the blocks, one that was asked for since the last
//! round stays, another one goes. A block enters as not yet asked for, so blocks of a long scan
//! are the first to leave.
//!
//! Blocks of tables are immutable and file numbers are never used twice, so nothing of them is ever
//! invalidated: blocks of unlinked files age out. A page of a tree may be written again, and
//! replaces what was there.

use super::FileNumber;
use super::frame::Opener;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

const SHARDS_LOG2: u32 = 4;

/// What a block costs besides its content, about.
const OVERHEAD_BYTES: usize = 96;

/// Which block: its file and where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BlockId {
    pub(crate) number: FileNumber,
    pub(crate) offset: u64,
}

impl BlockId {
    fn hash(self) -> u64 {
        let mut hasher = IdHasher::default();
        std::hash::Hash::hash(&self, &mut hasher);
        hasher.finish()
    }
}

/// Mixes two integers. Ids come from our own files: no defence against chosen ones is needed.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write_u64(&mut self, field: u64) {
        let product = u128::from(self.0.rotate_left(32) ^ field ^ 0x51a7_e3c8_0d2f_946b)
            * u128::from(0x9fb2_1c65_1e98_df25_u64);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Held {
    content: Bytes,
    asked: bool,
}

impl Held {
    fn cost(&self) -> usize {
        self.content.len() + OVERHEAD_BYTES
    }
}

#[derive(Default)]
struct Shard {
    blocks: HashMap<BlockId, Held, BuildHasherDefault<IdHasher>>,
    /// All blocks; the clock's hand is at the front.
    clock: VecDeque<BlockId>,
    bytes: usize,
    hits: u64,
    misses: u64,
}

impl Shard {
    fn get(&mut self, id: BlockId) -> Option<Bytes> {
        let Some(held) = self.blocks.get_mut(&id) else {
            self.misses += 1;
            return None;
        };
        self.hits += 1;
        held.asked = true;
        Some(held.content.clone())
    }

    fn insert(&mut self, id: BlockId, content: Bytes, bytes_max: usize) {
        let held = Held { content, asked: false };
        let cost = held.cost();
        // One block must not sweep out a shard.
        if cost > bytes_max / 4 || self.blocks.contains_key(&id) {
            return;
        }
        while self.bytes + cost > bytes_max {
            self.evict_one();
        }
        self.bytes += cost;
        self.clock.push_back(id);
        self.blocks.insert(id, held);
    }

    fn replace(&mut self, id: BlockId, content: Bytes, bytes_max: usize) {
        let Some(held) = self.blocks.get_mut(&id) else {
            return self.insert(id, content, bytes_max);
        };
        self.bytes -= held.cost();
        held.content = content;
        if held.cost() > bytes_max / 4 {
            held.content = Bytes::new();
        }
        self.bytes += held.cost();
        while self.bytes > bytes_max {
            self.evict_one();
        }
    }

    /// Turns the hand until a block has gone.
    fn evict_one(&mut self) {
        loop {
            let id = self.clock.pop_front().expect("a shard that holds bytes holds a block");
            let held = self.blocks.get_mut(&id).expect("the clock names held blocks");
            if held.asked {
                held.asked = false;
                self.clock.push_back(id);
                continue;
            }
            self.bytes -= held.cost();
            self.blocks.remove(&id);
            return;
        }
    }
}

/// What a cache holds and how it fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Bytes of blocks held, with what it costs to hold them.
    pub bytes: u64,
    /// Blocks held.
    pub blocks: u64,
    /// Lookups that found their block.
    pub hits: u64,
    /// Lookups that didn't.
    pub misses: u64,
}

/// A cache of decoded blocks, shared by all tables of an engine.
pub struct BlockCache {
    shards: Vec<Mutex<Shard>>,
    shard_bytes_max: usize,
    opener: Opener,
}

impl BlockCache {
    /// A cache that holds at most `bytes_max` bytes; 0 for none.
    pub fn new(bytes_max: usize) -> BlockCache {
        let shards = 1usize << SHARDS_LOG2;
        BlockCache {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            shard_bytes_max: bytes_max / shards,
            opener: Opener::default(),
        }
    }

    /// Sums over all shards.
    pub fn stats(&self) -> CacheStats {
        let mut stats = CacheStats::default();
        for shard in &self.shards {
            let shard = shard.lock();
            stats.bytes += shard.bytes as u64;
            stats.blocks += shard.blocks.len() as u64;
            stats.hits += shard.hits;
            stats.misses += shard.misses;
        }
        stats
    }

    pub(crate) fn get(&self, id: BlockId) -> Option<Bytes> {
        self.shard(id).lock().get(id)
    }

    pub(crate) fn insert(&self, id: BlockId, content: Bytes) {
        self.shard(id).lock().insert(id, content, self.shard_bytes_max);
    }

    /// Puts `content` in place of what was there. If it is too large to be kept, nothing is: then
    /// an empty block may be found.
    pub(crate) fn replace(&self, id: BlockId, content: Bytes) {
        self.shard(id).lock().replace(id, content, self.shard_bytes_max);
    }

    /// Decodes blocks for all tables, so that they share its contexts.
    pub(super) fn opener(&self) -> &Opener {
        &self.opener
    }

    fn shard(&self, id: BlockId) -> &Mutex<Shard> {
        // The map inside of the shard uses the other bits.
        &self.shards[(id.hash() >> 32) as usize % self.shards.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(offset: u64) -> BlockId {
        BlockId { number: FileNumber(1), offset }
    }

    #[test]
    fn keeps_within_its_budget_and_counts() {
        let cache = BlockCache::new(1 << 20);
        for offset in 0..1000 {
            cache.insert(id(offset), Bytes::from(vec![1; 4000]));
        }
        let stats = cache.stats();
        assert!(stats.bytes <= 1 << 20);
        assert!(stats.blocks >= 200, "{stats:?}");
        let found = (0..1000).filter(|&offset| cache.get(id(offset)).is_some()).count();
        assert_eq!(found as u64, stats.blocks);
        assert_eq!(cache.stats().hits, stats.blocks);
        assert_eq!(cache.stats().misses, 1000 - stats.blocks);
    }

    #[test]
    fn blocks_that_are_asked_for_outlive_a_scan() {
        let cache = BlockCache::new(1 << 20);
        for offset in 0..20 {
            cache.insert(id(offset), Bytes::from(vec![1; 4000]));
        }
        for scanned in 1000..3000 {
            for offset in 0..20 {
                cache.get(id(offset));
            }
            cache.insert(id(scanned), Bytes::from(vec![1; 4000]));
        }
        let kept = (0..20).filter(|&offset| cache.get(id(offset)).is_some()).count();
        assert_eq!(kept, 20);
    }

    #[test]
    fn a_block_may_be_replaced_by_a_longer_one() {
        let cache = BlockCache::new(1 << 20);
        for offset in 0..1000 {
            cache.insert(id(offset), Bytes::from(vec![1; 1000]));
        }
        for offset in 0..1000 {
            cache.replace(id(offset), Bytes::from(vec![2; 4000]));
        }
        assert!(cache.stats().bytes <= 1 << 20);
        let found = (0..1000).filter_map(|offset| cache.get(id(offset)));
        assert!(found.map(|content| assert_eq!(content, vec![2; 4000])).count() >= 200);
        cache.replace(id(999), Bytes::from(vec![3; 20 << 10]));
        assert_eq!(cache.get(id(999)), Some(Bytes::new()));
        cache.replace(id(5000), Bytes::from(vec![4; 10]));
        assert_eq!(cache.get(id(5000)), Some(Bytes::from(vec![4; 10])));
    }

    #[test]
    fn a_block_above_a_quarter_of_a_shard_is_not_kept() {
        let cache = BlockCache::new(1 << 20);
        cache.insert(id(1), Bytes::from(vec![1; 20 << 10]));
        assert_eq!(cache.get(id(1)), None);
        assert_eq!(BlockCache::new(0).get(id(1)), None);
    }
}
