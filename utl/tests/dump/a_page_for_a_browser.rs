//! `etcd-dump db --html FILE`: the figures have the numbers of the JSON, names can't become markup,
//! and nothing but a whole page is ever under the file's name.

use crate::database::{self, Database, db, folder};
use crate::support::*;
use retcd_vfs::{MemVfs, Vfs};
use serde_json::Value;
use std::path::Path;

const PAGE: &str = "page.html";

/// Makes the page, and reads it.
fn page(vfs: &MemVfs, arguments: &[&str]) -> (Ran, String) {
    let ran = db(vfs, &[&["--html", PAGE], arguments].concat());
    let bytes = read(vfs, Path::new(PAGE));
    assert!(!vfs.exists(Path::new("page.html.part")).expect("in memory"));
    (ran, String::from_utf8(bytes).expect("a page is text"))
}

/// A tag: its name, and its attributes as they stand there.
struct Tag<'a> {
    name: &'a str,
    attributes: &'a str,
}

impl Tag<'_> {
    fn attribute(&self, name: &str) -> &str {
        let (_, rest) = self.attributes.split_once(&format!(" {name}=\"")).expect("it has one");
        rest.split_once('"').expect("it ends").0
    }

    fn number(&self, name: &str) -> f64 {
        self.attribute(name).parse().expect("a number")
    }
}

/// All tags that begin something. Makes sure that every one is known and closed where it has to be.
fn tags(page: &str) -> Vec<Tag<'_>> {
    const WITHOUT_END: [&str; 3] = ["!doctype", "meta", "line"];
    let (mut open, mut tags) = (Vec::new(), Vec::new());
    for piece in page.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "a bare > in {text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in another order");
            continue;
        }
        let (name, _) = tag.split_once([' ', '/']).unwrap_or((tag, ""));
        assert!(name == "!doctype" || name.bytes().all(|b| b.is_ascii_alphanumeric()), "{name}");
        assert!(!["script", "link", "img", "iframe", "object", "a"].contains(&name), "{name}");
        let attributes = &tag[name.len()..];
        assert!(!attributes.contains(" on"), "no handlers: {attributes}");
        if !WITHOUT_END.contains(&name) {
            open.push(name);
        }
        tags.push(Tag { name, attributes });
    }
    assert_eq!(open, [""; 0]);
    tags
}

/// The rectangles of the figure with this id.
fn bars<'p>(page: &'p str, id: &str) -> Vec<Tag<'p>> {
    let (_, figure) = page.split_once(&format!("<svg id=\"{id}\"")).expect("there is one");
    let (figure, _) = figure.split_once("</svg>").expect("it ends");
    let figure = figure.split_once('\n').expect("it has lines").1;
    let mut tags = tags(figure);
    tags.retain(|tag| tag.name == "rect");
    tags
}

fn amounts(bars: &[Tag<'_>]) -> Vec<u64> {
    bars.iter().map(|bar| bar.attribute("data-amount").parse().expect("a number")).collect()
}

fn numbers(lines: &[Value], field: &str) -> Vec<u64> {
    lines.iter().map(|line| line[field].as_f64().expect("a number") as u64).collect()
}

fn assert_figures(vfs: &MemVfs) -> String {
    let (ran, page) = page(vfs, &["-w", "json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert_eq!(ran.json("page")[0]["bytes"].as_u64(), Some(page.len() as u64));
    assert!(page.starts_with("<!doctype html>") && page.contains("default-src 'none'"));
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("url("));
    tags(&page);
    // The bar of what fills the database is the view of that name.
    let space = db(vfs, &["--space", "-w", "json"]);
    let mut lines = space.json("space");
    let all = lines.pop().expect("the sums are last");
    let expected =
        [numbers(&lines, "stored_bytes"), numbers(&space.json("rest"), "bytes")].concat();
    let shown = bars(&page, "space");
    assert_eq!(amounts(&shown), expected);
    let whole: u64 = expected.iter().sum();
    let mut x = 0.0;
    for (bar, bytes) in shown.iter().zip(expected) {
        assert!((bar.number("x") - x).abs() < 0.02, "they lie beside each other");
        let width = 960.0 * bytes as f64 / whole as f64;
        assert!((bar.number("width") - width).abs() <= 2.6, "{bytes} of {whole}");
        x += width;
    }
    // The columns are all versions, live ones and others.
    let columns = bars(&page, "ages");
    let of = |class: &str| -> u64 {
        let of = |bar: &&Tag<'_>| bar.attribute("class") == class;
        let amount = |bar: &Tag<'_>| bar.number("data-amount") as u64;
        columns.iter().filter(of).map(amount).sum()
    };
    assert_eq!(Some(of("live")), all["keys"].as_u64());
    assert_eq!(Some(of("live") + of("old")), all["versions"].as_u64());
    for bar in columns {
        assert!(bar.number("y") >= 15.9 && bar.number("y") + bar.number("height") <= 216.1);
        assert!(bar.number("x") >= 70.0 && bar.number("x") + bar.number("width") <= 960.1);
    }
    page
}

#[test]
fn has_the_numbers_of_the_json() {
    let vfs = MemVfs::new();
    drop(Database::small(&vfs, folder()));
    let shown = assert_figures(&vfs);
    let tables = db(&vfs, &["--tables", "-w", "json"]).json("table");
    assert_eq!(amounts(&bars(&shown, "layout")), numbers(&tables, "file_bytes"));
    let summary = db(&vfs, &["-w", "json"]);
    let runs = summary.json("run");
    let low = numbers(&runs, "main_min");
    let spans = numbers(&runs, "main_max").into_iter().zip(low).map(|(high, low)| high - low);
    assert_eq!(amounts(&bars(&shown, "spans")), spans.collect::<Vec<_>>());
    assert!(shown.contains("<dt>revision</dt><dd>28</dd>") && shown.contains("<dd>23</dd>"));

    let vfs = MemVfs::new();
    drop(Database::small_tree(&vfs, folder()));
    let shown = assert_figures(&vfs);
    assert!(shown.contains("B+tree") && !shown.contains("id=\"layout\""));
}

#[test]
fn of_a_range_of_keys() {
    let vfs = MemVfs::new();
    drop(Database::small(&vfs, folder()));
    let (ran, shown) = page(&vfs, &["--prefix", "/registry/pods/"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    tags(&shown);
    assert!(shown.contains("<dt>keys</dt><dd>11</dd>") && shown.contains("Only keys in a range"));
    let (_, shown) = page(&vfs, &[]);
    assert!(shown.contains("<dt>keys</dt><dd>17</dd>") && !shown.contains("Only keys in a range"));
}

#[test]
fn an_empty_database_has_a_page() {
    let vfs = MemVfs::new();
    drop(Database::create(&vfs, folder()));
    let (ran, shown) = page(&vfs, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    tags(&shown);
    assert!(!shown.contains("NaN") && !shown.contains("inf"));
}

#[test]
fn names_cant_become_markup() {
    let vfs = MemVfs::new();
    let mut database = Database::create(&vfs, folder());
    for key in [
        "<script>alert(1)</script>/a",
        "\"onload=\"alert(2)/a",
        "'><img src=x onerror=alert(3)>/a",
        "</title></style></svg>&lt;/a",
        "\u{202e}]]>-->/a",
    ] {
        database.put(key, "<b>value</b>", 0);
    }
    database.flush();
    drop(database);
    let (ran, shown) = page(&vfs, &["--depth", "9"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    tags(&shown);
    for markup in ["<script", "<img", "\"onload", "'>", "]]>", "&lt;/a", "\u{202e}"] {
        assert!(!shown.contains(markup), "{markup}");
    }
    assert!(shown.contains("&lt;script&gt;alert(1)&lt;/script&gt;/"), "{shown}");
}

#[test]
fn its_size_has_a_limit() {
    let vfs = MemVfs::new();
    let mut database = Database::create(&vfs, folder());
    // What takes most room in markup.
    let long = "\"".repeat(2000);
    for prefix in 0..1200 {
        database.put(&format!("{long}{prefix}/key"), "", 0);
    }
    database.flush();
    drop(database);
    let (ran, shown) = page(&vfs, &["--limit", "100000"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(shown.len() < 1 << 20, "{} bytes", shown.len());
    assert!(shown.contains("700 other prefixes"), "the 500 largest have rows");
    let (_, shown) = page(&vfs, &[]);
    assert!(shown.contains("1\u{202f}180 other prefixes"), "20 unless told otherwise");
}

#[test]
fn what_cant_be_read_is_told_on_it() {
    let vfs = MemVfs::new();
    drop(Database::small(&vfs, folder()));
    let table = database::files(&vfs, ".sst").remove(0);
    let mut bytes = read(&vfs, &table);
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    database::replace(&vfs, &table, &bytes);
    let (ran, shown) = page(&vfs, &[]);
    assert_eq!(ran.code, 1);
    assert!(!ran.lines_with("FAULT in ").is_empty(), "{}", ran.out);
    tags(&shown);
    assert!(shown.contains("Not everything could be read"));
    assert!(shown.contains(&table.display().to_string()));
}

#[test]
fn only_pages_are_replaced_and_only_by_whole_ones() {
    let vfs = MemVfs::new();
    drop(Database::small(&vfs, folder()));
    // Left of a run that was killed.
    write(&vfs, Path::new("page.html.part"), b"<!doctype html>half of");
    let (_, first) = page(&vfs, &[]);
    let (_, second) = page(&vfs, &["--depth", "1"]);
    assert_ne!(first, second);
    write(&vfs, Path::new("notes.txt"), b"mine");
    let ran = db(&vfs, &["--html", "notes.txt"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.err.contains("isn't such a page"), "{}", ran.err);
    assert_eq!(read(&vfs, Path::new("notes.txt")), b"mine");
    let current = folder().join("CURRENT");
    let before = read(&vfs, &current);
    assert_eq!(db(&vfs, &["--html", current.to_str().expect("it is text")]).code, 1);
    assert_eq!(read(&vfs, &current), before);
    let ran = db(&vfs, &["--html", "nowhere/page.html"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("nowhere/page.html"), "{}", ran.err);
}

#[test]
fn a_file_of_etcds_has_none() {
    let vfs = MemVfs::new();
    write(&vfs, Path::new("snap.db"), include_bytes!("../golden/etcd-3.5.1.snapshot"));
    let ran = etcd_dump(&vfs, &["db", "snap.db", "--html", PAGE]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("etcd-dump snapshot"), "{}", ran.err);
}
