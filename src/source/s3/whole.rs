//! Checks that the text of a listing is complete. A listing is also believed about what is *not* in it, and
//! a text that breaks off reads like a shorter one: the SDK stops at the end of the bytes and does not
//! check whether the document ends there.

use std::sync::{Mutex, PoisonError};

use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use xmlparser::{ElementEnd, Token, Tokenizer};

use super::page::Version;

/// An incomplete listing: what is wrong with it, and the complete entries before that.
#[derive(Debug, Default)]
pub(super) struct Torn {
    pub damage: &'static str,
    pub objects: Vec<(String, Version)>,
    pub folders: Vec<String>,
    /// Whether the text says that its names are percent-encoded.
    pub encoded: bool,
}

/// Examines the text of one answer as it arrives.
#[derive(Debug, Default)]
pub(super) struct Witness(Mutex<Option<Torn>>);

impl Witness {
    /// What was found, if the text was not complete.
    pub(super) fn torn(&self) -> Option<Torn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The same in the form of an interceptor, as the SDK requires.
#[derive(Debug)]
pub(super) struct Watching(pub std::sync::Arc<Witness>);

#[dyn_dispatch_hint]
impl Intercept for Watching {
    fn name(&self) -> &'static str {
        "Watching"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if let Some(bytes) = response.body().bytes().filter(|_| response.status().is_success()) {
            *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = examine(bytes);
        }
        Ok(())
    }
}

/// Whether the text of a listing is complete. For tests with random texts; readers use `Witness`.
pub fn is_whole_listing(bytes: &[u8]) -> bool {
    examine(bytes).is_none()
}

/// `None`: the text is complete, with every element closed.
fn examine(bytes: &[u8]) -> Option<Torn> {
    let mut reading = Reading::default();
    let (text, is_text) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, true),
        Err(error) => (std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(), false),
    };
    let damage = Tokenizer::from(text).find_map(|token| reading.take(token).err());
    let damage =
        damage.or_else(|| (!is_text).then_some("it is not UTF-8")).or_else(|| reading.end().err())?;
    Some(Torn { damage, ..reading.whole })
}

/// The parser's state: the open elements, and the entry being read.
#[derive(Default)]
struct Reading<'t> {
    open: Vec<&'t str>,
    ended: bool,
    text: &'t str,
    key: Option<String>,
    version: Version,
    whole: Torn,
}

impl<'t> Reading<'t> {
    fn take(&mut self, token: Result<Token<'t>, xmlparser::Error>) -> Result<(), &'static str> {
        match token.map_err(|_| "its XML is broken")? {
            Token::ElementStart { local, .. }
                if self.ended || (self.open.is_empty() && local.as_str() != "ListBucketResult") =>
            {
                return Err("it is no ListBucketResult");
            }
            Token::ElementStart { local, .. } => {
                self.open.push(local.as_str());
                self.text = "";
            }
            Token::ElementEnd { end: ElementEnd::Open, .. } => {}
            Token::ElementEnd { end: ElementEnd::Close(_, local), .. } => {
                if self.open.last() != Some(&local.as_str()) {
                    return Err("an element of it is not closed");
                }
                self.close(local.as_str());
            }
            Token::ElementEnd { end: ElementEnd::Empty, .. } => self.close(""),
            Token::Text { text } if !self.open.is_empty() => self.text = text.as_str(),
            _ => {}
        }
        Ok(())
    }

    /// The innermost element ends.
    fn close(&mut self, name: &str) {
        self.open.pop();
        self.ended = self.open.is_empty();
        let text = std::mem::take(&mut self.text);
        match (self.open.as_slice(), name) {
            ([_, "Contents"], "Key") | ([_, "CommonPrefixes"], "Prefix") => self.key = Some(text.to_owned()),
            ([_, "Contents"], "Size") => self.version.size = text.trim().parse().unwrap_or(0),
            ([_, "Contents"], "ETag") => {
                self.version.etag = text.replace("&quot;", "").trim_matches('"').to_owned()
            }
            ([_], "EncodingType") => self.whole.encoded = text == "url",
            ([_], "Contents") => {
                let version = std::mem::take(&mut self.version);
                let key = self.key.take().filter(|key| is_plain(key));
                self.whole.objects.extend(key.map(|key| (key, version)));
            }
            ([_], "CommonPrefixes") => self.whole.folders.extend(self.key.take().filter(|key| is_plain(key))),
            _ => {}
        }
    }

    fn end(&self) -> Result<(), &'static str> {
        if self.ended { Ok(()) } else { Err("it ends in the middle") }
    }
}

/// A name without character references, which only the SDK resolves. S3 percent-encodes what would need
/// one.
fn is_plain(name: &str) -> bool {
    !name.contains('&')
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><Prefix/><Contents><Key>a</Key><Size>3</Size><ETag>&quot;e&quot;</ETag></Contents>\
                         <Contents><Key>b</Key></Contents><CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes><IsTruncated>false</IsTruncated></ListBucketResult>\n";

    fn keys(torn: &Torn) -> Vec<&str> {
        torn.objects
            .iter()
            .map(|(key, _)| key.as_str())
            .chain(torn.folders.iter().map(String::as_str))
            .collect()
    }

    #[test]
    fn every_cut_is_noticed_and_what_stands_before_it_is_kept() {
        assert!(examine(WHOLE.as_bytes()).is_none());
        let ends = [
            "<Key>a</Key><Size>3</Size><ETag>&quot;e&quot;</ETag></Contents>",
            "<Key>b</Key></Contents>",
            "</CommonPrefixes>",
        ]
        .map(|entry| WHOLE.find(entry).unwrap() + entry.len());
        for cut in 0..WHOLE.trim_end().len() {
            let torn = examine(&WHOLE.as_bytes()[..cut])
                .unwrap_or_else(|| panic!("cut at {cut} and taken for whole"));
            let expected: Vec<_> = ["a", "b", "c/"]
                .into_iter()
                .zip(ends)
                .filter(|(_, end)| *end <= cut)
                .map(|(key, _)| key)
                .collect();
            assert_eq!(keys(&torn), expected, "{}", &WHOLE[..cut]);
        }
    }

    #[test]
    fn an_element_that_is_not_closed_is_noticed() {
        for broken in ["<Key>a<Key>", "<Key>a</Kez>", "<Key>a</Key", "<Key>a", "a</Key>"] {
            let torn = examine(WHOLE.replacen("<Key>a</Key>", broken, 1).as_bytes())
                .unwrap_or_else(|| panic!("{broken}"));
            assert!(keys(&torn).is_empty(), "{torn:?}");
        }
        let torn = examine(WHOLE.replacen("<Key>b</Key>", "<Key>b<Key>", 1).as_bytes()).unwrap();
        assert_eq!(
            (keys(&torn), torn.objects[0].1.size, torn.objects[0].1.etag.as_str()),
            (vec!["a"], 3, "e")
        );
        assert!(examine(b"<html><body>log in</body></html>").is_some() && examine(b"").is_some());
        assert!(examine(&[WHOLE.as_bytes(), b"<ListBucketResult></ListBucketResult>"].concat()).is_some());
    }
}
