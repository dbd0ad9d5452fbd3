//! The layering: which crate may use which, read from the manifests. A new arrow is added here
//! together with its reason in `docs/decisions/`.

use std::collections::BTreeMap;
use std::fs;

use retcd_tidy::{assert_no_offences, manifest_section, workspace_members, workspace_root};

/// Folder, and the folders that it may use. `*` stands for all.
const LAYERS: [(&str, &[&str]); 16] = [
    ("vfs", &[]),
    ("api", &[]),
    ("wal", &["vfs"]),
    ("engine", &["vfs"]),
    // Its registry of the third version is a client of etcd's API.
    ("discovery", &["api"]),
    ("mvcc", &["engine", "api"]),
    // Bootstrap opens the engine and the log on the file system that it is given.
    ("raft-glue", &["wal", "mvcc", "api", "engine", "vfs"]),
    ("server", &["raft-glue", "wal", "mvcc", "api", "engine", "vfs", "discovery"]),
    ("ctl", &["api", "discovery"]),
    ("utl", &["raft-glue", "wal", "mvcc", "api", "engine", "vfs"]),
    // Pages are made from what the programs say of themselves.
    ("man", &["ctl", "utl", "server"]),
    ("testkit", &[]),
    // The simulator drives members as the server does, and lays hands on what lies between their
    // parts.
    ("sim", &["raft-glue", "wal", "mvcc", "api", "engine", "vfs", "testkit"]),
    ("benches", &["*"]),
    ("tidy", &[]),
    ("fuzz", &["wal", "engine", "mvcc", "api"]),
];

#[test]
fn no_crate_uses_what_lies_above_it() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.into_iter().collect();
    let mut offences = Vec::new();
    for member in workspace_members() {
        let Some(allowed) = layers.get(member.as_str()) else {
            offences.push(format!("{member}: has no place in the layering"));
            continue;
        };
        let path = workspace_root().join(&member).join("Cargo.toml");
        let manifest = fs::read_to_string(path).expect("a member has a manifest");
        for section in ["dependencies", "build-dependencies"] {
            for name in manifest_section(&manifest, section) {
                let Some(used) = name.strip_prefix("retcd-") else {
                    continue;
                };
                if !allowed.contains(&used) && !allowed.contains(&"*") {
                    offences.push(format!("{member} uses {used}"));
                }
            }
        }
    }
    assert_no_offences("arrows that the design doesn't have", &offences);
}

#[test]
fn every_member_keeps_the_shared_lints() {
    let offences: Vec<String> = workspace_members()
        .into_iter()
        .filter(|member| {
            let path = workspace_root().join(member).join("Cargo.toml");
            let manifest = fs::read_to_string(path).expect("a member has a manifest");
            !manifest.contains("[lints]\nworkspace = true")
        })
        .collect();
    assert_no_offences("members without the workspace's lints", &offences);
}
