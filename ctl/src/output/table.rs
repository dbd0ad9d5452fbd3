//! Tables with lines around their cells: headings in the middle, cells at the right.
//!
//! A text of more than 30 characters is broken between words, as evenly as can be, as the library
//! that etcd uses does. Characters are counted, whatever their width.

use super::Page;
use crate::failure::Outcome;

/// How long a line of a cell may be, unless one of its words is longer.
const LINE_MAX: usize = 30;

impl Page {
    /// A table. Each row has as many cells as there are headings.
    pub(crate) fn table(&mut self, headings: &[&str], rows: &[Vec<String>]) -> Outcome {
        let rows: Vec<Vec<Vec<String>>> =
            rows.iter().map(|row| row.iter().map(|cell| wrap(cell)).collect()).collect();
        let widths: Vec<usize> = headings
            .iter()
            .enumerate()
            .map(|(column, heading)| {
                let cells = rows.iter().flat_map(|row| &row[column]);
                cells.map(|line| count(line)).fold(count(heading), usize::max)
            })
            .collect();
        let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        let border = format!("+{}+", dashes.join("+"));
        self.line(&border)?;
        let middles = headings.iter().zip(&widths).map(|(text, width)| middle(text, *width));
        self.cells(middles)?;
        self.line(&border)?;
        for row in &rows {
            let height = row.iter().map(Vec::len).max().unwrap_or(0);
            for number in 0..height {
                let texts = row.iter().map(|cell| cell.get(number).map_or("", String::as_str));
                self.cells(texts.zip(&widths).map(|(text, width)| right(text, *width)))?;
            }
        }
        self.line(&border)
    }

    fn cells(&mut self, texts: impl Iterator<Item = String>) -> Outcome {
        let texts: Vec<String> = texts.collect();
        self.line(format_args!("| {} |", texts.join(" | ")))
    }
}

fn count(text: &str) -> usize {
    text.chars().count()
}

fn middle(text: &str, width: usize) -> String {
    let gap = width - count(text);
    let before = gap / 2;
    format!("{}{text}{}", " ".repeat(before), " ".repeat(gap - before))
}

fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width - count(text)))
}

/// Breaks a text into lines. Of the ways without a line that is too long, the one is taken whose
/// lines, the last one left out, have the smallest sum of squared gaps.
fn wrap(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let longest = words.iter().map(|word| count(word)).max().unwrap_or(0);
    let whole = count(text.trim_end());
    let limit = longest.max(LINE_MAX.min(whole));
    let length = |from: usize, to: usize| {
        words[from..to].iter().map(|word| count(word) + 1).sum::<usize>() - 1
    };
    // For each word, the cost of the lines from there on, and where its own line would end.
    let mut best = vec![(0, words.len()); words.len() + 1];
    for from in (0..words.len()).rev() {
        if length(from, words.len()) <= limit {
            continue;
        }
        let ends = (from + 1..words.len()).take_while(|to| length(from, *to) <= limit);
        let costs = ends.map(|to| ((limit - length(from, to)).pow(2) + best[to].0, to));
        best[from] = costs.min().expect("each word fits into a line");
    }
    let mut lines = Vec::new();
    let mut from = 0;
    while from < words.len() {
        let to = best[from].1;
        lines.push(words[from..to].join(" "));
        from = to;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn texts_are_broken_between_words() {
        assert!(wrap("").is_empty());
        assert_eq!(wrap("context deadline exceeded"), ["context deadline exceeded"]);
        assert_eq!(
            wrap("memberID:2185233399518806002 alarm:NOSPACE "),
            ["memberID:2185233399518806002", "alarm:NOSPACE"]
        );
        let url = "http://127.0.0.1:21380,http://127.0.0.1:21381";
        assert_eq!(wrap(url), [url]);
    }
}
