//! Evaluates expressions, column by column.

use polars::prelude::{BooleanChunked, Series};
use sqlparser::ast::{AccessExpr, Expr, Ident, Spanned, Subscript, UnaryOperator, Value};

use super::error::{Result, SqlError};
use super::memory::cell_bytes;
use super::query::{Ctes, Session};
use super::relation::Relation;
use super::values::Values;
use super::{
    arithmetic, cast, clock, compare, decimal, functions, like, names, partition, predicate, subquery,
};
use crate::tables::{Kind, cloudtrail};

/// What an expression can refer to.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub session: &'a Session<'a>,
    pub ctes: &'a Ctes,
    pub relation: &'a Relation,
    /// Expressions that have been computed: group keys, aggregates, window functions, columns of the `SELECT`
    /// list.
    pub known: &'a [(Expr, Values)],
    /// After grouping, the scope before it: only columns that are keys can be used.
    pub ungrouped: Option<&'a Scope<'a>>,
    /// For a subquery or a lambda, the scope around it, and how its rows relate to those of this one.
    pub outer: Option<(&'a Scope<'a>, Via<'a>)>,
    /// Inside of `try(…)`: an invalid value becomes NULL.
    pub lenient: bool,
}

/// How the rows of a scope relate to those of the outer scope.
#[derive(Clone, Copy)]
pub(super) enum Via<'a> {
    /// All rows belong to this one.
    Row(usize),
    /// Each row belongs to the row with this index.
    Rows(&'a [Option<u32>]),
}

impl<'a> Scope<'a> {
    pub fn new(session: &'a Session<'a>, ctes: &'a Ctes, relation: &'a Relation) -> Self {
        Self {
            session,
            ctes,
            relation,
            known: &[],
            ungrouped: None,
            outer: None,
            lenient: session.is_typing(),
        }
    }

    pub fn height(&self) -> usize {
        self.relation.height
    }

    /// The value of `expr` for every row. Errors get the position of the expression.
    pub fn eval(&self, expr: &Expr) -> Result<Values> {
        if let Some((_, values)) = self.known.iter().find(|(known, _)| known == expr) {
            return Ok(values.clone());
        }
        self.dispatch(expr).map_err(|error| error.at(expr))
    }

    /// `expr` as a column with one entry for each row.
    pub fn column(&self, expr: &Expr) -> Result<Values> {
        let values = self.eval(expr)?;
        Ok(Values::new(values.kind.clone(), self.spread(&values)?))
    }

    /// One entry for each row: a constant is repeated, if there is enough memory.
    pub fn spread(&self, values: &Values) -> Result<Series> {
        if values.constant {
            self.session.limits().fits(self.height(), cell_bytes(&values.data))?;
        }
        Ok(values.spread(self.height()))
    }

    fn dispatch(&self, expr: &Expr) -> Result<Values> {
        match expr {
            Expr::Identifier(ident) => self.name(std::slice::from_ref(ident)),
            Expr::CompoundIdentifier(parts) => self.name(parts),
            Expr::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain),
            Expr::Nested(inner) => self.eval(inner),
            Expr::Value(value) => literal(&value.value),
            Expr::TypedString(typed) => cast::typed_literal(&typed.data_type, &typed.value.value),
            Expr::Interval(interval) => clock::interval(interval),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::BinaryOp { left, op, right } => self.binary(expr, left, op, right),
            Expr::Cast { kind, expr, data_type, .. } => {
                let lenient = self.lenient
                    || !matches!(
                        kind,
                        sqlparser::ast::CastKind::Cast | sqlparser::ast::CastKind::DoubleColon
                    );
                let values =
                    cast::cast(&self.eval(expr)?, &cast::kind_of(data_type)?, self.height(), lenient)?;
                cast::cut(values, data_type, self.height())
            }
            Expr::AtTimeZone { timestamp, time_zone } => {
                clock::at_time_zone(&self.eval(timestamp)?, &self.eval(time_zone)?, self.height())
            }
            Expr::Extract { field, expr, .. } => {
                clock::extract(&field.to_string(), &self.eval(expr)?, self.height())
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                predicate::case(self, operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                like::like(self, expr, pattern, escape_char.as_ref(), *negated, false)
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
                like::like(self, expr, pattern, escape_char.as_ref(), *negated, true)
            }
            Expr::RLike { negated, expr, pattern, .. } => like::rlike(self, expr, pattern, *negated),
            Expr::Function(function) => functions::call(self, function),
            Expr::Exists { subquery, negated } => subquery::exists(self, subquery, *negated),
            Expr::Subquery(query) => subquery::scalar(self, query),
            Expr::InSubquery { expr, subquery, negated } => {
                subquery::contains(self, expr, subquery, *negated)
            }
            Expr::Array(array) => functions::array_of(self, &array.elem),
            Expr::Tuple(elements) => functions::row_of(self, elements),
            Expr::Position { expr, r#in } => functions::plain(self, "strpos", &[r#in, expr]),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let arguments: Vec<&Expr> = [Some(expr), substring_from.as_ref(), substring_for.as_ref()]
                    .into_iter()
                    .flatten()
                    .map(|e| &**e)
                    .collect();
                functions::plain(self, "substr", &arguments)
            }
            Expr::Trim { trim_where, trim_what, expr, .. } => {
                functions::trim(self, *trim_where, trim_what.as_deref(), expr)
            }
            Expr::Ceil { expr, .. } => functions::plain(self, "ceil", &[expr]),
            Expr::Floor { expr, .. } => functions::plain(self, "floor", &[expr]),
            other => predicate::eval(self, other),
        }
    }

    /// A dotted name: a column of this query or an outer one, or a field of it.
    fn name(&self, parts: &[Ident]) -> Result<Values> {
        match self.lookup(parts)? {
            Some(values) => Ok(values),
            None => match parts {
                [only] if only.quote_style.is_none() && clock::is_moment(&only.value) => {
                    clock::moment(&only.value, self.session.now)
                }
                _ => Err(SqlError::new(format!("there is no column {}", names::dotted(parts)))),
            },
        }
    }

    fn lookup(&self, parts: &[Ident]) -> Result<Option<Values>> {
        if let Some(before) = self.ungrouped {
            if let Some(found) = names::find(before.relation, parts)? {
                return self.key(before, parts, found).map(Some);
            }
        } else if let Some((index, used)) = names::find(self.relation, parts)? {
            let path = parts.get(used..).unwrap_or_default();
            let values = self.relation.values(index)?;
            return if self.is_json(index, &values) {
                functions::members(values, path).map(Some)
            } else {
                fields(values, path).map(Some)
            };
        }
        let Some((outer, via)) = &self.outer else { return Ok(None) };
        let Some(values) = outer.lookup(parts)? else { return Ok(None) };
        Ok(Some(match via {
            Via::Row(row) => {
                let row = u32::try_from(*row).map_err(|_| SqlError::new("too many rows"))?;
                let mut one = values.take(&[Some(row)])?;
                one.constant = true;
                one
            }
            Via::Rows(rows) => values.take(rows)?,
        }))
    }

    /// Whether a column contains JSON texts, whose members can be used like fields.
    fn is_json(&self, index: usize, values: &Values) -> bool {
        let name = self.relation.fields.get(index).map(|field| field.name.as_str());
        values.kind == Kind::Varchar && name.is_some_and(|name| cloudtrail::JSON_COLUMNS.contains(&name))
    }

    /// After grouping: the column of a group key, or a field of it.
    fn key(&self, before: &Scope<'_>, parts: &[Ident], (index, used): (usize, usize)) -> Result<Values> {
        let path = parts.get(used..).unwrap_or_default();
        for (key, values) in self.known {
            let key_parts = match key {
                Expr::Identifier(ident) => std::slice::from_ref(ident),
                Expr::CompoundIdentifier(parts) => parts.as_slice(),
                _ => continue,
            };
            if let Some((key_index, key_used)) = names::find(before.relation, key_parts)?
                && key_index == index
                && let Some(rest) = path.strip_prefix(key_parts.get(key_used..).unwrap_or_default())
            {
                return fields(values.clone(), rest);
            }
        }
        Err(SqlError::new(format!(
            "{} must stand in GROUP BY, or in an aggregate such as max(…)",
            names::dotted(parts)
        )))
    }

    fn access(&self, root: &Expr, chain: &[AccessExpr]) -> Result<Values> {
        let mut values = self.eval(root)?;
        for step in chain {
            values = match step {
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    functions::subscript(&values, &self.eval(index)?, self.height())?
                }
                AccessExpr::Dot(expr) => match names::of_field(step) {
                    Some(name) => fields(values, &[name])?,
                    None => return Err(SqlError::new("a field name is needed here").at(expr)),
                },
                AccessExpr::Subscript(Subscript::Slice { .. }) => {
                    return Err(SqlError::new("slices are not supported; use slice(array, start, length)"));
                }
            };
        }
        Ok(values)
    }

    fn unary(&self, op: UnaryOperator, operand: &Expr) -> Result<Values> {
        match op {
            UnaryOperator::Not => predicate::not(&self.eval(operand)?),
            UnaryOperator::Minus => arithmetic::negate(&self.eval(operand)?, self.height(), self.lenient),
            UnaryOperator::Plus => self.eval(operand),
            other => Err(SqlError::new(format!("operator {other} is not supported"))),
        }
    }

    fn binary(
        &self,
        whole: &Expr,
        left: &Expr,
        op: &sqlparser::ast::BinaryOperator,
        right: &Expr,
    ) -> Result<Values> {
        use sqlparser::ast::BinaryOperator as Op;
        match op {
            Op::And | Op::Or => predicate::chain(self, whole, op),
            Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq => {
                let (first, second) = (self.eval(left)?, self.eval(right)?);
                let first = partition::spelt(self, left, first, &second)?;
                let second = partition::spelt(self, right, second, &first)?;
                compare::compare(op, &first, &second, self.height(), self.lenient)
            }
            Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo => {
                arithmetic::binary(op, &self.eval(left)?, &self.eval(right)?, self.height(), self.lenient)
            }
            Op::StringConcat => functions::plain(self, "concat", &[left, right]),
            other => Err(SqlError::new(format!("operator {other} is not supported")).at_span(whole.span())),
        }
    }

    /// Evaluates `then` over some of the rows only.
    pub fn narrowed<T>(&self, rows: &[Option<u32>], then: impl FnOnce(&Scope<'_>) -> Result<T>) -> Result<T> {
        let relation = self.relation.take(rows)?;
        let known = self
            .known
            .iter()
            .map(|(expr, values)| Ok((expr.clone(), values.take(rows)?)))
            .collect::<Result<Vec<_>>>()?;
        let through: Vec<Option<u32>> = match self.outer {
            Some((_, Via::Rows(outer))) => rows
                .iter()
                .map(|row| row.and_then(|row| outer.get(row as usize).copied().flatten()))
                .collect(),
            _ => Vec::new(),
        };
        let outer = self.outer.map(|(scope, via)| match via {
            Via::Row(row) => (scope, Via::Row(row)),
            Via::Rows(_) => (scope, Via::Rows(&through)),
        });
        let scope = Scope { relation: &relation, known: &known, outer, ..*self };
        then(&scope)
    }

    /// The rows for which `condition` is true.
    pub fn truth(&self, condition: &Expr) -> Result<Vec<bool>> {
        let values = self.eval(condition)?;
        let truths = values.truths().map_err(|error| error.at(condition))?;
        Ok((0..self.height()).map(|row| truths.get(row) == Some(true)).collect())
    }

    /// Sets `keep` for every row for which all of `conditions` are true.
    pub fn mark(&self, conditions: &[Expr], keep: &mut [bool]) -> Result<()> {
        let mut all = vec![true; self.height()];
        for condition in conditions {
            match self.truth_among(condition, &all) {
                Ok(truth) => all.iter_mut().zip(truth).for_each(|(slot, holds)| *slot = *slot && holds),
                // Another condition, which has not been evaluated yet, may exclude the row with the invalid
                // value.
                Err(error) if error.by_value => {}
                Err(error) => return Err(error),
            }
        }
        keep.iter_mut().zip(all).for_each(|(slot, holds)| *slot = *slot || holds);
        Ok(())
    }

    /// Like [`truth`](Self::truth), but an invalid value is only an error in the rows of `among`.
    pub fn truth_among(&self, condition: &Expr, among: &[bool]) -> Result<Vec<bool>> {
        match self.truth(condition) {
            Err(error) if error.by_value => {
                let rows: Vec<Option<u32>> =
                    (0_u32..).zip(among).filter(|(_, keep)| **keep).map(|(row, _)| Some(row)).collect();
                let some = self.narrowed(&rows, |scope| scope.truth(condition))?;
                let mut all = vec![false; self.height()];
                for (row, holds) in rows.into_iter().flatten().zip(some) {
                    if let Some(slot) = all.get_mut(row as usize) {
                        *slot = holds;
                    }
                }
                Ok(all)
            }
            result => result,
        }
    }
}

/// Fields of a row, one inside the other.
pub(super) fn fields(mut values: Values, path: &[Ident]) -> Result<Values> {
    for ident in path {
        let Kind::Row(members) = &values.kind else {
            let hint = if values.kind.is_text() {
                "; it is text: use json_extract_scalar(…, '$.…')"
            } else {
                ""
            };
            return Err(SqlError::new(format!(
                "there is no field {} in a {}{hint}",
                ident.value, values.kind
            ))
            .at_span(ident.span));
        };
        let Some((name, kind)) = members.iter().find(|(name, _)| name.eq_ignore_ascii_case(&ident.value))
        else {
            let hint = names::suggestion(&ident.value, members.iter().map(|(name, _)| name.as_str()));
            return Err(SqlError::new(format!("there is no field {}{hint}", ident.value)).at_span(ident.span));
        };
        let data = values.data.struct_()?.field_by_name(name)?;
        values = Values { kind: kind.clone(), data, constant: values.constant };
    }
    Ok(values)
}

fn literal(value: &Value) -> Result<Values> {
    Ok(match value {
        Value::Null => Values::null(Kind::Unknown),
        Value::Boolean(value) => Values::constant(Kind::Boolean, Some(*value)),
        Value::Number(text, _) => match text.parse::<i64>() {
            Ok(number) => Values::constant(Kind::Bigint, Some(number)),
            Err(_) => match decimal::literal(text) {
                Some(number) => number,
                None => {
                    let number: f64 =
                        text.parse().map_err(|_| SqlError::new(format!("{text} is no number")))?;
                    Values::constant(Kind::Double, Some(number))
                }
            },
        },
        Value::HexStringLiteral(digits) => functions::bytes_literal(digits)
            .ok_or_else(|| SqlError::new("X'…' is bytes: two hexadecimal digits for each"))?,
        Value::Placeholder(name) => {
            return Err(SqlError::new(format!(
                "parameter {name} has no value; put the value in its place, or in a params table"
            )));
        }
        other => match other.clone().into_string() {
            Some(text) => Values::constant(Kind::Varchar, Some(text)),
            None => return Err(SqlError::new(format!("literal {other} is not supported"))),
        },
    })
}

/// A mask from row flags.
pub(super) fn mask(keep: &[bool]) -> BooleanChunked {
    keep.iter().copied().map(Some).collect()
}
