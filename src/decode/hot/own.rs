//! What a record says under its own keys, where it says it as CloudTrail does; anything else is for a full reading.

use super::INSIDE;
use super::mark::Mark;
use super::stretch::Block;
use crate::decode::Wanted;
use crate::decode::fingerprint::fingerprint;
use crate::decode::json::skip_space;
use crate::model::Timestamp;

/// What a record's own keys say.
pub(super) struct Own<'t> {
    /// The text up to the record's end.
    pub(super) record: &'t [u8],
    pub(super) values: [Option<&'t [u8]>; Mark::COUNT],
}

impl Own<'_> {
    /// Looks at the marks of a block; `None` if a value is no string, or the record ends right behind a mark.
    #[inline(always)]
    pub(super) fn look(&mut self, block: &Block) -> Option<()> {
        let mut marks = block.marks;
        while marks != 0 {
            let bit = marks.trailing_zeros();
            marks &= marks - 1;
            // Marks behind the record's end belong to the next one.
            let Some(key) = self.record.get((block.base + bit as usize).wrapping_sub(1)..) else { break };
            if let Some((mark, length)) = Mark::of(key.first_chunk()?)
                && block.depth_at(bit) == INSIDE
            {
                let slot = self.values.get_mut(mark as usize)?;
                if slot.is_none() {
                    *slot = Some(string(key.get(length..)?)?);
                }
            }
        }
        Some(())
    }

    /// The record's fields, if they are all there, and written without escapes.
    #[inline(always)]
    pub(super) fn usual(&self, wanted: Wanted<'_>, minute: &mut Minute) -> Option<Usual> {
        let [time, source, Some(name), id, category, kind, _] = self.values else { return None };
        match (category, kind) {
            (Some(category), _) if !category.starts_with(b"Management\"") && !category.starts_with(b"Data\"") => return None,
            (None, Some(kind)) if kind.starts_with(b"AwsCloudTrailInsight\"") => return None,
            _ => {}
        }
        let (said, [b'"', ..]) = time?.split_first_chunk::<20>()? else { return None };
        let (time, id, source) = (minute.read(said)?, id?, plain(source?)?);
        let id = uuid(id).or_else(|| plain(id))?;
        Some(Usual { time, wanted: wanted.event(source, name), id: fingerprint(id) })
    }
}

/// What is looked at in a record.
pub(super) struct Usual {
    pub(super) time: Timestamp,
    pub(super) wanted: bool,
    pub(super) id: u64,
}

/// The time that was read last. Neighbours mostly share its minute, and then only the seconds are new.
#[derive(Default)]
pub(super) struct Minute {
    text: [u8; 17],
    starts: Option<Timestamp>,
}

impl Minute {
    /// Reads `YYYY-MM-DDTHH:MM:SSZ`.
    fn read(&mut self, said: &[u8; 20]) -> Option<Timestamp> {
        let (minute, [tens, ones, b'Z']) = said.split_first_chunk::<17>().and_then(|(minute, rest)| Some((minute, rest.first_chunk::<3>()?)))? else {
            return None;
        };
        let starts = match self.starts {
            Some(starts) if self.text == *minute => starts,
            _ => {
                let [.., b':'] = minute else { return None };
                let mut first = *said;
                first.get_mut(17..19)?.copy_from_slice(b"00");
                let starts = Timestamp::parse(std::str::from_utf8(&first).ok()?)?;
                (self.text, self.starts) = (*minute, Some(starts));
                starts
            }
        };
        let (b'0'..=b'5', b'0'..=b'9') = (tens, ones) else { return None };
        Some(starts.plus_seconds(i64::from(tens - b'0') * 10 + i64::from(ones - b'0')))
    }
}

/// Behind a key: what follows the opening quote of its value, if that is a string.
#[inline(always)]
fn string(behind: &[u8]) -> Option<&[u8]> {
    if let [b':', b'"', value @ ..] = behind {
        return Some(value);
    }
    let value = behind.get(skip_space(behind, 0)..)?.strip_prefix(b":")?;
    value.get(skip_space(value, 0)..)?.strip_prefix(b"\"")
}

/// What a string as long as a UUID says, given the text from its beginning on: quicker than [`plain`], which takes any.
#[inline(always)]
fn uuid(text: &[u8]) -> Option<&[u8]> {
    let (uuid, [b'"', ..]) = text.split_first_chunk::<36>()? else { return None };
    // Without a way out in the middle, so that the compiler can look at many bytes at once.
    let ends = uuid.iter().fold(false, |ends, &byte| ends | (byte == b'"') | (byte == b'\\'));
    (!ends).then_some(uuid)
}

/// What a string without escapes says, given the text from its beginning on.
#[inline(always)]
fn plain(text: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr2(b'"', b'\\', text)?;
    text.get(..end).filter(|_| text.get(end) == Some(&b'"'))
}
