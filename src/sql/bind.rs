//! Resolves the names of a query, and determines all types, before anything is read.
//!
//! The binder processes a query from the inside out, like the evaluation. It gives each table in FROM and
//! WITH a unique name, writes each column with the name of its table, and replaces ordinals and aliases in
//! GROUP BY and HAVING by their expressions, and `NATURAL JOIN` by its columns. So expressions with the same
//! meaning become equal trees; and which tables an expression uses, and whether a subquery is correlated, can
//! be seen from the names alone ([`names::free`]).
//!
//! - this file: queries and common table expressions, and the result ([`Bound`]);
//! - `from`: tables and joins; `select`: a `SELECT` and its clauses; `resolve`: the names in one expression;
//! - `typing`: the types of expressions.
//!
//! The columns of every operator follow from those of its inputs. Only functions define themselves what they accept
//! and return: the type of a call is that of what it makes of columns without rows. No operator is run for it.

mod from;
mod resolve;
mod select;
mod typing;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use sqlparser::ast::{
    Expr, Ident, LimitClause, Query, Select, SetExpr, SetOperator, TableAlias, TableFactor, TableWithJoins,
    Values, With,
};

use crate::model::Timestamp;
use crate::sql::catalog::Catalog;
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::constants::limits;
use crate::sql::scope::{Ctes, Scope, Session, Via};
use crate::sql::syntax::calls::cells;
use crate::sql::syntax::grouping::order_exprs;
use crate::sql::syntax::{names, recursion, walk};
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::schema::combined;
use crate::tables::{Kind, Table};
use resolve::Clause;

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
    /// Whether names have been resolved before: only types are determined.
    is_named: bool,
}

/// The columns of a part of a bound query that stands in an expression or in FROM, and sees the columns of `scope`.
pub(in crate::sql) fn columns(scope: &Scope<'_>, part: &Query) -> Result<Relation> {
    let binder = Binder {
        catalog: scope.session.catalog.without_rows(),
        is_named: true,
        ..Binder::new(scope.session.now)
    };
    let ctes = scope.ctes.without_rows();
    scope.narrowed(&[], |outer| binder.query(&ctes, Some((outer, Via::Rows(&[]))), &mut part.clone()))
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
        if self.is_named && alias.is_some() {
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

    /// Binds a query; returns its columns, without rows.
    fn query(&self, ctes: &Ctes, outer: Outer<'_>, query: &mut Query) -> Result<Relation> {
        let ctes = match &mut query.with {
            Some(with) => self.with(ctes, outer, with)?,
            None => ctes.clone(),
        };
        let (session, nothing) = (self.session(), Relation::default());
        let like = Scope { outer, ..Scope::new(&session, &ctes, &nothing) };
        let rows = match &mut *query.body {
            SetExpr::Select(select) => self.select(&like, select, query.order_by.as_mut())?,
            other => {
                let rows = self.set(&like, other)?;
                if let Some(by) = &mut query.order_by {
                    let scope = Scope { relation: &rows, ..like };
                    self.resolve_all(&scope, Clause::Order(&rows.fields), by)?;
                    self.sorted(&scope, &order_exprs(by)?, &rows.fields)?;
                }
                rows
            }
        };
        self.limits(&like, query)?;
        Ok(rows)
    }

    /// OFFSET and LIMIT.
    fn limits(&self, like: &Scope<'_>, query: &mut Query) -> Result<()> {
        let is_all = |expr: &Expr| matches!(expr, Expr::Identifier(ident) if ident.value == "all");
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                for expr in limit
                    .iter_mut()
                    .chain(offset.iter_mut().map(|offset| &mut offset.value))
                    .filter(|expr| !is_all(expr))
                {
                    self.resolve(like, Clause::Rows, expr)?;
                }
                if limit.iter().chain(offset.iter().map(|offset| &offset.value)).any(walk::has_subquery) {
                    return Ok(());
                }
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                self.resolve(like, Clause::Rows, offset)?;
                self.resolve(like, Clause::Rows, limit)?;
            }
            None => {}
        }
        limits(like, query).map(|_| ())
    }

    /// Binds the common table expressions of `WITH`; returns them together with `ctes`.
    fn with(&self, ctes: &Ctes, outer: Outer<'_>, with: &mut With) -> Result<Ctes> {
        let (mut ctes, mut names_before) = (ctes.clone(), Vec::new());
        for table in &mut with.cte_tables {
            let name = table.alias.name.value.to_lowercase();
            let columns: Vec<String> =
                table.alias.columns.iter().map(|column| column.name.value.clone()).collect();
            if names_before.contains(&name) {
                let twice = SqlError::new(format!("WITH has two tables {name}"));
                return Err(twice.at_span(table.alias.name.span));
            }
            let own = if self.is_named { name.clone() } else { self.name(&name) };
            names_before.push(name.clone());
            let rows = match recursion::halves(&table.query, &name).is_some() && with.recursive {
                true => self
                    .recursive(&ctes, outer, &mut table.query, (&own, &columns))
                    .map_err(|error| error.at_span(table.alias.name.span))?,
                false => self.query(&ctes, outer, &mut table.query)?.renamed(&own, &columns),
            };
            from::check_names(&table.alias, &rows)?;
            table.alias.name = Ident { quote_style: None, value: own.clone(), span: table.alias.name.span };
            ctes = ctes.with(own, rows);
        }
        Ok(ctes)
    }

    /// Binds a recursive common table expression, which has the columns of its first half.
    fn recursive(
        &self,
        ctes: &Ctes,
        outer: Outer<'_>,
        query: &mut Query,
        (name, columns): (&str, &[String]),
    ) -> Result<Relation> {
        let mut body = &mut *query.body;
        while let SetExpr::Query(inner) = body {
            body = &mut *inner.body;
        }
        let SetExpr::SetOperation { left, right, op, .. } = body else {
            return Err(SqlError::new("UNION is needed here"));
        };
        let (session, nothing) = (self.session(), Relation::default());
        let like = Scope { outer, ..Scope::new(&session, ctes, &nothing) };
        let first = self.set(&like, left)?.seen().renamed(name, columns);
        let within = ctes.with(name.to_owned(), first.clone());
        let next = self.set(&Scope { ctes: &within, ..like }, right)?.seen();
        let fields = combined(*op, &first.fields, &next.fields)?;
        Ok(Relation::without_rows(fields).renamed(name, columns))
    }

    fn set(&self, like: &Scope<'_>, body: &mut SetExpr) -> Result<Relation> {
        match body {
            SetExpr::Select(select) => self.select(like, select, None),
            SetExpr::Query(inner) => self.query(like.ctes, like.outer, inner),
            SetExpr::Values(values) => {
                self.resolve_all(like, Clause::Rows, values)?;
                let fields = value_fields(like, values)?;
                self.values.borrow_mut().push((values.clone(), fields.clone()));
                Ok(Relation::without_rows(fields))
            }
            SetExpr::SetOperation { left, op, right, .. } => {
                let (left, right) = (self.set(like, left)?, self.set(like, right)?);
                combined(*op, &left.fields, &right.fields).map(Relation::without_rows)
            }
            _ => Err(SqlError::new("only SELECT can be asked: logs are read, never written").at(body)),
        }
    }
}

/// The columns of VALUES: their types are what the values in all rows have in common.
fn value_fields(like: &Scope<'_>, values: &Values) -> Result<Vec<Field>> {
    let mut all: Option<Vec<Field>> = None;
    for row in &values.rows {
        let cells = cells(&row.content).into_iter().enumerate();
        let fields = cells.map(|(at, expr)| Ok(Field::new(format!("_col{at}"), like.eval(expr)?.kind)));
        let fields = fields.collect::<Result<Vec<_>>>()?;
        all = Some(match all {
            None => fields,
            Some(before) => combined(SetOperator::Union, &before, &fields)?,
        });
    }
    all.ok_or_else(|| SqlError::new("VALUES needs a row"))
}
