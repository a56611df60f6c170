//! The public keys for CloudTrail's signatures, as `aws cloudtrail list-public-keys` prints them.

use std::collections::HashMap;

use serde::Deserialize;

/// Public keys by fingerprint. A key belongs to one region, and each key has a fingerprint of its own.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    by_fingerprint: HashMap<String, Vec<Vec<u8>>>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "PublicKeyList", alias = "publicKeyList")]
    keys: Vec<KeyText>,
}

#[derive(Deserialize)]
struct KeyText {
    #[serde(rename = "Value", alias = "value")]
    value: String,
    #[serde(rename = "Fingerprint", alias = "fingerprint")]
    fingerprint: String,
}

impl Keys {
    pub fn is_empty(&self) -> bool {
        self.by_fingerprint.is_empty()
    }

    pub fn with_fingerprint(&self, fingerprint: &str) -> impl Iterator<Item = &[u8]> {
        self.by_fingerprint.get(fingerprint).into_iter().flatten().map(Vec::as_slice)
    }

    /// Adds the keys of one or more outputs joined together. Returns their number, or what is wrong.
    pub fn add(&mut self, json: &[u8]) -> Result<usize, String> {
        let mut added = 0;
        for answer in serde_json::Deserializer::from_slice(json).into_iter::<Answer>() {
            let answer = answer.map_err(|error| error.to_string())?;
            for key in answer.keys {
                let der = decode(key.value.trim())
                    .ok_or_else(|| format!("the value of key {} is not base64", key.fingerprint))?;
                let der = unwrapped(&der).ok_or_else(|| {
                    format!("the value of key {} is no RSA public key in DER", key.fingerprint)
                })?;
                let known = self.by_fingerprint.entry(key.fingerprint).or_default();
                if !known.iter().any(|known| known == der) {
                    known.push(der.to_vec());
                }
                added += 1;
            }
        }
        Ok(added)
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// The PKCS #1 key. CloudTrail's keys are in that form, some older ones inside a SubjectPublicKeyInfo.
fn unwrapped(der: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const BIT_STRING: u8 = 0x03;
    let inside = value(der, SEQUENCE)?.0;
    match value(inside, SEQUENCE) {
        None => Some(der),
        Some((_, behind)) => value(behind, BIT_STRING)?.0.strip_prefix(&[0]),
    }
}

/// The content of a DER element with this tag, and what follows it.
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [first, length, rest @ ..] = der else { return None };
    if *first != tag {
        return None;
    }
    let (length, rest) = match usize::from(*length) {
        short @ ..0x80 => (short, rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
            (
                bytes
                    .iter()
                    .try_fold(0usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))?,
                rest,
            )
        }
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The CloudTrail User Guide shows keys in both forms.
    #[test]
    fn keys_come_bare_and_wrapped() {
        let bare = [0x30, 6, 2, 1, 7, 2, 1, 3];
        let wrapped = [&[0x30, 15, 0x30, 2, 5, 0, 3, 9, 0][..], &bare].concat();
        assert_eq!(unwrapped(&bare), Some(&bare[..]));
        assert_eq!(unwrapped(&wrapped), Some(&bare[..]));
        for broken in [&[][..], &[0x30], &[0x30, 0x82, 1], &[0x30, 9, 2, 1, 7], &[4, 1, 0], &[0x30, 0xff, 1]]
        {
            assert_eq!(unwrapped(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn several_answers_may_stand_in_one_file() {
        let mut keys = Keys::default();
        let page = |name: &str| {
            format!(
                r#"{{"PublicKeyList":[{{"Value":"MAYCAQcCAQM=","ValidityStartTime":1.0,"Fingerprint":"{name}"}}]}}"#
            )
        };
        assert_eq!(keys.add(format!("{}\n{}", page("a"), page("b")).as_bytes()), Ok(2));
        assert_eq!(keys.with_fingerprint("a").chain(keys.with_fingerprint("b")).count(), 2);
        assert!(
            keys.add(b"{\"Trails\":[]}").is_err()
                && keys.add(page("c").replace("MAY", "!").as_bytes()).is_err()
        );
    }
}
