//! Expressions that cannot fail: without casts, divisions and the like.
//!
//! If rows are dropped because others come first, it depends on chance which rows are evaluated. Expressions
//! that may fail for a row are therefore evaluated in a way that looks at all rows.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

use crate::sql::syntax::names;
use crate::sql::syntax::visit::{Visitor, visit};

/// Functions that cannot fail for any text.
const SURE: &[&str] = &[
    "coalesce",
    "concat",
    "json_extract",
    "json_extract_scalar",
    "length",
    "lower",
    "replace",
    "reverse",
    "starts_with",
    "strpos",
    "trim",
    "upper",
];

/// Whether an expression can be evaluated for any row.
pub(super) fn is_sure(expr: &Expr) -> bool {
    struct Sure;
    impl Visitor for Sure {
        fn pre_visit_query(&mut self, _: &sqlparser::ast::Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            use BinaryOperator as Op;
            let sure = match expr {
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) | Expr::Nested(_) => true,
                Expr::IsNull(_)
                | Expr::IsNotNull(_)
                | Expr::InList { .. }
                | Expr::Between { .. }
                | Expr::Like { .. } => true,
                Expr::UnaryOp { op: UnaryOperator::Not, .. } => true,
                Expr::BinaryOp {
                    op:
                        Op::And
                        | Op::Or
                        | Op::Eq
                        | Op::NotEq
                        | Op::Lt
                        | Op::LtEq
                        | Op::Gt
                        | Op::GtEq
                        | Op::StringConcat,
                    ..
                } => true,
                Expr::Function(function) => {
                    function.over.is_none() && SURE.contains(&names::of_function(function).as_str())
                }
                _ => false,
            };
            if sure { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        }
    }
    visit(expr, &mut Sure).is_continue()
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::GenericDialect;
    use sqlparser::parser::Parser;

    #[test]
    fn what_a_value_could_stop_is_not_sure() {
        let is_sure = |text: &str| {
            super::is_sure(&Parser::new(&GenericDialect {}).try_with_sql(text).unwrap().parse_expr().unwrap())
        };
        for text in [
            "a.b",
            "a = 'x' AND b LIKE '%y' OR NOT c IN ('z')",
            "lower(json_extract_scalar(a, '$.b')) || 'c'",
            "a IS NULL",
        ] {
            assert!(is_sure(text), "{text}");
        }
        for text in [
            "CAST(a AS bigint)",
            "a / b",
            "from_iso8601_timestamp(a)",
            "a = (SELECT 1)",
            "a[1]",
            "lower(CAST(a AS varchar))",
            "-a",
        ] {
            assert!(!is_sure(text), "{text}");
        }
    }
}
