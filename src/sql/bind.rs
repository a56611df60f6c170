//! Resolves the names of a query, and determines all types, before anything is read.
//!
//! The binder processes a query from the inside out, like the evaluation. It gives each table in FROM and
//! WITH a unique name, writes each column with the name of its table, and replaces ordinals and aliases in
//! GROUP BY and HAVING by their expressions, and `NATURAL JOIN` by its columns. So expressions with the same
//! meaning become equal trees; and which tables an expression uses, and whether a subquery is correlated, can
//! be seen from the names alone ([`names::free`]).
//!
//! - this file: the result ([`Bound`]), and the binder itself; `query`: queries and common table expressions;
//! - `from` and `join`: tables; `select`: a `SELECT` and its clauses; `resolve`: the names in one expression;
//! - `typing`: the types of expressions.
//!
//! What is run are operators ([`operators`]), whose expressions find columns by their numbers. The same binder makes
//! them, of a query whose names have been resolved: over the columns that were read, which are mostly fewer than
//! those that are declared, and once for all rows.
//!
//! The columns of every operator follow from those of its inputs. Only functions define themselves what they accept
//! and return: the type of a call is that of what it makes of columns without rows. No operator is run for it.

mod from;
mod join;
mod query;
mod resolve;
mod select;
mod typing;
mod unused;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use sqlparser::ast::{Expr, Ident, Query, Select, TableAlias, TableFactor, TableWithJoins, Values};

use crate::model::Timestamp;
use crate::sql::catalog::Catalog;
use crate::sql::error::Result;
use crate::sql::expression::query::{self as operators, Subquery};
use crate::sql::scope::{Ctes, Scope, Session, Via};
use crate::sql::syntax::names;
use crate::sql::types::relation::{Field, Relation};
use crate::tables::{Kind, Table};

/// The surrounding query, and how its rows relate to those of this one.
type Outer<'a> = Option<(&'a Scope<'a>, Via<'a>)>;

/// A query with resolved names, and the types of all its tables.
pub(in crate::sql) struct Bound {
    tree: Query,
    binder: Rc<Binder>,
    now: Timestamp,
}

/// The types of a SELECT.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Selected {
    /// Of keys of groups, aggregates and window functions.
    pub computed: Vec<(Expr, Kind)>,
    /// The columns of its list.
    pub columns: Vec<Field>,
}

/// The state of the binder.
struct Binder {
    /// The memory that constants may take, and tables whose columns differ from those that are declared.
    catalog: Catalog,
    /// `current_timestamp`, in milliseconds.
    now: i64,
    /// The declared tables that the query uses, each once.
    declared: RefCell<Vec<&'static Table>>,
    /// The tables in FROM by their unique names, without rows.
    tables: RefCell<BTreeMap<String, Relation>>,
    /// The result of each FROM clause, by the name of its first table.
    froms: RefCell<BTreeMap<String, Relation>>,
    /// What each SELECT computes, and its columns.
    selects: RefCell<Vec<(Select, Selected)>>,
    /// The columns of each VALUES.
    values: RefCell<Vec<(Values, Vec<Field>)>>,
    /// The columns of subqueries in expressions.
    subqueries: RefCell<Vec<(Query, Relation)>>,
    /// Number of unique names so far.
    given: Cell<usize>,
    /// Whether names have been resolved before.
    is_named: bool,
}

/// The operators of a bound query, or of a part of one, over the tables of the session and these.
pub(in crate::sql) fn planned(session: &Session<'_>, ctes: &Ctes, query: &Query) -> Result<operators::Query> {
    let binder = Binder::over(session);
    Ok(binder.query(&ctes.without_rows(), None, &mut query.clone())?.0)
}

/// The same of a query in an expression over the rows of `scope`.
pub(in crate::sql) fn subquery(scope: &Scope<'_>, query: &Query) -> Result<Subquery> {
    let (binder, ctes) = (Binder::over(scope.session), scope.ctes.without_rows());
    scope.narrowed(&[], |scope| binder.planned(&Scope { ctes: &ctes, ..*scope }, query))
}

/// The same of a SELECT.
pub(in crate::sql) fn select(like: &Scope<'_>, select: &Select) -> Result<operators::Select> {
    let (binder, ctes) = (Binder::over(like.session), like.ctes.without_rows());
    let session = binder.session();
    let like = Scope { session: &session, ctes: &ctes, ..*like };
    Ok(binder.select(&like, &mut select.clone(), None)?.0)
}

/// The same of a SELECT, without FROM and WHERE, over the rows of `scope`.
pub(in crate::sql) fn listed(scope: &Scope<'_>, select: &Select) -> Result<operators::Select> {
    let (binder, ctes) = (Binder::over(scope.session), scope.ctes.without_rows());
    let session = binder.session();
    scope.narrowed(&[], |scope| {
        let scope = Scope { session: &session, ctes: &ctes, ..*scope };
        Ok(binder.listed(&scope, select, None)?.0)
    })
}

impl Bound {
    /// # Errors
    /// A table, column or function does not exist, or types do not match; the error has the position.
    pub fn of(mut tree: Query, now: Timestamp) -> Result<Self> {
        let binder = Binder::new(now.millis());
        binder.query(&Ctes::default(), None, &mut tree)?;
        Ok(Self { tree, binder: Rc::new(binder), now })
    }

    /// The same with a part of its tree.
    pub fn with(&self, tree: Query) -> Self {
        Self { tree, binder: Rc::clone(&self.binder), now: self.now }
    }

    /// Says of a query that its columns are those of a known one.
    pub fn has_shape_of(&self, query: &Query, known: &Query) {
        let subqueries = &self.binder.subqueries;
        if let (Some(columns), None) = (found(subqueries, known), found(subqueries, query)) {
            subqueries.borrow_mut().push((query.clone(), columns));
        }
    }

    pub fn tree(&self) -> &Query {
        &self.tree
    }

    pub fn into_tree(self) -> Query {
        self.tree
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The declared tables that the query uses, each once.
    pub fn declared(&self) -> Vec<&'static Table> {
        self.binder.declared.borrow().clone()
    }

    /// The rows of a FROM clause of the query; they are empty.
    pub fn relation(&self, from: &[TableWithJoins]) -> Option<Relation> {
        self.binder.froms.borrow().get(first_name(from)?).cloned()
    }

    /// The rows of a table in a FROM clause of the query; they are empty.
    pub fn table(&self, factor: &TableFactor) -> Option<Relation> {
        match (names::alias_of(factor), factor) {
            (Some(alias), _) => self.binder.tables.borrow().get(&alias.name.value).cloned(),
            (None, TableFactor::NestedJoin { table_with_joins, .. }) => {
                let first = self.table(&table_with_joins.relation);
                table_with_joins
                    .joins
                    .iter()
                    .try_fold(first?, |all, join| Some(all.beside(self.table(&join.relation)?)))
            }
            _ => None,
        }
    }

    /// The types of a SELECT of the query.
    pub fn selected(&self, select: &Select) -> Option<Selected> {
        found(&self.binder.selects, select)
    }

    /// The columns of a VALUES of the query.
    pub fn values(&self, values: &Values) -> Option<Vec<Field>> {
        found(&self.binder.values, values)
    }

    /// Calls `work` with a scope in which expressions over the empty `rows` have their types.
    pub fn typed<T>(&self, rows: &Relation, work: impl FnOnce(&Scope<'_>) -> T) -> T {
        let (session, ctes) = (self.binder.session(), Ctes::default());
        work(&Scope::new(&session, &ctes, rows))
    }
}

/// What is known of a part of a bound query. Equal parts have equal columns, because every table in them has a
/// unique name.
fn found<P: PartialEq, K: Clone>(all: &RefCell<Vec<(P, K)>>, part: &P) -> Option<K> {
    all.borrow().iter().find(|(known, _)| known == part).map(|(_, known)| known.clone())
}

/// The name of the first table in a FROM.
fn first_name(from: &[TableWithJoins]) -> Option<&str> {
    let mut factor = &from.first()?.relation;
    loop {
        match (names::alias_of(factor), factor) {
            (Some(alias), _) => return Some(&alias.name.value),
            (None, TableFactor::NestedJoin { table_with_joins, .. }) => factor = &table_with_joins.relation,
            _ => return None,
        }
    }
}

impl Binder {
    fn new(now: i64) -> Self {
        Self {
            catalog: Catalog::trial(),
            now,
            declared: RefCell::default(),
            tables: RefCell::default(),
            froms: RefCell::default(),
            selects: RefCell::default(),
            values: RefCell::default(),
            subqueries: RefCell::default(),
            given: Cell::new(0),
            is_named: false,
        }
    }

    /// A binder of queries whose names have been resolved, over the tables of a session.
    fn over(session: &Session<'_>) -> Self {
        Self { catalog: session.catalog.without_rows(), is_named: true, ..Self::new(session.now) }
    }

    fn session(&self) -> Session<'_> {
        Session { catalog: &self.catalog, now: self.now, lenient: true, evaluator: self }
    }

    /// A unique name for a table that the query calls `written`.
    fn name(&self, written: &str) -> String {
        self.given.set(self.given.get() + 1);
        names::marked(written, self.given.get())
    }

    /// Gives a table in FROM a unique name. `table` is its name without an alias.
    fn give_name(&self, alias: &mut Option<TableAlias>, table: &Ident) {
        if self.is_named {
            return;
        }
        let alias = alias.get_or_insert_with(|| TableAlias {
            explicit: false,
            name: table.clone(),
            columns: Vec::new(),
            at: None,
        });
        alias.name = Ident { quote_style: None, value: self.name(&alias.name.value), span: alias.name.span };
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{NamedFrom, Series};

    use super::operators::{Body, Tables};
    use super::*;
    use crate::sql::eval;
    use crate::sql::expression::Node;
    use crate::sql::syntax::dialect;
    use crate::tables::{Rows, cloudtrail};

    fn bound(sql: &str) -> Bound {
        let mut tree = dialect::parse(sql).unwrap();
        names::lower(&mut tree);
        Bound::of(tree, Timestamp::from_millis(0)).unwrap()
    }

    #[test]
    fn operators_find_columns_among_those_that_were_read() {
        let bound = bound(
            "SELECT name, (SELECT max(u.eventname) FROM cloudtrail_logs u WHERE u.awsregion = t.name) AS other
             FROM (SELECT eventname AS name FROM cloudtrail_logs WHERE awsregion = 'eu-west-1') t",
        );
        let (mut catalog, ctes) = (Catalog::default(), Ctes::default());
        let column = |name: &'static str| (name, Series::new(name.into(), ["x"]));
        let columns = vec![column("eventname"), column("awsregion")];
        catalog.insert(&cloudtrail::TABLE, &Rows { columns, height: 1 });
        let query = planned(&eval::session(&catalog, 0), &ctes, bound.tree()).unwrap();
        let Body::Select(outer) = query.body else { panic!("a SELECT") };
        let Tables::Derived { query: inner, .. } = &outer.from else { panic!("a subquery in FROM") };
        let Body::Select(inner) = &inner.body else { panic!("a SELECT") };
        let Node::Compare { left, .. } = &inner.conditions[0].node else { panic!("a comparison") };
        // Of all columns of the table it is the second that has been read.
        assert!(matches!(left.node, Node::Column { index: 1, .. }));
        let value = |at: usize| match &outer.list.items[at] {
            crate::sql::expression::list::Item::Value { value, .. } => value.node.clone(),
            item => panic!("{item:?}"),
        };
        assert!(matches!(value(0), Node::Column { index: 0, .. }));
        // The subquery is made once, with the one value that it takes from outside.
        let Node::Scalar(subquery) = value(1) else { panic!("a subquery") };
        assert!(
            matches!(subquery.outside.as_slice(), [only] if matches!(only.node, Node::Column { index: 0, .. }))
        );
        assert_eq!(subquery.fields[0].kind, Kind::Varchar);
        assert!(subquery.query.is_some());
    }

    #[test]
    fn a_bound_query_is_planned_as_it_stands() {
        let bound = bound(
            "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3)
             SELECT 2 AS two, count(*) FROM r CROSS JOIN UNNEST(ARRAY[1, 2]) AS u (x) GROUP BY 1 HAVING two > 1
             ORDER BY 2 LIMIT 1 + 1",
        );
        // The key is the number 2, and not the second item of the list.
        let (catalog, ctes) = (Catalog::default(), Ctes::default());
        let query = planned(&eval::session(&catalog, 0), &ctes, bound.tree()).unwrap();
        assert!(matches!(query.commons[0].rows, operators::CommonRows::Recursive { all: true, .. }));
        let Body::Select(select) = query.body else { panic!("a SELECT") };
        let groups = select.groups.unwrap();
        assert!(matches!(&groups.keys[0].1.node, Node::Literal(_)));
        assert_eq!((groups.aggregates.len(), select.order_by.len()), (1, 1));
        assert!(query.limit.count.is_some());
    }
}
