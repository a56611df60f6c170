//! What becomes of tags, and of those who ask for one that nothing has.

use super::Replay;
use crate::model::{Order, TagEnd};
use crate::timeline::names::{DigestNo, EventNo, Sym};
use crate::timeline::tags::{Ask, AskKind, TagSpan};

const PUSH: &str = "PutImage";

impl Replay<'_> {
    /// The image at `at` has `tag`: since the event `since`, or, where that is none, since before `seen` showed it.
    pub(super) fn begin_span(&mut self, at: usize, tag: Sym, since: EventNo, seen: EventNo, order: Order) {
        let now = self.time(seen);
        let (digest, pushed_at) = (self.state.images[at].digest, self.state.images[at].pushed_at);
        let life = self.state.tag_lives.entry(tag).or_default();
        let is_first = life.spans.is_empty();
        let from = if since.is_none() && is_first { i64::MIN } else { now };
        life.begin(TagSpan::new(digest, since, from, pushed_at, order));
        if from == i64::MIN {
            // What asked for it until now was answered, for all the logs say, where no call or task says otherwise.
            life.asks.retain(|ask| ask.in_vain && ask.kind != AskKind::Pull);
        }
    }

    pub(super) fn close_span(&mut self, at: usize, tag: Sym, event: EventNo, end: TagEnd, moved_to: DigestNo) {
        let (now, digest) = (self.time(event), self.state.images[at].digest);
        let life = self.state.tag_lives.entry(tag).or_default();
        let known = life.spans.len();
        life.close(digest, now, event, end, moved_to);
        // It was on that image without an event: from when is not known, and who asked since the last may have been answered.
        let unseen = life.spans.last().filter(|span| life.spans.len() > known && span.from > i64::MIN).map(|span| span.from);
        if let Some(from) = unseen {
            let since = |ask: &&mut Ask| self.events[ask.event.index()].time >= from;
            let pulls = life.asks.iter_mut().rev().take_while(since).filter(|ask| ask.kind == AskKind::Pull);
            pulls.for_each(|ask| ask.in_vain = false);
        }
    }

    /// The image that a tag went with, while that is gone.
    pub(super) fn went_with(&self, tag: Sym) -> Option<usize> {
        self.state.tags.get(&tag)?.last_holder.filter(|at| self.state.images[*at].is_gone())
    }

    /// A pull by a tag that something has.
    pub(super) fn pulled_by_tag(&mut self, tag: Sym, event: EventNo) {
        if let Some(life) = self.state.tag_lives.get_mut(&tag) {
            life.pulled(event);
        }
    }

    /// Somebody asks for a tag that nothing has. Answers with the image that it went with, while that is gone.
    pub(super) fn ask_in_vain(&mut self, tag: Sym, event: EventNo, kind: AskKind, by: Sym) -> Option<usize> {
        let state = &mut self.state;
        let life = state.tag_lives.entry(tag).or_default();
        let last = life.spans.last().copied();
        // Where a tag is that left its image without an event, nobody knows.
        let went = last.filter(|last| last.end != Some(TagEnd::NotLogged));
        // A push that was refused because the tag is taken shows that it is, on whatever image.
        let refused = state.refused_pushes.get(&tag).map(Vec::as_slice).unwrap_or_default();
        let is_taken = refused.iter().any(|push| self.names.text(push.why).contains("TagAlreadyExists"));
        let left_out = |event: &EventNo| self.names.text(self.events[event.index()].name) == PUSH;
        let never = last.is_none() && !is_taken && !state.creations.is_empty() && !state.gaps.iter().any(left_out);
        let sure = went.is_some() || matches!(kind, AskKind::Failed | AskKind::Stopped) || never;
        let in_vain = sure && kind != AskKind::StoppedOtherwise;
        life.ask(Ask { event, kind, by, in_vain });
        let last = went?;
        let at = *state.by_digest.get(&last.digest)?;
        let image = &mut state.images[at];
        if image.is_gone() && image.losses.last().is_some_and(|loss| loss.event == last.ended_by) {
            return Some(at);
        }
        // The image is back, and the tag is not: it is still that end which is felt.
        if let Some(loss) = image.losses.iter_mut().rfind(|loss| loss.event == last.ended_by) {
            loss.asked_later.push((event, kind));
        }
        None
    }
}
