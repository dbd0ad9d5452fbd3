//! The documents that the project promises exist, their links resolve, and each dependency has its
//! job written down.

use std::fs;
use std::path::Path;

use retcd_tidy::{assert_no_offences, manifest_section, source_files, workspace_root};

const PROMISED: [&str; 8] = [
    "README.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "docs/architecture.md",
    "docs/compatibility.md",
    "docs/format.md",
    "docs/testing.md",
    ".ci/run",
];

#[test]
fn the_promised_documents_exist() {
    let root = workspace_root();
    let offences: Vec<String> = PROMISED
        .iter()
        .filter(|path| !root.join(path).exists())
        .map(|path| (*path).to_owned())
        .collect();
    assert_no_offences("missing documents", &offences);
}

#[test]
fn links_between_documents_resolve() {
    let root = workspace_root();
    let mut offences = Vec::new();
    for file in source_files().iter().filter(|file| file.path.ends_with(".md")) {
        let directory = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for (index, line) in file.text.lines().enumerate() {
            for target in link_targets(line) {
                if !root.join(directory).join(target).exists() {
                    offences.push(format!("{}: {target}", file.at(index)));
                }
            }
        }
    }
    assert_no_offences("links to nowhere", &offences);
}

#[test]
fn each_dependency_has_its_job_in_the_architecture() {
    let root = workspace_root();
    let Ok(architecture) = fs::read_to_string(root.join("docs/architecture.md")) else {
        return; // The test above reports the missing document.
    };
    let manifest =
        fs::read_to_string(root.join("Cargo.toml")).expect("the workspace manifest can be read");
    let offences: Vec<String> = manifest_section(&manifest, "workspace.dependencies")
        .into_iter()
        .filter(|name| !name.starts_with("retcd-"))
        .filter(|name| !architecture.contains(&format!("`{name}`")))
        .collect();
    assert_no_offences("dependencies without a line in docs/architecture.md", &offences);
}

/// The local targets of a line's Markdown links, without their anchors.
fn link_targets(line: &str) -> Vec<&str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

#[test]
fn only_local_link_targets_are_followed() {
    let line = "see [a](docs/a.md#part), [b](https://example.org), [c](#here) and [d](../d)";
    assert_eq!(link_targets(line), ["docs/a.md", "../d"]);
}
