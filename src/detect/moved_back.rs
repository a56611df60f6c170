//! A tag moved back to an older image, once or repeatedly: whoever pulls it does not get what was pushed
//! last.

use super::story::{evidence, place, role};
use super::{TagDetector, TagSubject, id_of};
use crate::model::{
    Finding, FindingKind, KeptImage, LostImage, Order, Severity, TagEnd, Timestamp, Usage, times,
};
use crate::timeline::{History, RepositoryHistory, TagLife, TagSpan};

/// Reports one finding for a tag, about the last time that it moved back, if somebody pulled it before or
/// after.
pub struct TagMovedBack;

impl TagDetector for TagMovedBack {
    fn detect(&self, subject: TagSubject<'_>, found: &mut Vec<Finding>) {
        let all = moves_back(subject.repository, subject.life);
        let pulled = |back: &&MoveBack<'_>| back.from.pulls > 0 || back.to.pulls > 0;
        if let Some(last) = all.iter().rfind(pulled) {
            found.push(finding(subject, *last, all.len()));
        }
    }
}

/// A tag's move from one image to another that was pushed earlier.
#[derive(Clone, Copy)]
pub struct MoveBack<'h> {
    pub from: &'h TagSpan,
    pub to: &'h TagSpan,
}

impl MoveBack<'_> {
    /// Whether the role that moved the tag back is not the role that had moved it forward.
    pub fn by_another(&self, history: &History) -> bool {
        let pusher =
            |span: &TagSpan| span.since.some().map(|event| role(history.text(history.noted(event).actor)));
        pusher(self.from).zip(pusher(self.to)).is_some_and(|(first, second)| first != second)
    }
}

/// Every time that the tag moved back. Moves between an index and its own images count as one push.
pub fn moves_back<'h>(repository: &RepositoryHistory, life: &'h TagLife) -> Vec<MoveBack<'h>> {
    let pairs = life.spans.windows(2).enumerate().filter(|(_, pair)| pair[0].end == Some(TagEnd::Moved));
    let back = |(at, pair): (usize, &'h [TagSpan])| {
        let (from, to) = (&pair[0], &pair[1]);
        // Where the logs do not have both pushes, an image that had the tag before is the older one.
        let returned = || life.spans[..at].iter().any(|span| span.digest == to.digest);
        let older = to.pushed_at.zip(from.pushed_at).map_or_else(returned, |(to, from)| to < from);
        (older && !related(repository, from, to)).then_some(MoveBack { from, to })
    };
    pairs.filter_map(back).collect()
}

/// Whether the two images are an index and one of its images, or images of one index.
fn related(repository: &RepositoryHistory, a: &TagSpan, b: &TagSpan) -> bool {
    let parents =
        |span: &TagSpan| repository.parents.get(&span.digest).map(Vec::as_slice).unwrap_or_default();
    parents(a).contains(&b.digest)
        || parents(b).contains(&a.digest)
        || parents(a).iter().any(|parent| parents(b).contains(parent))
}

fn finding(subject: TagSubject<'_>, back: MoveBack<'_>, went_back: usize) -> Finding {
    let TagSubject { history, repository, .. } = subject;
    let MoveBack { from, to } = back;
    let tag = history.text(subject.tag);
    let (newer, older) = (history.digest_or_zero(from.digest), history.digest_or_zero(to.digest));
    let time = |at: Option<i64>| {
        at.map_or_else(|| "before the logs".to_owned(), |at| format!("at {}", Timestamp::from_millis(at)))
    };
    let mut usage = Usage { pulls_before: u64::from(from.pulls) + u64::from(to.pulls), ..Usage::default() };
    usage.last_pull = to.last_pull.some().or(from.last_pull.some()).map(|event| history.event(event));
    for pull in [from.first_pull, from.last_pull, to.first_pull, to.last_pull]
        .into_iter()
        .filter(|event| event.is_some())
    {
        usage.add_principal(history.log_text(history.noted(pull).actor));
    }
    let again = if went_back > 1 { format!("; it went back {}", times(went_back)) } else { String::new() };
    let by_another = back.by_another(history);
    Finding {
        id: id_of(history, repository, tag),
        kind: FindingKind::TagMovedBack,
        severity: if by_another { Severity::Medium } else { Severity::Low },
        repository: history.repository(repository),
        tag: history.log_text(subject.tag),
        tags: Vec::new(),
        reasons: Vec::new(),
        lost: LostImage {
            digest: Some(newer),
            pushed_at: from.pushed_at.map(Timestamp::from_millis),
            untagged_at: None,
            gone_at: None,
        },
        kept: KeptImage { digest: Some(older) },
        first_push: from.since.some().map(|event| history.event(event)),
        second_push: history.event(to.since),
        gap_seconds: from
            .since
            .some()
            .map(|first| (history.noted(to.since).time - history.noted(first).time).div_euclid(1000)),
        order: [from.order, to.order].into_iter().max().unwrap_or(Order::Observed),
        deletion: None,
        exposure_seconds: None,
        summary: format!(
            "In {}, {} moved tag {tag} back from {} (pushed {}, tagged by {}) to {}, which was pushed \
             {}{}{again}; it was pulled {} around that.",
            place(&history.repository(repository)),
            super::story::who(history, to.since),
            newer.short(),
            time(from.pushed_at),
            super::story::who(history, from.since),
            older.short(),
            time(to.pushed_at),
            moved_on(history, to).map(|moved| format!(", until {moved}")).unwrap_or_default(),
            times(u64::from(from.pulls) + u64::from(to.pulls)),
        ),
        advice: advice(subject, back),
        evidence: evidence(
            history,
            vec![from.since, to.since, from.first_pull, from.last_pull, to.first_pull, to.last_pull],
        ),
        usage,
    }
}

/// "ARN moved it on at …", if the tag later left the older image again.
pub fn moved_on(history: &History, to: &TagSpan) -> Option<String> {
    let by = || super::story::who(history, to.ended_by);
    (to.end == Some(TagEnd::Moved))
        .then(|| format!("{} moved it on at {}", by(), Timestamp::from_millis(to.until)))
}

/// Advice about a tag that moved back to an older image.
pub fn advice(subject: TagSubject<'_>, back: MoveBack<'_>) -> Vec<String> {
    let tag = subject.history.text(subject.tag);
    let order = if back.by_another(subject.history) {
        format!(
            "Order the pipelines that push tag {tag}, so that an older build does not come last, or let one \
             of them alone move it."
        )
    } else {
        format!("If it was no rollback on purpose, let the pipeline move tag {tag} forward only.")
    };
    let pin = match back.to.is_open() {
        true => {
            "What pulled the tag in between runs another image than what pulls it now: pin digests, or give \
             every build a tag of its own."
        }
        false => {
            "What pulled the tag while it was on the older image may still run that: start it anew, and pin \
             digests or give every build a tag of its own."
        }
    };
    [order].into_iter().chain(forward(subject, back)).chain([pin.to_owned()]).collect()
}

/// How to point the tag to the newer image again, if it does not already.
fn forward(subject: TagSubject<'_>, back: MoveBack<'_>) -> Option<String> {
    if !back.to.is_open() {
        return None;
    }
    let (history, digest) = (subject.history, subject.history.digest_or_zero(back.from.digest).short());
    let image = subject.repository.image(back.from.digest)?;
    let gone = image.losses.last().filter(|_| image.is_gone());
    Some(match gone {
        Some(loss) => format!(
            "The newer image, {digest}, went at {}: build it again and push it under {}, if that is what is \
             wanted.",
            Timestamp::from_millis(loss.at),
            history.text(subject.tag)
        ),
        None => format!(
            "To have the newer image, {digest}, again, move the tag forward: `{}`.",
            super::tag_removed::retag_command(subject, image)
        ),
    })
}
