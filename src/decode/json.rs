//! A cursor over JSON text that finds where values end, and checks the grammar without building anything.
//!
//! Works on bytes: each record that is found is checked for UTF-8 once.

use std::ops::Range;

/// Deepest nesting of arrays and objects, the same as serde_json's limit.
pub(crate) const DEPTH_MAX: u32 = 127;

/// Where the text stops being JSON, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub offset: usize,
    pub reason: &'static str,
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        format!("not JSON: {} at byte {}", fault.reason, fault.offset)
    }
}

/// The reason of a fault at the end of the text: nothing is wrong except that the text ends.
pub(super) const CUT: &str = "the text ends in the middle";

impl Fault {
    const fn new(offset: usize, reason: &'static str) -> Self {
        Self { offset, reason }
    }

    /// The text ends too early.
    pub(super) const fn cut(text: &[u8]) -> Self {
        Self::new(text.len(), CUT)
    }

    pub(super) const fn expected_value(at: usize) -> Self {
        Self::new(at, "expected a value")
    }

    /// There is a word or a number at the top level.
    pub(super) fn expected_object(text: &[u8], at: usize, end: usize) -> Self {
        let is_all = skip_space(text, end) == text.len();
        Self::new(
            at,
            if is_all { "a word or a number, and no object" } else { "expected an object or a list" },
        )
    }

    pub(super) const fn expected_comma(at: usize) -> Self {
        Self::new(at, "expected `,` or `]`")
    }

    pub(super) const fn expected_brace(at: usize) -> Self {
        Self::new(at, "expected `,` or `}`")
    }

    /// The same with a position in the whole text, of which this part begins at `base`.
    pub(super) const fn from(self, base: u64) -> Self {
        Self::new(self.offset + base as usize, self.reason)
    }

    /// Whether the text is valid as far as it goes.
    pub(super) fn is_cut(self) -> bool {
        std::ptr::eq(self.reason, CUT) || self.reason == CUT
    }
}

/// A fault at `at`: `reason`, or that the text ends there.
fn fault<T>(text: &[u8], at: usize, reason: &'static str) -> Result<T, Fault> {
    if at >= text.len() { Err(Fault::new(text.len(), CUT)) } else { Err(Fault::new(at, reason)) }
}

/// The first position from `at` on that is not white space.
pub(crate) fn skip_space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = text.get(at) {
        at += 1;
        // Lines are often indented.
        while text.get(at..at + 8) == Some(b"        ") {
            at += 8;
        }
    }
    at
}

/// The text from a member's value on; `at` is behind the quotes of its name.
#[inline(always)]
pub(super) fn value_behind(text: &[u8], at: usize) -> &[u8] {
    text.get(skip_space(text, skip_space(text, at) + 1)..).unwrap_or_default()
}

/// As [`skip_space`], between documents and list elements, where tools leave more than white space: byte order
/// marks of joined files, commas of a list without its brackets, the record separators of RFC 7464, zeros that
/// fill up a block, and DOS's end-of-file character.
pub(super) fn skip_between(text: &[u8], mut at: usize) -> usize {
    loop {
        at = skip_space(text, at);
        at += match text.get(at) {
            Some(b',' | 0x1e | 0 | 0x1a) => 1,
            Some(0xef) if text.get(at..at + 3) == Some(BYTE_ORDER_MARK) => 3,
            _ => return at,
        };
    }
}

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// White space and byte order marks.
pub(super) fn skip_space_and_marks(text: &[u8], mut at: usize) -> usize {
    at = skip_space(text, at);
    while text.get(at) == Some(&0xef) && text.get(at..at + 3) == Some(BYTE_ORDER_MARK) {
        at = skip_space(text, at + 3);
    }
    at
}

/// The end of the value at `at`, which must not be white space.
pub(crate) fn skip_value(text: &[u8], at: usize) -> Result<usize, Fault> {
    skip_value_within(text, at, DEPTH_MAX)
}

/// The same for a value that may be nested `depth_max` deep.
pub(crate) fn skip_value_within(text: &[u8], at: usize, depth_max: u32) -> Result<usize, Fault> {
    match text.get(at) {
        Some(b'{' | b'[') => skip_nested(text, at, depth_max),
        _ => skip_scalar(text, at),
    }
}

fn skip_scalar(text: &[u8], at: usize) -> Result<usize, Fault> {
    match text.get(at) {
        Some(b'"') => skip_string(text, at),
        Some(b't') => skip_literal(text, at, b"true"),
        Some(b'f') => skip_literal(text, at, b"false"),
        Some(b'n') => skip_literal(text, at, b"null"),
        Some(b'-' | b'0'..=b'9') => skip_number(text, at),
        _ => fault(text, at, no_value(text.get(at..).unwrap_or_default())),
    }
}

/// What was found in place of a value, for the error: words of languages whose notation is almost JSON.
fn no_value(text: &[u8]) -> &'static str {
    let begins = |words: &[&[u8]]| words.iter().any(|word| text.starts_with(word));
    match () {
        () if begins(&[b"NaN", b"Infinity"]) => {
            "NaN and Infinity are no JSON (write null: df.to_json(), or json.dumps(…, allow_nan=False) to \
             find them); expected a value"
        }
        () if begins(&[b"None", b"True", b"False"]) => {
            "Python's None, True and False are no JSON (write with json.dumps); expected a value"
        }
        () if begins(&[b"undefined"]) => "undefined is no JSON; expected a value",
        () => "expected a value",
    }
}

/// The open brackets, innermost last: one bit each, set for an object.
struct Nest {
    kinds: u128,
    depth: u32,
    depth_max: u32,
}

impl Nest {
    fn push(&mut self, at: usize, object: bool) -> Result<(), Fault> {
        if self.depth >= self.depth_max {
            return Err(Fault::new(at, "nested too deeply"));
        }
        self.kinds = (self.kinds << 1) | u128::from(object);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.kinds >>= 1;
        self.depth -= 1;
    }

    const fn in_object(&self) -> bool {
        self.kinds & 1 == 1
    }
}

/// The end of the array or object at `at`. A loop instead of recursion: a level costs a bit, not a stack
/// frame.
fn skip_nested(text: &[u8], at: usize, depth_max: u32) -> Result<usize, Fault> {
    let mut nest = Nest { kinds: 0, depth: 0, depth_max };
    let mut at = at;
    loop {
        at = match text.get(at) {
            Some(&open @ (b'{' | b'[')) => {
                nest.push(at, open == b'{')?;
                let inside = skip_space(text, at + 1);
                match text.get(inside) {
                    // It is empty: the code below closes it.
                    Some(b'}') if open == b'{' => inside,
                    Some(b']') if open == b'[' => inside,
                    _ if open == b'{' => {
                        at = skip_key(text, inside)?;
                        continue;
                    }
                    _ => {
                        at = inside;
                        continue;
                    }
                }
            }
            _ => skip_scalar(text, at)?,
        };
        match close(text, at, &mut nest)? {
            Step::Value(next) => at = next,
            Step::Done(end) => return Ok(end),
        }
    }
}

enum Step {
    /// Another value begins here.
    Value(usize),
    /// The outermost bracket is closed.
    Done(usize),
}

/// After a value: closes what ends here, and goes on to the next value.
fn close(text: &[u8], mut at: usize, nest: &mut Nest) -> Result<Step, Fault> {
    loop {
        at = skip_space(text, at);
        match (text.get(at), nest.in_object()) {
            (Some(b','), true) => return skip_key(text, skip_space(text, at + 1)).map(Step::Value),
            (Some(b','), false) => return Ok(Step::Value(skip_space(text, at + 1))),
            (Some(b'}'), true) | (Some(b']'), false) => nest.pop(),
            (_, true) => return fault(text, at, "expected `,` or `}`"),
            (_, false) => return fault(text, at, "expected `,` or `]`"),
        }
        at += 1;
        if nest.depth == 0 {
            return Ok(Step::Done(at));
        }
    }
}

/// From a key to the beginning of its value.
fn skip_key(text: &[u8], at: usize) -> Result<usize, Fault> {
    member(text, at).map(|member| member.value)
}

/// The member whose key is at `at`.
pub(super) fn member(text: &[u8], at: usize) -> Result<Member, Fault> {
    if text.get(at) != Some(&b'"') {
        return fault(text, at, "expected a key in quotes");
    }
    let (end, plain) = string_end(text, at)?;
    let colon = skip_space(text, end);
    if text.get(colon) != Some(&b':') {
        return fault(text, colon, "expected `:`");
    }
    Ok(Member { key: at + 1..end - 1, plain, value: skip_space(text, colon + 1) })
}

/// The end of the string whose opening quote is at `at`.
pub(super) fn skip_string(text: &[u8], at: usize) -> Result<usize, Fault> {
    string_end(text, at).map(|(end, _)| end)
}

/// The same, and whether it is written without escapes.
pub(crate) fn string_end(text: &[u8], at: usize) -> Result<(usize, bool), Fault> {
    let (mut at, mut plain) = (at + 1, true);
    loop {
        at += plain_run(text.get(at..).unwrap_or_default());
        match text.get(at) {
            Some(b'"') => return Ok((at + 1, plain)),
            Some(b'\\') => {
                at = skip_escape(text, at)?;
                plain = false;
            }
            _ => return fault(text, at, "a control character in a string"),
        }
    }
}

/// The number of bytes before a quote, a backslash or a control character; eight at a time.
fn plain_run(text: &[u8]) -> usize {
    let mut run = 0;
    for chunk in text.chunks_exact(8) {
        let special = specials(u64::from_le_bytes([
            chunk[0], chunk[1], chunk[2], chunk[3], chunk[4], chunk[5], chunk[6], chunk[7],
        ]));
        if special != 0 {
            return run + (special.trailing_zeros() / 8) as usize;
        }
        run += 8;
    }
    let rest = text.get(run..).unwrap_or_default();
    run + rest.iter().position(|&byte| matches!(byte, b'"' | b'\\') || byte < 0x20).unwrap_or(rest.len())
}

/// The high bit of each byte that is special. Only the lowest set bit is exact, because a borrow can spill
/// upwards, but never down.
fn specials(word: u64) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (LOW * b'"' as u64);
    let backslash = word ^ (LOW * b'\\' as u64);
    let zero_in = |word: u64| word.wrapping_sub(LOW) & !word;
    (zero_in(quote) | zero_in(backslash) | (word.wrapping_sub(LOW * 0x20) & !word)) & HIGH
}

fn skip_escape(text: &[u8], at: usize) -> Result<usize, Fault> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            for digit in at + 2..at + 6 {
                if !text.get(digit).is_some_and(u8::is_ascii_hexdigit) {
                    return fault(text, digit, "a bad \\u escape");
                }
            }
            Ok(at + 6)
        }
        _ => fault(text, at + 1, "an unknown escape"),
    }
}

fn skip_literal(text: &[u8], at: usize, literal: &[u8]) -> Result<usize, Fault> {
    for (offset, byte) in literal.iter().enumerate() {
        if text.get(at + offset) != Some(byte) {
            return fault(text, at + offset, "expected true, false or null");
        }
    }
    Ok(at + literal.len())
}

fn skip_number(text: &[u8], at: usize) -> Result<usize, Fault> {
    let mut at = at + usize::from(text.get(at) == Some(&b'-'));
    at = if text.get(at) == Some(&b'0') { at + 1 } else { skip_digits(text, at)? };
    if text.get(at) == Some(&b'.') {
        at = skip_digits(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        at = skip_digits(text, at)?;
    }
    Ok(at)
}

/// At least one digit.
fn skip_digits(text: &[u8], at: usize) -> Result<usize, Fault> {
    let digits = text.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 { fault(text, at, "expected a digit") } else { Ok(at + digits) }
}

/// How to treat a string that runs over a line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strings {
    /// It lost its closing quote: strings, and so brackets, are out of step.
    WithinLines,
    /// The line end should have been escaped.
    OverLines,
}

/// The end of the array or object at `at` by its brackets and quotes alone, whatever is wrong in between.
/// `None` if it does not close.
pub(super) fn skip_brackets(text: &[u8], at: usize, strings: Strings) -> Option<usize> {
    let mut depth = 0_u64;
    let mut at = at;
    loop {
        match text.get(at)? {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b'"' => at = close_quote(text, at + 1, strings)?,
            _ => {}
        }
        at += 1;
    }
}

/// The closing quote of a string that may contain anything, but a line end only if `strings` allows it.
fn close_quote(text: &[u8], mut at: usize, strings: Strings) -> Option<usize> {
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\n' if strings == Strings::WithinLines => return None,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Walks the members of an object. After each, the caller says where its value ended.
pub(crate) struct Members<'t> {
    text: &'t [u8],
    at: usize,
    opened: bool,
}

/// A member: its key without quotes, as written, and the position of its value.
pub(crate) struct Member {
    pub key: Range<usize>,
    /// The key is written without escapes.
    pub plain: bool,
    pub value: usize,
}

impl<'t> Members<'t> {
    /// `at` is the opening brace.
    pub(crate) const fn of(text: &'t [u8], at: usize) -> Self {
        Self { text, at: at + 1, opened: false }
    }

    /// The next member; `None` at the closing brace, after which [`Self::end`] is.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, Fault> {
        let mut at = skip_space(self.text, self.at);
        match (self.text.get(at), self.opened) {
            (Some(b'}'), _) => {
                self.at = at + 1;
                return Ok(None);
            }
            (Some(b','), true) => at = skip_space(self.text, at + 1),
            (_, true) => return fault(self.text, at, "expected `,` or `}`"),
            (_, false) => self.opened = true,
        }
        member(self.text, at).map(Some)
    }

    /// Called with the end of the last member's value.
    pub(crate) const fn go_on(&mut self, end: usize) {
        self.at = end;
    }

    pub(crate) const fn end(&self) -> usize {
        self.at
    }
}

/// Walks the elements of an array in the same way.
pub(crate) struct Elements<'t> {
    text: &'t [u8],
    at: usize,
    opened: bool,
}

impl<'t> Elements<'t> {
    /// `at` is the opening bracket.
    pub(crate) const fn of(text: &'t [u8], at: usize) -> Self {
        Self { text, at: at + 1, opened: false }
    }

    /// The position of the next element; `None` at the closing bracket, after which [`Self::end`] is.
    pub(crate) fn next(&mut self) -> Result<Option<usize>, Fault> {
        let at = skip_space_and_marks(self.text, self.at);
        match (self.text.get(at), self.opened) {
            (Some(b']'), _) => {
                self.at = at + 1;
                Ok(None)
            }
            (Some(b','), true) => Ok(Some(skip_space_and_marks(self.text, at + 1))),
            (_, true) => fault(self.text, at, "expected `,` or `]`"),
            (None, false) => fault(self.text, at, CUT),
            (_, false) => {
                self.opened = true;
                Ok(Some(at))
            }
        }
    }

    /// The last element ended at `end`.
    pub(crate) const fn go_on(&mut self, end: usize) {
        self.at = end;
    }

    pub(crate) const fn end(&self) -> usize {
        self.at
    }
}

/// Appends the content of a string to `out` (`raw`: without quotes, and valid). `None` for half of a
/// surrogate pair, which is not a character.
pub(crate) fn unescape(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', raw.get(at..)?) {
        out.extend_from_slice(raw.get(at..at + found)?);
        at += found;
        let letter = *raw.get(at + 1)?;
        if letter == b'u' {
            at = unescape_unicode(raw, at, out)?;
            continue;
        }
        out.push(meaning(letter)?);
        at += 2;
    }
    out.extend_from_slice(raw.get(at..)?);
    Some(())
}

/// The meaning of a letter after a backslash; `None` for `u` and for anything that is not an escape.
#[inline(always)]
pub(super) fn meaning(letter: u8) -> Option<u8> {
    let meaning = MEANINGS[usize::from(letter)];
    (meaning != 0).then_some(meaning)
}

static MEANINGS: [u8; 256] = {
    let mut table = [0; 256];
    let (letters, meanings) = (b"\"\\/bfnrt", b"\"\\/\x08\x0c\n\r\t");
    let mut n = 0;
    while n < letters.len() {
        table[letters[n] as usize] = meanings[n];
        n += 1;
    }
    table
};

/// Decodes the `\uXXXX` at `at`, with its second half if it is a pair; returns the position after it.
fn unescape_unicode(raw: &[u8], at: usize, out: &mut Vec<u8>) -> Option<usize> {
    let unit = |at: usize| u32::from_str_radix(std::str::from_utf8(raw.get(at + 2..at + 6)?).ok()?, 16).ok();
    let first = unit(at)?;
    let (code, end) = match first {
        0xd800..=0xdbff if raw.get(at + 6..at + 8) == Some(b"\\u") => match unit(at + 6)? {
            second @ 0xdc00..=0xdfff => (0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00), at + 12),
            _ => return None,
        },
        _ => (first, at + 6),
    };
    let mut utf8 = [0; 4];
    out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut utf8).as_bytes());
    Some(end)
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
