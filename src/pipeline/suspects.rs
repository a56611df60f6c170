//! Counts suspects during a run: images that were pushed with a tag, and that a lifecycle run took without
//! one.
//!
//! Findings exist only when everything is folded, as a push that is not yet read may change all. But an
//! image of which both events are known has lost its tag in between, which is what most findings are about.
//! So the progress line can show early that there is something. Not counted are images whose push is before
//! the logs, and other kinds of losses; and a suspect may turn out harmless (an index holds it, or its tag
//! was removed on purpose).
//!
//! The table has a fixed size and no locks, and is filled only if there is a progress display. Only the
//! progress line reads it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::decode::fingerprint;
use crate::model::{Action, Digest, Recognized, RepositoryRef};

/// Slots of the table, 8 bytes each; the system allocates its pages when they are first used. Images beyond
/// that are not counted.
const SLOTS: usize = 1 << 20;
/// Number of slots that are tried for an image before it is given up.
const PROBES_MAX: usize = 32;

/// What is known of an image: the two lowest bits of its slot.
const PUSHED_WITH_TAG: u64 = 1;
const TAKEN_WITHOUT_TAG: u64 = 2;
const BOTH: u64 = PUSHED_WITH_TAG | TAKEN_WITHOUT_TAG;

/// A counter that all workers update. Each image counts once, however often its events were delivered.
#[derive(Debug, Default)]
pub struct Suspects {
    table: OnceLock<Box<[AtomicU64]>>,
    found: AtomicU64,
}

impl Suspects {
    /// Starts counting.
    pub fn begin(&self) {
        self.table.get_or_init(|| bytemuck::zeroed_slice_box(SLOTS));
    }

    /// The number of suspects so far; `None` if they are not counted.
    pub fn so_far(&self) -> Option<u64> {
        self.table.get().map(|_| self.found.load(Ordering::Relaxed))
    }

    /// Notes what one record means.
    pub fn note(&self, recognized: &Recognized<'_>) {
        let (Some(table), Some(repository)) = (self.table.get(), &recognized.repository) else { return };
        match &recognized.action {
            Action::Push(push) if push.tag.is_some() => {
                self.add(table, key(repository, &push.digest), PUSHED_WITH_TAG)
            }
            Action::PolicyRun(run) => {
                let untagged = run.images.iter().filter(|image| image.tags.is_empty());
                untagged.for_each(|image| self.add(table, key(repository, &image.digest), TAKEN_WITHOUT_TAG));
            }
            _ => {}
        }
    }

    fn add(&self, table: &[AtomicU64], key: u64, known: u64) {
        for probe in 0..PROBES_MAX {
            let Some(slot) = table.get(((key >> 2) as usize + probe) & (SLOTS - 1)) else { return };
            let mut held = slot.load(Ordering::Relaxed);
            if held == 0 {
                held = slot
                    .compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed)
                    .map_or_else(|held| held, |_| key);
            }
            if held & !BOTH == key {
                if held & known != 0 {
                    return;
                }
                let before = slot.fetch_or(known, Ordering::Relaxed) & BOTH;
                // Of all threads that add the second bit, exactly one sees that it was missing.
                self.found.fetch_add(u64::from(before != BOTH && before | known == BOTH), Ordering::Relaxed);
                return;
            }
        }
    }
}

/// 62 bits that identify an image; never all zero.
fn key(repository: &RepositoryRef<'_>, digest: &Digest) -> u64 {
    let place = [&repository.registry_id, &repository.region, &repository.name]
        .map(|part| fingerprint(part.as_bytes()));
    let [d0, d1, d2, d3, d4, d5, d6, d7, ..] = *digest.as_bytes();
    let image = u64::from_le_bytes([d0, d1, d2, d3, d4, d5, d6, d7]);
    let mixed = place.iter().fold(image, |mixed, part| mixed.rotate_left(21) ^ part);
    (mixed & !BOTH).max(BOTH + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::log::Log;

    fn noted(log: &Log, suspects: &Suspects) -> Option<u64> {
        log.events.iter().for_each(|recognized| suspects.note(recognized));
        suspects.so_far()
    }

    #[test]
    fn an_image_that_lost_its_tag_and_was_taken_counts_once_in_any_order() {
        let mut log = Log::default();
        log.push(1, "v1")
            .push(2, "v1")
            .push_image(3, None, &[])
            .at(90_000)
            .expire(1, &[])
            .expire(3, &[])
            .expire(2, &["v1"]);
        let suspects = Suspects::default();
        assert_eq!(noted(&log, &suspects), None, "nobody watches");
        suspects.begin();
        assert_eq!(noted(&log, &suspects), Some(1));
        assert_eq!(noted(&log, &suspects), Some(1), "second copies");
        log.events.reverse();
        let backwards = Suspects::default();
        backwards.begin();
        assert_eq!(noted(&log, &backwards), Some(1));
    }

    #[test]
    fn the_same_digest_in_two_repositories_is_two_images() {
        let (mut pushed, mut taken) = (Log::default(), Log::default());
        pushed.push(1, "v1");
        taken.expire(1, &[]);
        taken.events[0].repository.as_mut().unwrap().name = "shop/web".into();
        let suspects = Suspects::default();
        suspects.begin();
        assert_eq!((noted(&pushed, &suspects), noted(&taken, &suspects)), (Some(0), Some(0)));
    }
}
