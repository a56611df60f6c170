//! JSON lines: each line stands for itself, so a bad one costs no other. Also lines that have something before their JSON:
//! `TIMESTAMP {json}` of CloudWatch Logs, the head of syslog, the columns of the AWS CLI's text output.

use super::RecordSink;
use super::json::{Fault, skip_between, skip_space, skip_value};
use super::walk::Walk;

/// Longest text before the JSON of a line: a time, the name of a log stream, the columns of a table.
const PREFIX_BYTES_MAX: usize = 600;
/// So many braces before the JSON of a line are tried.
const BRACES_MAX: usize = 4;

/// Where the JSON of a line begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub at: usize,
    /// Something else stands before it. What stands behind it is of the same kind, then.
    prefixed: bool,
}

/// Whether `text` (which begins with its first line) is made of lines: the first is whole and more follow, or it has something
/// before its JSON.
pub(super) fn is_lines(text: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    let line = text.get(..end).unwrap_or(text);
    let Some(start) = json_start(line) else { return false };
    let Ok(value) = skip_value(line, start.at) else { return false };
    let more = skip_between(text, end) < text.len();
    start.prefixed || more && skip_between(line, value) == line.len()
}

/// Where the JSON of a line begins, behind white space and whatever a tool writes before it.
pub(super) fn json_start(line: &[u8]) -> Option<Start> {
    let at = skip_between(line, 0);
    let is_json = match line.get(at)? {
        b'{' => true,
        b'[' => begins_list(line, at),
        b'"' => line.get(at + 1) == Some(&b'{'),
        _ => false,
    };
    if is_json {
        return Some(Start { at, prefixed: false });
    }
    let near = line.get(..line.len().min(PREFIX_BYTES_MAX + 1)).unwrap_or(line);
    let braces = || memchr::memchr_iter(b'{', near).take(BRACES_MAX);
    let whole = braces().find(|&brace| skip_value(line, brace).is_ok());
    let at = whole.or_else(|| braces().next())?;
    // Members of an object that began on an earlier line.
    let fragment = memchr::memmem::find(line.get(..at).unwrap_or_default(), b"\":").is_some();
    (!fragment).then_some(Start { at, prefixed: true })
}

/// Whether the bracket at `at` opens a list, and not a time or a level that stands in brackets before the JSON.
fn begins_list(line: &[u8], at: usize) -> bool {
    let first = skip_between(line, at + 1);
    if matches!(line.get(first), None | Some(b'{' | b'[' | b']' | b'"')) {
        return true;
    }
    let Ok(end) = skip_value(line, first) else { return false };
    let is_list = matches!(line.get(skip_space(line, end)), None | Some(b',' | b']'));
    // `[7] {…}`: the number of a process, say.
    let before_json = skip_value(line, at).is_ok_and(|end| line.get(skip_space(line, end)) == Some(&b'{'));
    is_list && !before_json
}

/// Lines that are known to belong to the way in which records came, and to be none: comments, what was typed at a prompt, the
/// head that `aws logs tail` writes before each event, rows of the AWS CLI's text output, brackets of a list.
fn is_no_record(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let begins = |starts: &[&[u8]]| starts.iter().any(|start| line.starts_with(start));
    let word = line.split(|byte| *byte == b'\t').next().unwrap_or_default();
    let is_row = word.len() > 3 && word.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    let is_brackets = line.iter().all(|byte| matches!(byte, b'[' | b']' | b'}' | b',' | b' '));
    let is_prompt = begins(&[b"$ ", b"# ", b"% ", b"> ", b"PS ", b"C:\\"])
        || line.contains(&b'@') && [&b"$ "[..], b"# ", b"% "].iter().any(|sign| memchr::memmem::find(line, sign).is_some());
    begins(&[b"#", b"//", b"--", b"==="]) || is_row || is_brackets || is_prompt || is_dated(line)
}

/// Whether a line begins with a date, and is made of words.
fn is_dated(line: &[u8]) -> bool {
    let date = |text: &str| chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
    let starts = line.get(..10).and_then(|start| std::str::from_utf8(start).ok()).is_some_and(date);
    starts && matches!(line.get(10), None | Some(b'T' | b' ' | b'\t')) && memchr::memchr2(b'"', b'}', line).is_none()
}

/// Whether `text` begins inside of a record: the tail of a file, a part of what stood in a terminal. Where the next line
/// is whole again, lines are the better reading.
fn begins_inside(text: &[u8]) -> bool {
    let mut lines = text.splitn(3, |byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let is_whole = |line: &[u8]| line.first() == Some(&b'{') && skip_value(line, 0).is_ok();
    let begins = text.get(skip_between(text, 0)).is_some_and(|byte| !matches!(byte, b'{' | b'['));
    begins
        && (memchr::memmem::find(first, b"\":").is_some() || matches!(first.trim_ascii().first(), Some(b'}' | b']')))
        && !lines.next().is_some_and(is_whole)
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
        if memchr::memchr(b'\n', text).is_none() || begins_inside(text) {
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

    /// Reads a text that begins inside of a record: what stands before the first whole one is damage. Whether there was anything
    /// of CloudTrail's in it; if not, the walk is as if it had not begun.
    pub(super) fn salvage_inside(&mut self, text: &[u8], fault: Fault) -> bool {
        if !begins_inside(text) {
            return false;
        }
        self.tally.restart();
        self.search(text, 0);
        if !self.tally.is_recognised() {
            self.tally.restart();
            return false;
        }
        self.tally.damaged(format!("the text begins in the middle of a record, which cannot be read: {} at byte {}", fault.reason, fault.offset));
        true
    }

    /// One line, or the lines of a document that begins on it; where the next line begins.
    fn line(&mut self, text: &[u8], at: usize, end: usize, number: u64, look_ahead: &mut usize) -> Result<usize, Fault> {
        let line = text.get(..end).unwrap_or(text);
        if skip_between(line, at) >= end {
            return Ok(end + 1);
        }
        let Some(start) = json_start(line.get(at..).unwrap_or_default()) else {
            if is_no_record(line.get(at..).unwrap_or_default()) {
                self.tally.pass_line();
            } else {
                self.tally.fail(format!("line {number} is no JSON"));
            }
            return Ok(end + 1);
        };
        let (prefixed, start) = (start.prefixed, at + start.at);
        let before = self.tally.seen();
        match self.line_documents(line, start, prefixed) {
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

    /// The documents of a line. What follows the one of a line that has something before it, is passed over.
    fn line_documents(&mut self, line: &[u8], start: usize, prefixed: bool) -> Result<(), Fault> {
        let mut at = start;
        while at < line.len() {
            at = skip_between(line, self.document(line, at)?);
            if prefixed && line.get(at) != Some(&b'{') {
                break;
            }
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
