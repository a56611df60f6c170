//! Merges the staged files of shards by days, and publishes them in one commit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Attempt, PlanName, SHARDS};
use crate::lake::LakeError;
use crate::lake::commit::manifest::{FileEntry, Manifest};
use crate::lake::commit::objects;
use crate::lake::disk::{Disk, Location};
use crate::lake::file::Reader;
use crate::lake::ingest::merge::{Present, read_group};
use crate::lake::ingest::{Ingest, Limits, Summary};
use crate::lake::partition::Partition;

/// What was published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    pub summary: Summary,
    /// Number of the shards' objects, and of those that could not be read.
    pub objects: u64,
    pub objects_failed: u64,
    /// Whether the plan had been published before, so that nothing was done.
    pub already: bool,
}

/// A lake that is staged inside of another one.
struct Staged {
    /// Its path in that lake.
    path: String,
    name: PathBuf,
    disk: Arc<dyn Disk>,
    manifest: Manifest,
}

impl Staged {
    fn open(lake: &Location, path: String) -> Result<Self, LakeError> {
        let place = lake.below(&path);
        let (disk, name) = (place.disk()?, place.name());
        let manifest = Manifest::load(&*disk).map_err(|error| unreadable(&name, error))?.manifest;
        Ok(Self { path, name, disk, manifest })
    }

    fn unreadable(&self, error: LakeError) -> LakeError {
        unreadable(&self.name, error)
    }

    fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.manifest.files.iter().map(|file| &file.partition)
    }
}

fn unreadable(place: &Path, error: LakeError) -> LakeError {
    match error {
        LakeError::Io { path: file, reason } => {
            LakeError::Staged { place: place.to_path_buf(), file, reason }
        }
        error => error,
    }
}

/// All shards of the plan that is staged, or of the plan that is named.
fn shards(lake: &Location, plan: Option<&str>) -> Result<(PlanName, Vec<Staged>), LakeError> {
    let mut plans: Vec<PlanName> =
        lake.folders(SHARDS)?.iter().filter_map(|folder| PlanName::parse(folder)).collect();
    plans.retain(|found| plan.is_none_or(|plan| found.id == plan));
    let found = match plans.as_slice() {
        [] => return Err(LakeError::NothingStaged { lake: lake.name() }),
        [one] => one.clone(),
        several => {
            return Err(LakeError::SeveralPlans {
                plans: several.iter().map(|plan| plan.id.clone()).collect(),
            });
        }
    };
    let (mut staged, mut missing) = (Vec::new(), Vec::new());
    for number in 1..=found.shards {
        if lake.below(&found.shard(number)).has_lake()? {
            staged.push(Staged::open(lake, found.shard(number))?);
        } else {
            missing.push(number);
        }
    }
    if missing.is_empty() {
        Ok((found, staged))
    } else {
        Err(LakeError::ShardsMissing { missing, shards: found.shards })
    }
}

/// The days to be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Days {
    /// One day, by the name of its folder: `account=…/region=…/date=…`.
    One(String),
    /// One of `of` equal parts of all days in order; `number` counts from 1.
    Part { number: u32, of: u32 },
}

impl Days {
    fn name(&self) -> String {
        match self {
            Self::One(folder) => format!("merged-{:032x}", xxhash_rust::xxh3::xxh3_128(folder.as_bytes())),
            Self::Part { number, of } => format!("merged-{number}-of-{of}"),
        }
    }

    /// The chosen ones of `all` days.
    fn chosen(&self, all: BTreeSet<Partition>) -> BTreeSet<Partition> {
        match self {
            Self::One(folder) => {
                all.into_iter().filter(|partition| partition.folder() == Path::new(folder)).collect()
            }
            Self::Part { number, of } => {
                let (count, number, of) = (all.len() as u64, u64::from(*number), u64::from(*of).max(1));
                let bound = |part: u64| usize::try_from(count * part / of).unwrap_or(usize::MAX);
                let (start, end) = (bound(number.saturating_sub(1)), bound(number));
                all.into_iter().skip(start).take(end.saturating_sub(start)).collect()
            }
        }
    }
}

/// What a merge has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MergedDays {
    pub summary: Summary,
    /// How many days were meant, of which something is staged.
    pub days: u64,
    /// The plan had been published before; nothing was done.
    pub already: bool,
}

/// Merges the staged files of a plan's shards for some days. Days that only one shard has are left as they
/// are.
///
/// # Errors
/// Shards are missing, something staged is damaged, or the disk or the service fails.
pub fn merge_days(
    lake: &Location,
    plan: Option<&str>,
    days: &Days,
    limits: Limits,
) -> Result<MergedDays, LakeError> {
    if let Some(plan) = plan
        && is_published(lake, plan)?
    {
        return Ok(MergedDays { already: true, ..MergedDays::default() });
    }
    let (plan, shards) = shards(lake, plan)?;
    let path = format!("{}/{}", plan.folder(), days.name());
    let mut makers: BTreeMap<&Partition, u32> = BTreeMap::new();
    shards
        .iter()
        .flat_map(Staged::partitions)
        .for_each(|partition| *makers.entry(partition).or_default() += 1);
    let chosen = days.chosen(makers.keys().map(|partition| (*partition).clone()).collect());
    let shared: BTreeSet<Partition> =
        chosen.iter().filter(|partition| makers.get(partition) > Some(&1)).cloned().collect();
    let nothing_to_do = MergedDays { days: chosen.len() as u64, ..MergedDays::default() };
    if shared.is_empty() || lake.below(&path).has_lake()? {
        return Ok(nothing_to_do);
    }
    let select = shards.first().map(|shard| shard.manifest.select.clone()).unwrap_or_default();
    let (attempt, at) = Attempt::new(lake, &path)?;
    let limits = Limits { commit_bytes: u64::MAX, commit_objects: usize::MAX, ..limits };
    let ingest = Ingest::open_at(&at, Some(&select), limits)?;
    if ingest.has_commits() {
        return Ok(nothing_to_do);
    }
    for partition in &shared {
        for shard in &shards {
            let files = shard.manifest.files.iter().filter(|file| file.partition == *partition);
            ingest.take_rows(shard, files)?;
        }
    }
    Ok(MergedDays { summary: attempt.keep(ingest.finish(true))?, ..nothing_to_do })
}

/// Makes everything that the shards of a plan have staged part of the lake in one commit, and removes the
/// staged files.
///
/// # Errors
/// Shards are missing; another run has the lake open or has changed it; something staged is damaged; the disk
/// or the service fails.
pub fn publish_shards(lake: &Location, plan: Option<&str>, limits: Limits) -> Result<Published, LakeError> {
    if let Some(plan) = plan
        && is_published(lake, plan)?
    {
        lake.folders(SHARDS)?
            .iter()
            .filter(|folder| folder.starts_with(plan))
            .try_for_each(|folder| lake.remove(&format!("{SHARDS}/{folder}")))?;
        return Ok(Published { already: true, ..Published::default() });
    }
    let (plan, shards) = shards(lake, plan)?;
    match publish_all(lake, &plan, &shards, limits) {
        // Another process has published it meanwhile, and removed the staged files.
        Err(_) if is_published(lake, &plan.id)? => Ok(Published { already: true, ..Published::default() }),
        published => published,
    }
}

/// Whether a plan has been published to the lake.
fn is_published(lake: &Location, plan: &str) -> Result<bool, LakeError> {
    Ok(lake.has_lake()?
        && Manifest::load(&*lake.disk()?)?.manifest.plans.iter().any(|published| published == plan))
}

fn publish_all(
    lake: &Location,
    plan: &PlanName,
    shards: &[Staged],
    limits: Limits,
) -> Result<Published, LakeError> {
    let folder = plan.folder();
    let names = lake.folders(&folder)?;
    let names =
        names.iter().filter(|name| name.starts_with("merged-")).map(|name| format!("{folder}/{name}"));
    let mut merged = Vec::new();
    for path in names {
        if lake.below(&path).has_lake()? {
            merged.push(Staged::open(lake, path)?);
        }
    }
    let select = shards.first().map(|shard| shard.manifest.select.clone()).unwrap_or_default();
    let limits = Limits { commit_bytes: u64::MAX, commit_objects: usize::MAX, ..limits };
    let ingest = Ingest::open_at(lake, Some(&select), limits)?;
    let mut published = ingest.take_objects(plan, shards, &merged)?;
    ingest.take_days(shards, &merged)?;
    published.summary = ingest.finish(true)?;
    lake.remove(&folder)?;
    Ok(published)
}

impl Ingest {
    /// Takes over the results of all objects, and the shards' counts.
    fn take_objects(
        &self,
        plan: &PlanName,
        shards: &[Staged],
        merged: &[Staged],
    ) -> Result<Published, LakeError> {
        let mut published = Published::default();
        let mut state = self.lock_state();
        let mut left_out = 0;
        for shard in shards {
            let manifest = &shard.manifest;
            for segment in &manifest.segments {
                let taken = objects::lines(&*shard.disk, segment, &mut |object| {
                    published.objects += 1;
                    published.objects_failed += u64::from(object.ending == objects::Ending::Failed);
                    state.unread_before.remove(&object.key());
                    state.objects.push(object);
                    Ok(())
                });
                taken.map_err(|error| shard.unreadable(error))?;
            }
            for object in &manifest.unread {
                published.objects += 1;
                published.objects_failed += 1;
                state.unread_before.remove(&object.key());
                state.unread.insert(object.key(), object.clone());
            }
            state.told.read_only |= manifest.read_only;
            state.told.events_sharing_an_id += manifest.events_sharing_an_id;
            state.is_first_run = false;
            left_out += manifest.objects_left_out;
        }
        state.duplicates +=
            shards.iter().chain(merged).map(|staged| staged.manifest.records_duplicate).sum::<u64>();
        state.told.objects_left_out = Some(left_out);
        state.told.plans.push(plan.id.clone());
        state.summary.objects_read = published.objects;
        Ok(published)
    }

    /// Takes over all rows, day by day: from the merged files if there are any, or from each shard.
    fn take_days(&self, shards: &[Staged], merged: &[Staged]) -> Result<(), LakeError> {
        let days: BTreeSet<&Partition> = shards.iter().flat_map(Staged::partitions).collect();
        for day in days {
            let has = |staged: &&Staged| staged.partitions().any(|partition| partition == day);
            let makers: Vec<&Staged> = match merged.iter().find(has) {
                Some(merged) => vec![merged],
                None => shards.iter().filter(has).collect(),
            };
            let is_new = self.lock_state().files.get(day).is_none_or(Vec::is_empty);
            for staged in &makers {
                let mut files = staged.manifest.files.iter().filter(|file| file.partition == *day);
                if is_new && makers.len() == 1 {
                    files.try_for_each(|file| self.adopt(staged, file))?;
                } else {
                    self.take_rows(staged, files)?;
                }
            }
        }
        Ok(())
    }

    /// Takes over the rows of staged files.
    fn take_rows<'f>(
        &self,
        staged: &Staged,
        files: impl Iterator<Item = &'f FileEntry>,
    ) -> Result<(), LakeError> {
        for entry in files {
            let reader = Reader::of(&*staged.disk, entry).map_err(|error| staged.unreadable(error))?;
            for group in reader.groups() {
                let piece = read_group(&reader, group, entry.partition.native);
                let mut piece = piece.map_err(|error| staged.unreadable(error))?;
                self.enter();
                self.add(std::iter::once((&entry.partition, &mut piece)));
                self.leave(None, true);
            }
        }
        Ok(())
    }

    /// Takes over a file unchanged.
    fn adopt(&self, staged: &Staged, entry: &FileEntry) -> Result<(), LakeError> {
        if !self.disk.adopts_unread() {
            let checked = Reader::of(&*staged.disk, entry).and_then(|reader| reader.check());
            checked.map_err(|error| staged.unreadable(error))?;
        }
        let mut state = self.lock_state();
        state.names += 1;
        let name = format!(
            "{:06}-{:05}.{}",
            state.manifest.generation + 1,
            state.names,
            entry.partition.extension()
        );
        let from: PathBuf = Path::new(&staged.path).join(entry.path());
        let name = self.disk.adopt(&from, &entry.name, name).map_err(|error| LakeError::io(&from, error))?;
        state.summary.files_written += 1;
        state.summary.bytes_written += entry.bytes;
        state.summary.events_added += if entry.partition.native { 0 } else { entry.rows };
        let present = Present { entry: FileEntry { name, ..entry.clone() }, staged: true };
        state.files.entry(entry.partition.clone()).or_default().push(present);
        Ok(())
    }
}
