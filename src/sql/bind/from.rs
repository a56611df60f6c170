//! FROM: gives each table a unique name, and binds join conditions to both sides.

use sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Spanned, TableAlias,
    TableFactor, TableSampleKind, TableWithJoins,
};

use super::resolve::Clause;
use super::{Binder, first_name};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::constants;
use crate::sql::scope::{Scope, Via};
use crate::sql::syntax::{data_store, names, walk};
use crate::sql::types::columns::{aliased, column_names, equal_columns};
use crate::sql::types::event_data_store;
use crate::sql::types::nested_values::element;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::schema::{are_whole, joined, unnested};
use crate::tables::{self, Kind};

impl Binder {
    /// Binds a FROM clause; returns its columns, without rows.
    pub(super) fn from(&self, like: &Scope<'_>, tables: &mut [TableWithJoins]) -> Result<Relation> {
        let mut all = Relation::default();
        for table in &mut *tables {
            all = self.beside(like, all, &mut table.relation)?;
            for join in &mut table.joins {
                all = self.joined(like, all, join)?;
            }
        }
        if let Some(first) = first_name(tables) {
            self.froms.borrow_mut().insert(first.to_owned(), all.clone());
        }
        Ok(all)
    }

    /// Binds a table that may use those to its left, as UNNEST and LATERAL do.
    fn beside(&self, like: &Scope<'_>, left: Relation, right: &mut TableFactor) -> Result<Relation> {
        match right {
            TableFactor::UNNEST { .. } => self.unnest(like, &left, right),
            TableFactor::Derived { lateral: true, .. } => self.lateral(like, &left, right),
            other => Ok(left.beside(self.factor(like, other)?)),
        }
    }

    fn joined(&self, like: &Scope<'_>, left: Relation, join: &mut Join) -> Result<Relation> {
        use JoinOperator as Op;
        let (constraint, is_semi) = match &mut join.join_operator {
            Op::CrossJoin(JoinConstraint::None) => return self.beside(like, left, &mut join.relation),
            Op::Join(constraint)
            | Op::Inner(constraint)
            | Op::Left(constraint)
            | Op::LeftOuter(constraint)
            | Op::Right(constraint)
            | Op::RightOuter(constraint)
            | Op::FullOuter(constraint) => (constraint, false),
            Op::Semi(constraint @ JoinConstraint::On(_))
            | Op::LeftSemi(constraint @ JoinConstraint::On(_))
            | Op::Anti(constraint @ JoinConstraint::On(_))
            | Op::LeftAnti(constraint @ JoinConstraint::On(_)) => (constraint, true),
            _ => return Err(SqlError::new("this kind of join is not supported").at(&join.relation)),
        };
        match &mut join.relation {
            unnest @ TableFactor::UNNEST { .. } if !is_semi => {
                if !names::is_always(constraint) && !matches!(constraint, JoinConstraint::None) {
                    return Err(SqlError::new(
                        "UNNEST is joined ON true: ask in WHERE, or filter(…) the array",
                    )
                    .at(unnest));
                }
                return self.unnest(like, &left, unnest);
            }
            lateral @ TableFactor::Derived { lateral: true, .. }
                if !is_semi && names::is_always(constraint) =>
            {
                return self.lateral(like, &left, lateral);
            }
            _ => {}
        }
        let right = self.factor(like, &mut join.relation)?;
        let both = left.clone().beside(right.clone());
        if matches!(constraint, JoinConstraint::Natural) {
            *constraint = JoinConstraint::Using(
                shared(&left, &right)
                    .into_iter()
                    .map(|name| ObjectName(vec![ObjectNamePart::Identifier(name)]))
                    .collect(),
            );
        }
        match constraint {
            JoinConstraint::On(on) => self.condition(&Scope { relation: &both, ..*like }, on)?,
            JoinConstraint::Using(columns) => {
                let columns: Vec<String> = columns.iter().map(names::last).collect();
                if let Some(equal) = equal_columns(&left.fields, &right.fields, &columns)? {
                    self.condition(&Scope { relation: &both, ..*like }, &mut equal.clone())?;
                }
                return joined(&left.fields, &right.fields, &columns).map(Relation::without_rows);
            }
            JoinConstraint::None | JoinConstraint::Natural => {}
        }
        Ok(if is_semi { left } else { both })
    }

    /// Binds a condition, whose type must be boolean.
    pub(super) fn condition(&self, scope: &Scope<'_>, condition: &mut Expr) -> Result<()> {
        self.resolve(scope, Clause::Rows, condition)?;
        walk::conjuncts(condition).into_iter().try_for_each(|condition| scope.truth(condition).map(|_| ()))
    }

    fn factor(&self, like: &Scope<'_>, factor: &mut TableFactor) -> Result<Relation> {
        let rows = match factor {
            TableFactor::Table { version: Some(_), .. } => {
                let said = "a log has one version: leave FOR … AS OF out";
                return Err(SqlError::new(said).at_span(factor.span()));
            }
            TableFactor::Table { name, alias, sample, args: None, .. } => {
                let table = Ident::with_span(name.span(), names::last(name));
                let rows = self.table(like, name, &table)?;
                self.give_name(alias, &table);
                check_sample(like, sample.as_ref())?;
                aliased(rows, alias.as_ref(), None)
            }
            TableFactor::Derived { subquery, alias, sample, .. } => {
                let rows = self.query(like.ctes, like.outer, subquery)?;
                self.give_name(alias, &Ident::new(""));
                check_sample(like, sample.as_ref())?;
                aliased(rows, alias.as_ref(), None)
            }
            TableFactor::UNNEST { .. } => return self.unnest(like, &Relation::default(), factor),
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let rows = self.from(like, std::slice::from_mut(table_with_joins))?;
                if alias.is_none() {
                    return Ok(rows);
                }
                self.give_name(alias, &Ident::new(""));
                aliased(rows, alias.as_ref(), None)
            }
            other => return Err(SqlError::new("this is not supported in FROM").at_span(other.span())),
        };
        self.know(factor, rows.clone())?;
        Ok(rows)
    }

    /// The columns of a table that WITH defines, which gets its unique name, or of a declared one.
    fn table(&self, like: &Scope<'_>, name: &mut ObjectName, table: &Ident) -> Result<Relation> {
        let common = match self.is_named {
            true => Some(table.value.as_str()),
            false => like.ctes.called(&table.value).filter(|_| name.0.len() == 1),
        };
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
        let rows = match self.catalog.get(declared.name) {
            Some(rows) => (*rows).clone(),
            None => Relation::of_table(declared, &declared.empty()),
        };
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

    fn unnest(&self, like: &Scope<'_>, left: &Relation, factor: &mut TableFactor) -> Result<Relation> {
        let TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } = factor else {
            return Err(SqlError::new("UNNEST is needed here").at(factor));
        };
        let scope = Scope { relation: left, ..*like };
        array_exprs.iter_mut().try_for_each(|array| self.resolve(&scope, Clause::Rows, array))?;
        self.give_name(alias, &Ident::new(""));
        let scope = Scope { known: &[], ungrouped: None, ..scope };
        let names = alias.as_ref().map(column_names).unwrap_or_default();
        let is_whole = are_whole(names.len(), array_exprs.len(), *with_ordinality);
        let mut fields = Vec::new();
        for (at, expr) in array_exprs.iter().enumerate() {
            let element = element(&scope.eval(expr)?.kind).map_err(|error| error.at(expr))?;
            fields.extend(unnested(&element, is_whole, at));
        }
        if *with_ordinality {
            fields.push(Field::new("ordinality", Kind::Bigint));
        }
        let right = aliased(Relation::without_rows(fields), alias.as_ref(), None);
        self.know(factor, right.clone())?;
        Ok(left.clone().beside(right))
    }

    fn lateral(&self, like: &Scope<'_>, left: &Relation, factor: &mut TableFactor) -> Result<Relation> {
        let TableFactor::Derived { subquery, alias, .. } = factor else {
            return Err(SqlError::new("a subquery is needed here").at(factor));
        };
        let scope = Scope { relation: left, ..*like };
        let rows = self.query(like.ctes, Some((&scope, Via::Rows(&[]))), subquery)?.seen();
        self.give_name(alias, &Ident::new(""));
        let right = aliased(rows, alias.as_ref(), None);
        self.know(factor, right.clone())?;
        Ok(left.clone().beside(right))
    }
}

/// Checks TABLESAMPLE.
fn check_sample(like: &Scope<'_>, sample: Option<&TableSampleKind>) -> Result<()> {
    let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample
    else {
        return Ok(());
    };
    constants::percentage(like, sample).map(|_| ())
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

/// The columns with the same name on both sides.
fn shared(left: &Relation, right: &Relation) -> Vec<Ident> {
    let is_there = |relation: &Relation, name: &str| {
        relation.fields.iter().any(|field| !field.hidden && field.name.eq_ignore_ascii_case(name))
    };
    let shared = left.fields.iter().filter(|field| !field.hidden && is_there(right, &field.name));
    shared.map(|field| Ident::new(field.name.to_lowercase())).collect()
}
