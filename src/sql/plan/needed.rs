//! Which columns of `cloudtrail_logs` a bound query uses, and which fields of struct columns.
//!
//! A column is used if its name occurs with the unique name of the table anywhere in the query. Which columns
//! a `*` stands for depends on what the surrounding query uses, so queries are processed from the outside in.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use sqlparser::ast::{
    Expr, JoinConstraint, JoinOperator, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    TableFactor, TableWithJoins, Visit,
};

use crate::sql::syntax::names::{alias_of, constraint, is_events};
use crate::sql::syntax::visit::expressions;
use crate::sql::syntax::{names, walk};
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

/// The columns that are needed; `None`: all.
pub(in crate::sql) fn needed(tree: &Query) -> Option<Needed> {
    let mut walk = Walk { named: named(tree), rows: rows(), needed: Some(Needed::new()) };
    walk.query(tree, &[], &Looked::All);
    walk.needed
}

/// For each table in FROM, the columns that occur with its name.
fn named(tree: &Query) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut names: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    let _ = expressions(tree, &mut |expr| {
        if let Expr::CompoundIdentifier(parts) = expr
            && let Some((table, path)) = parts.split_first()
        {
            let paths = names.entry(table.value.clone()).or_default();
            paths.push(path.iter().map(|part| part.value.clone()).collect());
        }
        ControlFlow::Continue(())
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

/// A common table expression, and which of its columns are used anywhere.
struct Common {
    name: String,
    query: Query,
    looked: RefCell<Looked>,
}

struct Walk {
    named: BTreeMap<String, Vec<Vec<String>>>,
    /// The struct columns.
    rows: Vec<(&'static str, Kind)>,
    needed: Option<Needed>,
}

impl Walk {
    /// `looked`: the columns of the query that are used.
    fn query(&mut self, query: &Query, commons: &[Rc<Common>], looked: &Looked) {
        let mut commons = commons.to_vec();
        let (before, is_recursive) = (commons.len(), query.with.as_ref().is_some_and(|with| with.recursive));
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let is_whole = is_recursive || !table.alias.columns.is_empty();
            let looked = if is_whole { Looked::All } else { Looked::nothing() };
            let name = table.alias.name.value.clone();
            commons.push(Rc::new(Common {
                name,
                query: (*table.query).clone(),
                looked: RefCell::new(looked),
            }));
        }
        // An ordinal in ORDER BY may stand for any column of the list.
        let all = Looked::All;
        self.set(&query.body, &commons, if query.order_by.is_some() { &all } else { looked });
        self.subqueries(&query.order_by, &commons);
        for at in (before..commons.len()).rev() {
            if let (Some(common), Some(seen)) =
                (commons.get(at), commons.get(..at + usize::from(is_recursive)))
            {
                let looked = common.looked.borrow().clone();
                self.query(&common.query, seen, &looked);
            }
        }
    }

    fn set(&mut self, body: &SetExpr, commons: &[Rc<Common>], looked: &Looked) {
        match body {
            SetExpr::Select(select) => self.select(select, commons, looked),
            SetExpr::Query(query) => self.query(query, commons, &Looked::All),
            SetExpr::SetOperation { left, right, .. } => {
                self.set(left, commons, &Looked::All);
                self.set(right, commons, &Looked::All);
            }
            other => self.subqueries(other, commons),
        }
    }

    /// Processes subqueries in expressions.
    fn subqueries(&mut self, part: &impl Visit, commons: &[Rc<Common>]) {
        for query in walk::subqueries(part) {
            self.query(&query, commons, &Looked::All);
        }
    }

    fn select(&mut self, select: &Select, commons: &[Rc<Common>], looked: &Looked) {
        self.subqueries(select, commons);
        let looked = if select.distinct.is_some() { &Looked::All } else { looked };
        let mut shown: Vec<Option<String>> = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::Wildcard(_) => shown.push(None),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    shown.push(Some(names::last(name)))
                }
                _ => {}
            }
        }
        self.tables(&select.from, commons, &|alias: &str| {
            let is_shown = shown.iter().any(|table| table.as_ref().is_none_or(|table| table == alias));
            if is_shown { looked.clone() } else { Looked::nothing() }
        });
    }

    /// `shown`: the columns of a table that are used through a star.
    fn tables(&mut self, from: &[TableWithJoins], commons: &[Rc<Common>], shown: &dyn Fn(&str) -> Looked) {
        let joins = || from.iter().flat_map(|table| &table.joins);
        let using: Vec<Vec<String>> =
            joins().flat_map(|join| using(&join.join_operator)).map(|name| vec![name]).collect();
        for factor in from.iter().map(|table| &table.relation).chain(joins().map(|join| &join.relation)) {
            let Some(alias) = alias_of(factor) else {
                if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
                    let with_using = |alias: &str| {
                        let mut looked = shown(alias);
                        looked.and(Looked::At(using.clone()));
                        looked
                    };
                    self.tables(std::slice::from_ref(table_with_joins), commons, &with_using);
                }
                continue;
            };
            let mut looked = shown(&alias.name.value);
            looked.and(Looked::At(using.clone()));
            looked.and(Looked::At(self.named.get(&alias.name.value).cloned().unwrap_or_default()));
            // Renamed columns are identified by position.
            self.table(factor, commons, if alias.columns.is_empty() { looked } else { Looked::All });
        }
    }

    fn table(&mut self, factor: &TableFactor, commons: &[Rc<Common>], looked: Looked) {
        match factor {
            TableFactor::Table { name, .. } => {
                let table = names::last(name);
                match commons.iter().find(|common| common.name == table) {
                    Some(common) => common.looked.borrow_mut().and(looked),
                    None if is_events(&table) => self.events(looked),
                    None => {}
                }
            }
            TableFactor::Derived { subquery, .. } => self.query(subquery, commons, &looked),
            TableFactor::NestedJoin { table_with_joins, .. } => {
                self.tables(std::slice::from_ref(table_with_joins), commons, &|_| looked.clone());
            }
            _ => {}
        }
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

/// Whether these names are a path to a field of a type.
fn are_fields(kind: &Kind, names: &[String]) -> bool {
    let below = names.iter().try_fold(kind, |kind, name| match kind {
        Kind::Row(fields) => fields.iter().find(|(known, _)| known == name).map(|(_, kind)| kind),
        _ => None,
    });
    below.is_some() && !names.is_empty()
}

fn using(operator: &JoinOperator) -> Vec<String> {
    match constraint(operator) {
        Some(JoinConstraint::Using(columns)) => columns.iter().map(names::last).collect(),
        _ => Vec::new(),
    }
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
        assert_eq!(
            columns("SELECT a.eventid, b.* FROM events a JOIN (SELECT 1 AS n) b ON true").as_deref(),
            Some("eventid")
        );
    }
}
