//! A lake that is filled by several machines: each stages the objects of one shard of a plan, and one of them
//! publishes all shards.
//!
//! A staged shard is a small lake of its own, `_tagfall/shards/PLAN-OF/00001/`, with one file for each day
//! and the results of its objects. It is staged completely or not at all, and its bytes do not depend on who
//! stages it or how often. Once all shards are there, the files of several shards for the same days may be
//! merged in advance, into `merged-1-of-8/`. Publishing takes over files unchanged where nothing else has
//! their day, and merges the others, like any other run; then one commit puts all of it into effect.

mod publish;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Ingest, Limits, Summary};
use crate::lake::LakeError;
use crate::lake::commit::manifest::Manifest;
use crate::lake::commit::objects::{self, KnownObjects};
use crate::lake::disk::Location;

pub use publish::{Days, MergedDays, Published, merge_days, publish_shards};

/// Where shards are staged.
const SHARDS: &str = "_tagfall/shards";

/// A plan as its shards refer to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanName {
    /// 32 hex digits.
    pub id: String,
    /// Number of its shards.
    pub shards: u32,
}

impl PlanName {
    fn folder(&self) -> String {
        format!("{SHARDS}/{}-{:05}", self.id, self.shards)
    }

    fn parse(folder: &str) -> Option<Self> {
        let (id, shards) = folder.split_once('-')?;
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Self { id: id.to_owned(), shards: shards.parse().ok()? }).filter(|_| is_id)
    }

    fn shard(&self, number: u32) -> String {
        format!("{}/{number:05}", self.folder())
    }
}

/// A shard that is being staged. In a folder, it is written in a temporary folder, and renamed when it is
/// complete.
pub struct Attempt {
    made: Option<tempfile::TempDir>,
    place: Location,
}

impl Attempt {
    fn new(root: &Location, path: &str) -> Result<(Self, Location), LakeError> {
        let place = root.below(path);
        let Location::Folder(folder) = &place else {
            return Ok((Self { made: None, place: place.clone() }, place));
        };
        let failed = |error| LakeError::io(folder, error);
        let parent = folder.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(failed)?;
        let made = tempfile::Builder::new().prefix(".attempt-").tempdir_in(parent).map_err(failed)?;
        let at = Location::Folder(made.path().to_path_buf());
        Ok((Self { made: Some(made), place }, at))
    }

    /// Moves the shard to its place, unless another process has already staged the same one.
    fn keep(self, done: Result<Summary, LakeError>) -> Result<Summary, LakeError> {
        let Some(made) = self.made else {
            return match done {
                Err(LakeError::Overtaken { .. }) if self.place.has_lake()? => Ok(Summary::default()),
                done => done,
            };
        };
        let summary = done?;
        let Location::Folder(folder) = &self.place else { return Ok(summary) };
        match std::fs::rename(made.path(), folder) {
            // After the rename there is no temporary folder to be removed.
            Ok(()) => drop(made.keep()),
            Err(_) if self.place.has_lake()? => {}
            Err(error) => return Err(LakeError::io(folder, error)),
        }
        Ok(summary)
    }
}

impl Ingest {
    /// Begins to stage a shard of `lake`; `None` if it is already staged.
    ///
    /// # Errors
    /// The disk or the service fails; the lake keeps other services.
    pub fn open_shard(
        lake: &Location,
        plan: &PlanName,
        number: u32,
        select: &[String],
        limits: Limits,
    ) -> Result<Option<(Self, Attempt)>, LakeError> {
        let path = plan.shard(number);
        if lake.below(&path).has_lake()? {
            return Ok(None);
        }
        lake.make()?;
        let disk = lake.disk()?;
        let present = Manifest::load(&*disk)?.manifest;
        check_selection(&present, select)?;
        let (sound, _) = objects::sound(&*disk, &present.segments);
        let known = KnownObjects::load(&*disk, &sound)?;
        let (attempt, at) = Attempt::new(lake, &path)?;
        // One file for each day, however the rows arrive, so that the same shard always gives the same bytes.
        let whole = u64::MAX / 4;
        let limits =
            Limits { file_bytes: whole, commit_bytes: u64::MAX, commit_objects: usize::MAX, ..limits };
        let mut ingest = Self::open_at(&at, Some(select), limits)?;
        if ingest.has_commits() {
            // Another process has staged it since the check above.
            return Ok(None);
        }
        ingest.known = Arc::new(known);
        Ok(Some((ingest, attempt)))
    }

    /// Whether there are any commits.
    fn has_commits(&self) -> bool {
        self.lock_state().manifest.generation > 0
    }

    /// Commits a shard whose objects have been read.
    ///
    /// # Errors
    /// The first error of the run; nothing is staged then.
    pub fn stage(self, attempt: Attempt) -> Result<Summary, LakeError> {
        attempt.keep(self.finish(true))
    }
}

fn check_selection(present: &Manifest, select: &[String]) -> Result<(), LakeError> {
    let asked = selection(select);
    if present.generation > 0 && present.select != asked {
        return Err(LakeError::OtherSelection { kept: present.select.join(","), asked: asked.join(",") });
    }
    Ok(())
}

fn selection(select: &[String]) -> Vec<String> {
    select.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}
