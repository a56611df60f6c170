//! FROM: gives each table a unique name.

use std::collections::BTreeSet;

use sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Spanned, TableAlias, TableFactor, TableSampleKind,
    TableWithJoins,
};

use super::join::NONE;
use super::resolve::Clause;
use super::typing::outside;
use super::{Binder, first_name, unused};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::constants;
use crate::sql::expression::Expression;
use crate::sql::expression::query::{Naming, Sample, Subquery, Tables, Unnest};
use crate::sql::scope::{Scope, Via};
use crate::sql::syntax::{data_store, names, walk};
use crate::sql::types::columns::column_names;
use crate::sql::types::event_data_store;
use crate::sql::types::nested_values::element;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::schema::{are_whole, unnested};
use crate::tables::{self, Kind, Table};

/// Names of columns that are used behind an UNNEST; `None`: any may be.
pub(super) type Names<'n> = Option<&'n BTreeSet<String>>;

/// Tables in FROM, and their columns, without rows.
pub(super) struct Source {
    pub from: Tables,
    pub rows: Relation,
}

impl Binder {
    /// Binds a FROM clause.
    pub(super) fn from(
        &self,
        like: &Scope<'_>,
        tables: &mut [TableWithJoins],
        names: Names<'_>,
    ) -> Result<Source> {
        let mut all: Option<Source> = None;
        for table in &mut *tables {
            let mut source = match all.take() {
                None => self.factor(like, &mut table.relation, names)?,
                Some(left) => self.beside(like, left, &mut table.relation, names)?,
            };
            for join in &mut table.joins {
                source = self.joined(like, source, join, names)?;
            }
            all = Some(source);
        }
        let all = all.unwrap_or_else(|| Source { from: Tables::Row, rows: Relation::default() });
        if let Some(first) = first_name(tables).filter(|_| !self.is_named) {
            self.froms.borrow_mut().insert(first.to_owned(), all.rows.clone());
        }
        Ok(all)
    }

    /// Binds a table that may use those to its left, as UNNEST and LATERAL do.
    pub(super) fn beside(
        &self,
        like: &Scope<'_>,
        left: Source,
        right: &mut TableFactor,
        names: Names<'_>,
    ) -> Result<Source> {
        match right {
            TableFactor::UNNEST { .. } => self.unnest(like, left, right, false, names),
            TableFactor::Derived { lateral: true, .. } => self.lateral(like, left, right, false),
            other => Ok(left.pairs(self.factor(like, other, names)?, NONE, Vec::new())),
        }
    }

    /// Binds a condition, whose type must be boolean; returns its parts, all of which have to be true.
    pub(super) fn condition(&self, scope: &Scope<'_>, condition: &mut Expr) -> Result<Vec<Expression>> {
        self.resolve(scope, Clause::Rows, condition)?;
        let conjuncts = walk::conjuncts(condition).into_iter().map(|conjunct| {
            let conjunct = scope.resolve(conjunct)?;
            if !self.is_named {
                scope.holds(&conjunct)?;
            }
            Ok(conjunct)
        });
        conjuncts.collect()
    }

    pub(super) fn factor(
        &self,
        like: &Scope<'_>,
        factor: &mut TableFactor,
        names: Names<'_>,
    ) -> Result<Source> {
        let source = match factor {
            TableFactor::Table { version: Some(_), .. } => {
                let said = "a log has one version: leave FOR … AS OF out";
                return Err(SqlError::new(said).at_span(factor.span()));
            }
            TableFactor::Table { name, alias, sample, args: None, .. } => {
                let table = Ident::with_span(name.span(), names::last(name));
                let (rows, declared) = self.table(like, name, &table)?;
                self.give_name(alias, &table);
                let naming = Naming::of(alias.as_ref(), Some(&table.value));
                let (rows, sample) = (naming.named(rows), sampled(like, sample.as_ref())?);
                let from = match declared {
                    None => Tables::Common { name: names::last(name), naming, sample },
                    Some(declared) => {
                        let is_store = table.value == data_store::TABLE;
                        Tables::Table { table: declared, is_store, naming, sample, span: table.span }
                    }
                };
                Source { from, rows }
            }
            TableFactor::Derived { subquery, alias, sample, .. } => {
                let (query, rows) = self.query(like.ctes, like.outer, subquery)?;
                self.give_name(alias, &Ident::new(""));
                let naming = Naming::of(alias.as_ref(), None);
                let (rows, sample) = (naming.named(rows), sampled(like, sample.as_ref())?);
                Source { from: Tables::Derived { query: Box::new(query), naming, sample }, rows }
            }
            TableFactor::UNNEST { .. } => {
                let row = Source { from: Tables::Row, rows: Relation::default() };
                return self.unnest(like, row, factor, false, names);
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let Source { from, rows } = self.from(like, std::slice::from_mut(table_with_joins), None)?;
                if alias.is_none() {
                    return Ok(Source { from, rows });
                }
                self.give_name(alias, &Ident::new(""));
                let naming = Naming::of(alias.as_ref(), None);
                let rows = naming.named(rows);
                Source { from: Tables::Parentheses { tables: Box::new(from), naming }, rows }
            }
            other => return Err(SqlError::new("this is not supported in FROM").at_span(other.span())),
        };
        self.know(factor, source.rows.clone())?;
        Ok(source)
    }

    /// The columns of a table that WITH defines, which gets its unique name, or of a declared one.
    fn table(
        &self,
        like: &Scope<'_>,
        name: &mut ObjectName,
        table: &Ident,
    ) -> Result<(Relation, Option<&'static Table>)> {
        let common = match self.is_named {
            true => Some(table.value.as_str()),
            false => like.ctes.called(&table.value).filter(|_| name.0.len() == 1),
        };
        if let Some((common, rows)) = common.and_then(|common| Some((common, like.ctes.get(common)?))) {
            name.0 = vec![ObjectNamePart::Identifier(Ident::with_span(table.span, common))];
            return Ok(((*rows).clone(), None));
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
        let rows = match self.catalog.get(declared.name) {
            Some(rows) => (*rows).clone(),
            None => Relation::of_table(declared, &declared.empty()),
        };
        let rows = if table.value == data_store::TABLE { event_data_store::typed(rows)? } else { rows };
        Ok((rows, Some(declared)))
    }

    /// Remembers the columns of a table, which are as many as names are given for them.
    fn know(&self, factor: &TableFactor, rows: Relation) -> Result<()> {
        if let Some(alias) = names::alias_of(factor).filter(|_| !self.is_named) {
            check_names(alias, &rows)?;
            self.tables.borrow_mut().insert(alias.name.value.clone(), rows);
        }
        Ok(())
    }

    pub(super) fn unnest(
        &self,
        like: &Scope<'_>,
        left: Source,
        factor: &mut TableFactor,
        keeps_rows: bool,
        names: Names<'_>,
    ) -> Result<Source> {
        let TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } = factor else {
            return Err(SqlError::new("UNNEST is needed here").at(factor));
        };
        let scope = Scope { relation: &left.rows, ..*like };
        array_exprs.iter_mut().try_for_each(|array| self.resolve(&scope, Clause::Rows, array))?;
        self.give_name(alias, &Ident::new(""));
        let scope = Scope { known: &[], ungrouped: None, ..scope };
        let given = alias.as_ref().map(column_names).unwrap_or_default();
        let is_whole = are_whole(given.len(), array_exprs.len(), *with_ordinality);
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (at, expr) in array_exprs.iter().enumerate() {
            let array = scope.resolve(expr)?;
            let element = element(&scope.value(&array)?.kind).map_err(|error| error.at(expr))?;
            fields.extend(unnested(&element, is_whole, at));
            arrays.push(array);
        }
        if *with_ordinality {
            fields.push(Field::new("ordinality", Kind::Bigint));
        }
        let naming = Naming::of(alias.as_ref(), None);
        let has_ordinals = *with_ordinality;
        let right = naming.named(Relation::without_rows(fields));
        self.know(factor, right.clone())?;
        let used = unused::used(&left.rows, names);
        let rows = match &used {
            Some(used) => left.rows.with_columns(used),
            None => left.rows,
        };
        let input = left.from;
        let unnest = Unnest { input, arrays, is_whole, has_ordinals, keeps_rows, used, naming };
        Ok(Source { from: Tables::Unnest(Box::new(unnest)), rows: rows.beside(right) })
    }

    pub(super) fn lateral(
        &self,
        like: &Scope<'_>,
        left: Source,
        factor: &mut TableFactor,
        keeps_rows: bool,
    ) -> Result<Source> {
        let TableFactor::Derived { subquery, alias, .. } = factor else {
            return Err(SqlError::new("a subquery is needed here").at(factor));
        };
        let scope = Scope { relation: &left.rows, known: &[], ungrouped: None, ..*like };
        let (query, rows) = self.query(like.ctes, Some((&scope, Via::Rows(&[]))), subquery)?;
        let rows = rows.seen();
        let query = Box::new(Subquery {
            outside: outside(&scope, subquery)?,
            fields: rows.fields.clone(),
            tree: (**subquery).clone(),
            query: Some(query),
        });
        self.give_name(alias, &Ident::new(""));
        let naming = Naming::of(alias.as_ref(), None);
        let right = naming.named(rows);
        self.know(factor, right.clone())?;
        let input = Box::new(left.from);
        Ok(Source {
            from: Tables::Lateral { input, query, keeps_rows, naming },
            rows: left.rows.beside(right),
        })
    }
}

/// TABLESAMPLE.
fn sampled(like: &Scope<'_>, sample: Option<&TableSampleKind>) -> Result<Option<Sample>> {
    let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample
    else {
        return Ok(None);
    };
    constants::sample(like, sample).map(Some)
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
