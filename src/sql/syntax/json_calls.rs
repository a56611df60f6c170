//! `json_value(x, 'lax $.a' RETURNING bigint)`: calls whose arguments are followed by words of their own.

use sqlparser::ast::{
    CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    Value,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// The third argument of `json_query`: all values in an array.
pub(in crate::sql) const WRAPPER: &str = "with wrapper";

/// The same, unless there is one value, which is an object or an array.
pub(in crate::sql) const CONDITIONAL_WRAPPER: &str = "with conditional wrapper";

/// The third argument of `json_query`: a text without its quotes.
pub(in crate::sql) const NO_QUOTES: &str = "omit quotes";

pub(super) fn is_json_call(name: &str) -> bool {
    ["json_value", "json_query", "json_exists"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Parses such a call from its name on.
pub(super) fn json_call(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let name = parser.parse_identifier()?;
    parser.expect_token(&Token::LParen)?;
    let mut args = vec![parser.parse_expr()?];
    if word(parser, "FORMAT") {
        expect(parser, "JSON")?;
    }
    parser.expect_token(&Token::Comma)?;
    args.push(parser.parse_expr()?);
    let kind = if parser.parse_keyword(Keyword::RETURNING) { Some(parser.parse_data_type()?) } else { None };
    if let Some(how) = how(parser, &name)? {
        args.push(Expr::value(Value::SingleQuotedString(how.to_owned())));
    }
    while by_itself(parser, &name)? {}
    parser.expect_token(&Token::RParen)?;
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    let call = Expr::Function(Function {
        name: name.into(),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    });
    // What cannot be converted is an error of the path, and these give NULL.
    Ok(match kind {
        None => call,
        Some(data_type) => Expr::Cast {
            kind: CastKind::TryCast,
            expr: Box::new(call),
            data_type,
            array: false,
            format: None,
        },
    })
}

fn how(parser: &mut Parser<'_>, name: &Ident) -> Result<Option<&'static str>, ParserError> {
    if !name.value.eq_ignore_ascii_case("json_query") {
        return Ok(None);
    }
    let is_with = parser.parse_keyword(Keyword::WITH);
    let mut how = None;
    if is_with || parser.parse_keyword(Keyword::WITHOUT) {
        let is_conditional = is_with && word(parser, "CONDITIONAL");
        let _ = is_conditional || word(parser, "UNCONDITIONAL");
        let _ = parser.parse_keyword(Keyword::ARRAY);
        expect(parser, "WRAPPER")?;
        how = is_with.then_some(if is_conditional { CONDITIONAL_WRAPPER } else { WRAPPER });
    }
    let omits = word(parser, "OMIT");
    if omits || word(parser, "KEEP") {
        expect(parser, "QUOTES")?;
        how = how.or(omits.then_some(NO_QUOTES));
    }
    Ok(how)
}

/// What happens without a value or with an error: only what happens without these words, too.
fn by_itself(parser: &mut Parser<'_>, name: &Ident) -> Result<bool, ParserError> {
    let usual = if name.value.eq_ignore_ascii_case("json_exists") { "FALSE" } else { "NULL" };
    if !word(parser, usual) {
        return match &parser.peek_token_ref().token {
            Token::RParen => Ok(false),
            Token::Word(word) if word.keyword == Keyword::DEFAULT => Err(ParserError::ParserError(format!(
                "DEFAULT is not supported here: use coalesce({}(…), …){}",
                name.value,
                parser.peek_token_ref().span.start
            ))),
            _ => {
                let found = parser.peek_token();
                parser.expected(")", found)
            }
        };
    }
    parser.expect_keyword(Keyword::ON)?;
    if !word(parser, "EMPTY") {
        expect(parser, "ERROR")?;
    }
    Ok(true)
}

fn word(parser: &mut Parser<'_>, wanted: &str) -> bool {
    let is_it = matches!(
        &parser.peek_token_ref().token,
        Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted)
    );
    if is_it {
        parser.next_token();
    }
    is_it
}

fn expect(parser: &mut Parser<'_>, wanted: &str) -> Result<(), ParserError> {
    if word(parser, wanted) {
        return Ok(());
    }
    let found = parser.peek_token();
    parser.expected(wanted, found)
}
