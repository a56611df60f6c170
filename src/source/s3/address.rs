//! `s3://bucket/prefix`, where the bucket may be an access point's ARN.

/// An address in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Address {
    /// Bucket name, or the ARN of an access point.
    pub bucket: String,
    /// The region in the ARN.
    pub region: Option<String>,
    /// As given, without a leading `/`.
    pub prefix: String,
}

impl Address {
    /// Parses what follows `s3://`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (bucket, prefix) = if text.starts_with("arn:") {
            split_arn(text)?
        } else {
            text.split_once('/').unwrap_or((text, ""))
        };
        if bucket.is_empty() {
            return Err("an S3 address needs a bucket: s3://BUCKET/PREFIX");
        }
        if bucket.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err("no bucket has such a name");
        }
        let region = bucket.starts_with("arn:").then(|| bucket.split(':').nth(3)).flatten();
        Ok(Self {
            bucket: bucket.to_owned(),
            region: region.filter(|region| !region.is_empty()).map(str::to_owned),
            prefix: prefix.to_owned(),
        })
    }
}

/// `arn:PARTITION:s3:REGION:ACCOUNT:accesspoint/NAME/prefix`, the same with `accesspoint:NAME`, and on
/// Outposts `arn:PARTITION:s3-outposts:REGION:ACCOUNT:outpost/ID/accesspoint/NAME/prefix`.
fn split_arn(text: &str) -> Result<(&str, &str), &'static str> {
    const SHAPE: &str = "only the ARN of an access point can stand for a bucket: \
        s3://arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME/PREFIX";
    let resource = text.match_indices(':').nth(4).map(|(at, _)| at + 1).ok_or(SHAPE)?;
    let names = match text[resource..].split(['/', ':']).next() {
        Some("accesspoint") => 2,
        Some("outpost") => 4,
        _ => return Err(SHAPE),
    };
    let mut ends = text[resource..].match_indices(['/', ':']).map(|(at, _)| resource + at);
    match ends.nth(names - 1) {
        Some(end) => Ok((&text[..end], &text[end + 1..])),
        None if text[resource..].split(['/', ':']).filter(|part| !part.is_empty()).count() == names => {
            Ok((text, ""))
        }
        None => Err(SHAPE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, Option<String>, String) {
        let address = Address::parse(text).unwrap();
        (address.bucket, address.region, address.prefix)
    }

    #[test]
    fn buckets_and_prefixes() {
        assert_eq!(parts("trail"), ("trail".into(), None, String::new()));
        assert_eq!(parts("trail/"), ("trail".into(), None, String::new()));
        assert_eq!(parts("trail/a/AWSLogs/"), ("trail".into(), None, "a/AWSLogs/".into()));
        assert!(
            Address::parse("").is_err()
                && Address::parse("/prefix").is_err()
                && Address::parse("a b").is_err()
        );
    }

    #[test]
    fn access_points_are_buckets() {
        let arn = "arn:aws:s3:eu-west-1:111122223333:accesspoint/logs";
        assert_eq!(parts(arn), (arn.into(), Some("eu-west-1".into()), String::new()));
        assert_eq!(
            parts(&format!("{arn}/AWSLogs/x")),
            (arn.into(), Some("eu-west-1".into()), "AWSLogs/x".into())
        );
        let colon = "arn:aws-us-gov:s3:us-gov-west-1:111122223333:accesspoint:logs";
        assert_eq!(
            parts(&format!("{colon}/AWSLogs")),
            (colon.into(), Some("us-gov-west-1".into()), "AWSLogs".into())
        );
        let outpost = "arn:aws:s3-outposts:us-west-2:111122223333:outpost/op-1/accesspoint/logs";
        assert_eq!(
            parts(&format!("{outpost}/a/b")),
            (outpost.into(), Some("us-west-2".into()), "a/b".into())
        );
        assert!(Address::parse("arn:aws:s3:::trail/prefix").is_err());
        assert!(Address::parse("arn:aws:s3:eu-west-1:111122223333:accesspoint/").is_err());
    }
}
