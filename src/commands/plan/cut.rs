//! Objects in their order, divided into shards of about the same work. Objects of one day are put into as few
//! shards as possible.
//!
//! They are gone through twice: the first time it is added up what each shard has, because its first line says so,
//! and because the plan is named by that.

use std::io;

use xxhash_rust::xxh3::Xxh3;

use super::place::Place;
use crate::commands::ingest::shard_file::{Body, Header, Lines};
use crate::commands::sources::not_sorted;
use crate::failure::Failure;
use crate::source::{Is, Item, Sorted, Totals};

/// The cost of an object besides its bytes: a request, and everything around it.
const OBJECT_BYTES: u64 = 16 << 10;

/// A plan that is ready to be written.
pub struct Cut {
    header: Header,
    /// What each source is called, and its objects.
    names: Vec<String>,
    items: Vec<Sorted>,
    /// The work of all objects together.
    total: u128,
    /// What each shard has.
    bodies: Vec<Body>,
}

/// An object with the numbers of its shard and of its source.
struct Placed {
    shard: usize,
    source: usize,
    item: Item,
}

/// The amount of work for an object, about.
fn work(item: &Item) -> u64 {
    if item.is == Is::Object { item.size + OBJECT_BYTES } else { 1 }
}

/// The same for all that a listing has found.
const fn work_of_all(totals: &Totals) -> u64 {
    totals.bytes + totals.objects * OBJECT_BYTES + totals.other_kinds + totals.unlistable
}

/// All objects in order. By the middle of each object's work, so that no shard gets all those at a boundary.
fn divided(items: &mut [Sorted], count: u32, total: u128) -> impl Iterator<Item = io::Result<Placed>> {
    let (count, mut done) = (u128::from(count.max(1)), 0_u128);
    let all = items
        .iter_mut()
        .enumerate()
        .flat_map(|(source, items)| items.iter().map(move |item| item.map(|item| (source, item))));
    all.map(move |next| {
        let (source, item) = next?;
        let half = u128::from(work(&item));
        let shard = ((done * 2 + half) * count / (total * 2)).min(count - 1);
        done += half;
        Ok(Placed { shard: usize::try_from(shard).unwrap_or(usize::MAX), source, item })
    })
}

impl Cut {
    /// `header`: what holds for all shards. `all`: each source with its objects.
    pub fn new(header: Header, all: Vec<(String, Sorted, Totals)>) -> io::Result<Self> {
        let total = all.iter().map(|(.., totals)| u128::from(work_of_all(totals))).sum::<u128>().max(1);
        let (names, items) = all.into_iter().map(|(name, items, _)| (name, items)).unzip();
        let mut cut = Self { header, names, items, total, bodies: Vec::new() };
        cut.add_up()?;
        cut.header.plan = cut.name();
        Ok(cut)
    }

    /// The plan's id: the same for the same objects, divided in the same way.
    pub fn plan(&self) -> &str {
        &self.header.plan
    }

    fn name(&self) -> String {
        let mut hash = Xxh3::new();
        hash.update(serde_json::to_string(&self.header).unwrap_or_default().as_bytes());
        self.bodies.iter().for_each(|body| hash.update(body.checksum.as_bytes()));
        format!("{:032x}", hash.digest128())
    }

    /// What each shard has.
    fn add_up(&mut self) -> io::Result<()> {
        let mut lines = Lines::default();
        for placed in divided(&mut self.items, self.header.of, self.total) {
            let Placed { shard, source, item } = placed?;
            while self.bodies.len() < shard {
                self.bodies.push(std::mem::take(&mut lines).body());
            }
            lines.next((source, self.names.get(source).map_or("", String::as_str)), &item)?;
        }
        self.bodies.push(lines.body());
        self.bodies.resize_with(self.header.of as usize, || Lines::default().body());
        Ok(())
    }

    /// Writes all shards, empty ones, too.
    pub fn write(&mut self, place: &Place) -> Result<(), Failure> {
        let mut all = divided(&mut self.items, self.header.of, self.total).peekable();
        for (at, (number, body)) in (1..).zip(&self.bodies).enumerate() {
            let left_out = if at == 0 { self.header.left_out } else { 0 };
            let header = Header { shard: number, left_out, body: body.clone(), ..self.header.clone() };
            let (mut lines, mut unread) = (Lines::default(), None);
            let written = place.write(&header, &mut |out| {
                while let Some(placed) =
                    all.next_if(|next| next.as_ref().map_or(true, |placed| placed.shard == at))
                {
                    let Placed { source, item, .. } = placed.inspect_err(|error| {
                        unread = Some(error.to_string());
                    })?;
                    let name = self.names.get(source).map_or("", String::as_str);
                    out.write_all(lines.next((source, name), &item)?)?;
                }
                Ok(())
            });
            match unread {
                Some(reason) => return Err(not_sorted(reason)),
                None => written?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::commands::ingest::shard_file::Shard;
    use crate::model::Filter;
    use crate::source::{self, Options};

    /// Folders with files of many sizes, as sources.
    fn sources(root: &Path, counts: &[(&str, u64)]) -> Vec<(String, Sorted, Totals)> {
        let inventory = |(name, count): &(&str, u64)| {
            let folder = root.join(name);
            std::fs::create_dir_all(&folder).unwrap();
            for number in 0..*count {
                let file = std::fs::File::create(folder.join(format!("{number:04}.json"))).unwrap();
                file.set_len(number * 997 % 90_000).unwrap();
            }
            let spec = folder.to_str().unwrap().to_owned();
            let found = source::inventory(&spec, &Options::default(), &Filter::default()).unwrap();
            (spec, found.items, found.totals)
        };
        counts.iter().map(inventory).collect()
    }

    fn shards(root: &Path, count: u32, all: Vec<(String, Sorted, Totals)>) -> Vec<Shard> {
        let header = Header { left_out: 3, ..Header::new(Vec::new(), &Filter::default(), true, count) };
        let plan = root.join(format!("plan-{count}"));
        let plan = plan.to_str().unwrap();
        let options = Options::default();
        Cut::new(header, all).unwrap().write(&Place::open(plan, &options).unwrap()).unwrap();
        (1..=count)
            .map(|number| Shard::open(&format!("{plan}/shard-{number:05}.ndjson"), &options).unwrap())
            .collect()
    }

    #[test]
    fn every_object_is_in_one_shard_and_no_shard_has_much_more_than_another() {
        let folder = tempfile::tempdir().unwrap();
        let counts = [("a", 700), ("b", 300)];
        for count in [1_u32, 2, 7, 64] {
            let mut all: Vec<(String, Vec<Item>)> = sources(folder.path(), &counts)
                .into_iter()
                .map(|(name, mut items, _)| (name, items.iter().map(Result::unwrap).collect()))
                .collect();
            let shards = shards(folder.path(), count, sources(folder.path(), &counts));
            let mut back: Vec<(String, Vec<Item>)> = Vec::new();
            for (source, items) in shards.iter().flat_map(|shard| shard.sources.clone()) {
                match back.last_mut() {
                    Some((last, there)) if *last == source => there.extend(items),
                    _ => back.push((source, items)),
                }
            }
            assert!(back == all, "{count} shards");
            all.clear();
            let sizes: Vec<u64> = shards
                .iter()
                .map(|shard| shard.sources.iter().flat_map(|(_, items)| items).map(work).sum())
                .collect();
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!(most - least <= 2 * (90_000 + OBJECT_BYTES), "{sizes:?}");
            assert_eq!(shards.iter().map(|shard| shard.header.left_out).sum::<u64>(), 3);
        }
        let few = shards(folder.path(), 9, sources(folder.path(), &[("one", 1)]));
        assert_eq!(
            (few.len(), few.iter().filter(|shard| !shard.sources.is_empty()).count()),
            (9, 1),
            "an empty shard is one, too"
        );
    }
}
