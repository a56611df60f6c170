//! Reads an object or a part of it, and checks that the answer is what was requested; otherwise repeats the
//! request.

use std::ops::Range;

use aws_sdk_s3::Client;

use super::super::session::Defeat;
use super::super::trouble::{Trouble, TroubleKind};
use super::{Bucket, status};
use crate::source::retry::Cause;
use crate::source::store::Got;

impl Bucket {
    /// An object or a part of it, with all retries; `None` if it does not exist.
    pub(super) async fn get_all(&self, key: &str, part: Option<Range<u64>>) -> Result<Option<Got>, Defeat> {
        let mut request = self.session.tries();
        loop {
            let client = request.client();
            let trouble = match self.get_once(&client, key, part.as_ref()).await {
                Ok(got) => return Ok(got),
                Err(trouble) => trouble,
            };
            request.recover(trouble).await?;
        }
    }

    async fn get_once(
        &self,
        client: &Client,
        key: &str,
        part: Option<&Range<u64>>,
    ) -> Result<Option<Got>, Trouble> {
        let session = &self.session;
        let range = part.map(|part| format!("bytes={}-{}", part.start, part.end.saturating_sub(1)));
        let output = match session.get(client, key).set_range(range).send().await {
            Ok(output) => output,
            Err(error) => {
                let trouble = Trouble::of(&error);
                return match status(&error) {
                    _ if trouble.kind == TroubleKind::Gone => {
                        session.answered();
                        Ok(None)
                    }
                    Some(416) => Err(Trouble {
                        kind: TroubleKind::Refused,
                        detail: format!("it ends before byte {}", part.map_or(0, |part| part.end)),
                    }),
                    _ => Err(trouble),
                };
            }
        };
        session.answered();
        let (tag, given) =
            (output.e_tag().unwrap_or_default().to_owned(), output.content_range().map(str::to_owned));
        let length = output.content_length().and_then(|length| u64::try_from(length).ok());
        let mut body = output.body;
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| Trouble::of_body(&error))?);
        }
        session.answered();
        let came = bytes.len() as u64;
        if length.is_some_and(|length| length != came) {
            return Err(Trouble::passing(Cause::Short, format!("{came} of {length:?} bytes")));
        }
        let Some(part) = part else { return Ok(Some(Got { size: came, bytes, tag })) };
        self.cut(part, given.as_deref(), bytes, tag).map(Some)
    }

    /// The requested part, from an answer that contains this part or the whole object.
    fn cut(
        &self,
        part: &Range<u64>,
        given: Option<&str>,
        mut bytes: Vec<u8>,
        tag: String,
    ) -> Result<Got, Trouble> {
        let garbled = || {
            Trouble::passing(
                Cause::Garbled,
                format!("asked for bytes {}-{}, given {given:?}", part.start, part.end),
            )
        };
        let came = bytes.len() as u64;
        if let Some(given) = given {
            let (range, size) =
                given.strip_prefix("bytes ").and_then(|given| given.split_once('/')).ok_or_else(garbled)?;
            let size: u64 = size.parse().map_err(|_| garbled())?;
            let (start, end) = range
                .split_once('-')
                .and_then(|(start, end)| Some((start.parse::<u64>().ok()?, end.parse::<u64>().ok()?)))
                .ok_or_else(garbled)?;
            let fits = start == part.start && end + 1 == part.end.min(size) && end + 1 - start == came;
            return if fits { Ok(Got { bytes, tag, size }) } else { Err(garbled()) };
        }
        let place = usize::try_from(part.start)
            .ok()
            .zip(usize::try_from(part.end.min(came)).ok())
            .filter(|(start, end)| start <= end);
        let (start, end) = place.ok_or_else(garbled)?;
        bytes.truncate(end);
        bytes.drain(..start);
        Ok(Got { bytes, tag, size: came })
    }
}
