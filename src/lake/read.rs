//! A lake as a source: returns the original records of its objects.
//!
//! Files are selected by account, region and day. Of each row group `eventsource` is read first, and the
//! other columns only if rows are left. The coverage is that of the objects that filled the lake, with two
//! differences: duplicates are counted for the whole lake and are not read again, and a file of the lake that
//! cannot be read counts as an object that failed.

pub mod portion;

use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use chrono::Datelike;
use polars::prelude::{DataFrame, NamedFrom, PolarsResult, Series};
use polars_arrow::bitmap::Bitmap;

use super::LakeError;
use super::commit::manifest::{Damage, FileEntry, Loaded, Manifest};
use super::commit::objects::{self, Ending, ObjectState};
use super::disk::{Disk, Held, Lock};
use super::file::{Reader, Wanted};
use super::guard::guarded;
use super::layout::READERS;
use super::partition::Partition;
use super::record::rebuild::Records;
use crate::model::{Coverage, Filter, ReadFailure, Timestamp, plural_verb};
use crate::source::layout::{Days, KeyPosition, Level, Seen, Selection};
use crate::source::{Delivery, Feed, GiveDocument, Listed, Pruned, RecordSource, SourceRecord};
use crate::tables::cloudtrail::{ORIGINS, Origin};
use crate::tables::{Asked, Rows};
use portion::{Address, Portion};

/// The order in which files, and the row groups of each file, are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    AsTheyStand,
    OldestFirst,
    NewestFirst,
}

/// What is known of the objects that filled a lake.
struct Objects {
    coverage: Coverage,
    /// Number of records in them that could be decoded.
    understood: u64,
    damaged: Vec<Damage>,
}

/// A lake that is read once.
pub struct LakeFeed {
    disk: Arc<dyn Disk>,
    manifest: Manifest,
    filter: Filter,
    /// Files that may contain requested events.
    files: Vec<FileEntry>,
    pruned: Pruned,
    next: AtomicUsize,
    /// The order of the files for reading by portions, determined when that begins.
    order: OnceLock<Vec<usize>>,
    stopped: AtomicBool,
    /// What is known of the objects that filled the lake, read by the first worker while others read files.
    objects: OnceLock<Objects>,
    /// Whether the snapshots were returned.
    told: AtomicBool,
    failed: Mutex<Vec<ReadFailure>>,
    /// A shared lock: while it is held, no writer removes files of this reader's manifest.
    _reading: Option<Held>,
}

impl LakeFeed {
    /// Opens the lake at `lake` for events within the times, accounts and regions of `filter`.
    ///
    /// # Errors
    /// The manifest cannot be read.
    pub fn open(lake: impl Into<super::Location>, filter: &Filter) -> Result<Arc<Self>, LakeError> {
        Self::open_on(lake.into().disk()?, filter)
    }

    /// Opens the lake on this disk.
    pub(super) fn open_on(disk: Arc<dyn Disk>, filter: &Filter) -> Result<Arc<Self>, LakeError> {
        // A lake that is never written to may have no lock file, or one that may not be opened.
        let reading = disk.lock(READERS.as_ref(), Lock::Shared).ok().flatten();
        let Loaded { manifest, damage } = Manifest::load(&*disk)?;
        let (files, left_out): (Vec<_>, Vec<_>) =
            manifest.files.iter().cloned().partition(|file| admits(filter, file));
        let mut pruned = Seen::default();
        left_out.iter().for_each(|file| pruned.add(&place(file)));
        let failed = damage
            .into_iter()
            .map(failure)
            .chain(manifest.lost.iter().map(|lost| failure(lost.damage())))
            .collect();
        Ok(Arc::new(Self {
            disk,
            manifest,
            filter: filter.clone(),
            files,
            pruned: pruned.pruned(),
            next: AtomicUsize::new(0),
            order: OnceLock::new(),
            stopped: AtomicBool::new(false),
            objects: OnceLock::new(),
            told: AtomicBool::new(false),
            failed: Mutex::new(failed),
            _reading: reading,
        }))
    }

    /// How many events there are in the files that are read.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    fn take(&self) -> Option<&FileEntry> {
        self.files.get(self.take_number()?)
    }

    fn take_number(&self) -> Option<usize> {
        let number = self.take_next()?;
        if number == 0 {
            self.objects();
        }
        Some(number)
    }

    fn take_next(&self) -> Option<usize> {
        (!self.stopped.load(Ordering::Relaxed)).then(|| self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn take_in_order(&self, visit: Visit) -> Option<(usize, &FileEntry)> {
        let order = self.order.get_or_init(|| {
            let mut order: Vec<usize> = (0..self.files.len()).collect();
            let of = |at: &usize| self.files.get(*at);
            match visit {
                Visit::AsTheyStand => {}
                Visit::OldestFirst => order.sort_by_key(|at| of(at).map(|file| file.first)),
                Visit::NewestFirst => order.sort_by_key(|at| std::cmp::Reverse(of(at).map(|file| file.last))),
            }
            order
        });
        let number = *order.get(self.take_number()?)?;
        self.files.get(number).map(|file| (number, file))
    }

    fn read(
        &self,
        file: &FileEntry,
        sources: Option<&[&str]>,
        give: &mut dyn FnMut(SourceRecord<'_>),
    ) -> Result<(), LakeError> {
        let reader = Reader::of(&*self.disk, file)?;
        let native = file.partition.native;
        let mut json = String::new();
        for group in reader.groups() {
            let wanted = if native { None } else { sources };
            let Some(rows) = wanted_rows(&reader, group, wanted, None)? else { continue };
            let records = guarded(&file.path(), || Records::of(&rows).map_err(|error| reader.error(error)))?;
            for row in 0..rows.height() {
                records.write(row, &mut json);
                give(SourceRecord {
                    object: records.object(row),
                    index: records.index(row),
                    json: &json,
                    native,
                });
            }
        }
        Ok(())
    }

    /// Calls `give` with the next rows of `cloudtrail_logs` for SQL: with these columns (`None`: all), from
    /// these event sources, and within the times of `filter`. Returns false when there are no more. Errors
    /// are recorded in the coverage. Can be called from several threads.
    pub fn next_rows(
        &self,
        filter: &Filter,
        sources: Option<&[&str]>,
        columns: Option<&[Asked]>,
        give: &mut dyn FnMut(Rows),
    ) -> bool {
        let Some(file) = self.take() else { return false };
        if !file.partition.native
            && let Err(error) = self.read_rows(file, filter, sources, columns, give)
        {
            self.fail(file, &error);
        }
        true
    }

    fn read_rows(
        &self,
        file: &FileEntry,
        filter: &Filter,
        sources: Option<&[&str]>,
        columns: Option<&[Asked]>,
        give: &mut dyn FnMut(Rows),
    ) -> Result<(), LakeError> {
        let reader = Reader::of(&*self.disk, file)?;
        let asked =
            |name: &str| columns.is_none_or(|columns| columns.iter().any(|column| column.name == name));
        let cut = !is_within(filter, file);
        let needed = |name: &str| asked(name) || (cut && name == TIME);
        let fields = |name: &str| {
            columns
                .into_iter()
                .flatten()
                .find(|column| column.name == name)
                .map_or(&[][..], |column| &column.fields)
        };
        let wanted =
            |name: &'static str| Wanted { name, fields: fields(name).iter().map(Vec::as_slice).collect() };
        let in_file = ORIGINS.iter().filter(|(name, origin)| needed(name) && *origin != Origin::Partition);
        let read: Vec<Wanted<'_>> = in_file.map(|(name, _)| wanted(name)).collect();
        // A column of the file is needed to know the number of rows.
        let read = if read.is_empty() { vec!["record".into()] } else { read };
        for group in reader.groups() {
            let Some(rows) = wanted_rows(&reader, group, sources, Some(&read))? else { continue };
            let rows = if cut { within(&rows, filter).map_err(|error| reader.error(error))? } else { rows };
            give(table_rows(&rows, &file.partition, asked).map_err(|error| reader.error(error))?);
        }
        Ok(())
    }

    /// Calls `take` with the row groups of the next file, until it wants no more of them. All threads use the
    /// same order.
    pub fn next_portions(
        &self,
        visit: Visit,
        take: &mut dyn FnMut(&Portion<'_>) -> Result<(), LakeError>,
    ) -> bool {
        let Some((number, file)) = self.take_in_order(visit) else { return false };
        let read = |take: &mut dyn FnMut(&Portion<'_>) -> Result<(), LakeError>| {
            let reader = Reader::of(&*self.disk, file)?;
            let mut portion = |group| take(&Portion::new(&reader, file, Address { file: number, group }));
            if visit == Visit::NewestFirst {
                reader.groups().rev().try_for_each(&mut portion)
            } else {
                reader.groups().try_for_each(&mut portion)
            }
        };
        if !file.partition.native
            && let Err(error) = read(take)
        {
            self.fail(file, &error);
        }
        true
    }

    /// Calls `take` with a portion that was given before. Errors are recorded in the coverage.
    pub fn at(&self, address: Address, take: &mut dyn FnMut(&Portion<'_>) -> Result<(), LakeError>) {
        let Some(file) = self.files.get(address.file) else { return };
        let read = || take(&Portion::new(&Reader::of(&*self.disk, file)?, file, address));
        if let Err(error) = { read }() {
            self.fail(file, &error);
        }
    }

    /// What is known of the objects that filled the lake.
    fn objects(&self) -> &Objects {
        self.objects.get_or_init(|| {
            let (mut coverage, mut understood) = (Coverage::default(), 0);
            let selection = Selection::new(&self.filter);
            let damaged = objects::for_each_object(&*self.disk, &self.manifest, |object| {
                understood += object.records.saturating_sub(object.failed_total);
                if selection.admits(&KeyPosition::of(&object.object)) {
                    add(&mut coverage, object);
                }
            });
            Objects { coverage, understood, damaged }
        })
    }

    /// A warning that the ids of different runs' events were not all compared.
    fn least(&self) -> Option<String> {
        let Manifest { events_sharing_an_id: events, generation, plans, ids_counted, select, .. } =
            &self.manifest;
        let is_least = match ids_counted {
            Some(true) => false,
            Some(false) if select.is_empty() => true,
            _ => *events > 0 && (*generation > 1 || !plans.is_empty()),
        };
        let why = if select.is_empty() {
            "the ids of all events of this lake were not compared (its last run was stopped, a file is damaged, \
             or it has too many events or files for that): they are when a `tagfall ingest` ends"
        } else {
            "a lake that keeps only some services, and that several runs or shards have filled, has the sum of \
             what each of them has met"
        };
        is_least.then(|| format!("events_sharing_an_id is {events} at least: {why}."))
    }

    /// A warning about files without checksums, whose damage would not be noticed.
    fn warning(&self) -> Option<String> {
        let unsealed = self.files.iter().filter(|file| file.tail.is_none()).count();
        let taken_over = self.manifest.events_taken_over();
        if unsealed == 0 && taken_over == 0 {
            return None;
        }
        let what = if unsealed > 0 {
            plural_verb(unsealed as u64, "file", ["of a lake was", "of a lake were"])
                + " written by an earlier version and without checksums"
        } else {
            plural_verb(taken_over, "event", ["of a lake was", "of a lake were"])
                + " taken over from files of an earlier version without checksums"
        };
        Some(format!(
            "{what}: damage there cannot be told. `tagfall lake repair LAKE SOURCE…` reads them again from \
             the archives."
        ))
    }

    fn fail(&self, file: &FileEntry, error: &LakeError) {
        let failure =
            failure(Damage { file: file.path().to_string_lossy().into_owned(), reason: error.reason() });
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    }
}

/// Converts a damaged part of the lake to a failed object.
fn failure(damage: Damage) -> ReadFailure {
    ReadFailure { object: damage.file.as_str().into(), record: None, reason: damage.reason }
}

/// The rows of a row group whose `eventsource` is one of `sources`; `None` if there are none. The other
/// columns are only decoded for these rows.
fn wanted_rows(
    reader: &Reader,
    group: usize,
    sources: Option<&[&str]>,
    columns: Option<&[Wanted<'_>]>,
) -> Result<Option<DataFrame>, LakeError> {
    let Some(sources) = sources else { return reader.read(group, columns, None).map(Some) };
    let of = reader.read(group, Some(&["eventsource".into()]), None)?;
    let texts = of
        .column("eventsource")
        .and_then(|column| column.as_materialized_series().str().cloned())
        .map_err(|error| reader.error(error))?;
    let mask: Bitmap = texts.iter().map(|text| text.is_some_and(|text| sources.contains(&text))).collect();
    match mask.set_bits() {
        0 => Ok(None),
        all if all == mask.len() => reader.read(group, columns, None).map(Some),
        _ => reader.read(group, columns, Some(&mask)).map(Some),
    }
}

const TIME: &str = "eventtime";

/// Whether all rows of a file are within the times of the filter.
pub(super) fn is_within(filter: &Filter, file: &FileEntry) -> bool {
    filter.since.is_none_or(|since| since.millis() <= file.first)
        && filter.until.is_none_or(|until| file.last < until.millis())
}

/// The rows within the times of the filter; rows without a time are kept.
fn within(rows: &DataFrame, filter: &Filter) -> PolarsResult<DataFrame> {
    let times = rows.column(TIME)?.as_materialized_series().str()?;
    let admitted: Vec<bool> = times
        .iter()
        .map(|time| time.and_then(Timestamp::parse).is_none_or(|time| filter.admits_time(time)))
        .collect();
    rows.filter(Series::new("mask".into(), admitted).bool()?)
}

/// Adds the columns derived from the partition, with the names and the order of `cloudtrail_logs`.
pub(super) fn table_rows(
    rows: &DataFrame,
    partition: &Partition,
    asked: impl Fn(&str) -> bool,
) -> PolarsResult<Rows> {
    let height = rows.height();
    let mut columns = Vec::new();
    for (name, origin) in ORIGINS.iter().filter(|(name, _)| asked(name)) {
        let series = match (origin, *name) {
            (Origin::Partition, name) => {
                Series::new(name.into(), vec![partition.value(name).as_deref(); height])
            }
            (_, name) => rows.column(name)?.as_materialized_series().clone(),
        };
        columns.push((*name, series));
    }
    Ok(Rows { columns, height })
}

impl RecordSource for LakeFeed {
    fn read_next(&self, sources: Option<&[&str]>, give: &mut dyn FnMut(SourceRecord<'_>)) -> bool {
        let Some(file) = self.take() else { return false };
        if let Err(error) = self.read(file, sources, give) {
            self.fail(file, &error);
        }
        true
    }

    fn documents(&self, give: &mut GiveDocument<'_>) {
        if !self.manifest.answers || self.told.swap(true, Ordering::Relaxed) {
            return;
        }
        let selection = Selection::new(&self.filter);
        // Damaged segments are reported by the coverage, which reads all objects again.
        drop(objects::for_each_object(&*self.disk, &self.manifest, |object| {
            if selection.admits(&KeyPosition::of(&object.object)) {
                object.answers.iter().for_each(|one| {
                    give(&one.object, one.document, &one.json, one.modified.map(Timestamp::from_millis))
                });
            }
        }));
    }

    fn has_seen_read_only(&self) -> bool {
        self.manifest.read_only
    }

    fn coverage(&self) -> Coverage {
        let Objects { coverage, understood, damaged } = self.objects();
        let mut coverage = coverage.clone();
        let rows: u64 = self.manifest.files.iter().map(|file| file.rows).sum();
        // If the lake keeps all services, each record that was read and is not a row was a duplicate, however
        // often its object was read.
        let all = self.manifest.select.is_empty();
        coverage.records_duplicate =
            if all { u64::saturating_sub(*understood, rows) } else { self.manifest.records_duplicate };
        coverage.events_sharing_an_id = self.manifest.events_sharing_an_id;
        coverage.objects_left_out = self.manifest.objects_left_out;
        let own = damaged.iter().cloned().map(failure);
        for failure in self.failed.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().chain(own) {
            coverage.objects_listed += 1;
            coverage.objects_failed += 1;
            coverage.failures.push(failure);
        }
        coverage.warnings.extend(self.warning());
        coverage.warnings.extend(self.least());
        coverage
    }
}

/// Whoever reads its columns has it, too, beside the run.
impl Feed for Arc<LakeFeed> {
    fn next(&self, _buffer: &mut Vec<u8>) -> Option<Delivery> {
        None
    }

    fn listed(&self) -> Listed {
        Listed { complete: true, ..Listed::default() }
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn pruned(&self) -> Pruned {
        self.pruned.clone()
    }

    fn record_source(&self) -> Option<&dyn RecordSource> {
        Some(&**self)
    }
}

/// The position of a partition in CloudTrail's key layout.
fn place(file: &FileEntry) -> KeyPosition<'_> {
    let day =
        |millis| Timestamp::from_millis(millis).to_chrono().map(|time| time.date_naive().num_days_from_ce());
    let days = day(file.first).zip(day(file.last)).map(|(first, last)| Days { first, last });
    let (account, region) = (file.partition.account.as_deref(), file.partition.region.as_deref());
    KeyPosition { level: Level::Day, kind: None, account, region, days }
}

/// Whether a file may contain requested events. A value that the partition does not have excludes nothing.
/// EventBridge's own events are few and in objects whose keys have no account or region, so their files are
/// always read.
fn admits(filter: &Filter, file: &FileEntry) -> bool {
    let partition = &file.partition;
    let named = filter.admits_account(partition.account.as_deref().unwrap_or_default())
        && filter.admits_region(partition.region.as_deref().unwrap_or_default());
    (partition.native || named)
        && filter.since.is_none_or(|since| file.last >= since.millis())
        && filter.until.is_none_or(|until| file.first < until.millis())
}

/// Counts an object as the run that read it did.
fn add(coverage: &mut Coverage, object: ObjectState) {
    coverage.objects_listed += 1;
    match object.ending {
        Ending::Read => coverage.objects_read += 1,
        Ending::Skipped => coverage.objects_skipped += 1,
        Ending::Failed => coverage.objects_failed += 1,
    }
    coverage.bytes_compressed += object.bytes_compressed;
    coverage.bytes_decompressed += object.bytes_decompressed;
    coverage.records += object.records;
    coverage.records_failed += object.failed_total;
    coverage.records_skipped += object.records_skipped;
    coverage.lines_skipped += object.lines_skipped;
    coverage.records_repaired.add(&object.repaired);
    coverage.objects_lossy += u64::from(object.lossy);
    coverage.first_event_time =
        coverage.first_event_time.into_iter().chain(object.first.map(Timestamp::from_millis)).min();
    coverage.last_event_time = coverage.last_event_time.max(object.last.map(Timestamp::from_millis));
    let failure = |record, reason| ReadFailure { object: object.object.as_str().into(), record, reason };
    coverage
        .failures
        .extend(object.failed.iter().map(|(record, reason)| failure(Some(*record), reason.clone())));
    if object.ending == Ending::Failed {
        coverage.failures.push(failure(None, object.reason.clone().unwrap_or_default()));
    }
}
