//! Objects of a listing in the order of their keys, however many there are: in memory as far as they fit, and in
//! temporary files beyond that. A run of sorted objects goes to disk when memory is full; runs are merged a few at a
//! time, so that neither memory nor the number of open files grows with the listing.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};

use zstd::stream::{read::Decoder, write::Encoder};

use super::inventory::{Is, Item};

/// Memory for objects that wait to be sorted.
const HELD_BYTES_MAX: usize = 32 << 20;
/// So many runs are merged at a time; each takes a window and two buffers, about half a MiB.
const RUNS_MAX: usize = 32;
/// 128 KiB: keys of neighbours are alike, and each run that is merged needs a window of its own.
const WINDOW_LOG: u32 = 17;
/// The fastest, because most of it is read once.
const LEVEL: i32 = 1;

/// Takes objects in any order.
pub(super) struct Sorter {
    held: Vec<Item>,
    held_bytes: usize,
    held_bytes_max: usize,
    /// Sorted runs on disk. Those of each level were merged from [`RUNS_MAX`] of the level before.
    levels: Vec<Vec<File>>,
}

impl Default for Sorter {
    fn default() -> Self {
        Self::within(HELD_BYTES_MAX)
    }
}

impl Sorter {
    fn within(held_bytes_max: usize) -> Self {
        Self { held: Vec::new(), held_bytes: 0, held_bytes_max, levels: Vec::new() }
    }

    pub(super) fn push(&mut self, item: Item) -> io::Result<()> {
        self.held_bytes += memory(&item);
        self.held.push(item);
        if self.held_bytes < self.held_bytes_max { Ok(()) } else { self.put_aside() }
    }

    /// Writes what is held as a run.
    fn put_aside(&mut self) -> io::Result<()> {
        self.held.sort_unstable_by(order);
        let run = write(self.held.drain(..).map(Ok))?;
        self.held_bytes = 0;
        self.add(run, 0)
    }

    fn add(&mut self, mut run: File, mut level: usize) -> io::Result<()> {
        loop {
            if self.levels.len() <= level {
                self.levels.resize_with(level + 1, Vec::new);
            }
            let Some(runs) = self.levels.get_mut(level) else { return Ok(()) };
            runs.push(run);
            if runs.len() < RUNS_MAX {
                return Ok(());
            }
            run = write(Merge::of(&std::mem::take(runs))?)?;
            level += 1;
        }
    }

    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        if self.levels.is_empty() {
            self.held.sort_unstable_by(order);
            return Ok(Sorted { held: self.held, runs: Vec::new() });
        }
        if !self.held.is_empty() {
            self.put_aside()?;
        }
        // The short ones first.
        let mut runs: Vec<File> = self.levels.into_iter().flatten().collect();
        while runs.len() > RUNS_MAX {
            let merged: Vec<File> = runs.drain(..RUNS_MAX).collect();
            runs.push(write(Merge::of(&merged)?)?);
        }
        Ok(Sorted { held: Vec::new(), runs })
    }
}

/// Objects in the order of their keys, to be gone through any number of times.
#[derive(Debug, Default)]
pub struct Sorted {
    held: Vec<Item>,
    /// Used instead of `held` if there are any.
    runs: Vec<File>,
}

impl Sorted {
    /// All objects; an error among them if a temporary file cannot be read.
    pub fn iter(&mut self) -> impl Iterator<Item = io::Result<Item>> {
        let (merge, unread) = match Merge::of(&self.runs) {
            Ok(merge) => (Some(merge), None),
            Err(error) => (None, Some(Err(error))),
        };
        self.held.iter().cloned().map(Ok).chain(unread).chain(merge.into_iter().flatten())
    }
}

/// By key; for equal keys by ETag and size, so that the same listing always gives the same list.
fn order(one: &Item, other: &Item) -> Ordering {
    (&one.key, &one.etag, one.size).cmp(&(&other.key, &other.etag, other.size))
}

/// What an object takes in memory, about.
fn memory(item: &Item) -> usize {
    const ALLOCATION_BYTES: usize = 16;
    let reason = if let Is::Unlistable(reason) = &item.is { reason.capacity() } else { 0 };
    // The list that holds them doubles when it grows.
    2 * size_of::<Item>() + item.key.capacity() + item.etag.capacity() + reason + 2 * ALLOCATION_BYTES
}

fn write(items: impl Iterator<Item = io::Result<Item>>) -> io::Result<File> {
    let mut packed = Encoder::new(tempfile::tempfile()?, LEVEL)?;
    packed.window_log(WINDOW_LOG)?;
    let mut out = BufWriter::new(packed);
    for item in items {
        serde_json::to_writer(&mut out, &item?)?;
        out.write_all(b"\n")?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
}

/// Several runs as one.
struct Merge<'r> {
    runs: Vec<Lines<'r>>,
    /// The first object of each run that is not yet handed out.
    heads: BinaryHeap<Head>,
}

type Lines<'r> = BufReader<Decoder<'static, BufReader<&'r File>>>;

struct Head {
    item: Item,
    run: usize,
}

impl Ord for Head {
    /// The heap hands out the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        order(&other.item, &self.item).then(other.run.cmp(&self.run))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

impl<'r> Merge<'r> {
    fn of(files: &'r [File]) -> io::Result<Self> {
        let (mut runs, mut heads) = (Vec::new(), BinaryHeap::new());
        for (run, mut file) in files.iter().enumerate() {
            file.rewind()?;
            let mut lines = BufReader::new(Decoder::new(file)?);
            heads.extend(next(&mut lines)?.map(|item| Head { item, run }));
            runs.push(lines);
        }
        Ok(Self { runs, heads })
    }
}

fn next(lines: &mut Lines<'_>) -> io::Result<Option<Item>> {
    let mut line = String::new();
    if lines.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}

impl Iterator for Merge<'_> {
    type Item = io::Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        let Head { item, run } = self.heads.pop()?;
        match self.runs.get_mut(run).map_or(Ok(None), next) {
            Ok(following) => {
                self.heads.extend(following.map(|item| Head { item, run }));
                Some(Ok(item))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: u64) -> Item {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        Item { key: format!("{mixed:x}\n\"é"), size: number, etag: format!("{number:x}"), is: Is::Object }
    }

    fn all(sorted: &mut Sorted) -> Vec<Item> {
        sorted.iter().map(Result::unwrap).collect()
    }

    #[test]
    fn what_does_not_fit_comes_back_in_the_same_order_from_files_that_stay_few() {
        let (mut few, mut many) = (Sorter::within(2_000), Sorter::default());
        let (mut most, mut files) = (0, 0);
        for number in 0..20_000 {
            few.push(item(number)).unwrap();
            many.push(item(19_999 - number)).unwrap();
            most = most.max(few.held_bytes);
            files = files.max(few.levels.iter().map(Vec::len).sum::<usize>());
        }
        assert!(most < 2_000, "{most} bytes held");
        assert!((RUNS_MAX..3 * RUNS_MAX).contains(&files), "{files} files");
        let (mut few, mut many) = (few.finish().unwrap(), many.finish().unwrap());
        assert!(few.held.is_empty() && few.runs.len() <= RUNS_MAX && many.runs.is_empty());
        let expected = all(&mut many);
        assert_eq!(expected.len(), 20_000);
        assert!(expected.is_sorted_by_key(|item| item.key.clone()));
        assert!(all(&mut few) == expected, "read once");
        assert!(all(&mut few) == expected, "and once more");
    }

    #[test]
    fn a_listing_of_nothing_is_one() {
        assert_eq!(all(&mut Sorter::default().finish().unwrap()), []);
    }

    #[test]
    fn the_same_key_twice_comes_in_the_same_order_whichever_came_first() {
        let twice = |numbers: [u64; 2]| {
            let mut sorter = Sorter::within(1);
            let same = |size| Item { key: "k".to_owned(), size, etag: String::new(), is: Is::Object };
            numbers.into_iter().for_each(|number| sorter.push(same(number)).unwrap());
            all(&mut sorter.finish().unwrap())
        };
        assert_eq!(twice([1, 2]), twice([2, 1]));
    }
}
