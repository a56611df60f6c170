//! Evaluates expressions, column by column.

use sqlparser::ast::{AccessExpr, Expr, Ident, Spanned, Subscript, UnaryOperator, Value};

use crate::sql::error::{Result, SqlError};
use crate::sql::functions::fields::fields;
use crate::sql::functions::{self, like, partition, predicate};
use crate::sql::scope::{Scope, Via};
use crate::sql::syntax::names;
use crate::sql::types::values::Values;
use crate::sql::types::{arithmetic, cast, clock, columns, compare, decimal};
use crate::tables::{Kind, cloudtrail};

/// The value of an expression for every row.
pub(super) fn value(scope: &Scope<'_>, expr: &Expr) -> Result<Values> {
    scope.dispatch(expr)
}

impl Scope<'_> {
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
            if let Some(found) = columns::find(before.relation, parts)? {
                return self.key(before, parts, found).map(Some);
            }
        } else if let Some((index, used)) = columns::find(self.relation, parts)? {
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
            if let Some((key_index, key_used)) = columns::find(before.relation, key_parts)?
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
