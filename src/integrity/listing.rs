//! The lists of all log digest files, searchable by the name of an object; takes eight bytes for each entry
//! besides the lists themselves.

use std::cmp::Ordering;

use super::chain::Node;
use super::file;
use super::name;
use super::read::Found;

/// An entry of a log digest file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    file: u32,
    line: u32,
}

/// All entries, sorted by name.
pub struct Listing<'f> {
    found: &'f [Found],
    lines: Vec<Line>,
    /// For each entry, whether its object was read.
    present: Vec<bool>,
}

/// An entry, as a result of a search.
#[derive(Clone, Copy)]
pub struct Entry<'f> {
    /// Index among the entries.
    at: usize,
    /// The log digest file with the entry.
    pub by: usize,
    pub listed: &'f file::Listed,
}

/// All entries about one object.
pub struct Listed<'f> {
    pub entries: Vec<Entry<'f>>,
    /// The object is not at the place where CloudTrail put it.
    pub elsewhere: bool,
    /// There are several listed objects with this name.
    pub ambiguous: bool,
}

impl<'f> Listing<'f> {
    pub fn new(found: &'f [Found]) -> Self {
        let lines = found.iter().enumerate().flat_map(|(file, found)| {
            (0..found.file.files.len()).filter_map(move |line| {
                Some(Line { file: u32::try_from(file).ok()?, line: u32::try_from(line).ok()? })
            })
        });
        let mut listing = Self { found, lines: lines.collect(), present: Vec::new() };
        let mut lines = std::mem::take(&mut listing.lines);
        lines.sort_unstable_by(|one, other| match (listing.listed(*one), listing.listed(*other)) {
            (Some(one_listed), Some(other_listed)) => {
                let order = one_listed
                    .name
                    .cmp(&other_listed.name)
                    .then_with(|| place(one_listed).cmp(place(other_listed)));
                order.then((one.file, one.line).cmp(&(other.file, other.line)))
            }
            _ => Ordering::Equal,
        });
        listing.present = vec![false; lines.len()];
        listing.lines = lines;
        listing
    }

    fn listed(&self, line: Line) -> Option<&'f file::Listed> {
        self.found.get(line.file as usize)?.file.files.get(line.line as usize)
    }

    fn entry(&self, at: usize) -> Option<Entry<'f>> {
        let line = *self.lines.get(at)?;
        Some(Entry { at, by: line.file as usize, listed: self.listed(line)? })
    }

    /// The entries about `object`, which exists. If several listed objects have its name, the folders
    /// decide; a copy without its folders, or in others, is found by name alone.
    pub fn of(&mut self, object: &str) -> Listed<'f> {
        let wanted = name::file_name(object);
        let start = self
            .lines
            .partition_point(|line| self.listed(*line).is_some_and(|listed| &*listed.name < wanted));
        let same_name =
            (start..).map_while(|at| self.entry(at)).take_while(|entry| &*entry.listed.name == wanted);
        let mut entries: Vec<_> = same_name.collect();
        let mut elsewhere = false;
        if let Some((_, inside)) = name::split(object) {
            let folder = inside.get(..inside.len() - wanted.len()).unwrap_or_default();
            let in_place = |entry: &Entry<'_>| place(entry.listed) == folder;
            elsewhere = !entries.iter().any(in_place);
            if !elsewhere {
                entries.retain(in_place);
            }
        }
        for entry in &entries {
            if let Some(present) = self.present.get_mut(entry.at) {
                *present = true;
            }
        }
        let ambiguous = entries
            .windows(2)
            .any(|pair| matches!(pair, [one, other] if place(one.listed) != place(other.listed)));
        Listed { entries, elsewhere, ambiguous }
    }

    /// Listed objects that were not read: for each, the entry in the most trustworthy log digest file.
    pub fn absent<'a>(&'a self, nodes: &'a [Node]) -> impl Iterator<Item = Entry<'f>> + 'a {
        let trust = |entry: &Entry<'_>| {
            nodes.get(entry.by).map(|node| (node.proven, !node.is_altered(), std::cmp::Reverse(entry.by)))
        };
        let mut at = 0;
        std::iter::from_fn(move || {
            loop {
                let first = self.entry(at)?;
                let same = (at..).map_while(|at| self.entry(at));
                let group: Vec<_> = same
                    .take_while(|entry| {
                        entry.listed.name == first.listed.name && place(entry.listed) == place(first.listed)
                    })
                    .collect();
                at += group.len().max(1);
                if !group.iter().any(|entry| self.present.get(entry.at) == Some(&true)) {
                    return group.into_iter().max_by_key(trust);
                }
            }
        })
    }
}

/// The folders from `AWSLogs/` on.
fn place(listed: &file::Listed) -> &str {
    name::split(&listed.folder).map_or(&listed.folder, |(_, inside)| inside)
}
