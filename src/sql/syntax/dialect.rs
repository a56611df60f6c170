//! Text → syntax tree: Trino's dialect, as far as sqlparser has to be told about it.
//!
//! The parser backtracks: if `CAST(` does not parse as a cast, it tries a function of that name, and so
//! again for each one inside, 2^n times. Words that can only mean one thing are parsed here as that
//! ([`Trino::only_meaning`]), and the total number of attempts is limited.

use std::any::TypeId;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{CastKind, Cte, Expr, Ident, Query, Statement, TableAlias, TableAliasColumnDef, With};
use sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::json_calls::{is_json_call, json_call};
use super::statements::{Asking, View};
use super::{chains, spelling, statements};
use crate::sql::error::{SqlError, TextPosition};
use crate::sql::syntax::visit::relations_mut;

/// Longest query that is parsed, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// How often the parser may start an expression, for each token. Valid queries take little more than one.
const ATTEMPTS_PER_TOKEN: usize = 64;

#[derive(Debug)]
struct Trino {
    /// How often the parser may still start an expression.
    attempts: AtomicUsize,
}

impl Trino {
    fn of(tokens: usize) -> Self {
        Self { attempts: AtomicUsize::new(tokens.saturating_add(16).saturating_mul(ATTEMPTS_PER_TOKEN)) }
    }

    fn is_spent(&self) -> bool {
        self.attempts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }

    /// Parses what begins with a word that cannot be a function's name before a parenthesis; if that fails,
    /// nothing else is tried.
    fn only_meaning(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let Token::Word(word) = &parser.peek_token_ref().token else { return None };
        let (keyword, next) = (word.keyword, &parser.peek_nth_token_ref(1).token);
        if word.quote_style.is_some() {
            return None;
        }
        if matches!(next, Token::LParen) && is_json_call(&word.value) {
            return Some(json_call(parser));
        }
        let parse: fn(&mut Parser<'_>) -> Result<Expr, ParserError> = match (keyword, next) {
            (Keyword::CAST, Token::LParen) => |parser| parser.parse_cast_expr(CastKind::Cast),
            (Keyword::TRY_CAST, Token::LParen) => |parser| parser.parse_cast_expr(CastKind::TryCast),
            (Keyword::CONVERT, Token::LParen) => |parser| parser.parse_convert_expr(false),
            (Keyword::EXTRACT, Token::LParen) => |parser| parser.parse_extract_expr(),
            (Keyword::CEIL, Token::LParen) => |parser| parser.parse_ceil_floor_expr(true),
            (Keyword::FLOOR, Token::LParen) => |parser| parser.parse_ceil_floor_expr(false),
            (Keyword::OVERLAY, Token::LParen) => |parser| parser.parse_overlay_expr(),
            (Keyword::TRIM, Token::LParen) => |parser| parser.parse_trim_expr(),
            (Keyword::POSITION, Token::LParen) => |parser| position(parser),
            (Keyword::ARRAY, Token::LBracket) => |parser| {
                parser.expect_token(&Token::LBracket)?;
                parser.parse_array_expr(true)
            },
            // These functions consume their own word.
            (Keyword::SUBSTR | Keyword::SUBSTRING, Token::LParen) => return Some(parser.parse_substring()),
            _ => return None,
        };
        parser.next_token();
        Some(parse(parser))
    }
}

/// `position(x IN y)`, whose word has been consumed; `position(y, x)` is recognised by what follows the
/// first argument.
fn position(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let first = parser.parse_subexpr(Trino::of(0).prec_value(Precedence::Between))?;
    if parser.parse_keyword(Keyword::IN) {
        let within = parser.parse_expr()?;
        parser.expect_token(&Token::RParen)?;
        return Ok(Expr::Position { expr: Box::new(first), r#in: Box::new(within) });
    }
    parser.expect_token(&Token::Comma)?;
    let second = parser.parse_expr()?;
    parser.expect_token(&Token::RParen)?;
    // With the arguments in the order of a function: the text first.
    Ok(Expr::Position { expr: Box::new(second), r#in: Box::new(first) })
}

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

    /// A colon is no operator: it stands between a key and its value in `json_object('a' : 1)`.
    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        (parser.peek_token_ref().token == Token::Colon).then_some(Ok(0))
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        if self.is_spent() {
            return Some(Err(ParserError::RecursionLimitExceeded));
        }
        Self::only_meaning(parser)
    }

    /// The parser takes everything after `IS DISTINCT FROM` for its right side, including `OR` and `AND`.
    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        expr: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        let negated = parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]);
        if !negated && !parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]) {
            return None;
        }
        let (left, right) = (Box::new(expr.clone()), parser.parse_subexpr(precedence));
        Some(right.map(Box::new).map(|right| {
            if negated { Expr::IsNotDistinctFrom(left, right) } else { Expr::IsDistinctFrom(left, right) }
        }))
    }
}

/// The one query in `text`, with the views before it as common table expressions.
pub(in crate::sql) fn parse(text: &str) -> crate::sql::error::Result<Query> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SqlError::new(format!("the query is longer than {TEXT_BYTES_MAX} bytes")));
    }
    let tokens = Tokenizer::new(&Trino::of(0), text).tokenize_with_location().map_err(|error| SqlError {
        message: error.message,
        place: Some(TextPosition { line: error.location.line, column: error.location.column }),
        ..SqlError::new("")
    })?;
    chains::check(&tokens)?;
    let asked = statements::asked(spelling::respelt(tokens)?)?;
    let mut query = match asked.query {
        Asking::Written(tokens) => query(tokens)?,
        Asking::Made(text) => return parse(&text),
    };
    let names: Vec<String> = asked.views.iter().map(|view| view.name.clone()).collect();
    let views = asked.views.into_iter().map(common_table).collect::<crate::sql::error::Result<Vec<_>>>()?;
    if !views.is_empty() {
        let with = query.with.get_or_insert_with(|| With {
            with_token: AttachedToken::empty(),
            recursive: false,
            cte_tables: Vec::new(),
        });
        with.cte_tables.splice(0..0, views);
        let _ = relations_mut(&mut query, &mut |name| {
            statements::unqualify(name, &names);
            ControlFlow::Continue(())
        });
    }
    Ok(query)
}

fn query(tokens: Vec<TokenWithSpan>) -> crate::sql::error::Result<Query> {
    let dialect = Trino::of(tokens.len());
    let mut statements =
        Parser::new(&dialect).with_tokens_with_locations(tokens).parse_statements().map_err(syntax_error)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(*query),
        _ => Err(SqlError::new("only SELECT can be asked: logs are read, never written")),
    }
}

/// A view as a table of `WITH`.
fn common_table(view: View) -> crate::sql::error::Result<Cte> {
    let columns = view
        .columns
        .into_iter()
        .map(|name| TableAliasColumnDef { name: Ident::new(name), data_type: None })
        .collect();
    Ok(Cte {
        alias: TableAlias { explicit: true, name: Ident::new(view.name), columns, at: None },
        query: Box::new(query(view.query)?),
        from: None,
        materialized: None,
        closing_paren_token: AttachedToken::empty(),
    })
}

/// sqlparser puts the position at the end of its message; it is moved to where ours is.
fn syntax_error(error: ParserError) -> SqlError {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => return SqlError::new("the query is nested too deeply"),
    };
    let Some((before, after)) = message.rsplit_once(" at Line: ") else { return SqlError::new(message) };
    let mut numbers = after.split(", Column: ").map(|number| number.trim().parse::<u64>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(line)), Some(Ok(column))) => {
            SqlError { place: Some(TextPosition { line, column }), ..SqlError::new(before) }
        }
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
        assert!(parse(&format!("SELECT 1{}", " IS NULL".repeat(10))).is_ok());
        for chained in [
            " IS NULL",
            " IN (1)",
            " = 1",
            " LIKE 'x'",
            " BETWEEN 0 AND 2",
            " AT TIME ZONE 'UTC'",
            " COLLATE x",
            " IS DISTINCT FROM 1",
        ] {
            assert!(parse(&format!("SELECT 1{}", chained.repeat(4_000))).is_err(), "{chained}");
            assert!(
                parse(&format!("SELECT {}", vec![format!("1{chained}"); 90].join(", "))).is_ok(),
                "{chained}"
            );
        }
        assert!(parse(&format!("SELECT 1 IN ({})", vec!["1"; 5_000].join(", "))).is_ok());
    }

    /// Every level used to double the time: 22 levels took six seconds, 40 would take weeks.
    #[test]
    fn a_mistake_deep_inside_is_found_at_once() {
        // Like `Query::parse`: a test's thread has a smaller stack than a program's.
        let deep = std::thread::Builder::new().stack_size(16 << 20).spawn(mistakes_deep_inside).unwrap();
        deep.join().unwrap();
    }

    fn mistakes_deep_inside() {
        for open in [
            "CAST(",
            "TRY_CAST(",
            "CONVERT(",
            "ARRAY[",
            "SUBSTRING(",
            "SUBSTR(",
            "POSITION(",
            "CEIL(",
            "FLOOR(",
            "OVERLAY(",
            "EXTRACT(",
            "TRIM(",
        ] {
            for text in [
                format!("SELECT {} FROM events", open.repeat(40)),
                format!("SELECT {}x FROM", open.repeat(200)),
            ] {
                let error = parse(&text).unwrap_err();
                assert!(!error.message.is_empty(), "{open}");
            }
        }
        let nested = format!("SELECT {}1{} FROM t", "CAST(".repeat(60), " AS bigint)".repeat(60));
        assert!(parse(&nested).unwrap_err().message.contains("nested"));
        for open in [
            "f(",
            "(",
            "CASE WHEN ",
            "STRUCT(",
            "MAP(",
            "EXISTS(",
            "NOT(",
            "ARRAY(",
            "x -> (",
            "(SELECT ",
            "FROM (",
            "IF(",
        ] {
            assert!(parse(&format!("SELECT {} FROM events", open.repeat(40))).is_err(), "{open}");
        }
    }

    #[test]
    fn position_is_spelt_in_two_ways() {
        let one = parse("SELECT position('b' IN x) FROM t").unwrap();
        assert_eq!(parse("SELECT position(x, 'b') FROM t").unwrap().to_string(), one.to_string());
        assert!(parse("SELECT position, ceil, t.substring, convert FROM t").is_ok());
    }

    #[test]
    fn only_one_select() {
        assert!(parse("DROP TABLE t").is_err());
        assert!(parse("SELECT 1; SELECT 2").is_err());
        assert!(parse("").is_err());
        assert!(parse("SELECT 1;").is_ok());
    }
}
