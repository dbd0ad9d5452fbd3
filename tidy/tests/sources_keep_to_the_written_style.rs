//! Line and file length, module headers, leftover markers, paths of somebody's machine.

use retcd_tidy::{SourceFile, assert_no_offences, source_files};

const LINE_COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 600;

/// What must not stay in the tree. Split in two, so that this list doesn't report itself.
const MARKERS: [&str; 9] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[ig", "nore"),
    concat!("#[al", "low("),
    concat!("#![al", "low("),
];

/// First directories that exist on some developer's machine only.
const MACHINE_ROOTS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/fa", "rm/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

#[test]
fn lines_of_code_have_at_most_100_columns() {
    let mut offences = Vec::new();
    for file in source_files().iter().filter(|file| file.is_code()) {
        for (index, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX {
                offences.push(format!("{}: {columns} columns", file.at(index)));
            }
        }
    }
    assert_no_offences("lines too long", &offences);
}

#[test]
fn files_of_code_have_at_most_600_lines() {
    let offences: Vec<String> = source_files()
        .iter()
        .filter(|file| file.is_code())
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines} lines", file.path))
        .collect();
    assert_no_offences("files too long", &offences);
}

#[test]
fn every_module_opens_with_what_it_is() {
    let offences: Vec<String> = source_files()
        .iter()
        .filter(|file| file.is_rust() && !file.text.starts_with("//! "))
        .map(|file| file.path.clone())
        .collect();
    assert_no_offences("no `//!` header on the first line", &offences);
}

#[test]
fn no_leftover_markers() {
    let mut offences = Vec::new();
    for file in source_files().iter().filter(|file| file.is_code()) {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(marker) = MARKERS.iter().find(|marker| contains_word(line, marker)) {
                offences.push(format!("{}: {marker}", file.at(index)));
            }
        }
    }
    assert_no_offences("leftover markers", &offences);
}

#[test]
fn tests_wait_for_conditions_and_not_for_time() {
    let mut offences = Vec::new();
    let needle = concat!("sle", "ep(");
    for file in source_files().iter().filter(|file| file.is_integration_test()) {
        for (index, _) in file.text.lines().enumerate().filter(|(_, line)| line.contains(needle)) {
            offences.push(file.at(index));
        }
    }
    assert_no_offences("a test sleeps", &offences);
}

#[test]
fn nothing_names_a_path_of_one_machine() {
    let mut offences = Vec::new();
    for file in &source_files() {
        for (index, line) in file.text.lines().enumerate() {
            if MACHINE_ROOTS.iter().any(|root| starts_a_path(line, root)) {
                offences.push(file.at(index));
            }
        }
    }
    assert_no_offences("paths of a machine", &offences);
}

/// Whether `marker` stands in `line` and is not a part of a longer word.
fn contains_word(line: &str, marker: &str) -> bool {
    line.match_indices(marker).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + marker.len()..].chars().next();
        let is_word = |character: Option<char>| {
            character.is_some_and(|character| character.is_alphanumeric() || character == '_')
        };
        let runs_on = marker.ends_with(char::is_alphanumeric) && is_word(after);
        !is_word(before) && !runs_on
    })
}

/// Whether an absolute path below `root` begins somewhere in `line`.
fn starts_a_path(line: &str, root: &str) -> bool {
    line.match_indices(root).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !before.is_some_and(|character| character.is_alphanumeric() || "_-.~}*".contains(character))
    })
}

#[test]
fn words_and_paths_are_recognized_at_their_borders() {
    let marker = MARKERS[0];
    assert!(contains_word(&format!("// {marker}: later"), marker));
    assert!(!contains_word(&format!("x{marker}"), marker));
    let root = MACHINE_ROOTS[0];
    assert!(starts_a_path(&format!("see {root}x"), root));
    assert!(!starts_a_path(&format!("net{root}x"), root));
    let file = SourceFile { path: "a/tests/b.rs".into(), text: String::new() };
    assert!(file.is_integration_test());
}
