//! Trino's dialect, as far as sqlparser has to be told about it, and text → tree.

use std::any::TypeId;

use sqlparser::ast::{Expr, Query, Statement};
use sqlparser::dialect::{Dialect, GenericDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

use super::error::{Place, SqlError};

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

/// The one `SELECT` in `text`.
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
    let mut parser = Parser::new(&Trino).with_tokens_with_locations(with_angle_brackets(with_addresses(tokens)));
    let mut statements = parser.parse_statements().map_err(syntax_error)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(*query),
        (Some(_), true) => Err(SqlError::new("only SELECT can be asked: logs are read, never written")),
        (Some(_), false) => Err(SqlError::new("one statement at a time: there is more than one here")),
        (None, _) => Err(SqlError::new("the query is empty")),
    }
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

/// The parser knows no literals of type `IPADDRESS '10.0.0.1'`: they become casts. A network is a text here.
fn with_addresses(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let is_type = |before: &&TokenWithSpan| matches!(&before.token, Token::Word(word) if word.quote_style.is_none() && (word.value.eq_ignore_ascii_case("ipaddress") || word.value.eq_ignore_ascii_case("ipprefix")));
        let before = out.iter().rposition(|token| !matches!(token.token, Token::Whitespace(_)));
        let literal = before.filter(|at| out.get(*at).as_ref().is_some_and(is_type));
        match (&token.token, literal) {
            (Token::SingleQuotedString(_), Some(at)) => {
                let span = token.span;
                let name = out.split_off(at).into_iter().next().map(|token| token.token);
                let is_address = matches!(&name, Some(Token::Word(word)) if word.value.eq_ignore_ascii_case("ipaddress"));
                let word = |text: &str| TokenWithSpan::new(Token::make_word(text, None), span);
                if is_address {
                    out.extend([word("CAST"), TokenWithSpan::new(Token::LParen, span), token, word("AS"), word("ipaddress")]);
                    out.push(TokenWithSpan::new(Token::RParen, span));
                } else {
                    out.push(token);
                }
            }
            _ => out.push(token),
        }
    }
    out
}

/// Trino writes nested types with parentheses, `CAST(x AS ARRAY(ROW(arn VARCHAR)))`; the parser knows them with angle
/// brackets. Inside the type of a cast, and nowhere else, one becomes the other.
fn with_angle_brackets(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    // For each open parenthesis: does it open a CAST, and is it one that was turned?
    let mut open: Vec<(bool, bool)> = Vec::new();
    let mut in_type: Option<usize> = None;
    let mut before: Option<Keyword> = None;
    let mut before_text = String::new();
    for token in &mut tokens {
        let mut keyword = None;
        let mut text = String::new();
        match &mut token.token {
            Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab) => continue,
            Token::Whitespace(_) => continue,
            Token::Word(word) if word.quote_style.is_none() => {
                text = word.value.to_ascii_uppercase();
                if in_type.is_some() && text == "ROW" {
                    word.value = "STRUCT".to_owned();
                    word.keyword = Keyword::STRUCT;
                }
                if word.keyword == Keyword::AS && open.last().is_some_and(|(cast, _)| *cast) {
                    in_type = Some(open.len());
                }
                keyword = Some(word.keyword);
            }
            Token::LParen => {
                let cast = matches!(before_text.as_str(), "CAST" | "TRY_CAST");
                let turned = in_type.is_some() && matches!(before, Some(Keyword::ARRAY | Keyword::STRUCT));
                open.push((cast, turned));
                if turned {
                    token.token = Token::Lt;
                }
            }
            Token::RParen => {
                if open.pop().is_some_and(|(_, turned)| turned) {
                    token.token = Token::Gt;
                }
                if in_type.is_some_and(|depth| open.len() < depth) {
                    in_type = None;
                }
            }
            _ => {}
        }
        before = keyword;
        before_text = text;
    }
    tokens
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
