//! Steps through the documents of a text: past an element, into a list of records, out of it again.
//!
//! A step has the same result whether the whole text is in memory or only a part of it: if the part is not
//! enough to decide, the step waits for more. So the result does not depend on how a text is divided. A bad
//! element of a list is skipped alone.

use super::RecordSink;
use super::fields::{Fields, excerpt, plain};
use super::json::{
    Fault, Members, Strings, member, skip_brackets, skip_space, skip_space_and_marks, skip_value,
};
use super::walk::{Walk, is_encoded, kind_of};

/// Maximum distance in which the end of a broken element is searched for.
pub(super) const REACH_BYTES: usize = 1 << 20;

/// What an element may be, by where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementContext {
    /// Anything that may be a document of its own.
    Top,
    /// Inside a top-level array: containers, but no further arrays.
    Listed,
    /// Inside `Records`, `Events`, `logEvents`: events.
    Contained,
}

/// What surrounds the next element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// `due`: an element has ended, so a comma or the end of the list is next.
    List { place: ElementContext, due: bool },
    /// A document, after its list of records: other members may follow.
    Object,
}

/// How far a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    On(usize),
    /// More text is needed from this position on.
    Wait(usize),
}

/// A part of a text, from which the next elements are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'t> {
    pub text: &'t [u8],
    /// Whether it is the last part.
    pub ended: bool,
}

impl Part<'_> {
    /// A fault; unless the text may continue in the next part, then the step waits.
    fn or_wait(self, at: usize, fault: Fault) -> Result<Step, Fault> {
        if fault.is_cut() && !self.ended { Ok(Step::Wait(at)) } else { Err(fault) }
    }

    /// Whether a value that ends at `end` may continue in the next part.
    fn may_go_on(self, end: usize) -> bool {
        !self.ended && end == self.text.len()
    }
}

impl<S: RecordSink + ?Sized> Walk<'_, '_, S> {
    /// Reads the document at `at`; returns its end.
    pub(super) fn document(&mut self, text: &[u8], at: usize) -> Result<usize, Fault> {
        let (mut around, mut at) = (Vec::new(), at);
        loop {
            at = match self.step(&mut around, Part { text, ended: true }, at)? {
                Step::On(at) => at,
                Step::Wait(_) => return Err(Fault::cut(text)),
            };
            if around.is_empty() {
                return Ok(at);
            }
        }
    }

    /// Makes one step from `at` on. A fault means that the surrounding list or document cannot be read
    /// further.
    pub(super) fn step(
        &mut self,
        around: &mut Vec<Around>,
        part: Part<'_>,
        at: usize,
    ) -> Result<Step, Fault> {
        match around.last().copied() {
            None => self.begin(around, part, at, ElementContext::Top),
            Some(Around::List { place, due }) => self.in_list(around, part, at, place, due),
            Some(Around::Object) => self.in_object(around, part, at),
        }
    }

    /// Reads an element that begins at `at`.
    fn begin(
        &mut self,
        around: &mut Vec<Around>,
        part: Part<'_>,
        at: usize,
        place: ElementContext,
    ) -> Result<Step, Fault> {
        let text = part.text;
        let result = match text.get(at) {
            Some(b'{') => self.object(around, text, at, place),
            Some(b'[') if place == ElementContext::Top => {
                around.push(Around::List { place: ElementContext::Listed, due: false });
                Ok(at + 1)
            }
            _ => match skip_value(text, at) {
                Ok(end) if part.may_go_on(end) => return Ok(Step::Wait(at)),
                // Words and numbers at the beginning: the text may consist of lines that begin with a time.
                Ok(end)
                    if place == ElementContext::Top
                        && !self.counts.is_recognised()
                        && !is_encoded(text, at)
                        && text.get(at) != Some(&b'[') =>
                {
                    Err(Fault::expected_object(text, at, end))
                }
                Ok(end) => {
                    self.no_object(text, at, end);
                    Ok(end)
                }
                Err(fault) => Err(fault),
            },
        };
        result.map(Step::On).or_else(|fault| part.or_wait(at, fault))
    }

    /// Reads an object: a container, whose list comes next, or an event.
    fn object(
        &mut self,
        around: &mut Vec<Around>,
        text: &[u8],
        at: usize,
        place: ElementContext,
    ) -> Result<usize, Fault> {
        let mut fields = Fields::none();
        let mut members = Members::of(text, at);
        while let Some(member) = members.next()? {
            if place != ElementContext::Contained && is_container(text, &member.key, member.value) {
                self.counts.list();
                around
                    .extend([Around::Object, Around::List { place: ElementContext::Contained, due: false }]);
                return Ok(member.value + 1);
            }
            let end = skip_value(text, member.value)?;
            fields.note(text, member.key, member.value..end);
            members.go_on(end);
        }
        self.event(text, at..members.end(), &fields);
        Ok(members.end())
    }

    /// Reads another value in the place of an event: an event as a string, a list with events, or neither.
    fn no_object(&mut self, text: &[u8], at: usize, end: usize) {
        let value = text.get(at..end).unwrap_or_default();
        let is_wrapped = match value.first() {
            Some(b'"') if is_encoded(text, at) => {
                self.embedded(&plain(text.get(at + 1..end - 1).unwrap_or_default()));
                true
            }
            Some(b'"' | b'[') => self.anywhere(text, at..end),
            _ => false,
        };
        if is_time_beside(text, at, end) {
            self.counts.pass_line();
        } else if !is_wrapped {
            self.counts.fail_foreign(format!(
                "{} where an event should stand: {}",
                kind_of(value),
                excerpt(value)
            ));
        }
    }

    fn in_list(
        &mut self,
        around: &mut Vec<Around>,
        part: Part<'_>,
        at: usize,
        place: ElementContext,
        due: bool,
    ) -> Result<Step, Fault> {
        let text = part.text;
        let at = skip_space_and_marks(text, at);
        let set_due = |around: &mut Vec<Around>, due: bool| {
            if let Some(last) = around.last_mut() {
                *last = Around::List { place, due };
            }
        };
        match text.get(at) {
            None => part.or_wait(at, Fault::cut(text)),
            // The beginning of a byte order mark.
            Some(0xef) if text.len() - at < 3 && !part.ended => Ok(Step::Wait(at)),
            Some(b']') => {
                around.pop();
                Ok(Step::On(at + 1))
            }
            Some(b',') if due => {
                set_due(around, false);
                Ok(Step::On(at + 1))
            }
            // An empty element is an error; a comma after the last element is accepted.
            Some(b',') => {
                self.counts.fail(Fault::expected_value(at).into());
                Ok(Step::On(at + 1))
            }
            Some(b'{') if due => {
                self.counts.damaged(Fault::expected_comma(at).into());
                set_due(around, false);
                Ok(Step::On(at))
            }
            Some(_) if due => Err(Fault::expected_comma(at)),
            Some(_) => {
                set_due(around, true);
                let depth = around.len();
                let step =
                    self.begin(around, part, at, place).or_else(|fault| self.pass_broken(part, at, fault));
                if matches!(step, Ok(Step::Wait(_))) {
                    around.truncate(depth);
                    set_due(around, false);
                }
                step
            }
        }
    }

    /// Skips an element that is not valid JSON, if its brackets show where it ends and the list continues
    /// after it.
    fn pass_broken(&mut self, part: Part<'_>, at: usize, fault: Fault) -> Result<Step, Fault> {
        if fault.is_cut() {
            return Err(fault);
        }
        if !part.ended && part.text.len() - at < self.reach_bytes {
            return Ok(Step::Wait(at));
        }
        let near = part.text.get(..part.text.len().min(at + self.reach_bytes)).unwrap_or(part.text);
        let within_lines = skip_brackets(near, at, Strings::WithinLines)
            .filter(|&end| matches!(near.get(skip_space(near, end)), Some(b',' | b']')));
        let end = within_lines
            .or_else(|| skip_brackets(near, at, Strings::OverLines).filter(|&end| goes_on(near, end)))
            .ok_or(fault)?;
        self.counts.fail(fault.into());
        Ok(Step::On(end))
    }

    /// Reads what follows the list of records in a document.
    fn in_object(&mut self, around: &mut Vec<Around>, part: Part<'_>, at: usize) -> Result<Step, Fault> {
        let text = part.text;
        let at = skip_space(text, at);
        match text.get(at) {
            None => part.or_wait(at, Fault::cut(text)),
            Some(b'}') => {
                around.pop();
                Ok(Step::On(at + 1))
            }
            Some(b',') => match member(text, skip_space(text, at + 1)) {
                Ok(member) if is_container(text, &member.key, member.value) => {
                    around.push(Around::List { place: ElementContext::Contained, due: false });
                    Ok(Step::On(member.value + 1))
                }
                Ok(member) => match skip_value(text, member.value) {
                    Ok(end) if part.may_go_on(end) => Ok(Step::Wait(at)),
                    Ok(end) => Ok(Step::On(end)),
                    Err(fault) => part.or_wait(at, fault),
                },
                Err(fault) => part.or_wait(at, fault),
            },
            Some(_) => Err(Fault::expected_brace(at)),
        }
    }
}

/// Whether this number is a time in seconds in a list of two, followed by an object: Fluent Bit writes events
/// so.
fn is_time_beside(text: &[u8], at: usize, end: usize) -> bool {
    const SECONDS_MIN: f64 = 1e9;
    let seconds = text.get(at..end).and_then(|number| std::str::from_utf8(number).ok()?.parse::<f64>().ok());
    let around =
        text.get(..at).unwrap_or_default().trim_ascii_end().strip_suffix(b"[").map(<[u8]>::trim_ascii_end);
    let object = skip_space(text, skip_space(text, end) + 1);
    seconds.is_some_and(|seconds| seconds >= SECONDS_MIN)
        // A list that is a member of an object is a container's.
        && around.is_some_and(|around| !around.ends_with(b":"))
        && text.get(skip_space(text, end)) == Some(&b',')
        && text.get(object) == Some(&b'{')
        && skip_value(text, object).is_ok_and(|end| text.get(skip_space(text, end)) == Some(&b']'))
}

/// Whether the list really ends after `end`, or continues with an object. If a string contained a line end,
/// it may have lost its closing quote, and then brackets are not reliable.
fn goes_on(text: &[u8], end: usize) -> bool {
    let at = skip_space(text, end);
    let next = skip_space(text, at + 1);
    match text.get(at) {
        Some(b']') => true,
        Some(b',') => text.get(next) == Some(&b'{') && matches!(Members::of(text, next).next(), Ok(Some(_))),
        _ => false,
    }
}

/// Whether this member is the list of a container.
pub(super) fn is_container(text: &[u8], key: &std::ops::Range<usize>, value: usize) -> bool {
    let key = plain(text.get(key.clone()).unwrap_or_default());
    matches!(&*key, b"Records" | b"records" | b"Events" | b"events" | b"logEvents")
        && text.get(value) == Some(&b'[')
}
