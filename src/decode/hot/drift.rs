//! Detects records that may not be written in CloudTrail's own form, by searching their text for typical
//! signs.

use super::Piece;
use crate::decode::blocks::{self, Classify, Task};
use crate::decode::fields::{Fields, is_list};
use crate::decode::json::value_behind;
use crate::decode::names::{Kind, flattened, named, respelled};
use crate::decode::payload;

/// A sign in a block is three bytes long, so that blocks have two bytes in common.
const STEP: usize = 62;

/// Whether the record is in another form. The names of its service and its call, and its time, are looked at when
/// the record is found.
pub(super) fn is_in(text: &[u8], piece: &Piece) -> bool {
    let Some(record) = text.get(piece.start..piece.end) else { return false };
    blocks::run(Search { record })
        && Fields::read(record, 0).is_ok_and(|(fields, _)| fields.has_drifted(record))
}

/// The search for a sign in a record; the answer is whether there is one.
struct Search<'t> {
    record: &'t [u8],
}

impl Task for Search<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self, classify: impl Classify) -> bool {
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
    fn is_in(&self, base: usize, block: &[u8; 64], classify: &impl Classify) -> bool {
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
            let starts = (before != 0).then(|| base + 63 - before.leading_zeros() as usize);
            if self.is_sign(starts, base + end as usize) {
                return true;
            }
        }
        false
    }

    /// Whether the member whose name ends at the quote `end` is a sign. `starts` is the quote before the name, if
    /// that is in the same block.
    #[inline(always)]
    fn is_sign(&self, starts: Option<usize>, end: usize) -> bool {
        let starts = starts.or_else(|| memchr::memrchr(b'"', self.record.get(..end)?));
        let Some(name) = starts.and_then(|starts| self.record.get(starts + 1..end)) else { return false };
        !is_of_most_callers(name)
            && (may_be_own(name) && self.is_odd(name, end + 1) || self.is_odd_inside(starts, name, end + 1))
    }

    /// The same for a member inside of a payload. Who spells names in another way does so with the first one of an
    /// object, too.
    #[inline(always)]
    fn is_odd_inside(&self, starts: Option<usize>, name: &[u8], behind: usize) -> bool {
        let is_first = || {
            starts
                .and_then(|starts| self.record.get(starts.checked_sub(1)?))
                .is_some_and(|byte| *byte == b'{')
        };
        payload::is_odd_value(name, value_behind(self.record, behind))
            || !is_camel(name) && is_first() && payload::is_other_spelling(name)
    }

    #[inline(never)]
    fn is_odd(&self, name: &[u8], behind: usize) -> bool {
        let Some((kind, _)) = named(name) else {
            return respelled(name).is_some() || flattened(name).is_some();
        };
        is_odd_value(kind, value_behind(self.record, behind))
    }
}

/// Members that nearly every record has in its caller and in the call: they are no signs, whatever their value.
#[inline(always)]
fn is_of_most_callers(name: &[u8]) -> bool {
    match name.len() {
        3 => name == b"arn",
        4 => name == b"type",
        8 => name == b"userName",
        9 => name == b"accountId",
        10 => name == b"attributes" || name == b"registryId",
        11 => name == b"principalId" || name == b"accessKeyId",
        12 => name == b"creationDate",
        13 => name == b"sessionIssuer" || name == b"imageManifest",
        14 => name == b"sessionContext" || name == b"repositoryName",
        16 => name == b"mfaAuthenticated",
        _ => false,
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

/// Whether the value of a record's own member may be in another form; `value` is the text from it on.
fn is_odd_value(kind: Kind, value: &[u8]) -> bool {
    let is_text = value.first() == Some(&b'"');
    if is_list(kind, value) {
        return true;
    }
    match kind {
        Kind::Json => matches!(value, [b'"' | b'{', ..]),
        Kind::Object | Kind::Payload => is_text,
        Kind::Code => !value.starts_with(b"null"),
        Kind::Region if matches!(value, [b'"', b'A'..=b'Z', ..]) => true,
        Kind::Word | Kind::Region => match value {
            [b'"', b'n' | b'N' | b'-' | b'<' | b'(' | b'\\' | b' ', ..] => true,
            [b'"', first, second, ..] => [*first, *second].eq_ignore_ascii_case(b"un"),
            _ => false,
        },
        Kind::Flag => !matches!(value, [b't' | b'f' | b'n', ..] | [b'"', b't' | b'f', ..]),
        // These were looked at.
        Kind::Any | Kind::Name | Kind::Source | Kind::Account | Kind::Time => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::names::{NAMES, PARENTS, spellings};

    fn is_suspected(record: &str) -> bool {
        blocks::run(Search { record: record.as_bytes() })
    }

    #[test]
    fn members_of_most_callers_are_no_signs() {
        const MOST: [&[u8]; 14] = [
            b"arn",
            b"type",
            b"userName",
            b"accountId",
            b"attributes",
            b"registryId",
            b"principalId",
            b"accessKeyId",
            b"creationDate",
            b"sessionIssuer",
            b"imageManifest",
            b"sessionContext",
            b"repositoryName",
            b"mfaAuthenticated",
        ];
        for name in MOST {
            assert!(is_of_most_callers(name));
            assert!(
                named(name).is_none() && respelled(name).is_none() && flattened(name).is_none(),
                "{name:?}"
            );
            for value in [&b"\"{\\\"a\\\":1}\""[..], b"\"a\"", b"{}", b"[\"{}\"]", b"null"] {
                assert!(!payload::is_odd_value(name, value), "{name:?}");
            }
            assert!(!payload::is_other_spelling(name), "{name:?}");
        }
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
