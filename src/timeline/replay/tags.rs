//! What becomes of tags, and of requests for a tag that no image has.

use super::Replay;
use crate::model::{Order, TagEnd};
use crate::timeline::names::{DigestNo, EventNo, Sym};
use crate::timeline::tags::{Ask, AskKind, TagSpan};

impl Replay<'_> {
    /// Begins a span of `tag` on the image at `at`: since the event `since`, or, without one, since before
    /// `seen` showed it.
    pub(super) fn begin_span(&mut self, at: usize, tag: Sym, since: EventNo, seen: EventNo, order: Order) {
        let now = self.time(seen);
        let (digest, pushed_at) = (self.state.images[at].digest, self.state.images[at].pushed_at);
        let life = self.state.tag_lives.entry(tag).or_default();
        let is_first = life.spans.is_empty();
        let from = if since.is_none() && is_first { i64::MIN } else { now };
        life.begin(TagSpan::new(digest, since, from, pushed_at, order));
        if from == i64::MIN {
            // The image may have had the tag since before the logs. So the pulls by the tag until now count as
            // answered; only failed calls and stopped tasks show the opposite.
            life.asks.retain(|ask| ask.in_vain && ask.kind != AskKind::Pull);
        }
    }

    pub(super) fn close_span(
        &mut self,
        at: usize,
        tag: Sym,
        event: EventNo,
        end: TagEnd,
        moved_to: DigestNo,
    ) {
        let (now, digest) = (self.time(event), self.state.images[at].digest);
        let life = self.state.tag_lives.entry(tag).or_default();
        let known = life.spans.len();
        life.close(digest, now, event, end, moved_to);
        // The tag came to that image without an event. Since when is not known, so requests since the last
        // span may have been answered.
        let unseen = life
            .spans
            .last()
            .filter(|span| life.spans.len() > known && span.from > i64::MIN)
            .map(|span| span.from);
        if let Some(from) = unseen {
            let since = |ask: &&mut Ask| self.events[ask.event.index()].time >= from;
            let pulls = life.asks.iter_mut().rev().take_while(since).filter(|ask| ask.kind == AskKind::Pull);
            pulls.for_each(|ask| ask.in_vain = false);
        }
    }

    /// The image that the tag was lost with, while that image is gone.
    pub(super) fn went_with(&self, tag: Sym) -> Option<usize> {
        self.state.tags.get(&tag)?.last_holder.filter(|at| self.state.images[*at].is_gone())
    }

    /// A pull by a tag that an image has.
    pub(super) fn pulled_by_tag(&mut self, tag: Sym, event: EventNo) {
        if let Some(life) = self.state.tag_lives.get_mut(&tag) {
            life.pulled(event);
        }
    }

    /// A request for a tag that no image has. Returns the image that the tag was lost with, while that
    /// image is gone.
    pub(super) fn ask_in_vain(&mut self, tag: Sym, event: EventNo, kind: AskKind, by: Sym) -> Option<usize> {
        let state = &self.state;
        let last = state.tag_lives.get(&tag).and_then(|life| life.spans.last().copied());
        // If a tag left its image without an event, nobody knows where it is.
        let went = last.filter(|last| last.end != Some(TagEnd::NotLogged));
        // A push that ECR refused because the tag exists shows that some image has it.
        let refused = state.refused_pushes.get(&tag).map(Vec::as_slice).unwrap_or_default();
        let is_taken = refused.iter().any(|push| self.names.text(push.why).contains("TagAlreadyExists"));
        // What has been replayed lies before this event, whatever its time.
        let all_known = || state.knows_all_pushes(i64::MAX, self.events, self.names);
        let never = last.is_none() && !is_taken && all_known();
        let sure = went.is_some() || matches!(kind, AskKind::Failed | AskKind::Stopped) || never;
        let in_vain = sure && kind != AskKind::StoppedOtherwise;
        let state = &mut self.state;
        state.tag_lives.entry(tag).or_default().ask(Ask { event, kind, by, in_vain });
        let last = went?;
        let at = *state.by_digest.get(&last.digest)?;
        let image = &mut state.images[at];
        if image.is_gone() && image.losses.last().is_some_and(|loss| loss.event == last.ended_by) {
            return Some(at);
        }
        // The image came back without the tag: the request still fails because of that loss.
        if let Some(loss) = image.losses.iter_mut().rfind(|loss| loss.event == last.ended_by) {
            loss.asked_later.push((event, kind));
        }
        None
    }
}
