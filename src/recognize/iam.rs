//! IAM: what changes what a role or a user may do. Who could pull yesterday may be refused today, and no event of the registry says why.
//!
//! Policies that several roles share are changed without a word on who has them: those are not told here.

use std::borrow::Cow;

use super::Meaning;
use super::record::Record;
use crate::model::Action;

/// The `eventName`s that mean something.
pub(super) const EVENTS: &[&str] = &[
    "AttachRolePolicy",
    "DetachRolePolicy",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "PutRolePermissionsBoundary",
    "DeleteRolePermissionsBoundary",
    "AttachUserPolicy",
    "DetachUserPolicy",
    "PutUserPolicy",
    "DeleteUserPolicy",
    "PutUserPermissionsBoundary",
    "DeleteUserPermissionsBoundary",
];

pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() || !EVENTS.contains(&record.name) {
        return None;
    }
    let (kind, name) = match record.request.text("roleName") {
        Some(name) => ("role", name),
        None => ("user", record.request.text("userName")?),
    };
    let account = record.recipient_account?;
    Some((None, Action::GrantsChanged { principal: Cow::Owned(format!("{account}:{kind}/{name}")) }))
}
