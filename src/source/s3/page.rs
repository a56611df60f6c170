//! One page of a listing, as far as it can be believed.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;

use super::trouble::Trouble;
use crate::source::retry::Cause;

/// What a listing tells of an object beside its key.
#[derive(Debug)]
pub(super) struct Version {
    pub size: u64,
    /// Empty where the service tells none.
    pub etag: String,
}

impl Version {
    fn of(object: &aws_sdk_s3::types::Object) -> Self {
        let size = u64::try_from(object.size().unwrap_or(0)).unwrap_or(0);
        Self { size, etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned() }
    }
}

/// A page as we use it.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub objects: Vec<(String, Version)>,
    pub folders: Vec<String>,
    pub token: Option<String>,
}

impl Page {
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.folders.is_empty()
    }

    /// Refuses what no S3 says: keys outside of the prefix or out of order, and pages that lead to themselves. A listing is
    /// taken at its word for what is *not* there, so its word has to be good.
    pub(super) fn read(output: ListObjectsV2Output, prefix: &str, token: Option<&str>) -> Result<Self, Trouble> {
        let garbled = |detail: &str| Trouble::passing(Cause::Garbled, format!("listing {prefix}: {detail}"));
        let encoded = output.encoding_type() == Some(&EncodingType::Url);
        let text = |text: &str| if encoded { decode(text) } else { text.to_owned() };
        let next = output.next_continuation_token().filter(|next| !next.is_empty()).map(str::to_owned);
        if output.is_truncated() == Some(true) && (next.is_none() || next.as_deref() == token) {
            return Err(garbled("there is more, and no way on"));
        }
        let object = |object: &aws_sdk_s3::types::Object| Some((text(object.key()?), Version::of(object)));
        let objects: Vec<_> = output.contents().iter().filter_map(object).collect();
        let folders: Vec<_> = output.common_prefixes().iter().filter_map(|common| Some(text(common.prefix()?))).collect();
        if objects.iter().map(|(key, _)| key).chain(&folders).any(|name| !name.starts_with(prefix)) {
            return Err(garbled("a key is not below the prefix"));
        }
        if objects.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(garbled("keys are out of order"));
        }
        let token = if output.is_truncated() == Some(true) { next } else { None };
        Ok(Self { objects, folders, token })
    }
}

/// Undoes `encoding-type=url`: `%XX`, and `+` for a space. What the encoding never leaves as it is shows that the server only
/// says that it encodes; such servers exist.
fn decode(text: &str) -> String {
    if !text.contains(['%', '+']) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return text.to_owned();
    }
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).map(|digit| digit as u8);
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (*byte, hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high * 16 + low);
                at += 2;
            }
            (b'+', ..) => decoded.push(b' '),
            (other, ..) => decoded.push(other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Pages must go on where the last one ended: a listing that goes in circles would never end.
#[derive(Default)]
pub(super) struct Order {
    last_object: Option<String>,
    last_folder: Option<String>,
}

impl Order {
    pub(super) fn check(&mut self, prefix: &str, page: &Page) -> Result<(), Trouble> {
        let goes_on = |last: &mut Option<String>, first: Option<&String>, end: Option<&String>| {
            let ordered = !(last.is_some() && first.is_some() && last.as_ref() >= first);
            *last = end.cloned().or(last.take());
            ordered
        };
        let objects = goes_on(&mut self.last_object, page.objects.first().map(|(key, _)| key), page.objects.last().map(|(key, _)| key));
        if objects && goes_on(&mut self.last_folder, page.folders.first(), page.folders.last()) {
            return Ok(());
        }
        Err(Trouble::passing(Cause::Garbled, format!("listing {prefix}: a page begins before the last one ended")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_percent_encoded_because_xml_cannot_hold_all_of_them() {
        assert_eq!(decode("AWSLogs/a.json.gz"), "AWSLogs/a.json.gz");
        assert_eq!(decode("a+b%2Bc%0A%C3%A4"), "a b+c\nä");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("not encoded+%41"), "not encoded+%41");
    }
}
