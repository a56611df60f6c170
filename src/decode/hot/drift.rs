//! Detects records that may not be written in CloudTrail's own form, by searching their text for typical
//! signs.

use super::Piece;
use super::ordinary::{Member, Ordinary};
use crate::decode::blocks::{self, Classify, Task};
use crate::decode::fields::Fields;
use crate::decode::form::Form;
use crate::decode::json::value_behind;
use crate::decode::names::{Kind, flattened, named, respelled};
use crate::decode::payload;

/// A sign in a block is three bytes long, so that blocks have two bytes in common.
const STEP: usize = 62;

/// Whether the record is in another form. The names of its service and its call, and its time, are looked at when
/// the record is found.
pub(super) fn is_in(text: &[u8], piece: &Piece, ordinary: &mut Ordinary) -> bool {
    let Some(record) = text.get(piece.start..piece.end) else { return false };
    blocks::run(Search { record, ordinary })
        && Fields::read(record, 0).is_ok_and(|(fields, _)| fields.has_drifted(record))
}

/// The search for a sign in a record; the answer is whether there is one.
struct Search<'t> {
    record: &'t [u8],
    ordinary: &'t mut Ordinary,
}

impl Task for Search<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(mut self, classify: impl Classify) -> bool {
        let mut base = 0;
        while let Some(rest) = self.record.get(base..).filter(|rest| !rest.is_empty()) {
            let found = match rest.first_chunk() {
                Some(block) => self.is_in(base, block, &classify),
                None => {
                    let mut last = [0; 64];
                    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    self.is_in(base, &last, &classify)
                }
            };
            if found {
                return true;
            }
            base += STEP;
        }
        false
    }
}

impl Search<'_> {
    #[inline(always)]
    fn is_in(&mut self, base: usize, block: &[u8; 64], classify: &impl Classify) -> bool {
        let quotes = classify.equal_to(block, b'"');
        let colons = classify.equal_to(block, b':');
        // `"name":`, and `"name" :` as some tools write it. What stands in a string with escaped quotes, as manifests
        // do, is no name.
        let mut ends = quotes & (colons >> 1 | classify.equal_to(block, b' ') >> 1 & colons >> 2);
        ends &= !(classify.equal_to(block, b'\\') << 1);
        while ends != 0 {
            let end = ends.trailing_zeros();
            ends &= ends - 1;
            let before = quotes & ((1 << end) - 1);
            let end = base + end as usize;
            let quote = if before == 0 {
                // The name begins in an earlier block.
                match self.record.get(..end).and_then(|before| memchr::memrchr(b'"', before)) {
                    Some(quote) => quote,
                    None => continue,
                }
            } else {
                base + 63 - before.leading_zeros() as usize
            };
            if self.is_sign(quote + 1, end) {
                return true;
            }
        }
        false
    }

    /// Whether the member whose name is from `start` to the quote at `end` is a sign.
    #[inline(always)]
    fn is_sign(&mut self, start: usize, end: usize) -> bool {
        let form = Form::of(value_behind(self.record, end + 1));
        let is_first = start.checked_sub(2).is_some_and(|before| self.record.get(before) == Some(&b'{'));
        let member = Member::of(self.record, start, end - start, form, is_first);
        if member.is_some_and(|member| self.ordinary.has(&member)) {
            return false;
        }
        let Some(name) = self.record.get(start..end) else { return false };
        let is_sign = is_sign(name, form, is_first);
        if let Some(member) = member.filter(|_| !is_sign) {
            self.ordinary.add(&member);
        }
        is_sign
    }
}

/// Whether a member of that name is a sign. Who spells the names inside of a payload in another way does so with
/// the first one of an object, too.
#[inline(never)]
fn is_sign(name: &[u8], form: Form, is_first: bool) -> bool {
    may_be_own(name) && is_odd(name, form)
        || payload::is_odd_value(name, form)
        || is_first && !is_camel(name) && payload::is_other_spelling(name)
}

fn is_odd(name: &[u8], form: Form) -> bool {
    match named(name) {
        Some((kind, _)) => is_odd_value(kind, form),
        None => respelled(name).is_some() || flattened(name).is_some(),
    }
}

/// Whether a name is written as nearly all of CloudTrail's are: `imageTag`; or too short to be another.
#[inline(always)]
fn is_camel(name: &[u8]) -> bool {
    let is_lower = |byte: &u8| byte.is_ascii_lowercase();
    name.len() < 4 || name.first().is_some_and(is_lower) && name.iter().any(u8::is_ascii_uppercase)
}

/// Whether a member may be a record's own, in whatever spelling, or one that a tool has moved to the top: told by the
/// first letters.
#[inline(always)]
fn may_be_own(name: &[u8]) -> bool {
    let name = name.strip_prefix(b"_").unwrap_or(name);
    let Some(first) = name.first_chunk::<4>() else { return false };
    matches!(
        &(u32::from_ne_bytes(*first) | LOWER).to_ne_bytes(),
        b"even"
            | b"user"
            | b"awsr"
            | b"awse"
            | b"sour"
            | b"erro"
            | b"requ"
            | b"apiv"
            | b"shar"
            | b"vpce"
            | b"sess"
            | b"resp"
            | b"serv"
            | b"addi"
            | b"reso"
            | b"adde"
            | b"tlsd"
            | b"edge"
            | b"insi"
            | b"read"
            | b"mana"
            | b"reci"
    ) || matches!(name.get(3), Some(b'_' | b'-' | b' '))
}

/// Makes letters lower case.
const LOWER: u32 = u32::from_ne_bytes([0x20; 4]);

/// Whether the value of a record's own member may be in another form.
fn is_odd_value(kind: Kind, form: Form) -> bool {
    match kind {
        Kind::Json => form.is_text() || form == Form::Object,
        _ if form.is_list() => true,
        Kind::Object | Kind::Payload => form.is_text(),
        Kind::Code => form != Form::Null,
        Kind::Region if form == Form::CapitalText => true,
        Kind::Word | Kind::Region => matches!(form, Form::NullText | Form::BlankText),
        Kind::Flag => !matches!(form, Form::Null | Form::Truth | Form::TruthText),
        // These were looked at.
        Kind::Any | Kind::Name | Kind::Source | Kind::Account | Kind::Time => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::names::{NAMES, PARENTS, spellings};

    fn is_suspected(record: &str) -> bool {
        blocks::run(Search { record: record.as_bytes(), ordinary: &mut Ordinary::default() })
    }

    #[test]
    fn the_members_of_a_record_may_be_its_own_in_whatever_spelling() {
        let moved = PARENTS.iter().flat_map(|parent| {
            [
                format!("{parent}.a"),
                format!("_{parent}_a"),
                format!("{parent}{{}}.a"),
                parent.to_uppercase() + ".a",
            ]
        });
        let others = ["AwsEventId", "AwsRequestId", "UserIdentityArn", "SessionIssuerUserName"];
        let spelled = NAMES.iter().flat_map(|name| spellings(name));
        let exact = NAMES.iter().chain(&others).map(|name| (*name).to_owned());
        for name in exact.chain(spelled).chain(moved) {
            let bytes = name.as_bytes();
            assert!(
                named(bytes).is_some() || respelled(bytes).is_some() || flattened(bytes).is_some(),
                "{name}"
            );
            assert!(may_be_own(bytes), "{name}");
        }
    }

    #[test]
    fn signs_are_found_wherever_they_stand() {
        for filler in 0..200 {
            let before = format!(r#"{{"eventVersion":"{}","#, "x".repeat(filler));
            for name in [
                "requestParameters",
                "responseElements",
                "serviceEventDetails",
                "resources",
                "userIdentity",
                "additionalEventData",
                "errorCode",
            ] {
                for value in [r#""x""#, r#" "x""#, "\n\t\"x\""] {
                    for colon in [":", " :"] {
                        let record = format!(r#"{before}"{name}"{colon}{value}}}"#);
                        assert!(is_suspected(&record), "{record}");
                    }
                }
                assert!(!is_suspected(&format!(r#"{before}"{name}":null}}"#)), "{filler} {name}");
                assert!(!is_suspected(&format!(r#"{before}"{}":"x"}}"#, &name[1..])), "{filler} {name}");
            }
            for sign in [
                r#""requestParameters":[{}]"#,
                r#""userIdentity" : [1]"#,
                r#""sharedEventID":"-""#,
                r#""awsRegion":"undefined""#,
                r#""readOnly":"True""#,
                r#""errorCode":404"#,
                r#""RequestParameters":{}"#,
                r#""error_code":"x""#,
                r#""tls_details":null"#,
                r#""userIdentity.type":"Root""#,
                r#""_userIdentity_type":"Root""#,
                r#""requestParameters.imageTag":"v1""#,
                r#""UserIdentityArn":"a""#,
            ] {
                assert!(is_suspected(&format!("{before}{sign}}}")), "{filler} {sign}");
            }
            for ordinary in [
                r#""requestParameters":{"a":"b"}"#,
                r#""resources": [{"ARN":["a"]}]"#,
                r#""userIdentity":{"type":"Root","userName":"a","sessionContext":{}}"#,
                r#""awsRegion":"us-east-1","readOnly":true,"eventType":"AwsApiCall""#,
            ] {
                assert!(!is_suspected(&format!("{before}{ordinary}}}")), "{filler} {ordinary}");
            }
        }
    }
}
