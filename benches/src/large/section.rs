//! The parts of the measurement, by their names on the command line.

use crate::Error;

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Filling an empty server; compaction and defragmentation of what that left.
    Fill,
    /// From the start of the process to the first linearizable read.
    Start,
    /// Counts of everything and of a tenth.
    Count,
    /// Lists of 2,000 keys, pages of 500, and all pages.
    List,
    /// The longest put during compaction, defragmentation and snapshot.
    Longest,
    /// The size on the disk under steady overwriting.
    Space,
    /// The start after SIGKILL under load.
    Kill,
}

impl Section {
    /// All, in the order in which they run.
    pub const ALL: [Section; 7] = [
        Section::Fill,
        Section::Start,
        Section::Count,
        Section::List,
        Section::Longest,
        Section::Space,
        Section::Kill,
    ];

    fn name(self) -> &'static str {
        match self {
            Section::Fill => "fill",
            Section::Start => "start",
            Section::Count => "count",
            Section::List => "list",
            Section::Longest => "longest",
            Section::Space => "space",
            Section::Kill => "kill",
        }
    }

    /// Reads a list of names, or `all`.
    pub fn parse_list(names: &str) -> Result<Vec<Section>, Error> {
        if names == "all" {
            return Ok(Section::ALL.to_vec());
        }
        let one = |name| Section::ALL.into_iter().find(|section| section.name() == name);
        let parse = |name| one(name).ok_or_else(|| format!("unknown section {name}").into());
        names.split(',').map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_names() {
        let parsed = Section::parse_list("count,fill").expect("known names");
        assert_eq!(parsed, [Section::Count, Section::Fill]);
        assert_eq!(Section::parse_list("all").expect("all").len(), Section::ALL.len());
        assert!(Section::parse_list("counts").is_err());
    }
}
