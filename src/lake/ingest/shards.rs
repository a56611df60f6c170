//! A lake that is filled by many machines: each stages what its shard of a plan holds, and one publishes all
//! of it.
//!
//! What a shard holds is a small lake of its own, `_tagfall/shards/PLAN-OF/00001/`: one file for each day,
//! and what became of its objects. It is there as a whole or not at all, and the same whoever makes it and
//! how often. Several shards' files of the same days may be merged ahead, into `merged-1-of-8/`, once all
//! shards are there. Publishing takes files as they are where nothing else has their day, and merges what is
//! left, as any run does; then one commit makes all of it count.

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

/// A plan, as its shards name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanName {
    /// 32 hex digits.
    pub id: String,
    /// How many shards it has.
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

/// A shard that is being staged. In a folder it is made beside its place, and moved there when it is whole.
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

    /// Puts what was made in its place, unless somebody else has done so meanwhile: that is the same.
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
            // What was moved is not to be removed.
            Ok(()) => drop(made.keep()),
            Err(_) if self.place.has_lake()? => {}
            Err(error) => return Err(LakeError::io(folder, error)),
        }
        Ok(summary)
    }
}

impl Ingest {
    /// Begins to stage a shard of `lake`; `None` where it is staged already.
    ///
    /// # Errors
    /// The disk or the service refuses; the lake keeps other services.
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
        // One file for each day, whatever the order in which its rows came: so the same shard gives the same
        // bytes.
        let whole = u64::MAX / 4;
        let limits =
            Limits { file_bytes: whole, commit_bytes: u64::MAX, commit_objects: usize::MAX, ..limits };
        let mut ingest = Self::open_at(&at, Some(select), limits)?;
        if ingest.has_commits() {
            // A copy of this very step has staged it since the look above.
            return Ok(None);
        }
        ingest.known = Arc::new(known);
        Ok(Some((ingest, attempt)))
    }

    /// Whether something is there already.
    fn has_commits(&self) -> bool {
        self.lock_state().manifest.generation > 0
    }

    /// Ends a shard that was read.
    ///
    /// # Errors
    /// What stopped it; nothing is staged then.
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
