//! Recognises by the members of an object whether it may be a CloudTrail document.

use super::fields::{Fields, Shape};
use super::json::{Fault, Members, skip_space};
use super::steps::is_container;

/// How much may be tried in vain to find one document, as a multiple of the text's length.
const TRIED_TIMES: usize = 4;

/// What was found at an opening brace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A CloudTrail document, or the beginning of one with a list of records.
    Document,
    /// The text ends in the middle of it.
    Cut,
    /// Neither; the number of bytes that were examined.
    Nothing(usize),
}

/// What begins with the brace at `start`.
pub(super) fn find_at(text: &[u8], start: usize) -> Found {
    let told = |fault: Fault| {
        if fault.is_cut() { Found::Cut } else { Found::Nothing(fault.offset.saturating_sub(start)) }
    };
    match text.get(skip_space(text, start + 1)) {
        None => return Found::Cut,
        Some(b'"') => {}
        Some(_) => return Found::Nothing(0),
    }
    match Members::of(text, start).next() {
        Ok(Some(member)) if is_container(text, &member.key, member.value) => return Found::Document,
        Ok(_) => {}
        Err(fault) => return told(fault),
    }
    match Fields::read(text, start) {
        Ok((fields, _)) if fields.shape(text) != Shape::Foreign => Found::Document,
        Ok((_, end)) => Found::Nothing(end - start),
        Err(fault) => told(fault),
    }
}

/// The position of the next CloudTrail document from `at` on; `None` if there is none, or if too much was
/// tried in vain.
pub(super) fn find_document(text: &[u8], mut at: usize) -> Option<usize> {
    let mut tries_bytes = text.len().saturating_mul(TRIED_TIMES);
    while let Some(found) = memchr::memchr(b'{', text.get(at..)?) {
        let start = at + found;
        match find_at(text, start) {
            Found::Document => return Some(start),
            Found::Cut => tries_bytes = tries_bytes.checked_sub(text.len() - start)?,
            Found::Nothing(tried) => tries_bytes = tries_bytes.checked_sub(tried)?,
        }
        at = start + 1;
    }
    None
}
