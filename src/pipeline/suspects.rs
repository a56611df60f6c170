//! Suspects so far: images that were pushed under a tag and that a lifecycle run took without one.
//!
//! Findings exist only once everything is folded: until then, a push that changes all may still be unread. But whatever comes
//! in whatever order, an image of which both is known has lost a tag on the way, and that is what the findings are made of. So
//! somebody who watches a long run sees early whether there is something. Not among the suspects: images whose push lies before
//! the logs, and other losses; and a suspect may turn out to be harmless (held by an index, or its tag deleted on purpose).
//!
//! One table of fixed size without locks, filled only while somebody watches. Nothing but the progress line reads it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::decode::fingerprint;
use crate::model::{Action, Digest, Recognized, RepositoryRef};

/// Slots of the table, 8 bytes each; the system gives its pages when they are touched. Images beyond that are not counted.
const SLOTS: usize = 1 << 20;
/// How many slots are tried before an image is given up.
const PROBES_MAX: usize = 32;

/// What is known of an image: the two lowest bits of its slot.
const PUSHED_WITH_TAG: u64 = 1;
const TAKEN_WITHOUT_TAG: u64 = 2;
const BOTH: u64 = PUSHED_WITH_TAG | TAKEN_WITHOUT_TAG;

/// A counter that all workers feed. Each image counts once, however often its events were delivered.
#[derive(Debug, Default)]
pub struct Suspects {
    table: OnceLock<Box<[AtomicU64]>>,
    found: AtomicU64,
}

impl Suspects {
    /// Somebody watches: counts from now on.
    pub fn begin(&self) {
        self.table.get_or_init(|| bytemuck::zeroed_slice_box(SLOTS));
    }

    /// How many there are so far; `None` where nobody asked for them.
    pub fn so_far(&self) -> Option<u64> {
        self.table.get().map(|_| self.found.load(Ordering::Relaxed))
    }

    /// Takes in what one record means.
    pub fn note(&self, recognized: &Recognized<'_>) {
        let (Some(table), Some(repository)) = (self.table.get(), &recognized.repository) else { return };
        match &recognized.action {
            Action::Push(push) if push.tag.is_some() => self.add(table, key(repository, &push.digest), PUSHED_WITH_TAG),
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
                held = slot.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed).map_or_else(|held| held, |_| key);
            }
            if held & !BOTH == key {
                if held & known != 0 {
                    return;
                }
                let before = slot.fetch_or(known, Ordering::Relaxed) & BOTH;
                // Of all who add the second bit exactly one finds it missing.
                self.found.fetch_add(u64::from(before != BOTH && before | known == BOTH), Ordering::Relaxed);
                return;
            }
        }
    }
}

/// 62 bits for an image, never none of them.
fn key(repository: &RepositoryRef<'_>, digest: &Digest) -> u64 {
    let place = [&repository.registry_id, &repository.region, &repository.name].map(|part| fingerprint(part.as_bytes()));
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
        log.push(1, "v1").push(2, "v1").push_image(3, None, &[]).at(90_000).expire(1, &[]).expire(3, &[]).expire(2, &["v1"]);
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
