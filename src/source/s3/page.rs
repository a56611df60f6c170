//! One page of a listing, checked for consistency.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;

use super::trouble::Trouble;
use super::whole::Torn;
use crate::source::retry::Cause;

/// What a listing says about an object besides its key.
#[derive(Debug, Clone, Default)]
pub(super) struct Version {
    pub size: u64,
    /// Empty if the service gives none.
    pub etag: String,
    /// In milliseconds since the epoch.
    pub modified: Option<i64>,
}

impl Version {
    fn of(object: &aws_sdk_s3::types::Object) -> Self {
        let size = u64::try_from(object.size().unwrap_or(0)).unwrap_or(0);
        let modified = object.last_modified().and_then(|time| time.to_millis().ok());
        Self { size, etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(), modified }
    }
}

/// A page that passed the checks.
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

    /// Refuses what S3 would not send: incomplete text, entries without a name, more or fewer entries than
    /// counted, keys outside of the prefix or out of order, and pages that continue with themselves. A
    /// listing is also believed about what is *not* in it, so it has to be reliable.
    pub(super) fn read(
        output: ListObjectsV2Output,
        prefix: &str,
        token: Option<&str>,
    ) -> Result<Self, Refused> {
        let encoded = output.encoding_type() == Some(&EncodingType::Url);
        let text = |text: &str| if encoded { decode(text) } else { text.to_owned() };
        let object = |object: &aws_sdk_s3::types::Object| Some((text(object.key()?), Version::of(object)));
        let objects: Vec<_> = output.contents().iter().filter_map(object).collect();
        let folders: Vec<_> =
            output.common_prefixes().iter().filter_map(|common| Some(text(common.prefix()?))).collect();
        let page = Self { objects, folders, token: None };
        page.check_names(prefix)?;
        let entries = output.contents().len() + output.common_prefixes().len();
        // Some servers count only the keys.
        let counted = |counted: i32| {
            usize::try_from(counted).is_ok_and(|counted| counted == entries || counted == page.objects.len())
        };
        let next = output.next_continuation_token().filter(|next| !next.is_empty());
        let refusal = if page.objects.len() + page.folders.len() != entries {
            "an entry has no name"
        } else if !output.key_count().is_none_or(counted) {
            "it has not as many keys as it says"
        } else {
            match output.is_truncated() {
                None => "it does not say whether there is more",
                Some(true) if next.is_none() || next == token => "there is more, and no way on",
                Some(true) => return Ok(Self { token: next.map(str::to_owned), ..page }),
                Some(false) => return Ok(page),
            }
        };
        Err(Refused { trouble: garbled(prefix, refusal), page: Some(page) })
    }

    /// Makes a refusal of an incomplete text, with the entries that can still be used.
    pub(super) fn torn(torn: Torn, prefix: &str) -> Refused {
        let trouble = garbled(prefix, torn.damage);
        // Without the text's statement it is not known whether a percent sign is an escape.
        let name = |name: String| match torn.encoded {
            true => Some(decode(&name)),
            false => Some(name).filter(|name| !name.contains(['%', '+'])),
        };
        let objects =
            torn.objects.into_iter().filter_map(|(key, version)| Some((name(key)?, version))).collect();
        let page =
            Self { objects, folders: torn.folders.into_iter().filter_map(name).collect(), token: None };
        let believed = page.check_names(prefix).is_ok() && !page.is_empty();
        Refused { trouble, page: believed.then_some(page) }
    }

    fn check_names(&self, prefix: &str) -> Result<(), Refused> {
        let refused = |detail: &str| Err(Refused { trouble: garbled(prefix, detail), page: None });
        if self.objects.iter().map(|(key, _)| key).chain(&self.folders).any(|name| !name.starts_with(prefix))
        {
            return refused("a key is not below the prefix");
        }
        if self.objects.windows(2).any(|pair| pair[0].0 >= pair[1].0)
            || self.folders.windows(2).any(|pair| pair[0] >= pair[1])
        {
            return refused("keys are out of order");
        }
        Ok(())
    }
}

/// A page that failed the checks.
#[derive(Debug)]
pub(super) struct Refused {
    pub trouble: Trouble,
    /// The entries that can be used if no better page comes: they exist, though others may be missing.
    pub page: Option<Page>,
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Self {
        Self { trouble, page: None }
    }
}

fn garbled(prefix: &str, detail: &str) -> Trouble {
    Trouble::passing(
        Cause::Garbled,
        format!("the listing of {}: {detail}", if prefix.is_empty() { "the bucket" } else { prefix }),
    )
}

/// Decodes `encoding-type=url`: `%XX`, and `+` for a space. Characters that the encoding would never leave
/// show that the server only claims to encode; such servers exist.
fn decode(text: &str) -> String {
    if !text.contains(['%', '+']) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return text.to_owned();
    }
    let hex =
        |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).map(|digit| digit as u8);
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

/// Maximum number of empty pages in a row: S3 returns some where much was deleted.
const EMPTY_PAGES_MAX: u32 = 10_000;

/// Checks that each page continues where the last one ended: a listing that goes in circles would never
/// end.
#[derive(Default)]
pub(super) struct Order {
    last_object: Option<String>,
    last_folder: Option<String>,
    empty_pages: u32,
}

impl Order {
    /// Whether `page` may come next.
    pub(super) fn check(&self, prefix: &str, page: &Page) -> Result<(), Trouble> {
        let goes_on = |last: &Option<String>, first: Option<&String>| {
            last.as_ref().zip(first).is_none_or(|(last, first)| last < first)
        };
        if !goes_on(&self.last_object, page.objects.first().map(|(key, _)| key))
            || !goes_on(&self.last_folder, page.folders.first())
        {
            return Err(garbled(prefix, "a page begins before the last one ended"));
        }
        if self.empty_pages >= EMPTY_PAGES_MAX {
            return Err(garbled(prefix, "one page after the other is empty, and none is the last"));
        }
        Ok(())
    }

    /// Accepts `page` as the next one.
    pub(super) fn advance(&mut self, page: &Page) {
        self.empty_pages = if page.is_empty() { self.empty_pages + 1 } else { 0 };
        let last = |before: &mut Option<String>, last: Option<&String>| {
            *before = last.cloned().or_else(|| before.take())
        };
        last(&mut self.last_object, page.objects.last().map(|(key, _)| key));
        last(&mut self.last_folder, page.folders.last());
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

    fn answer() -> aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2OutputBuilder {
        let object = |key: &str| aws_sdk_s3::types::Object::builder().key(key).build();
        let folder = aws_sdk_s3::types::CommonPrefix::builder().prefix("a/z/").build();
        ListObjectsV2Output::builder()
            .contents(object("a/x"))
            .contents(object("a/y"))
            .common_prefixes(folder)
            .is_truncated(false)
    }

    #[test]
    fn a_page_is_believed_when_it_says_that_it_is_whole() {
        for counted in [None, Some(3), Some(2)] {
            assert!(
                Page::read(answer().set_key_count(counted).build(), "a/", None)
                    .is_ok_and(|page| page.token.is_none())
            );
        }
        let nameless = aws_sdk_s3::types::Object::builder().build();
        let refused = [
            (answer().set_is_truncated(None), "whether there is more"),
            (answer().key_count(4), "as many keys"),
            (answer().key_count(1), "as many keys"),
            (answer().contents(nameless), "no name"),
            (answer().is_truncated(true), "no way on"),
            (answer().is_truncated(true).next_continuation_token("t"), "no way on"),
        ];
        for (answer, words) in refused {
            let Refused { trouble, page } = Page::read(answer.build(), "a/", Some("t")).unwrap_err();
            assert!(trouble.detail.contains(words), "{}", trouble.detail);
            assert_eq!(page.unwrap().objects.len(), 2);
        }
    }

    #[test]
    fn empty_pages_do_not_come_for_ever() {
        let mut order = Order::default();
        (0..EMPTY_PAGES_MAX).for_each(|_| order.advance(&Page::default()));
        assert!(order.check("a/", &Page::default()).is_err());
    }
}
