//! Which columns of `cloudtrail_logs` a bound query uses, and which fields of struct columns.
//!
//! A column is used if its name occurs with the unique name of the table anywhere in the query. Which columns
//! a `*` stands for depends on what the surrounding query uses, so queries are processed from the outside in.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, OrderByOptions, SelectItem, SelectItemQualifiedWildcardKind};

use super::logical::{Leaf, Node, Operator, Plan};
use crate::sql::syntax::names;
use crate::sql::syntax::visit::expressions;
use crate::tables::{Kind, cloudtrail};

/// Column → paths of its fields; `None`: the whole column.
pub(in crate::sql) type Needed = BTreeMap<&'static str, Option<Vec<Vec<String>>>>;

/// The used part of a table: a column, and the path to a field in it.
#[derive(Debug, Clone)]
enum Looked {
    All,
    At(Vec<Vec<String>>),
}

impl Looked {
    fn nothing() -> Self {
        Self::At(Vec::new())
    }

    fn and(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::At(paths), Self::At(more)) => paths.extend(more),
            _ => *self = Self::All,
        }
    }
}

/// The columns that are needed; `None` for all.
pub(in crate::sql) fn needed(plan: &Plan) -> Option<Needed> {
    let mut walk =
        Walk { named: named(plan), rows: rows(), commons: BTreeMap::new(), needed: Some(Needed::new()) };
    walk.plan(plan, &Looked::All);
    walk.needed
}

/// For each table in FROM, the columns that occur with its name.
fn named(plan: &Plan) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut names: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    plan.expressions(&mut |expr| {
        if let Expr::CompoundIdentifier(parts) = expr
            && let Some((table, path)) = parts.split_first()
        {
            let paths = names.entry(table.value.clone()).or_default();
            paths.push(path.iter().map(|part| part.value.clone()).collect());
        }
    });
    names
}

fn rows() -> Vec<(&'static str, Kind)> {
    let columns = (cloudtrail::TABLE.columns)().into_iter();
    columns
        .filter(|column| matches!(column.kind, Kind::Row(_)))
        .map(|column| (column.name, column.kind))
        .collect()
}

struct Walk {
    named: BTreeMap<String, Vec<Vec<String>>>,
    /// The columns that are rows.
    rows: Vec<(&'static str, Kind)>,
    /// What is used of the tables that WITH defines, by all of their occurrences so far.
    commons: BTreeMap<String, Looked>,
    needed: Option<Needed>,
}

impl Walk {
    /// `looked` is what is used of the query's rows.
    fn plan(&mut self, plan: &Plan, looked: &Looked) {
        for common in &plan.commons {
            let is_whole = plan.is_recursive || common.is_renamed();
            let looked = if is_whole { Looked::All } else { Looked::nothing() };
            self.commons.insert(common.name.clone(), looked);
        }
        self.node(&plan.top, looked);
        // A table is used by the query and by those tables that stand behind it.
        for common in plan.commons.iter().rev() {
            let looked = self.commons.get(&common.name).cloned().unwrap_or(Looked::All);
            self.plan(&common.plan, &looked);
        }
    }

    fn subqueries(&mut self, node: &Node) {
        node.subqueries.iter().for_each(|subquery| self.plan(&subquery.plan, &Looked::All));
    }

    /// An operator above the list of a SELECT, or that list.
    fn node(&mut self, node: &Node, looked: &Looked) {
        self.subqueries(node);
        let looked = match &node.operator {
            Operator::Project(items) => return self.project(node, items, looked),
            Operator::Query(plan) => return self.plan(plan, &Looked::All),
            Operator::Sort { keys, .. } => &sorted_by(keys, looked),
            Operator::Distinct | Operator::SetOperation { .. } => &Looked::All,
            _ => looked,
        };
        node.inputs.iter().for_each(|input| self.node(input, looked));
    }

    fn project(&mut self, node: &Node, items: &[SelectItem], looked: &Looked) {
        let mut shown: Vec<Option<String>> = Vec::new();
        for item in items {
            match item {
                SelectItem::Wildcard(_) => shown.push(None),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    shown.push(Some(names::last(name)))
                }
                _ => {}
            }
        }
        let shown = |alias: &str| {
            let is_shown = shown.iter().any(|table| table.as_ref().is_none_or(|table| table == alias));
            if is_shown { looked.clone() } else { Looked::nothing() }
        };
        let mut below = node.input();
        while let Some(node) = below {
            if node.is_from() {
                return self.tables(node, &shown);
            }
            self.subqueries(node);
            below = node.input();
        }
    }

    /// The tables of a FROM. `shown` gives what is used of a table by `*`.
    fn tables(&mut self, from: &Node, shown: &dyn Fn(&str) -> Looked) {
        let using: Vec<Vec<String>> = using(from).into_iter().map(|name| vec![name]).collect();
        self.from(from, &|alias| {
            let mut looked = shown(alias);
            looked.and(Looked::At(using.clone()));
            looked
        });
    }

    /// A table of a FROM, or a join of some.
    fn from(&mut self, node: &Node, shown: &dyn Fn(&str) -> Looked) {
        self.subqueries(node);
        match &node.operator {
            Operator::Scan { leaf, .. } => {
                if node.events().is_some() {
                    let looked = self.looked(leaf, shown);
                    self.events(looked);
                }
            }
            Operator::Common { common, leaf } => {
                let looked = self.looked(leaf, shown);
                self.commons.entry(common.name.clone()).or_insert(Looked::All).and(looked);
            }
            Operator::Derived { plan, leaf, .. } => {
                let looked = self.looked(leaf, shown);
                self.plan(plan, &looked);
            }
            Operator::Parentheses(leaf) => {
                let looked = leaf.as_ref().map(|leaf| self.looked(leaf, shown));
                for input in &node.inputs {
                    match &looked {
                        Some(looked) => self.tables(input, &|_| looked.clone()),
                        None => self.tables(input, shown),
                    }
                }
            }
            _ => node.inputs.iter().for_each(|input| self.from(input, shown)),
        }
    }

    /// What is used of a table in FROM.
    fn looked(&self, leaf: &Leaf, shown: &dyn Fn(&str) -> Looked) -> Looked {
        // Renamed columns are identified by position.
        if leaf.is_renamed() {
            return Looked::All;
        }
        let mut looked = shown(&leaf.alias);
        looked.and(Looked::At(self.named.get(&leaf.alias).cloned().unwrap_or_default()));
        looked
    }

    fn events(&mut self, looked: Looked) {
        let (Some(needed), Looked::At(paths)) = (&mut self.needed, looked) else {
            self.needed = None;
            return;
        };
        for path in &paths {
            let Some((column, fields)) =
                path.split_first().and_then(|(first, rest)| Some((cloudtrail::column_named(first)?, rest)))
            else {
                continue;
            };
            let kind = self.rows.iter().find(|(name, _)| *name == column).map(|(_, kind)| kind);
            let known = needed.entry(column).or_insert_with(|| Some(Vec::new()));
            match (known.as_mut(), kind.filter(|kind| are_fields(kind, fields))) {
                (Some(paths), Some(_)) if paths.iter().any(|path| path == fields) => {}
                (Some(paths), Some(_)) => paths.push(fields.to_vec()),
                _ => *known = None,
            }
        }
    }
}

/// What is used of rows that are sorted. Names of the list of a SELECT are alone, other ones have their tables.
fn sorted_by(keys: &[(Expr, OrderByOptions)], looked: &Looked) -> Looked {
    // An ordinal of ORDER BY refers to a column without naming it.
    if keys.iter().any(|(key, _)| matches!(without_parentheses(key), Expr::Value(_) | Expr::UnaryOp { .. })) {
        return Looked::All;
    }
    let mut looked = looked.clone();
    for (key, _) in keys {
        let _ = expressions(key, &mut |expr| {
            if let Expr::Identifier(name) = expr {
                looked.and(Looked::At(vec![vec![name.value.clone()]]));
            }
            ControlFlow::Continue(())
        });
    }
    looked
}

fn without_parentheses(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => without_parentheses(inner),
        expr => expr,
    }
}

/// Whether these names are a path to a field of a type.
fn are_fields(kind: &Kind, names: &[String]) -> bool {
    let below = names.iter().try_fold(kind, |kind, name| match kind {
        Kind::Row(fields) => fields.iter().find(|(known, _)| known == name).map(|(_, kind)| kind),
        _ => None,
    });
    below.is_some() && !names.is_empty()
}

/// The columns of all USING in a FROM, but not of those in parentheses.
fn using(from: &Node) -> Vec<String> {
    let mut names = match &from.operator {
        Operator::Join { using, .. } => using.clone(),
        Operator::Unnest { .. } => Vec::new(),
        _ => return Vec::new(),
    };
    names.extend(from.inputs.iter().flat_map(using));
    names
}

#[cfg(test)]
mod tests {
    use crate::model::Timestamp;
    use crate::sql::Query;

    fn fields(sql: &str) -> Vec<(&'static str, Vec<String>)> {
        let query = Query::parse(sql, &[], Timestamp::from_millis(0)).unwrap();
        query
            .scan()
            .fields
            .iter()
            .map(|(column, paths)| (*column, paths.iter().map(|path| path.join(".")).collect()))
            .collect()
    }

    fn columns(sql: &str) -> Option<String> {
        Query::parse(sql, &[], Timestamp::from_millis(0))
            .unwrap()
            .scan()
            .columns
            .as_ref()
            .map(|columns| columns.join(" "))
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
        assert_eq!(
            fields("SELECT useridentity.sessioncontext FROM events"),
            [("useridentity", vec!["sessioncontext".to_owned()])]
        );
        assert_eq!(
            fields("SELECT useridentity.arn FROM (SELECT * FROM events)"),
            [("useridentity", vec!["arn".to_owned()])]
        );
    }

    #[test]
    fn a_column_that_is_used_as_a_whole_is_not_listed() {
        for sql in [
            "SELECT useridentity FROM events",
            "SELECT useridentity, useridentity.arn FROM events",
            "SELECT u.arn FROM (SELECT useridentity AS u FROM events)",
            "SELECT t.useridentity FROM events t",
            "SELECT cast(useridentity AS json) FROM events WHERE useridentity.arn = 'x'",
        ] {
            assert_eq!(fields(sql), [], "{sql}");
        }
    }

    #[test]
    fn what_only_has_the_name_of_a_column_is_none() {
        for (sql, expected) in [
            ("SELECT eventid AS region FROM events ORDER BY region", "eventid"),
            ("SELECT t.region FROM (SELECT eventid AS region FROM events) t", "eventid"),
            ("SELECT filter(ARRAY['x'], region -> region = eventname) FROM events", "eventname"),
        ] {
            assert_eq!(columns(sql).as_deref(), Some(expected), "{sql}");
        }
        for (sql, expected) in [
            (
                "SELECT eventid FROM (SELECT * FROM events ORDER BY eventtime LIMIT 10)",
                Some("eventtime eventid"),
            ),
            ("SELECT eventid FROM (SELECT * FROM events ORDER BY lower(region), 1 LIMIT 10)", None),
            (
                "SELECT eventid FROM (SELECT *, useridentity.arn AS a FROM events ORDER BY (a), lower(eventname))",
                Some("useridentity eventname eventid"),
            ),
        ] {
            assert_eq!(columns(sql).as_deref(), expected, "{sql}");
        }
        assert_eq!(
            columns("SELECT a.eventid, b.* FROM events a JOIN (SELECT 1 AS n) b ON true").as_deref(),
            Some("eventid")
        );
    }
}
