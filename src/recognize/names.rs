//! Makes ARNs where a record has only a name, so that one thing has the same name in every call.

use std::borrow::Cow;

use crate::model::partition;

use super::record::Record;

/// `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`; a name that is an ARN already stays. `None` if the record has
/// no region or account.
pub(super) fn arn<'r>(record: &Record<'r>, service: &str, kind: &str, name: &'r str) -> Option<Cow<'r, str>> {
    if name.starts_with("arn:") {
        return Some(Cow::Borrowed(name));
    }
    let (region, account) = (record.region?, record.recipient_account?);
    Some(Cow::Owned(format!("arn:{}:{service}:{region}:{account}:{kind}{name}", partition(region))))
}
