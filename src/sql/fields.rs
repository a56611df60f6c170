//! Which fields of its row columns (`useridentity` …) a query looks at: the others need not be made.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, Query, Visit, Visitor};

use crate::tables::{Kind, cloudtrail};

/// Column → paths of its fields. A column that is used as a whole, or in a way that is not understood, is not listed.
pub(super) type Fields = BTreeMap<&'static str, Vec<Vec<String>>>;

/// What any expression of the query looks at. Names are lower case.
pub(super) fn of(query: &Query) -> Fields {
    let mut finder = Finder { rows: rows(), found: BTreeMap::new() };
    let _ = query.visit(&mut finder);
    finder.found.into_iter().filter_map(|(column, paths)| Some((column, paths?))).collect()
}

fn rows() -> Vec<(&'static str, Kind)> {
    let columns = (cloudtrail::TABLE.columns)().into_iter();
    columns.filter(|column| matches!(column.kind, Kind::Row(_))).map(|column| (column.name, column.kind)).collect()
}

struct Finder {
    rows: Vec<(&'static str, Kind)>,
    /// `None`: the whole column.
    found: BTreeMap<&'static str, Option<Vec<Vec<String>>>>,
}

impl Finder {
    /// `parts` may name a column at its first place, or behind a table's name.
    fn look(&mut self, parts: &[Ident]) {
        let at = |place: usize| parts.get(place).and_then(|part| self.rows.iter().find(|(name, _)| *name == part.value));
        let named: Vec<(&'static str, Option<Vec<String>>)> =
            (0..2).filter_map(|place| at(place).map(|(name, kind)| (*name, path(kind, parts.get(place + 1..).unwrap_or_default())))).collect();
        let ambiguous = named.len() > 1;
        for (name, path) in named {
            let known = self.found.entry(name).or_insert_with(|| Some(Vec::new()));
            match (known.as_mut(), path.filter(|_| !ambiguous)) {
                (Some(paths), Some(path)) => paths.push(path),
                _ => *known = None,
            }
        }
    }
}

/// The names of fields, one in the other; `None` where they are not that.
fn path(kind: &Kind, parts: &[Ident]) -> Option<Vec<String>> {
    let mut kind = kind;
    for part in parts {
        let Kind::Row(fields) = kind else { return None };
        kind = fields.iter().find(|(name, _)| *name == part.value).map(|(_, kind)| kind)?;
    }
    (!parts.is_empty()).then(|| parts.iter().map(|part| part.value.clone()).collect())
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.look(std::slice::from_ref(ident)),
            Expr::CompoundIdentifier(parts) => self.look(parts),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::dialect;

    fn fields(sql: &str) -> Vec<(&'static str, Vec<String>)> {
        let mut tree = dialect::parse(sql).unwrap();
        crate::sql::names::lower(&mut tree);
        of(&tree).into_iter().map(|(column, paths)| (column, paths.iter().map(|path| path.join(".")).collect())).collect()
    }

    #[test]
    fn fields_that_are_named_are_found_wherever_they_stand() {
        let sql = "SELECT userIdentity.arn, count(*) FROM cloudtrail_logs t WHERE t.useridentity.sessionContext.sessionIssuer.userName = 'ci' \
            AND eventid IN (SELECT eventid FROM events WHERE tlsdetails.tlsversion = 'TLSv1.3') GROUP BY 1";
        let expected = [
            ("tlsdetails", vec!["tlsversion".to_owned()]),
            ("useridentity", vec!["arn".to_owned(), "sessioncontext.sessionissuer.username".to_owned()]),
        ];
        assert_eq!(fields(sql), expected);
        assert_eq!(fields("SELECT useridentity.sessioncontext FROM events"), [("useridentity", vec!["sessioncontext".to_owned()])]);
    }

    #[test]
    fn a_column_that_is_used_as_a_whole_is_not_listed() {
        for sql in [
            "SELECT useridentity FROM events",
            "SELECT useridentity, useridentity.arn FROM events",
            "SELECT u.arn FROM (SELECT useridentity AS u FROM events)",
            "SELECT t.useridentity FROM events t",
            "SELECT useridentity.sessioncontext.webidfederationdata.attributes.aud FROM events",
            "SELECT cast(useridentity AS json) FROM events WHERE useridentity.arn = 'x'",
        ] {
            assert_eq!(fields(sql), [], "{sql}");
        }
    }
}
