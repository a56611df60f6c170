//! JSON lines: each line counts for itself, so a bad one costs no other. Also lines with something before
//! their JSON: `TIMESTAMP {json}` of CloudWatch Logs, the header of syslog, columns of the AWS CLI's text
//! output.

use super::RecordSink;
use super::describe;
use super::fields::excerpt;
use super::json::{Fault, Members, skip_between, skip_space, skip_value};
use super::reader::{Piece, Reader, Way, behind};
use super::search::{Found, find_at, find_document};
use super::steps::{Part, is_container};
use super::walk::Walk;

/// Longest text before the JSON of a line: a time, a log stream's name, columns of a table.
const PREFIX_BYTES_MAX: usize = 600;
/// Maximum number of braces that are tried as the beginning of a line's JSON.
const BRACES_MAX: usize = 4;

/// Where the JSON of a line begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub at: usize,
    /// There is other text before it; then there may be other text after it as well.
    pub prefixed: bool,
}

/// Whether a text that begins with `head` consists of lines: its first line is complete and more follow, or
/// has text before its JSON. `whole`: nothing follows `head`.
pub(super) fn is_lines(head: &[u8], whole: bool) -> bool {
    let end = memchr::memchr(b'\n', head);
    let line = head.get(..end.unwrap_or(head.len())).unwrap_or(head);
    let Some(start) = json_start(line) else { return false };
    let value = match skip_value(line, start.at) {
        Ok(value) => value,
        // The line is longer than what is examined.
        Err(fault) => return start.prefixed && fault.is_cut() && end.is_none() && !whole,
    };
    let more = !whole || end.is_some_and(|end| skip_between(head, end) < head.len());
    start.prefixed || more && skip_between(line, value) == line.len()
}

/// Whether lines of `text` contain anything of CloudTrail's.
pub(super) fn holds_lines(text: &[u8]) -> bool {
    memchr::memchr(b'\n', text).is_some()
        && (find_document(text, 0).is_some() || memchr::memmem::find(text, b"eventName").is_some())
}

/// Where the JSON of a line begins, after white space and whatever a tool writes before it.
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
    // An empty object belongs to the tool: labels that nobody set.
    let is_whole = |&brace: &usize| {
        line.get(skip_space(line, brace + 1)) != Some(&b'}') && skip_value(line, brace).is_ok()
    };
    let whole = braces().find(is_whole);
    let at = whole.or_else(|| braces().next())?;
    // Members of an object that began on an earlier line.
    let fragment = memchr::memmem::find(line.get(..at).unwrap_or_default(), b"\":").is_some();
    (!fragment).then_some(Start { at, prefixed: true })
}

/// Whether the bracket at `at` opens a list, and not a time or level in brackets before the JSON.
fn begins_list(line: &[u8], at: usize) -> bool {
    let first = skip_between(line, at + 1);
    if matches!(line.get(first), None | Some(b'{' | b'[' | b']' | b'"')) {
        return true;
    }
    let Ok(end) = skip_value(line, first) else { return false };
    let is_list = matches!(line.get(skip_space(line, end)), None | Some(b',' | b']'));
    // `[7] {…}`, `[0] name: {…}`: the number of a process, say.
    let before_other = skip_value(line, at)
        .is_ok_and(|end| line.get(skip_between(line, end)).is_some_and(|next| !matches!(next, b'[' | b']')));
    is_list && !before_other
}

/// Whether a line is known not to be a record: a comment, a command at a prompt, the header that `aws logs
/// tail` writes before each event, a row of the AWS CLI's text output, a bracket of a list.
fn is_no_record(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let begins = |starts: &[&[u8]]| starts.iter().any(|start| line.starts_with(start));
    let word = line.split(|byte| *byte == b'\t').next().unwrap_or_default();
    let is_row = word.len() > 3 && word.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    let is_brackets = line.iter().all(|byte| matches!(byte, b'[' | b']' | b'}' | b',' | b' '));
    let is_prompt = begins(&[b"$ ", b"# ", b"% ", b"> ", b"PS ", b"C:\\"])
        || line.contains(&b'@')
            && [&b"$ "[..], b"# ", b"% "].iter().any(|sign| memchr::memmem::find(line, sign).is_some());
    begins(&[b"#", b"//", b"--", b"===", b"==>"]) || is_row || is_brackets || is_prompt || is_dated(line)
}

/// Whether a line begins with a date and goes on with words.
fn is_dated(line: &[u8]) -> bool {
    let date = |text: &str| chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
    let starts = line.get(..10).and_then(|start| std::str::from_utf8(start).ok()).is_some_and(date);
    starts
        && matches!(line.get(10), None | Some(b'T' | b' ' | b'\t'))
        && memchr::memchr2(b'"', b'}', line).is_none()
}

/// Whether `text` begins inside of a record: the tail of a file, a part of what a terminal showed. If the
/// next line is complete again, the text is read as lines.
pub(super) fn begins_inside(text: &[u8]) -> bool {
    let mut lines = text.splitn(3, |byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let is_whole = |line: &[u8]| line.first() == Some(&b'{') && skip_value(line, 0).is_ok();
    let begins = text.get(skip_between(text, 0)).is_some_and(|byte| !matches!(byte, b'{' | b'['));
    begins
        && (memchr::memmem::find(first, b"\":").is_some()
            || matches!(first.trim_ascii().first(), Some(b'}' | b']')))
        && !lines.next().is_some_and(is_whole)
}

impl Reader {
    /// Reads the line at `at`, or the rest of one. A bad line fails alone; the last one is damage if it is
    /// cut off.
    pub(super) fn line<S: RecordSink + ?Sized>(
        &mut self,
        piece: Piece<'_>,
        at: usize,
        walk: &mut Walk<'_, '_, S>,
    ) -> Way {
        let Part { text, ended } = piece.part;
        if at >= text.len() {
            return if ended { Way::End } else { Way::Wait(at) };
        }
        let end = memchr::memchr(b'\n', text.get(at..).unwrap_or_default()).map(|length| at + length);
        if end.unwrap_or(text.len()) - at > walk.reach_bytes {
            // A list may be longer than what fits into memory: it is read as a document.
            let start = json_start(text.get(at..at + walk.reach_bytes).unwrap_or_default())
                .map(|start| at + start.at);
            if let Some(start) = start
                .filter(|&start| find_at(text, start) == Found::Document && begins_with_list(text, start))
            {
                return walk
                    .step(&mut self.around, piece.part, start)
                    .map_or_else(|fault| self.lost_line(piece, start, fault, walk), Way::from);
            }
        }
        let end = match end {
            Some(end) => end,
            None if !ended => return Way::Wait(at),
            None => text.len(),
        };
        let line = text.get(..end).unwrap_or(text);
        if skip_between(line, at) >= end {
            return self.next_line(end);
        }
        let Some(start) = json_start(line.get(at..).unwrap_or_default()) else {
            if is_no_record(line.get(at..).unwrap_or_default()) {
                walk.counts.pass_line();
            } else {
                let said = excerpt(line.get(at..).unwrap_or_default().trim_ascii());
                walk.counts.fail(format!("line {} is no JSON: {said}", self.lines + 1));
            }
            return self.next_line(end);
        };
        let (prefixed, start) = (start.prefixed, at + start.at);
        let before = walk.counts.seen();
        match walk.line_documents(line, start, prefixed) {
            Ok(()) => self.next_line(end),
            Err(fault) if fault.is_cut() && end == text.len() => {
                self.damaged(describe(fault.from(piece.base), walk.counts.records()));
                Way::End
            }
            Err(fault) if fault.is_cut() && before == walk.counts.seen() => {
                self.longer_document(piece, start, end, fault, walk)
            }
            Err(fault) => {
                walk.counts.fail(bad_line(self.lines + 1, fault.from(piece.base)));
                walk.line_behind(line, behind(fault, start));
                self.next_line(end)
            }
        }
    }

    fn next_line(&mut self, end: usize) -> Way {
        self.lines += 1;
        Way::On(end + 1)
    }

    /// A document that begins on a line and may end on a later one.
    fn longer_document<S: RecordSink + ?Sized>(
        &mut self,
        piece: Piece<'_>,
        start: usize,
        end: usize,
        fault: Fault,
        walk: &mut Walk<'_, '_, S>,
    ) -> Way {
        let Part { text, ended } = piece.part;
        if begins_with_list(text, start) {
            return walk
                .step(&mut self.around, piece.part, start)
                .map_or_else(|fault| self.lost_line(piece, start, fault, walk), Way::from);
        }
        let near = text.get(..text.len().min(start + walk.reach_bytes)).unwrap_or(text);
        let tried =
            if self.may_try(piece.base + start as u64) { skip_value(near, start) } else { Err(fault) };
        match tried {
            Err(cut)
                if cut.is_cut() && cut.offset > end && !ended && text.len() - start < walk.reach_bytes =>
            {
                return Way::Wait(start);
            }
            Err(cut) => self.tried(cut.offset.saturating_sub(start)),
            Ok(_) => {
                if let Ok(behind) = walk.document(text, start) {
                    self.lines += memchr::memchr_iter(b'\n', text.get(start..behind).unwrap_or_default())
                        .count() as u64;
                    return Way::On(behind);
                }
            }
        }
        walk.counts.fail(bad_line(self.lines + 1, fault.from(piece.base)));
        self.next_line(end)
    }

    /// A list that began on a line cannot be read further: the next line counts for itself again.
    pub(super) fn lost_line<S: RecordSink + ?Sized>(
        &mut self,
        piece: Piece<'_>,
        at: usize,
        fault: Fault,
        walk: &mut Walk<'_, '_, S>,
    ) -> Way {
        let Part { text, .. } = piece.part;
        if fault.is_cut() {
            self.damaged(describe(fault.from(piece.base), walk.counts.records()));
            return Way::End;
        }
        walk.counts.fail(bad_line(self.lines + 1, fault.from(piece.base)));
        // What follows on the same line is read as a line of its own.
        Way::On(behind(fault, at).min(text.len()))
    }
}

impl<S: RecordSink + ?Sized> Walk<'_, '_, S> {
    /// The documents on a line. On a line with text before its document, more documents of the same kind
    /// may follow.
    fn line_documents(&mut self, line: &[u8], start: usize, prefixed: bool) -> Result<(), Fault> {
        let mut at = start;
        while at < line.len() {
            at = skip_between(line, self.document(line, at)?);
            if prefixed && line.get(at) != Some(&b'{') {
                let Some(next) = find_document(line, at) else { break };
                at = next;
            }
        }
        Ok(())
    }

    /// Anything else on a line after damage.
    fn line_behind(&mut self, line: &[u8], at: usize) {
        let mut next = find_document(line, at);
        while let Some(at) = next {
            next = find_document(line, self.document(line, at).unwrap_or_else(|fault| behind(fault, at)));
        }
    }
}

/// Whether the document at `start` is a list, or begins with a list of records as its first member.
fn begins_with_list(text: &[u8], start: usize) -> bool {
    match text.get(start) {
        Some(b'[') => true,
        Some(b'{') => {
            matches!(Members::of(text, start).next(), Ok(Some(member)) if is_container(text, &member.key, member.value))
        }
        _ => false,
    }
}

fn bad_line(number: u64, fault: Fault) -> String {
    format!("line {number} is no JSON: {} at byte {}", fault.reason, fault.offset)
}
