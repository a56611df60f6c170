//! Which times the log digest files of a trail cover, and where their chain has gaps.

use super::chain::{Graph, Node};
use super::name::Trail;
use super::read::Found;
use super::scope::Scope;
use crate::model::{ChainBegin, ChainGap, CoveredTime, GapCause, LogText, Timestamp};

/// CloudTrail names a log file by the time at which it was begun, and delivers it minutes later (5 on
/// average, 10 are rare). A log file named shortly before the end of a log digest file may be listed in the
/// next one.
const DELIVERY_SECONDS_MAX: i64 = 15 * 60;
/// Log digest files come every hour. Log files delivered so long after the last one should have been
/// listed.
const OVERDUE_SECONDS: i64 = 2 * 3600;

/// The times of one trail, account and region.
#[derive(Debug, Clone)]
pub struct Span<'f> {
    pub trail: &'f Trail,
    /// Where its log digest files were found: the paths before `AWSLogs/`.
    pub places: Vec<Option<&'f str>>,
    pub begins: ChainBegin,
    /// Whatever their signatures.
    times: Vec<(Timestamp, Timestamp)>,
    pub covered: Vec<CoveredTime>,
    pub gaps: Vec<ChainGap>,
}

/// What a span says about a log file that no log digest file lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It should have been listed.
    Unlisted,
    /// The next log digest file may list it.
    NotYet,
    /// Log digest files ended long before it.
    After(Timestamp),
    Before(Timestamp),
    Gap(Timestamp, Timestamp),
}

impl<'f> Span<'f> {
    /// `members`: the indexes in `nodes` of one trail's files, in order of time.
    pub fn new(
        trail: &'f Trail,
        members: &[usize],
        found: &'f [Found],
        graph: &Graph<'f>,
        nodes: &[Node],
        scope: &Scope,
    ) -> Option<Self> {
        let mut places: Vec<_> = members
            .iter()
            .filter_map(|at| Some(super::name::split(found.get(*at)?.object.raw()).map(|(before, _)| before)))
            .collect();
        places.sort_unstable();
        places.dedup();
        let is_good = |at: &usize| nodes.get(*at).is_some_and(|node| !node.is_altered());
        let mut good = members
            .iter()
            .copied()
            .filter(|at| is_good(at) && graph.file(*at).is_some_and(|file| !file.backfill));
        let first = good.next()?;
        let file = graph.file(first)?;
        let mut span = Self {
            trail,
            places,
            begins: begins(first, graph, nodes, scope),
            times: vec![(file.start, file.end)],
            covered: Vec::new(),
            gaps: Vec::new(),
        };
        span.cover(file.start, file.end, nodes.get(first).is_some_and(|node| node.proven), true);
        for at in good {
            span.extend(at, graph, nodes, scope);
        }
        Some(span)
    }

    fn extend(&mut self, at: usize, graph: &Graph<'_>, nodes: &[Node], scope: &Scope) {
        let (Some(file), Some(end)) = (graph.file(at), self.times.last().map(|(_, end)| *end)) else {
            return;
        };
        let before = file.previous.as_ref().map(|previous| (previous, graph.claimants(&previous.object)));
        let linked = before.is_some_and(|(_, files)| {
            files.iter().any(|file| nodes.get(*file).is_some_and(|node| !node.is_altered()))
        });
        let joins = linked || file.start <= end;
        if joins {
            if let Some((_, end)) = self.times.last_mut() {
                *end = (*end).max(file.end);
            }
        } else {
            let cause = match before {
                None => GapCause::StartedAnew,
                Some((previous, [])) if graph.is_replaced(&previous.object) => GapCause::Altered,
                Some((previous, [])) if scope.holds(&previous.bucket, &previous.object) => GapCause::Missing,
                Some((_, [])) => GapCause::NotInSources,
                Some(_) => GapCause::Altered,
            };
            let object = before.map(|(previous, _)| LogText::from(&*previous.object));
            self.gaps.push(ChainGap { from: end, to: file.start, cause, object });
            self.times.push((file.start, file.end));
        }
        self.cover(file.start, file.end, nodes.get(at).is_some_and(|node| node.proven), !joins);
    }

    fn cover(&mut self, from: Timestamp, to: Timestamp, signed: bool, anew: bool) {
        match self.covered.last_mut().filter(|last| !anew && (last.signed == signed || to <= last.to)) {
            Some(last) => last.to = last.to.max(to),
            None => {
                let from = self.covered.last().filter(|_| !anew).map_or(from, |last| from.max(last.to));
                self.covered.push(CoveredTime { from, to, signed });
            }
        }
    }

    /// What to say about an unlisted file that was delivered between `first` and `last`.
    pub fn say(&self, first: Timestamp, last: Timestamp) -> Said {
        if self
            .times
            .iter()
            .any(|(from, to)| first >= *from && last.plus_seconds(DELIVERY_SECONDS_MAX) <= *to)
        {
            return Said::Unlisted;
        }
        let (Some((begin, _)), Some((_, end))) = (self.times.first(), self.times.last()) else {
            return Said::NotYet;
        };
        if first < *begin {
            return Said::Before(*begin);
        }
        if last.plus_seconds(DELIVERY_SECONDS_MAX) > *end {
            return if first > end.plus_seconds(OVERDUE_SECONDS) { Said::After(*end) } else { Said::NotYet };
        }
        let before = self.times.iter().rev().find(|(from, _)| *from <= first).map_or(*begin, |(_, to)| *to);
        let after = self.times.iter().find(|(from, _)| *from > first).map_or(*end, |(from, _)| *from);
        Said::Gap(before, after)
    }
}

fn begins(first: usize, graph: &Graph<'_>, nodes: &[Node], scope: &Scope) -> ChainBegin {
    let Some(previous) = graph.file(first).and_then(|file| file.previous.as_ref()) else {
        return ChainBegin::StartingFile;
    };
    let files = graph.claimants(&previous.object);
    if graph.is_replaced(&previous.object)
        || files.iter().any(|file| nodes.get(*file).is_some_and(Node::is_altered))
    {
        return ChainBegin::Altered;
    }
    if scope.holds(&previous.bucket, &previous.object) {
        ChainBegin::Missing
    } else {
        ChainBegin::NotInSources
    }
}
