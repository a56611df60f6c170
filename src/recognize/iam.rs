//! IAM: changes of the permissions of a role or user. They explain why a caller that could pull yesterday
//! is refused today, for which ECR logs no event of its own.
//!
//! A change of a managed policy does not name the roles that it is attached to, so such changes are not
//! recognised.

use std::borrow::Cow;

use super::Meaning;
use super::record::Record;
use crate::decode::calls::IAM;
use crate::model::Action;

pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() || !IAM.contains(&record.name) {
        return None;
    }
    let (kind, name) = match record.request.text("roleName") {
        Some(name) => ("role", name),
        None => ("user", record.request.text("userName")?),
    };
    let account = record.recipient_account?;
    Some((None, Action::GrantsChanged { principal: Cow::Owned(format!("{account}:{kind}/{name}")) }))
}
