//! What the pods of one deployment have in common: names, image, and everything that a person
//! wrote.
//!
//! Pods are numbered in blocks of [`BLOCK_PODS`], which hold deployments of between one and thirty
//! replicas: most deployments are small, most pods are in large ones.

use retcd_testkit::random::Random;

use super::stream;

/// Replicas of the deployments in a block.
const REPLICAS: [u64; 12] = [1, 1, 2, 3, 3, 5, 5, 8, 10, 12, 20, 30];
/// Pods in a block.
const BLOCK_PODS: u64 = 100;

/// Ten teams, so that the namespaces of one hold about a tenth of all pods.
pub(super) const TEAMS: [&str; 10] = [
    "billing",
    "catalog",
    "checkout",
    "fraud",
    "identity",
    "logistics",
    "media",
    "platform",
    "search",
    "support",
];
const STAGES: [&str; 3] = ["prod", "staging", "test"];
const APPS: [&str; 16] = [
    "address-book",
    "api-gateway",
    "audit",
    "bookkeeping",
    "cart",
    "exporter",
    "feature-flags",
    "invoice-render",
    "ledger",
    "mailer",
    "notification",
    "price-rules",
    "recommender",
    "scheduler",
    "session-store",
    "webhook",
];
const ROLES: [&str; 5] = ["backend", "cron", "frontend", "stream", "worker"];
const CPUS: [&str; 5] = ["50m", "100m", "250m", "500m", "1"];
const MEMORIES: [&str; 4] = ["64Mi", "128Mi", "256Mi", "512Mi"];

/// Letters of generated names: no vowels, and no digits that look like one.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A deployment, and the replica set that it has now.
pub(super) struct Deployment {
    pub(super) team: &'static str,
    pub(super) namespace: String,
    pub(super) app: &'static str,
    pub(super) name: String,
    /// Of the pod template; part of the replica set's name.
    pub(super) hash: String,
    pub(super) replica_set_uid: String,
    pub(super) image: String,
    pub(super) image_digest: String,
    pub(super) version: String,
    pub(super) cpu: &'static str,
    pub(super) memory: &'static str,
    pub(super) port: u64,
    /// When its pods were created, in seconds.
    pub(super) rolled_out_at: u64,
    /// Where its pods' name suffixes begin.
    suffixes_from: u64,
}

/// Which deployment a pod is of, and which of its pods it is.
pub(super) fn place(number: u64) -> (u64, u64) {
    let mut within = number % BLOCK_PODS;
    let first = number / BLOCK_PODS * REPLICAS.len() as u64;
    for (index, replicas) in (0..).zip(REPLICAS) {
        if within < replicas {
            return (first + index, within);
        }
        within -= replicas;
    }
    unreachable!("the replicas of a block are all its pods, as a test says")
}

impl Deployment {
    pub(super) fn new(seed: u64, index: u64) -> Deployment {
        let mut random = stream(seed, [index, u64::MAX]);
        let (team, app, role) =
            (pick(&mut random, &TEAMS), pick(&mut random, &APPS), pick(&mut random, &ROLES));
        let stage = pick(&mut random, &STAGES);
        let namespace = format!("{team}-{stage}-{:02}", random.below(40));
        let version = format!("v{}.{}.{}", 1 + random.below(4), random.below(30), random.below(9));
        Deployment {
            team,
            namespace,
            app,
            name: format!("{app}-{role}"),
            hash: letters(random.number(), 10),
            replica_set_uid: uuid(&mut random),
            image: format!("registry.example.com/{team}/{app}:{version}"),
            image_digest: hex(&mut random, 64),
            version,
            cpu: pick(&mut random, &CPUS),
            memory: pick(&mut random, &MEMORIES),
            port: 8000 + random.below(1000),
            rolled_out_at: 1_700_000_000 + random.below(20_000_000),
            suffixes_from: random.number() >> 16,
        }
    }

    /// Name of one of its pods. The suffixes of a deployment's pods differ, because the step
    /// between them has no divisor in common with their number, 27 to the fifth.
    pub(super) fn pod_name(&self, ordinal: u64) -> String {
        let suffix = letters(self.suffixes_from + ordinal * 1_000_003, 5);
        format!("{}-{}-{suffix}", self.name, self.hash)
    }
}

fn pick(random: &mut Random, words: &[&'static str]) -> &'static str {
    words[random.below(words.len() as u64) as usize]
}

/// The last `count` digits of a number, written in [`ALPHABET`].
pub(super) fn letters(mut number: u64, count: usize) -> String {
    let mut text = String::with_capacity(count);
    for _ in 0..count {
        text.push(char::from(ALPHABET[(number % 27) as usize]));
        number /= 27;
    }
    text
}

/// Random hexadecimal digits; `count` is a multiple of 16.
pub(super) fn hex(random: &mut Random, count: usize) -> String {
    let mut text = String::with_capacity(count);
    while text.len() < count {
        let number = random.number();
        let digits = (0..16).map(|place| char::from_digit((number >> (4 * place) & 15) as u32, 16));
        text.extend(digits.flatten());
    }
    text
}

/// A random UUID.
pub(super) fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.number(), random.number());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_full() {
        assert_eq!(REPLICAS.iter().sum::<u64>(), BLOCK_PODS);
        assert_eq!(place(0), (0, 0));
        assert_eq!(place(99), (11, 29));
        assert_eq!(place(100), (12, 0));
    }

    #[test]
    fn identifiers_have_their_form() {
        let uuid = uuid(&mut Random::new(3));
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&uuid[14..15], "4");
        assert_eq!(letters(27, 3), "bcb");
    }
}
