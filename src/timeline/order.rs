//! The order of events within one second, which the logs do not tell.
//!
//! Order is never made up. Two pushes of one tag in one second are ordered only by later evidence, from
//! before the tag is touched again. An expiry that lists a digest as untagged, or without the tag, shows
//! that it lost the tag. An expiry or delete that lists the tag on a digest, or an
//! `ImageAlreadyExistsException` for tag and digest, shows that it won. So does a list of the repository that
//! shows the tag on it, if it says when it was taken.

use std::ops::Range;

use super::fact::{Fact, Named, RunImage, What};
use super::names::{DigestNo, EventNo, Map, Sym};
use super::replay::{Happening, RepositoryHistory};
use crate::model::Order;

/// Where digests and tags appear again later in the repository's history. Built when the first contested
/// second is met.
#[derive(Default)]
pub struct Evidence {
    by_digest: Map<DigestNo, Vec<usize>>,
    by_tag: Map<Sym, Vec<usize>>,
    /// Where the repository itself was deleted.
    ends: Vec<usize>,
}

/// The facts and mentions of one second in the order to replay them, each with how sure that order is. The
/// events that decided it are noted in [`RepositoryHistory::settled`].
pub fn arrange(
    happenings: &[Happening<'_>],
    group: Range<usize>,
    state: &mut RepositoryHistory,
    evidence: &mut Option<Evidence>,
) -> Vec<(usize, Order)> {
    let pushes: Vec<(usize, Named)> =
        group.clone().filter_map(|index| Some((index, pushed(&happenings[index])?))).collect();
    let mut ranked: Vec<(u32, usize, Order)> = Vec::with_capacity(group.len());
    for index in group.clone() {
        let (rank, order) = rank(&happenings[index], &pushes, state);
        ranked.push((rank, index, order));
    }
    for tag in contested(&pushes) {
        let evidence = evidence.get_or_insert_with(|| Evidence::collect(happenings));
        let (sequence, proof) = contest(tag, &pushes, happenings, group.end, state, evidence);
        for &(index, _) in sequence.iter().filter(|(_, order)| *order == Order::Inferred && !proof.is_empty())
        {
            state.settled.entry(happenings[index].event()).or_default().extend(&proof);
        }
        for (place, (index, order)) in sequence.into_iter().enumerate() {
            let entry = &mut ranked[index - group.start];
            // After the uncontested pushes, in the order found.
            *entry = (RANK_CONTESTED, index, order);
            entry.0 += u32::try_from(place).unwrap_or(0).min(RANK_SPAN);
        }
    }
    ranked.sort_by_key(|(rank, index, _)| (*rank, *index));
    ranked.into_iter().map(|(_, index, order)| (index, order)).collect()
}

const RANK_SPAN: u32 = 1_000_000;
const RANK_DELETE_FIRST: u32 = 0;
const RANK_CREATE: u32 = 1;
const RANK_SETTING: u32 = 2;
const RANK_REMOVED_FIRST: u32 = 3;
const RANK_PUSH: u32 = 4;
/// After its children, which have to exist first.
const RANK_PUSH_INDEX: u32 = 5;
const RANK_CONTESTED: u32 = 6;
const RANK_REFUSED: u32 = RANK_CONTESTED + RANK_SPAN + 1;
const RANK_USE: u32 = RANK_REFUSED + 1;
/// Layers are requested after the manifest that names them.
const RANK_LAYER: u32 = RANK_USE + 1;
const RANK_REMOVE: u32 = RANK_LAYER + 1;
const RANK_DELETE_REPOSITORY: u32 = RANK_REMOVE + 1;

/// The usual order within a second: create, configure, push, use, remove.
fn rank(happening: &Happening<'_>, pushes: &[(usize, Named)], state: &RepositoryHistory) -> (u32, Order) {
    let fact = match happening {
        Happening::Fact(fact) => fact,
        Happening::Mention(mention) => return (RANK_USE, order_of_use(mention.image, pushes, state)),
    };
    let rank = match &fact.what {
        What::DeleteRepository if state.logged && state.deleted_by.is_none() && pushes.is_empty() => {
            RANK_DELETE_FIRST
        }
        What::DeleteRepository => RANK_DELETE_REPOSITORY,
        What::CreateRepository { .. } => RANK_CREATE,
        What::Push { manifest: Some(manifest), .. } if manifest.is_index => RANK_PUSH_INDEX,
        What::Push { .. } => RANK_PUSH,
        What::PushFailed { .. } => RANK_REFUSED,
        What::Pull { image, .. } => return (RANK_USE, order_of_use(*image, pushes, state)),
        What::PullLayer { .. } => RANK_LAYER,
        What::Delete(_) | What::Run(_) | What::Archive { .. } | What::Restored { .. } => {
            return rank_removal(&fact.what, pushes, state);
        }
        _ => RANK_SETTING,
    };
    (rank, Order::Observed)
}

/// Which image a tag referred to is not known for a user in the second in which it moved.
fn order_of_use(image: Named, pushes: &[(usize, Named)], state: &RepositoryHistory) -> Order {
    let by_tag = image.digest.is_none() && image.tag.is_some();
    let before = state.holder(image.tag).map(|holder| holder.digest);
    let moves = by_tag && pushes.iter().any(|(_, push)| push.tag == image.tag && Some(push.digest) != before);
    if moves { Order::Ambiguous } else { Order::Observed }
}

/// Whether a removal came before the pushes in the same second is shown by the tags that it lists: those that
/// the pushes set, or those that they take away.
fn rank_removal(what: &What, pushes: &[(usize, Named)], state: &RepositoryHistory) -> (u32, Order) {
    let told: Vec<bool> = match what {
        What::Delete(deleted) => {
            let tags = |digest| {
                deleted
                    .removed
                    .iter()
                    .filter(move |(image, _)| image.digest == digest)
                    .map(|(image, _)| image.tag)
                    .collect::<Vec<Sym>>()
            };
            deleted
                .removed
                .iter()
                .filter_map(|(image, _)| is_before_pushes(image.digest, &tags(image.digest), pushes, state))
                .collect()
        }
        What::Run(run) => run
            .images
            .iter()
            .filter_map(|image| is_before_pushes(image.digest, &image.tags, pushes, state))
            .collect(),
        _ => Vec::new(),
    };
    match (told.contains(&true), told.is_empty()) {
        (true, _) => (RANK_REMOVED_FIRST, Order::Inferred),
        (false, false) => (RANK_REMOVE, Order::Inferred),
        (false, true) => (RANK_REMOVE, Order::Observed),
    }
}

/// `None`: no push of the second concerns the image. `tags` are those that the removal lists on it.
fn is_before_pushes(
    digest: DigestNo,
    tags: &[Sym],
    pushes: &[(usize, Named)],
    state: &RepositoryHistory,
) -> Option<bool> {
    let image = state.image(digest).filter(|image| image.is_alive());
    let had = |tag: Sym| image.is_some_and(|image| image.has_tag(tag));
    let own: Vec<Sym> =
        pushes.iter().filter(|(_, push)| push.digest == digest).map(|(_, push)| push.tag).collect();
    let given = own.iter().any(|tag| tag.is_some() && tags.contains(tag) && !had(*tag));
    let taken = |tag: Sym| {
        tag.is_some()
            && !own.contains(&tag)
            && pushes.iter().any(|(_, push)| push.tag == tag && push.digest != digest)
    };
    if given || (image.is_none() && !own.is_empty()) {
        return Some(false);
    }
    if tags.iter().any(|tag| taken(*tag)) {
        return Some(true);
    }
    // The image existed before, and its push succeeded: so the tag was not on it, or ECR would have refused
    // the push.
    if !own.is_empty() {
        return Some(true);
    }
    image.is_some_and(|image| image.tags.iter().any(|(tag, _)| taken(*tag))).then_some(false)
}

fn pushed(happening: &Happening<'_>) -> Option<Named> {
    match happening {
        Happening::Fact(Fact { what: What::Push { image, .. }, .. }) => Some(*image),
        _ => None,
    }
}

/// Tags under which more than one digest was pushed.
fn contested(pushes: &[(usize, Named)]) -> Vec<Sym> {
    let mut tags: Vec<Sym> = Vec::new();
    for (at, (_, push)) in pushes.iter().enumerate() {
        let rival = |(_, other): &(usize, Named)| other.tag == push.tag && other.digest != push.digest;
        if push.tag.is_some() && !tags.contains(&push.tag) && pushes[at + 1..].iter().any(rival) {
            tags.push(push.tag);
        }
    }
    tags
}

/// The pushes of `tag`, with those last that can have won; otherwise by `eventID`. Also the events that
/// decided it.
///
/// If only one push can have won, it came last; that does not tell the order of the others before it.
fn contest(
    tag: Sym,
    pushes: &[(usize, Named)],
    happenings: &[Happening<'_>],
    from: usize,
    state: &RepositoryHistory,
    evidence: &Evidence,
) -> (Vec<(usize, Order)>, Vec<EventNo>) {
    let of_tag: Vec<(usize, Named)> = pushes.iter().copied().filter(|(_, push)| push.tag == tag).collect();
    let mut candidates: Vec<DigestNo> = of_tag.iter().map(|(_, push)| push.digest).collect();
    candidates.sort_unstable();
    candidates.dedup();
    let mut proof = Vec::new();
    let mut told = |digest: DigestNo| {
        let (won, event) = evidence.won(digest, tag, from, happenings)?;
        proof.push(event);
        Some(won)
    };
    let said: Vec<(DigestNo, Option<bool>)> = candidates
        .iter()
        .map(|&digest| {
            (digest, told(digest).or_else(|| child_first(digest, pushes, &of_tag, happenings, state)))
        })
        .collect();
    let proven: Vec<DigestNo> =
        said.iter().filter(|(_, won)| *won == Some(true)).map(|(digest, _)| *digest).collect();
    let possible: Vec<DigestNo> = if proven.is_empty() {
        said.iter().filter(|(_, won)| won.is_none()).map(|(digest, _)| *digest).collect()
    } else {
        proven
    };
    // Pushes that cannot have won come first, even if several candidates remain.
    let can_win =
        |index: &usize| of_tag.iter().any(|(other, push)| other == index && possible.contains(&push.digest));
    let (last, first): (Vec<usize>, Vec<usize>) = of_tag.iter().map(|(index, _)| *index).partition(can_win);
    let order = |known: bool| if known { Order::Inferred } else { Order::Ambiguous };
    let (of_last, of_first) =
        (order(possible.len() == 1), order(possible.len() == 1 && candidates.len() == 2));
    let first = first.into_iter().map(|index| (index, of_first));
    (first.chain(last.into_iter().map(|index| (index, of_last))).collect(), proof)
}

/// An index can be pushed only if its children exist (`ReferencedImagesNotFoundException`). So a child that
/// came into being in this very second, by a single push, lost the tag to its index.
fn child_first(
    digest: DigestNo,
    pushes: &[(usize, Named)],
    of_tag: &[(usize, Named)],
    happenings: &[Happening<'_>],
    state: &RepositoryHistory,
) -> Option<bool> {
    let single = pushes.iter().filter(|(_, push)| push.digest == digest).count() == 1;
    let new = !state.image(digest).is_some_and(super::image::Image::is_alive);
    let lists = |index: usize| match &happenings[index] {
        Happening::Fact(Fact { what: What::Push { manifest: Some(manifest), .. }, .. }) => {
            manifest.children.contains(&digest)
        }
        _ => false,
    };
    (single && new && of_tag.iter().any(|(index, _)| lists(*index))).then_some(false)
}

impl Evidence {
    fn collect(happenings: &[Happening<'_>]) -> Self {
        let mut evidence = Self::default();
        for (index, happening) in happenings.iter().enumerate() {
            let Happening::Fact(fact) = happening else { continue };
            match &fact.what {
                What::Push { image, .. } => evidence.touch(image.tag, index),
                What::PushFailed { proves, .. } => evidence.tell(proves.digest, index),
                What::Delete(deleted) => {
                    for (image, _) in &deleted.removed {
                        evidence.touch(image.tag, index);
                        evidence.tell(image.digest, index);
                    }
                }
                What::Run(run) => run
                    .images
                    .iter()
                    .chain(&run.failures)
                    .for_each(|image| evidence.tell(image.digest, index)),
                What::Listed(listing) if listing.dated => {
                    listing.images.iter().for_each(|image| evidence.tell(image.seen.digest, index));
                }
                What::DeleteRepository | What::CreateRepository { .. } => evidence.ends.push(index),
                _ => {}
            }
        }
        evidence
    }

    fn touch(&mut self, tag: Sym, index: usize) {
        if tag.is_some() {
            self.by_tag.entry(tag).or_default().push(index);
        }
    }

    fn tell(&mut self, digest: DigestNo, index: usize) {
        if digest.is_some() {
            self.by_digest.entry(digest).or_default().push(index);
        }
    }

    /// Whether events from `from` on show that `digest` had `tag` after the contested second, and which
    /// event shows it; `None` if nothing does.
    fn won(
        &self,
        digest: DigestNo,
        tag: Sym,
        from: usize,
        happenings: &[Happening<'_>],
    ) -> Option<(bool, EventNo)> {
        let next = |list: &[usize]| {
            list[list.partition_point(|index| *index < from)..].first().copied().unwrap_or(usize::MAX)
        };
        let touched = self.by_tag.get(&tag).map_or(usize::MAX, |list| next(list));
        // A delete of the tag still shows which image had it; a push does not.
        let end = touched.min(next(&self.ends));
        let list = self.by_digest.get(&digest)?;
        let after = &list[list.partition_point(|index| *index < from)..];
        after.iter().take_while(|index| **index <= end).find_map(|index| match &happenings[*index] {
            Happening::Fact(fact) => says(&fact.what, digest, tag).map(|won| (won, fact.event)),
            Happening::Mention(_) => None,
        })
    }
}

/// What one event says about whether `tag` is on `digest`.
fn says(what: &What, digest: DigestNo, tag: Sym) -> Option<bool> {
    match what {
        What::PushFailed { proves, .. } => (proves.digest == digest && proves.tag == tag).then_some(true),
        What::Delete(deleted) => deleted
            .removed
            .iter()
            .any(|(image, _)| image.digest == digest && image.tag == tag)
            .then_some(true),
        What::Run(run) => run
            .images
            .iter()
            .chain(&run.failures)
            .find(|image| image.digest == digest)
            .and_then(|image| listed(image, tag)),
        What::Listed(listing) => listing
            .images
            .iter()
            .find(|image| image.seen.digest == digest)
            .and_then(|image| listed(&image.seen, tag)),
        _ => None,
    }
}

fn listed(image: &RunImage, tag: Sym) -> Option<bool> {
    if image.tags.contains(&tag) {
        return Some(true);
    }
    image.lists_all_tags().then_some(false)
}
