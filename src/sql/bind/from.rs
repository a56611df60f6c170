//! FROM: gives each table a unique name.

use sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Spanned, TableAlias, TableFactor, TableSampleKind,
    TableWithJoins,
};

use super::resolve::Clause;
use super::{Binder, first_name};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::constants;
use crate::sql::scope::{Scope, Via};
use crate::sql::syntax::{data_store, names, walk};
use crate::sql::types::columns::column_names;
use crate::sql::types::event_data_store;
use crate::sql::types::nested_values::element;
use crate::sql::types::relation::Relation;
use crate::sql::types::schema::{are_whole, elements};
use crate::tables;

impl Binder {
    /// Binds a FROM clause; returns its columns, without rows.
    pub(super) fn from(&self, like: &Scope<'_>, tables: &mut [TableWithJoins]) -> Result<Relation> {
        let mut all: Option<Relation> = None;
        for table in &mut *tables {
            let mut rows = match all.take() {
                None => self.factor(like, &mut table.relation)?,
                Some(left) => self.beside(like, left, &mut table.relation)?,
            };
            for join in &mut table.joins {
                rows = self.joined(like, rows, join)?;
            }
            all = Some(rows);
        }
        let all = all.unwrap_or_default();
        if let Some(first) = first_name(tables) {
            self.froms.borrow_mut().insert(first.to_owned(), all.clone());
        }
        Ok(all)
    }

    /// Binds a table that may use those to its left, as UNNEST and LATERAL do.
    pub(super) fn beside(
        &self,
        like: &Scope<'_>,
        left: Relation,
        right: &mut TableFactor,
    ) -> Result<Relation> {
        match right {
            TableFactor::UNNEST { .. } => self.unnest(like, left, right),
            TableFactor::Derived { lateral: true, .. } => self.lateral(like, left, right),
            other => Ok(left.beside(self.factor(like, other)?)),
        }
    }

    /// Binds a condition, whose type must be boolean.
    pub(super) fn condition(&self, scope: &Scope<'_>, condition: &mut Expr) -> Result<()> {
        self.resolve(scope, Clause::Rows, condition)?;
        walk::conjuncts(condition).into_iter().try_for_each(|conjunct| scope.truth(conjunct).map(|_| ()))
    }

    pub(super) fn factor(&self, like: &Scope<'_>, factor: &mut TableFactor) -> Result<Relation> {
        let rows = match factor {
            TableFactor::Table { version: Some(_), .. } => {
                let said = "a log has one version: leave FOR … AS OF out";
                return Err(SqlError::new(said).at_span(factor.span()));
            }
            TableFactor::Table { name, alias, sample, args: None, .. } => {
                let table = Ident::with_span(name.span(), names::last(name));
                let rows = self.table(like, name, &table)?;
                check_sample(like, sample.as_ref())?;
                named(self.give_name(alias, &table), rows)
            }
            TableFactor::Derived { subquery, alias, sample, .. } => {
                let rows = self.query(like.ctes, like.outer, subquery)?;
                check_sample(like, sample.as_ref())?;
                named(self.give_name(alias, &Ident::new("")), rows)
            }
            TableFactor::UNNEST { .. } => return self.unnest(like, Relation::default(), factor),
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let rows = self.from(like, std::slice::from_mut(table_with_joins))?;
                if alias.is_none() {
                    return Ok(rows);
                }
                named(self.give_name(alias, &Ident::new("")), rows)
            }
            other => return Err(SqlError::new("this is not supported in FROM").at_span(other.span())),
        };
        self.know(factor, rows.clone())?;
        Ok(rows)
    }

    /// The columns of a table that WITH defines, which gets its unique name, or of a declared one.
    fn table(&self, like: &Scope<'_>, name: &mut ObjectName, table: &Ident) -> Result<Relation> {
        let common = like.ctes.called(&table.value).filter(|_| name.0.len() == 1);
        if let Some((common, rows)) = common.and_then(|common| Some((common, like.ctes.get(common)?))) {
            name.0 = vec![ObjectNamePart::Identifier(Ident::with_span(table.span, common))];
            return Ok((*rows).clone());
        }
        let Some(declared) = tables::find(&table.value) else {
            let known: Vec<&str> = tables::ALL.iter().map(|table| table.name).collect();
            let missing = format!("there is no table {}; there are {}", table.value, known.join(", "));
            return Err(SqlError::new(missing).at(name));
        };
        let mut known = self.declared.borrow_mut();
        if !known.iter().any(|table| table.name == declared.name) {
            known.push(declared);
        }
        let rows = Relation::of_table(declared, &declared.empty());
        if table.value == data_store::TABLE { event_data_store::typed(rows) } else { Ok(rows) }
    }

    /// Remembers the columns of a table, which are as many as names are given for them.
    fn know(&self, factor: &TableFactor, rows: Relation) -> Result<()> {
        if let Some(alias) = names::alias_of(factor) {
            check_names(alias, &rows)?;
            self.tables.borrow_mut().insert(alias.name.value.clone(), rows);
        }
        Ok(())
    }

    pub(super) fn unnest(
        &self,
        like: &Scope<'_>,
        left: Relation,
        factor: &mut TableFactor,
    ) -> Result<Relation> {
        let TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } = factor else {
            return Err(SqlError::new("UNNEST is needed here").at(factor));
        };
        let scope = Scope { relation: &left, known: &[], ungrouped: None, ..*like };
        array_exprs.iter_mut().try_for_each(|array| self.resolve(&scope, Clause::Rows, array))?;
        let alias = self.give_name(alias, &Ident::new(""));
        let mut kinds = Vec::new();
        for expr in array_exprs.iter() {
            kinds.push(element(&scope.eval(expr)?.kind).map_err(|error| error.at(expr))?);
        }
        let is_whole = are_whole(alias.columns.len(), kinds.len(), *with_ordinality);
        let right = named(alias, Relation::without_rows(elements(&kinds, is_whole, *with_ordinality)));
        self.know(factor, right.clone())?;
        Ok(left.beside(right))
    }

    pub(super) fn lateral(
        &self,
        like: &Scope<'_>,
        left: Relation,
        factor: &mut TableFactor,
    ) -> Result<Relation> {
        let TableFactor::Derived { subquery, alias, .. } = factor else {
            return Err(SqlError::new("a subquery is needed here").at(factor));
        };
        let scope = Scope { relation: &left, known: &[], ungrouped: None, ..*like };
        let rows = self.query(like.ctes, Some((&scope, Via::Rows(&[]))), subquery)?.seen();
        let right = named(self.give_name(alias, &Ident::new("")), rows);
        self.know(factor, right.clone())?;
        Ok(left.beside(right))
    }
}

/// The columns of a table with the names that it has been given.
fn named(alias: &TableAlias, rows: Relation) -> Relation {
    rows.renamed(&alias.name.value, &column_names(alias))
}

/// Checks TABLESAMPLE.
fn check_sample(like: &Scope<'_>, sample: Option<&TableSampleKind>) -> Result<()> {
    match sample {
        None => Ok(()),
        Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) => {
            constants::sample(like, sample).map(|_| ())
        }
    }
}

/// Checks that a table has a column for each name that is given for its columns.
pub(super) fn check_names(alias: &TableAlias, rows: &Relation) -> Result<()> {
    let count = rows.fields.iter().filter(|field| !field.hidden).count();
    if alias.columns.len() <= count {
        return Ok(());
    }
    let error = SqlError::new(format!(
        "{} has {count} column{}, and {} names are given for them",
        names::written(&alias.name.value),
        if count == 1 { "" } else { "s" },
        alias.columns.len(),
    ));
    Err(error.at_span(alias.name.span))
}
