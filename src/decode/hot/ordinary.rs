//! Members that are no signs of another form. Records have most of them in common, so what was found out once
//! is remembered.

use crate::decode::form::Form;

/// As many members as are remembered; a power of two.
const MEMBERS: usize = 256;
/// The longest name that is remembered; CloudTrail's are shorter.
const NAME_MAX: usize = 30;

/// What is remembered of a member: its name, filled up with zeros, and in the last two bytes the length of the name,
/// the form of the value, and whether the member is the first one of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member([u64; WORDS]);

const WORDS: usize = (NAME_MAX + 2) / 8;

/// Ones for as many bytes as a name has, by its length.
static MASKS: [[u64; WORDS]; NAME_MAX + 1] = {
    let mut masks = [[0; WORDS]; NAME_MAX + 1];
    let mut length = 0;
    while length <= NAME_MAX {
        let mut at = 0;
        while at < length {
            masks[length][at / 8] |= 0xff << (at % 8 * 8);
            at += 1;
        }
        length += 1;
    }
    masks
};

/// The members that were found to be no signs. One that comes to the place of another takes it.
pub(super) struct Ordinary(Box<[Member; MEMBERS]>);

impl Default for Ordinary {
    fn default() -> Self {
        // No name has this length.
        Self(Box::new([Member([u64::MAX; WORDS]); MEMBERS]))
    }
}

impl Ordinary {
    #[inline(always)]
    pub(super) fn has(&self, member: &Member) -> bool {
        // By words: compared as a whole, the member would first have to be put together in memory.
        let ([a, b, c, d], [e, f, g, h]) = (self.0[member.place()].0, member.0);
        (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h) == 0
    }

    pub(super) fn add(&mut self, member: &Member) {
        self.0[member.place()] = *member;
    }
}

impl Member {
    /// The member of a record whose name begins at `start` and is `length` bytes long; `None` if the name is too
    /// long.
    #[inline(always)]
    pub(super) fn of(record: &[u8], start: usize, length: usize, form: Form, is_first: bool) -> Option<Self> {
        let masks = MASKS.get(length)?;
        let rest = record.get(start..)?;
        let bytes: [u8; NAME_MAX + 2] = match rest.first_chunk() {
            Some(whole) => *whole,
            None => {
                let mut short = [0; NAME_MAX + 2];
                short.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                short
            }
        };
        let (bytes, _) = bytes.as_chunks::<8>();
        let mut words = [0; WORDS];
        for ((word, bytes), mask) in words.iter_mut().zip(bytes).zip(masks) {
            *word = u64::from_le_bytes(*bytes) & mask;
        }
        let more = (length as u64) << 48 | (form as u64) << 57 | u64::from(is_first) << 56;
        words[WORDS - 1] |= more;
        Some(Self(words))
    }

    /// Where it is remembered.
    #[inline(always)]
    fn place(&self) -> usize {
        const FACTORS: [u64; WORDS] =
            [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb, 0xd6e8_feb8_6659_fd93];
        let mut hash = 0;
        for (word, factor) in self.0.iter().zip(FACTORS) {
            hash ^= word.wrapping_mul(factor);
        }
        // The highest bits depend on all of the others.
        (hash >> 56) as usize % MEMBERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_differ_are_told_apart() {
        let whole = |name: &str, form, is_first| {
            let record = format!("\"{name}\":\"x\",\"and\":\"so\",\"on\":\"to the end of the record\"");
            Member::of(record.as_bytes(), 1, name.len(), form, is_first)
        };
        let mut ordinary = Ordinary::default();
        let known = whole("imageTag", Form::Text, false).unwrap();
        assert!(!ordinary.has(&known));
        ordinary.add(&known);
        assert!(ordinary.has(&known));
        for other in [
            whole("imageTag", Form::Text, true),
            whole("imageTag", Form::JsonText, false),
            whole("imageTa", Form::Text, false),
            whole("imageTagX", Form::Text, false),
            whole("imageTag\0", Form::Text, false),
            whole("ImageTag", Form::Text, false),
            whole("", Form::Text, false),
        ] {
            assert!(!ordinary.has(&other.unwrap()));
        }
        assert_eq!(whole(&"x".repeat(NAME_MAX + 1), Form::Text, false), None);
        assert!(whole(&"x".repeat(NAME_MAX), Form::Text, false).is_some());
    }

    #[test]
    fn a_name_near_the_end_is_the_same_as_elsewhere() {
        let (long, short) =
            (br#"{"imageTag":"v1","x":"0123456789012345678901234567890"}"#, br#"{"imageTag":"v1"}"#);
        assert_eq!(Member::of(long, 2, 8, Form::Text, true), Member::of(short, 2, 8, Form::Text, true));
    }
}
