//! Window functions that are written with others, whose values can be carried from row to row.
//!
//! - `avg` of whole numbers so far: the sum divided by the count;
//! - `ntile`, `percent_rank`, `cume_dist`: a number so far, and how many rows the whole partition has.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, SelectItem, Value,
    WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

use crate::sql::bind::Bound;
use crate::sql::functions::window::carried::{Carry, plain_arguments};
use crate::sql::syntax::names::{self, top};
use crate::sql::syntax::visit::{VisitorMut, visit_mut};
use crate::sql::syntax::{calls, dialect};
use crate::sql::types::relation::Relation;
use crate::tables::Kind;

/// Writes the window functions of a SELECT list with others.
pub(super) struct Written<'b> {
    pub bound: &'b Bound,
    /// The rows of its FROM clause; they are empty.
    pub rows: &'b Relation,
}

impl VisitorMut for Written<'_> {
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(written) = self.written(expr) {
            *expr = written;
        }
        ControlFlow::Continue(())
    }
}

impl Written<'_> {
    fn written(&self, expr: &Expr) -> Option<Expr> {
        let Expr::Function(function) = expr else { return None };
        let Some(WindowType::WindowSpec(spec)) = &function.over else { return None };
        let args = plain_arguments(function)?.args.as_slice();
        let (is_ordered, is_of_all) = (!spec.order_by.is_empty(), function.filter.is_none());
        match (names::of_function(function).as_str(), args) {
            ("avg", _) => self.mean(function, spec),
            ("ntile", [FunctionArg::Unnamed(FunctionArgExpr::Expr(count))]) if is_of_all => {
                tile(function, spec, count)
            }
            ("percent_rank", []) if is_ordered && is_of_all => {
                let rank = over(function, spec, ("rank", Vec::new()), None);
                let text = "CASE WHEN total = 1 THEN CAST(0 AS double) ELSE CAST(before - 1 AS double) / CAST(total - 1 AS double) END";
                filled(text, &[("before", rank), ("total", total(function, spec))])
            }
            ("cume_dist", []) if is_ordered && is_of_all => {
                let so_far = over(function, spec, ("count", vec![all()]), None);
                let text = "CAST(so_far AS double) / CAST(total AS double)";
                filled(text, &[("so_far", so_far), ("total", total(function, spec))])
            }
            _ => None,
        }
    }

    /// What a window function needs of the rows before others. Only sums of whole numbers are the same whatever they
    /// are made of.
    pub fn carry(&self, function: &Function, spec: &WindowSpec) -> Option<Carry> {
        let carry = Carry::of(function, spec)?;
        if carry != Carry::Sum || names::of_function(function) != "sum" {
            return Some(carry);
        }
        (self.kind_of_argument(function)?.0 == Kind::Bigint).then_some(carry)
    }

    /// The type of the argument of a window function, and whether it is DISTINCT.
    fn kind_of_argument(&self, function: &Function) -> Option<(Kind, bool)> {
        let call = Function { over: None, ..function.clone() };
        let (argument, is_distinct) = calls::argument(&call)?;
        let kind =
            self.bound.typed(self.rows, |scope| scope.eval(argument?).ok().map(|values| values.kind))?;
        Some((kind, is_distinct))
    }

    fn mean(&self, function: &Function, spec: &WindowSpec) -> Option<Expr> {
        if self.kind_of_argument(function)? != (Kind::Bigint, false) {
            return None;
        }
        // Where sums can be carried on, these can be; the average over a few rows is one as it stands.
        if Carry::of(&calls::renamed(function, "sum"), spec) != Some(Carry::Sum) {
            return None;
        }
        let of = |name: &str| Expr::Function(calls::renamed(function, name));
        let text = "CAST(total AS double) / CAST(number AS double)";
        filled(text, &[("total", of("sum")), ("number", of("count"))])
    }
}

/// Of `total` rows in `count` tiles, the first ones have one row more than the others.
fn tile(function: &Function, spec: &WindowSpec, count: &Expr) -> Option<Expr> {
    let Expr::Value(value) = count else { return None };
    let Value::Number(text, _) = &value.value else { return None };
    text.parse::<i64>().ok().filter(|count| *count > 0)?;
    let number = over(function, spec, ("row_number", Vec::new()), None);
    let in_larger = "((total % tiles) * (total / tiles + 1))";
    let text = format!(
        "CASE WHEN number <= {in_larger} THEN (number - 1) / (total / tiles + 1) \
         ELSE total % tiles + (number - 1 - {in_larger}) / greatest(total / tiles, 1) END + 1"
    );
    filled(&text, &[("number", number), ("total", total(function, spec)), ("tiles", count.clone())])
}

fn all() -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Wildcard)
}

/// How many rows the partition has, over the same window as `function`.
fn total(function: &Function, spec: &WindowSpec) -> Expr {
    let frame = WindowFrame {
        units: WindowFrameUnits::Rows,
        start_bound: WindowFrameBound::Preceding(None),
        end_bound: Some(WindowFrameBound::Following(None)),
    };
    over(function, spec, ("count", vec![all()]), Some(frame))
}

/// Another function over the same window.
fn over(
    function: &Function,
    spec: &WindowSpec,
    (name, args): (&str, Vec<FunctionArg>),
    window_frame: Option<WindowFrame>,
) -> Expr {
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    let spec = WindowSpec { window_frame, ..spec.clone() };
    Expr::Function(Function {
        args: FunctionArguments::List(list),
        over: Some(WindowType::WindowSpec(spec)),
        ..calls::renamed(function, name)
    })
}

/// An expression in which names stand for others.
fn filled(text: &str, by_name: &[(&str, Expr)]) -> Option<Expr> {
    struct Fill<'f>(&'f [(&'f str, Expr)]);
    impl VisitorMut for Fill<'_> {
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Identifier(ident) = expr
                && let Some((_, other)) = self.0.iter().find(|(name, _)| *name == ident.value)
            {
                *expr = other.clone();
            }
            ControlFlow::Continue(())
        }
    }
    let like = dialect::parse(&format!("SELECT {text}")).ok()?;
    let SelectItem::UnnamedExpr(mut expr) = top(&like)?.projection.first()?.clone() else { return None };
    let _ = visit_mut(&mut expr, &mut Fill(by_name));
    Some(Expr::Nested(Box::new(expr)))
}
