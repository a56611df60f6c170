//! JSON lines: each line stands for itself, so a bad one costs no other. Also `TIMESTAMP {json}`, as CloudWatch Logs exports.

use super::RecordSink;
use super::json::{Fault, skip_space, skip_value};
use super::walk::Walk;

/// Longest text before the JSON of a line: a time, perhaps the name of a log stream.
const PREFIX_BYTES_MAX: usize = 600;

/// Whether `text` (which begins with its first line's JSON or time) is made of lines: the first is whole and more follow.
pub(super) fn is_lines(text: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'\n', text) else { return starts_with_time(text) };
    if skip_space(text, end) == text.len() {
        return starts_with_time(text);
    }
    let line = text.get(..end).unwrap_or(text);
    json_start(line).is_some_and(|at| skip_value(line, at).is_ok_and(|value| skip_space(line, value) == line.len()))
}

/// Where the JSON of a line begins, behind white space and a time.
pub(super) fn json_start(line: &[u8]) -> Option<usize> {
    let at = skip_space(line, 0);
    match line.get(at)? {
        b'{' | b'[' => Some(at),
        b'0'..=b'9' => memchr::memchr(b'{', line).filter(|&brace| brace <= PREFIX_BYTES_MAX),
        _ => None,
    }
}

/// A time or a number of milliseconds, then JSON on the same line.
fn starts_with_time(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_digit) && {
        let line = text.split(|&byte| byte == b'\n').next().unwrap_or(text);
        json_start(line).is_some_and(|at| skip_value(line, at).is_ok())
    }
}

impl<S: RecordSink + ?Sized> Walk<'_, '_, S> {
    /// Reads `text` line by line. A fault is damage: a last line that is cut off. Other bad lines fail for themselves.
    pub(super) fn lines(&mut self, text: &[u8]) -> Result<(), Fault> {
        // A line that ends in the middle may go on in the next (a pretty-printed document among lines). Looking ahead for
        // its end is bounded, or hostile lines could make it quadratic.
        let mut look_ahead = text.len();
        let mut at = 0;
        let mut number = 0_u64;
        while at < text.len() {
            number += 1;
            let line_end = memchr::memchr(b'\n', text.get(at..).unwrap_or_default()).map_or(text.len(), |length| at + length);
            let next = self.line(text, at, line_end, number, &mut look_ahead)?;
            number += memchr::memchr_iter(b'\n', text.get(line_end.min(next)..next - 1).unwrap_or_default()).count() as u64;
            at = next;
        }
        Ok(())
    }

    /// Reads a text as lines that made no sense as documents: perhaps only some of them are bad. Whether there was anything of
    /// CloudTrail's in it; if not, the walk is as if it had not begun.
    pub(super) fn salvage_lines(&mut self, text: &[u8]) -> bool {
        if memchr::memchr(b'\n', text).is_none() {
            return false;
        }
        self.tally.restart();
        let cut = self.lines(text);
        if cut.is_err() {
            self.tally.fail("the last line is cut off".to_owned());
        }
        if !self.tally.is_recognised() {
            self.tally.restart();
        }
        self.tally.is_recognised()
    }

    /// One line, or the lines of a document that begins on it; where the next line begins.
    fn line(&mut self, text: &[u8], at: usize, end: usize, number: u64, look_ahead: &mut usize) -> Result<usize, Fault> {
        let line = text.get(..end).unwrap_or(text);
        if skip_space(line, at) >= end {
            return Ok(end + 1);
        }
        let Some(start) = json_start(line.get(at..).unwrap_or_default()).map(|offset| at + offset) else {
            self.tally.fail(format!("line {number} is no JSON"));
            return Ok(end + 1);
        };
        let before = self.tally.seen();
        match self.line_documents(line, start) {
            Ok(()) => Ok(end + 1),
            Err(fault) if fault.is_cut() && end == text.len() => Err(fault),
            Err(fault) if fault.is_cut() && before == self.tally.seen() => Ok(self.longer_document(text, start, look_ahead).unwrap_or_else(|| {
                self.tally.fail(bad_line(number, fault));
                end + 1
            })),
            Err(fault) => {
                self.tally.fail(bad_line(number, fault));
                Ok(end + 1)
            }
        }
    }

    fn line_documents(&mut self, line: &[u8], start: usize) -> Result<(), Fault> {
        let mut at = start;
        while at < line.len() {
            at = skip_space(line, self.document(line, at)?);
        }
        Ok(())
    }

    /// A document that begins on a line and ends on a later one; its end.
    fn longer_document(&mut self, text: &[u8], start: usize, look_ahead: &mut usize) -> Option<usize> {
        if *look_ahead == 0 {
            return None;
        }
        let tried = skip_value(text, start);
        let reached = tried.unwrap_or_else(|fault| fault.offset);
        *look_ahead = look_ahead.saturating_sub(reached.saturating_sub(start));
        tried.ok().and_then(|_| self.document(text, start).ok())
    }
}

fn bad_line(number: u64, fault: Fault) -> String {
    format!("line {number} is no JSON: {} at byte {}", fault.reason, fault.offset)
}
