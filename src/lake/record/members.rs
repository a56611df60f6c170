//! The members of a record that have a column, and how the column represents them.

use std::sync::LazyLock;

use super::shape::Field;
use crate::tables::Kind;
use crate::tables::cloudtrail::{JSON_COLUMNS, ORIGINS, Origin, TABLE};

/// A member of a record that has a column.
pub(in crate::lake) struct Member {
    pub column: &'static str,
    /// Its name in JSON.
    pub name: &'static str,
    pub kind: Kind,
    pub field: Field,
    pub holds: Holds,
}

/// How the column represents it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lake) enum Holds {
    Text,
    /// `true` or `false`, as text.
    Truth,
    /// The JSON object as it is.
    Json,
    /// A struct, or a list of strings.
    Nested,
}

/// All members with columns, in the order of the columns.
pub(in crate::lake) static MEMBERS: LazyLock<Vec<Member>> = LazyLock::new(|| {
    let mut next = 0;
    let member = |(column, origin): &(&'static str, Origin)| {
        let Origin::Field(name) = *origin else { return None };
        let kind = TABLE.kind_of(column).unwrap_or(Kind::Varchar);
        let holds = match *column {
            "readonly" | "managementevent" => Holds::Truth,
            "edgedevicedetails" => Holds::Json,
            column if JSON_COLUMNS.contains(&column) => Holds::Json,
            _ if kind.is_text() => Holds::Text,
            _ => Holds::Nested,
        };
        Some(Member { column, name, field: Field::of(column, column, name, &kind, &mut next), kind, holds })
    };
    ORIGINS.iter().filter_map(member).collect()
});

impl Member {
    /// Whether the column represents all of the value. `held`: whether its cells do.
    pub(super) fn says(&self, value: &str, held: bool) -> bool {
        match (self.holds, value) {
            (Holds::Json, json) => json == "null" || json.starts_with('{'),
            (Holds::Truth, "true" | "false") => true,
            // In the column the string `"true"` looks like the boolean.
            (Holds::Truth, "\"true\"" | "\"false\"") => false,
            _ => held,
        }
    }
}

/// The slots of members that are used directly, and the number of slots.
pub(super) struct Known {
    pub id: usize,
    pub time: usize,
    pub source: usize,
    pub name: usize,
    pub read_only: usize,
    pub account: usize,
    pub region: usize,
    pub count: usize,
}

pub(super) static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let slot = |column: &str| {
        MEMBERS.iter().find(|member| member.column == column).map_or(0, |member| member.field.slots.start)
    };
    Known {
        id: slot("eventid"),
        time: slot("eventtime"),
        source: slot("eventsource"),
        name: slot("eventname"),
        read_only: slot("readonly"),
        account: slot("recipientaccountid"),
        region: slot("awsregion"),
        count: MEMBERS.last().map_or(0, |member| member.field.slots.end),
    }
});

/// Names of nested members as CloudTrail writes them; columns have them in lower case.
const NESTED: &[&str] = &[
    "type",
    "principalId",
    "arn",
    "accountId",
    "invokedBy",
    "accessKeyId",
    "userName",
    "identityProvider",
    "credentialId",
    "onBehalfOf",
    "userId",
    "identityStoreArn",
    "sessionContext",
    "attributes",
    "mfaAuthenticated",
    "creationDate",
    "sessionIssuer",
    "ec2RoleDelivery",
    "sourceIdentity",
    "assumedRoot",
    "webIdFederationData",
    "federatedProvider",
    "reason",
    "updatedFields",
    "originalRequestID",
    "originalEventID",
    "tlsVersion",
    "cipherSuite",
    "clientProvidedHostHeader",
];

/// The JSON name of a column's field. Only `resources` writes `ARN` in capitals.
pub(in crate::lake) fn json_name<'f>(column: &str, field: &'f str) -> &'f str {
    if column == "resources" && field == "arn" {
        return "ARN";
    }
    NESTED.iter().copied().find(|name| name.eq_ignore_ascii_case(field)).unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nested_field_has_its_name_in_json() {
        fn names(kind: &Kind, found: &mut Vec<String>) {
            match kind {
                Kind::Row(fields) => fields.iter().for_each(|(name, kind)| {
                    found.push(name.clone());
                    names(kind, found);
                }),
                Kind::Array(element) => names(element, found),
                _ => {}
            }
        }
        let mut found = Vec::new();
        MEMBERS.iter().for_each(|member| names(&member.kind, &mut found));
        assert!(found.len() > 25);
        for name in found {
            assert!(NESTED.iter().any(|json| json.eq_ignore_ascii_case(&name)), "{name}");
        }
    }
}
