//! Reads the tree for the tidy tests: its text files, and what each manifest depends on.
//!
//! The tests under `tests/` hold the mechanical rules of how this project is written. They look at
//! the working tree rather than at git, so that they also run from an unpacked archive, and they
//! report every offence at once. Nothing here is used by the product.

use std::fs;
use std::path::{Path, PathBuf};

/// What holds build products or foreign data, never sources. In a worktree `.git` is a file.
const SKIPPED: [&str; 5] = ["target", ".git", "corpus", "artifacts", "seeds"];

/// Extensions of the text files that are read. Names without extension (scripts) are read too.
const TEXT_EXTENSIONS: [&str; 8] = ["rs", "toml", "md", "py", "sh", "proto", "json", "yml"];

/// A text file of the tree.
#[derive(Debug)]
pub struct SourceFile {
    /// Path relative to the top of the tree, with `/` between its parts.
    pub path: String,
    /// The whole content.
    pub text: String,
}

impl SourceFile {
    /// Whether the file is Rust source.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether line and file length apply: programs and scripts, not prose and data.
    pub fn is_code(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let is_script = !name.contains('.') && self.text.starts_with("#!");
        is_script || [".rs", ".py", ".sh", ".proto"].iter().any(|end| name.ends_with(end))
    }

    /// Whether the file is an integration test or a helper of one.
    pub fn is_integration_test(&self) -> bool {
        self.is_rust() && self.path.contains("/tests/")
    }

    /// `path:line`, for messages. Lines count from one.
    pub fn at(&self, line_index: usize) -> String {
        format!("{}:{}", self.path, line_index + 1)
    }
}

/// The top of the tree.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the crate lies one level below the top of the tree").to_path_buf()
}

/// Every text file of the tree, in the order of their paths.
pub fn source_files() -> Vec<SourceFile> {
    let root = workspace_root();
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    files.sort_by(|left, right| left.path.cmp(&right.path));
    assert!(files.iter().any(SourceFile::is_rust), "no Rust source below {}", root.display());
    files
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(dir).expect("a listed directory can be read") {
        let path = entry.expect("a directory entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_symlink() || SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            let is_data_dir = name.ends_with(".etcd");
            if !is_data_dir {
                collect(root, &path, files);
            }
            continue;
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        if !extension.is_empty() && !TEXT_EXTENSIONS.contains(&extension.as_str()) {
            continue;
        }
        // Binary data that happens to have no extension is none of tidy's business.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let relative = path.strip_prefix(root).expect("the walk stays below its root");
        let path = relative.to_string_lossy().replace('\\', "/");
        files.push(SourceFile { path, text });
    }
}

/// Names in one section of a manifest, such as `dependencies` or `workspace.dependencies`.
///
/// Understands the form in which this workspace writes its manifests: one `[section]` header, then
/// `name = …` or `name.workspace = true` per line.
pub fn manifest_section(manifest: &str, section: &str) -> Vec<String> {
    let header = format!("[{section}]");
    manifest
        .lines()
        .skip_while(|line| line.trim() != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().trim_end_matches(".workspace").to_owned())
        .collect()
}

/// The folders of the workspace's members.
pub fn workspace_members() -> Vec<String> {
    let manifest = fs::read_to_string(workspace_root().join("Cargo.toml"))
        .expect("the workspace manifest can be read");
    let (_, rest) = manifest.split_once("members = [").expect("the manifest lists its members");
    let (list, _) = rest.split_once(']').expect("the list of members ends");
    list.split(',')
        .map(|name| name.trim().trim_matches('"').to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// Fails the calling test with one line per offence.
pub fn assert_no_offences(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_of_a_manifest_ends_at_the_next_header() {
        let manifest = "[a]\nx = 1\n\n[dependencies]\nbytes.workspace = true\n# note = 1\n\
                        retcd-vfs = { path = \"../vfs\" }\n\n\
                        [dev-dependencies]\nproptest = \"1\"\n";
        assert_eq!(manifest_section(manifest, "dependencies"), ["bytes", "retcd-vfs"]);
        assert_eq!(manifest_section(manifest, "dev-dependencies"), ["proptest"]);
        assert!(manifest_section(manifest, "build-dependencies").is_empty());
    }

    #[test]
    fn scripts_are_told_from_data_by_their_first_bytes() {
        let script = SourceFile { path: "x/run".into(), text: "#!/bin/sh\n".into() };
        let license = SourceFile { path: "LICENSE".into(), text: "Apache\n".into() };
        assert!(script.is_code());
        assert!(!license.is_code());
    }
}
