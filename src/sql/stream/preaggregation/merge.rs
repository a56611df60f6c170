//! The groups of all workers, put together part by part, on all threads.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use polars::prelude::{DataType, NamedFromOwned, Series};
use rayon::prelude::*;
use sqlparser::ast::Expr;

use super::aside::{Block, group_of, ranked};
use super::cell;
use super::cell::{Cell, write_number};
use super::groups::{GROUP_DIGITS, Group, Groups, PARTS, hash_of, in_group, part_of, piece_of};
use super::held::Part;
use super::over::Over;
use super::plan::Plan;
use super::room::Room;
use super::text_set::{TextSet, TextsOf};
use crate::sql::catalog::Counted;
use crate::sql::error::{Result, SqlError};
use crate::sql::panics::caught;
use crate::sql::types::values::Values;

/// With fewer groups and values than so many, one thread is quicker.
const FEW: usize = 1 << 13;
/// The fraction of the memory for the groups, or values, that all threads put together at the same time, in their
/// bytes on disk: put together they take more, and so does what is made of them.
const PIECES_PART: u64 = 10;

/// Takes some of the groups, and for each a number that is less the earlier its first event stands.
pub(in crate::sql) type Show<'s> = &'s (dyn Fn(Counted, Series) -> Result<()> + Sync);

/// One worker's groups of a part, or its values of one.
type OfWorker<T> = Vec<(usize, T)>;

/// For each worker, the numbers that its groups of a part have got among all of that part.
type NumbersOfPart = OfWorker<Vec<u32>>;
/// The same for each part.
type Numbers = Vec<NumbersOfPart>;

/// All groups, in the order of their first events. Where they are many and can be shown one by one, they are
/// given to `show` part by part, and there are none here.
pub(super) fn finish(
    plan: &Plan,
    room: &Room,
    mut workers: Vec<Groups>,
    jobs: usize,
    show: Option<Show<'_>>,
) -> Result<Option<Counted>> {
    // What is put together in several pieces is read from disk for each of them.
    if (0..PARTS).any(|at| pieces(room, jobs, bytes_of(&room.aside.groups(at))) > 1) {
        for groups in &mut workers {
            groups.settle(plan, true, |_, _| {});
            room.aside.put_all(groups)?;
        }
    }
    let merge = Merge::of(plan, room, workers, jobs);
    let sizes = |(groups, values): (usize, usize)| groups + values;
    let is_small = !room.aside.has_groups() && sizes(merge.sizes()) <= FEW;
    let jobs = if is_small { 1 } else { jobs };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .build()
        .map_err(|error| SqlError::new(error.to_string()))?;
    pool.install(|| merge.run(show.filter(|_| !is_small)))
}

fn bytes_of(blocks: &[Block]) -> u64 {
    blocks.iter().map(Block::bytes).sum()
}

/// In how many pieces so many bytes of a part are put together.
fn pieces(room: &Room, jobs: usize, bytes: u64) -> u64 {
    let most = room.memory_bytes_max / PIECES_PART / jobs.max(1) as u64;
    bytes.div_ceil(most.max(1)).max(1)
}

struct Merge<'p> {
    plan: &'p Plan,
    room: &'p Room,
    jobs: usize,
    parts: Vec<OfWorker<Part>>,
    /// For each part and each aggregate.
    values: Vec<Vec<OfWorker<TextSet>>>,
    /// Of each worker's objects, in order of workers, how many names come before them.
    ranks: Vec<(usize, Vec<u64>)>,
    /// The same of all objects.
    all_ranks: Vec<u64>,
}

impl<'p> Merge<'p> {
    fn of(plan: &'p Plan, room: &'p Room, workers: Vec<Groups>, jobs: usize) -> Self {
        let numbers: Vec<(usize, Vec<u64>)> =
            workers.iter().map(|groups| (groups.worker, room.aside.numbers(&groups.objects))).collect();
        let all_ranks = room.aside.ranks();
        let rank = |number: &u64| all_ranks.get(*number as usize).copied().unwrap_or_default();
        let ranks =
            numbers.iter().map(|(worker, numbers)| (*worker, numbers.iter().map(rank).collect())).collect();
        let mut parts: Vec<OfWorker<Part>> = (0..PARTS).map(|_| Vec::new()).collect();
        let mut values: Vec<Vec<OfWorker<TextSet>>> =
            (0..PARTS).map(|_| plan.aggregates.iter().map(|_| Vec::new()).collect()).collect();
        for groups in workers {
            let worker = groups.worker;
            let own = parts.iter_mut().zip(groups.parts).filter(|(_, part)| part.keys.len() > 0);
            own.for_each(|(list, part)| list.push((worker, part)));
            for (aggregate, sets) in groups.distinct.into_iter().enumerate() {
                let own = values.iter_mut().zip(sets.into_iter().flatten());
                own.filter_map(|(lists, set)| Some((lists.get_mut(aggregate)?, set)))
                    .for_each(|(list, set)| list.push((worker, set)));
            }
        }
        Self { plan, room, jobs, parts, values, ranks, all_ranks }
    }

    /// How many groups and how many distinct values there are, as long as they are not put together.
    fn sizes(&self) -> (usize, usize) {
        let groups = self.parts.iter().flatten().map(|(_, part)| part.keys.len()).sum();
        (groups, self.values.iter().flatten().flatten().map(|(_, set)| set.len()).sum())
    }

    fn run(mut self, show: Option<Show<'_>>) -> Result<Option<Counted>> {
        let (parts, values) = (std::mem::take(&mut self.parts), std::mem::take(&mut self.values));
        let counts_distinct = values.iter().flatten().any(|list| !list.is_empty());
        let parts = parts.into_par_iter().enumerate();
        if let Some(show) = show.filter(|_| !counts_distinct) {
            let shown = |(at, list)| caught(|| self.show_part(at, list, show));
            parts.map(shown).collect::<Result<()>>()?;
            return Ok(None);
        }
        if self.room.aside.has_groups() {
            return Err(self.room.too_much());
        }
        let merged: Vec<(Part, NumbersOfPart)> =
            parts.map(|(_, list)| caught(|| Ok(self.groups(list)))).collect::<Result<_>>()?;
        let (mut parts, numbers): (Vec<Part>, Numbers) = merged.into_iter().unzip();
        if counts_distinct {
            self.count_values(&mut parts, &numbers, values)?;
        }
        match show {
            Some(show) => {
                parts.into_par_iter().map(|part| caught(|| self.show(part, show))).collect::<Result<()>>()?;
                Ok(None)
            }
            None => Ok(Some(self.whole(&mut parts)?)),
        }
    }

    /// Shows the groups of a part. If they are on disk, in as many pieces as fit into memory.
    fn show_part(&self, at: usize, list: OfWorker<Part>, show: Show<'_>) -> Result<()> {
        let on_disk = self.room.aside.groups(at);
        let pieces = pieces(self.room, self.jobs, bytes_of(&on_disk));
        // In several pieces, there are none in memory.
        let (mut in_memory, _) = self.groups(list);
        for piece in 0..pieces {
            let mut all = std::mem::replace(&mut in_memory, Part::new(self.plan));
            if pieces == 1 {
                let count = on_disk.iter().map(|block| block.height).sum();
                all.keys.reserve(count, on_disk.iter().map(Block::text_bytes).sum());
            }
            for block in &on_disk {
                if pieces == 1 {
                    self.room.aside.add_groups(block, &self.all_ranks, &mut all)?;
                } else {
                    let mut of_block = Part::new(self.plan);
                    self.room.aside.add_groups(block, &self.all_ranks, &mut of_block)?;
                    all.append_some(&of_block, |hash| piece_of(hash, pieces) == piece)?;
                }
                if all.keys.is_ripe() {
                    self.settle(&mut all);
                }
            }
            self.settle(&mut all);
            self.show(all, show)?;
        }
        Ok(())
    }

    /// The groups of a part, and the numbers of each worker's.
    fn groups(&self, mut list: OfWorker<Part>) -> (Part, NumbersOfPart) {
        list.sort_by_key(|(worker, part)| (Reverse(part.keys.len()), *worker));
        let (mut all, mut numbers) = (Part::new(self.plan), Vec::new());
        for (nth, (worker, mut part)) in list.into_iter().enumerate() {
            let ranks = self.ranks.iter().find(|(of, _)| *of == worker).map(|(_, ranks)| ranks.as_slice());
            part.places.iter_mut().for_each(|place| *place = ranked(*place, ranks.unwrap_or_default()));
            if nth == 0 {
                all = part;
                self.settle(&mut all);
                numbers.push((worker, (0..).take(all.keys.len()).collect()));
            } else {
                all.append(part);
                numbers.push((worker, self.settle(&mut all)));
            }
        }
        (all, numbers)
    }

    fn settle(&self, part: &mut Part) -> Vec<u32> {
        part.settle(self.plan, |a, b| a < b)
    }

    /// Counts the distinct values of each group.
    fn count_values(
        &self,
        parts: &mut [Part],
        numbers: &Numbers,
        values: Vec<Vec<OfWorker<TextSet>>>,
    ) -> Result<()> {
        let each = values.into_par_iter().enumerate().flat_map_iter(|(at, lists)| {
            lists.into_iter().enumerate().map(move |(aggregate, list)| (at, aggregate, list))
        });
        let parts = Mutex::new(parts);
        let count = |(at, aggregate, list)| {
            caught(|| {
                let counted = self.values(at, aggregate, numbers, list)?;
                let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
                for (group, count) in counted {
                    let part = parts.get_mut(group.part);
                    if let Some(held) = part.and_then(|part| part.held.get_mut(aggregate)) {
                        held.count(group.number, count);
                    }
                }
                Ok(())
            })
        };
        each.map(count).collect()
    }

    /// How many distinct values of one part groups have, in as many pieces as fit into memory.
    fn values(
        &self,
        at: usize,
        aggregate: usize,
        numbers: &Numbers,
        mut list: OfWorker<TextSet>,
    ) -> Result<Vec<(Group, i64)>> {
        let on_disk = self.room.aside.values(at, aggregate);
        let in_memory = list.iter().map(|(_, set)| set.bytes() as u64).sum::<u64>();
        let on_disk_bytes = on_disk.iter().map(|block| block.bytes()).sum::<u64>();
        let pieces = pieces(self.room, self.jobs, on_disk_bytes + in_memory);
        let hasher = &self.room.hasher;
        if self.plan.keys.is_empty() {
            let mut count = 0;
            if pieces == 1 {
                // The largest set is there already.
                list.sort_by_key(|(worker, set)| (Reverse(set.len()), *worker));
            }
            let first = if pieces == 1 && !list.is_empty() { Some(list.remove(0).1) } else { None };
            let mut all = first.unwrap_or_default();
            for piece in 0..pieces {
                let mut add = |hash: u64, value: &str| {
                    if piece_of(hash, pieces) == piece {
                        all.add(hash, "", value);
                        if all.is_ripe() {
                            all.settle();
                        }
                    }
                };
                for (_, set) in &list {
                    set.hashed()?.for_each(|(hash, value)| add(hash, value));
                }
                for block in &on_disk {
                    self.room.aside.values_of(block)?.hashed()?.for_each(|(hash, value)| add(hash, value));
                }
                all.settle();
                count += std::mem::take(&mut all).len();
            }
            let group = Group { part: part_of(hash_of(hasher, "")), number: 0 };
            return Ok(vec![(group, i64::try_from(count).unwrap_or(i64::MAX))]);
        }
        let mut counted = HashMap::default();
        for piece in 0..pieces {
            let mut all = ValuesOfGroups { counted, ..ValuesOfGroups::default() };
            let mut add = |worker: usize, hash: u64, mut value: &str| {
                let before = group_of(&mut value);
                let hash = in_group(hash, before);
                if piece_of(hash, pieces) != piece {
                    return;
                }
                let of_worker = numbers.get(before.part).into_iter().flatten().find(|(of, _)| *of == worker);
                if let Some(number) = of_worker.and_then(|(_, numbers)| numbers.get(before.number as usize)) {
                    all.add(Group { number: *number, ..before }, hash, value);
                }
            };
            for (worker, set) in &list {
                set.hashed()?.for_each(|(hash, value)| add(*worker, hash, value));
            }
            for block in &on_disk {
                let values = self.room.aside.values_of(block)?;
                values.hashed()?.for_each(|(hash, value)| add(block.worker, hash, value));
            }
            counted = all.counted();
        }
        let counted = counted.into_iter();
        Ok(counted.map(|(number, count)| (Group::of_number(number), count)).collect())
    }

    fn show(&self, part: Part, show: Show<'_>) -> Result<()> {
        let count = part.keys.len();
        if count == 0 {
            return Ok(());
        }
        let Part { keys, places, held } = part;
        let known = match self.plan.keys.as_slice() {
            // A text alone is there already as it is to be shown.
            [(expr, over)] if is_text(over) && keys.all().len() <= cell::COLUMN_BYTES_MAX => {
                let (all, ends) = keys.into_parts();
                let column = cell::column_of_written(all, &ends)?;
                vec![(expr.clone(), Values::new(over.kind.clone(), column))]
            }
            _ => {
                let texts = keys.texts()?;
                self.keys(count, (0..).take(count).map(|group| (texts, group)))
            }
        };
        let aggregates = self.plan.aggregates.iter().zip(held).map(|(aggregate, held)| {
            (aggregate.call.clone(), Values::new(aggregate.kind.clone(), held.into_column(&aggregate.kind)))
        });
        let known = known.into_iter().chain(aggregates).collect();
        let place = |place: u64| i64::try_from(place).unwrap_or(i64::MAX);
        let places = Series::from_vec("".into(), places.into_iter().map(place).collect::<Vec<_>>());
        show(Counted { count, known }, places)
    }

    /// All groups in the order of their first events. Without keys there is one group, even if there are no
    /// rows.
    fn whole(&self, parts: &mut [Part]) -> Result<Counted> {
        let hash = hash_of(&self.room.hasher, "");
        if let Some(part) = parts.get_mut(part_of(hash)).filter(|_| self.plan.keys.is_empty())
            && part.keys.len() == 0
        {
            part.keys.add(hash, "", "");
            part.places.push(u64::MAX);
            part.held.iter_mut().for_each(|held| {
                held.push_count(0);
                held.push_cell(Cell::Null);
            });
        }
        let mut order: Vec<(u64, &Part, TextsOf<'_>, u32)> = Vec::new();
        for part in parts.iter() {
            let keys = part.keys.texts()?;
            order.extend((0..).zip(&part.places).map(|(group, place)| (*place, part, keys, group)));
        }
        // No event is the first one of two groups.
        order.sort_unstable_by_key(|(place, ..)| *place);
        let mut known = self.keys(order.len(), order.iter().map(|(_, _, keys, group)| (*keys, *group)));
        known.extend(self.plan.aggregates.iter().enumerate().map(|(number, aggregate)| {
            let held = order.iter().map(|(_, part, _, group)| (part.held.get(number), *group));
            let results = held.map(|(held, group)| held.map_or(Cell::Null, |held| held.result(group)));
            let column = cell::column(&aggregate.kind, results);
            (aggregate.call.clone(), Values::new(aggregate.kind.clone(), column))
        }));
        Ok(Counted { count: order.len(), known })
    }

    /// The keys of so many groups.
    fn keys<'g>(
        &self,
        count: usize,
        groups: impl Iterator<Item = (TextsOf<'g>, u32)>,
    ) -> Vec<(Expr, Values)> {
        let mut cells: Vec<Vec<Cell<&str>>> =
            self.plan.keys.iter().map(|_| Vec::with_capacity(count)).collect();
        for (keys, group) in groups {
            let mut keys = keys.get(group as usize).unwrap_or_default();
            cells.iter_mut().for_each(|list| list.push(Cell::read(&mut keys)));
        }
        let columns = self.plan.keys.iter().zip(cells).map(|((expr, over), cells)| {
            let column = cell::column(&over.kind, cells.into_iter());
            (expr.clone(), Values::new(over.kind.clone(), column))
        });
        columns.collect()
    }
}

fn is_text(over: &Over) -> bool {
    over.kind.dtype() == DataType::String
}

/// The distinct values of groups, each written after its group's number.
#[derive(Default)]
struct ValuesOfGroups {
    all: TextSet,
    /// The groups of those that are not settled.
    unsettled: Vec<Group>,
    written: String,
    /// By the numbers of groups.
    counted: HashMap<u64, i64, RandomState>,
}

impl ValuesOfGroups {
    fn add(&mut self, group: Group, hash: u64, value: &str) {
        self.written.clear();
        write_number(group.as_number(), GROUP_DIGITS, &mut self.written);
        self.all.add(in_group(hash, group), &self.written, value);
        self.unsettled.push(group);
        if self.all.is_ripe() {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let mut next = self.all.settled();
        for (group, number) in self.unsettled.drain(..).zip(self.all.settle()) {
            if number as usize == next {
                *self.counted.entry(group.as_number()).or_default() += 1;
                next += 1;
            }
        }
    }

    /// How many there are of each group.
    fn counted(mut self) -> HashMap<u64, i64, RandomState> {
        self.settle();
        self.counted
    }
}
