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
//! - `typing`: the types of a SELECT, and of the queries in its expressions.
//!
//! The columns of every clause follow from those of the tables below it, and the types of expressions from what they
//! make of columns without rows ([`types`]). Nothing is run for it.

mod from;
mod join;
mod query;
mod resolve;
mod select;
mod typing;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use sqlparser::ast::{Ident, Query, Select, TableAlias, TableFactor, TableWithJoins, Values};

use crate::model::Timestamp;
use crate::sql::catalog::Catalog;
use crate::sql::error::Result;
use crate::sql::eval::resolve::select::Selected;
use crate::sql::eval::types;
use crate::sql::scope::{Ctes, Scope, Session, Via};
use crate::sql::syntax::names;
use crate::sql::types::relation::{Field, Relation};
use crate::tables::Table;

/// The surrounding query, and how its rows relate to those of this one.
type Outer<'a> = Option<(&'a Scope<'a>, Via<'a>)>;

/// A query with resolved names, and the types of all its tables.
pub(in crate::sql) struct Bound {
    tree: Query,
    binder: Rc<Binder>,
    now: Timestamp,
}

/// The state of the binder.
struct Binder {
    /// The memory that constants may take.
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
        }
    }

    fn session(&self) -> Session<'_> {
        types::session(&self.catalog, self.now, self)
    }

    /// A unique name for a table that the query calls `written`.
    fn name(&self, written: &str) -> String {
        self.given.set(self.given.get() + 1);
        names::marked(written, self.given.get())
    }

    /// Gives a table in FROM a unique name. `table` is its name without an alias.
    fn give_name<'a>(&self, alias: &'a mut Option<TableAlias>, table: &Ident) -> &'a TableAlias {
        let alias = alias.get_or_insert_with(|| TableAlias {
            explicit: false,
            name: table.clone(),
            columns: Vec::new(),
            at: None,
        });
        alias.name = Ident { quote_style: None, value: self.name(&alias.name.value), span: alias.name.span };
        alias
    }
}
