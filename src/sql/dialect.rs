//! Trino's dialect, as far as sqlparser has to be told about it, and text → tree.

use std::any::TypeId;
use std::ops::ControlFlow;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{Cte, Expr, Ident, Query, Statement, TableAlias, TableAliasColumnDef, With, visit_relations_mut};
use sqlparser::dialect::{Dialect, GenericDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::error::{Place, SqlError};
use super::statements::{Asking, View};
use super::{spelling, statements};

/// Longest query that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Most operators that a query may chain. The tree that they make is as deep as they are many, and is walked recursively.
const OPERATORS_MAX: usize = 500;

#[derive(Debug)]
struct Trino;

impl Dialect for Trino {
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"' || ch == '`'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_values_as_table_factor(&self) -> bool {
        true
    }

    fn supports_limit_comma(&self) -> bool {
        true
    }

    fn supports_struct_literal(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_projection_trailing_commas(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn supports_select_expr_star(&self) -> bool {
        true
    }

    /// The parser takes everything that follows `IS DISTINCT FROM` for its right side, `OR` and `AND` too.
    fn parse_infix(&self, parser: &mut Parser<'_>, expr: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        let negated = parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]);
        if !negated && !parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]) {
            return None;
        }
        let (left, right) = (Box::new(expr.clone()), parser.parse_subexpr(precedence));
        Some(right.map(Box::new).map(|right| if negated { Expr::IsNotDistinctFrom(left, right) } else { Expr::IsDistinctFrom(left, right) }))
    }
}

/// The one query in `text`, with the views that stand before it as common tables.
pub(super) fn parse(text: &str) -> super::error::Result<Query> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SqlError::new(format!("the query is longer than {TEXT_BYTES_MAX} bytes")));
    }
    let tokens = Tokenizer::new(&Trino, text).tokenize_with_location().map_err(|error| SqlError {
        message: error.message,
        place: Some(Place { line: error.location.line, column: error.location.column }),
        ..SqlError::new("")
    })?;
    if let Some(token) = tokens.iter().filter(|token| is_chaining(&token.token)).nth(OPERATORS_MAX) {
        let error = SqlError::new(format!("more than {OPERATORS_MAX} operators (AND, OR, +, || …); a long list of values belongs in IN (…)"));
        return Err(error.at_span(token.span));
    }
    let asked = statements::asked(spelling::respelt(tokens))?;
    let mut query = match asked.query {
        Asking::Written(tokens) => query(tokens)?,
        Asking::Made(text) => return parse(&text),
    };
    let names: Vec<String> = asked.views.iter().map(|view| view.name.clone()).collect();
    let views = asked.views.into_iter().map(common_table).collect::<super::error::Result<Vec<_>>>()?;
    if !views.is_empty() {
        let with = query.with.get_or_insert_with(|| With { with_token: AttachedToken::empty(), recursive: false, cte_tables: Vec::new() });
        with.cte_tables.splice(0..0, views);
        let _ = visit_relations_mut(&mut query, |name| {
            statements::unqualify(name, &names);
            ControlFlow::<()>::Continue(())
        });
    }
    Ok(query)
}

fn query(tokens: Vec<TokenWithSpan>) -> super::error::Result<Query> {
    let mut statements = Parser::new(&Trino).with_tokens_with_locations(tokens).parse_statements().map_err(syntax_error)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(*query),
        _ => Err(SqlError::new("only SELECT can be asked: logs are read, never written")),
    }
}

/// A view as a table that `WITH` names.
fn common_table(view: View) -> super::error::Result<Cte> {
    let columns = view.columns.into_iter().map(|name| TableAliasColumnDef { name: Ident::new(name), data_type: None }).collect();
    Ok(Cte {
        alias: TableAlias { explicit: true, name: Ident::new(view.name), columns, at: None },
        query: Box::new(query(view.query)?),
        from: None,
        materialized: None,
        closing_paren_token: AttachedToken::empty(),
    })
}

fn is_chaining(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.quote_style.is_none() && matches!(word.keyword, Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::UNION),
        other => matches!(other, Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod | Token::StringConcat | Token::DoubleColon),
    }
}

/// sqlparser puts the place at the end of its message; it is moved to where ours stands.
fn syntax_error(error: ParserError) -> SqlError {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => return SqlError::new("the query is nested too deeply"),
    };
    let Some((before, after)) = message.rsplit_once(" at Line: ") else { return SqlError::new(message) };
    let mut numbers = after.split(", Column: ").map(|number| number.trim().parse::<u64>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(line)), Some(Ok(column))) => SqlError { place: Some(Place { line, column }), ..SqlError::new(before) },
        _ => SqlError::new(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_has_its_place() {
        let error = parse("SELECT a\nFROM t WHERE a = = 1").unwrap_err();
        assert_eq!(error.place.map(|place| place.line), Some(2), "{error}");
        let error = parse("SELECT 'open").unwrap_err();
        assert!(error.place.is_some(), "{error}");
    }

    #[test]
    fn nested_types_as_trino_writes_them() {
        for text in [
            "SELECT CAST(a AS ARRAY(VARCHAR)) FROM t",
            "SELECT CAST(json_parse(a) AS ARRAY(ROW(arn VARCHAR, n BIGINT))) FROM t",
            "SELECT try_cast(a AS map(varchar, json)), (a + 1) FROM t",
            "SELECT CAST(a AS ARRAY<VARCHAR>), CAST(b AS varchar(20)), ARRAY[1, 2] FROM t",
        ] {
            parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }

    #[test]
    fn a_chain_that_is_too_long_is_refused_before_it_can_break_the_stack() {
        let chain = |count: usize, operator: &str| format!("SELECT {}", vec!["1"; count].join(operator));
        assert!(parse(&chain(400, " + ")).is_ok());
        assert!(parse(&chain(5_000, " + ")).unwrap_err().message.contains("IN (…)"));
        assert!(parse(&chain(5_000, " OR ")).is_err());
        assert!(parse(&format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000))).is_err());
        assert!(parse(&format!("SELECT 1 IN ({})", vec!["1"; 5_000].join(", "))).is_ok());
    }

    #[test]
    fn only_one_select() {
        assert!(parse("DROP TABLE t").is_err());
        assert!(parse("SELECT 1; SELECT 2").is_err());
        assert!(parse("").is_err());
        assert!(parse("SELECT 1;").is_ok());
    }
}
