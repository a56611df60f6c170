//! `json_value(x, 'lax $.a' RETURNING bigint DEFAULT 0 ON EMPTY)`, `json_object('a' : 1)`: calls with words of their
//! own between their arguments.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, Value,
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

/// The first argument of `json_object` and `json_array`: what is NULL is left out.
pub(in crate::sql) const ABSENT: &str = "absent on null";

/// The first argument of `json_object`: a key that is there twice is an error.
pub(in crate::sql) const UNIQUE: &str = "with unique keys";

/// Functions that no query can name: whether `json_value` and its relatives find a value, nothing, or an error.
pub(in crate::sql) const OUTCOMES: [&str; 3] = ["json_value outcome", OUTCOME_OF_QUERY, OUTCOME_OF_EXISTS];
pub(in crate::sql) const OUTCOME_OF_QUERY: &str = "json_query outcome";
pub(in crate::sql) const OUTCOME_OF_EXISTS: &str = "json_exists outcome";

/// A function that no query can name: the error of `ERROR ON EMPTY`.
pub(in crate::sql) const FAIL: &str = "json fail";

/// Whether a name is that of a function which no query can name.
pub(in crate::sql) fn is_hidden(name: &str) -> bool {
    name == FAIL || OUTCOMES.contains(&name)
}

pub(super) fn is_json_call(name: &str) -> bool {
    ["json_value", "json_query", "json_exists", "json_object", "json_array"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// Parses such a call from its name on.
pub(super) fn json_call(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let name = parser.parse_identifier()?.value.to_lowercase();
    parser.expect_token(&Token::LParen)?;
    match name.as_str() {
        "json_object" => object(parser),
        "json_array" => array(parser),
        _ => path_call(parser, &name),
    }
}

/// What happens where there is no value.
enum Behaviour {
    Value(Box<Expr>),
    Error,
}

impl Behaviour {
    fn of(value: Expr) -> Self {
        Self::Value(Box::new(value))
    }
}

fn path_call(parser: &mut Parser<'_>, name: &str) -> Result<Expr, ParserError> {
    let mut args = vec![formatted(parser, false)?];
    parser.expect_token(&Token::Comma)?;
    args.push(parser.parse_expr()?);
    let passed = passed(parser)?;
    let kind = if parser.parse_keyword(Keyword::RETURNING) { Some(parser.parse_data_type()?) } else { None };
    let how = how(parser, name)?;
    let (mut on_empty, mut on_error) = (None, None);
    while let Some((behaviour, is_of_error)) = behaviour(parser, name)? {
        *(if is_of_error { &mut on_error } else { &mut on_empty }) = behaviour;
    }
    parser.expect_token(&Token::RParen)?;
    if how.is_some() || !passed.is_empty() || on_empty.is_some() || on_error.is_some() {
        args.push(text(how.unwrap_or_default()));
    }
    args.extend(passed);
    let value = call(name, args.clone());
    Ok(match (on_empty, on_error) {
        (None, None) => returned(value, kind, None),
        (on_empty, on_error) => {
            let outcome = call(&format!("{name} outcome"), args);
            let value = returned(value, kind, on_error.as_ref());
            chosen(name, outcome, (on_empty, on_error), value)
        }
    })
}

/// The value as the type of `RETURNING`. What cannot be converted is an error of the path.
fn returned(value: Expr, kind: Option<DataType>, on_error: Option<&Behaviour>) -> Expr {
    let Some(data_type) = kind else { return value };
    let cast = |kind| Expr::Cast {
        kind,
        expr: Box::new(value.clone()),
        data_type: data_type.clone(),
        array: false,
        format: None,
    };
    match on_error {
        None => cast(CastKind::TryCast),
        Some(Behaviour::Error) => cast(CastKind::Cast),
        Some(Behaviour::Value(instead)) => {
            let is_null = Expr::IsNull(Box::new(value.clone()));
            case(
                None,
                vec![(is_null, text_or_null(None))],
                call("coalesce", vec![cast(CastKind::TryCast), (**instead).clone()]),
            )
        }
    }
}

/// The value, or what is wanted in place of nothing and of an error.
fn chosen(
    name: &str,
    outcome: Expr,
    (on_empty, on_error): (Option<Behaviour>, Option<Behaviour>),
    value: Expr,
) -> Expr {
    let asked = |behaviour: Behaviour, message: &str| match behaviour {
        Behaviour::Value(value) => *value,
        Behaviour::Error => call(FAIL, vec![text(&format!("{name}: {message}"))]),
    };
    let empty = on_empty.map(|behaviour| asked(behaviour, "nothing is at the path (ERROR ON EMPTY)"));
    let error = on_error.map(|behaviour| {
        asked(behaviour, "the path does not lead to one value of this JSON (ERROR ON ERROR)")
    });
    let branches = [("empty", empty), ("error", error)];
    let branches = branches.into_iter().filter_map(|(name, value)| Some((text(name), value?)));
    case(Some(outcome), branches.collect(), value)
}

fn case(operand: Option<Expr>, branches: Vec<(Expr, Expr)>, otherwise: Expr) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: operand.map(Box::new),
        conditions: branches.into_iter().map(|(condition, result)| CaseWhen { condition, result }).collect(),
        else_result: Some(Box::new(otherwise)),
    }
}

fn text(text: &str) -> Expr {
    text_or_null(Some(text))
}

fn text_or_null(text: Option<&str>) -> Expr {
    Expr::value(text.map_or(Value::Null, |text| Value::SingleQuotedString(text.to_owned())))
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: Ident::new(name).into(),
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
    })
}

/// A value, which is JSON itself if `FORMAT JSON` follows. `is_made`: so is what another of these functions makes.
fn formatted(parser: &mut Parser<'_>, is_made: bool) -> Result<Expr, ParserError> {
    let begins = parser.peek_token_ref().token.to_string();
    let value = parser.parse_expr()?;
    let is_json = is_made
        && ["json_object", "json_array", "json_query"].iter().any(|name| begins.eq_ignore_ascii_case(name))
        && matches!(&value, Expr::Function(_) | Expr::Case { .. });
    if word(parser, "FORMAT") {
        expect(parser, "JSON")?;
        return Ok(if is_made { call("json_parse", vec![value]) } else { value });
    }
    Ok(if is_json { call("json_parse", vec![value]) } else { value })
}

/// `PASSING value AS name, …`: names and values.
fn passed(parser: &mut Parser<'_>) -> Result<Vec<Expr>, ParserError> {
    let mut passed = Vec::new();
    if !word(parser, "PASSING") {
        return Ok(passed);
    }
    loop {
        let value = formatted(parser, true)?;
        parser.expect_keyword(Keyword::AS)?;
        passed.extend([text(&parser.parse_identifier()?.value), value]);
        if !parser.consume_token(&Token::Comma) {
            return Ok(passed);
        }
    }
}

/// `json_object('a' : 1, KEY 'b' VALUE 2 NULL ON NULL WITH UNIQUE KEYS)`, from its first argument on.
fn object(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let mut args = Vec::new();
    while !ends(parser) {
        let is_key = is_word(parser, 0, "KEY")
            && !matches!(parser.peek_nth_token_ref(1).token, Token::Colon | Token::Comma | Token::Period)
            && !is_word(parser, 1, "VALUE");
        if is_key {
            parser.next_token();
        }
        args.push(parser.parse_expr()?);
        if !word(parser, "VALUE") {
            parser.expect_token(&Token::Colon)?;
        }
        args.push(formatted(parser, true)?);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    let mut how = if on_null(parser)?.unwrap_or(false) { ABSENT.to_owned() } else { String::new() };
    let is_with = parser.parse_keyword(Keyword::WITH);
    if is_with || parser.parse_keyword(Keyword::WITHOUT) {
        expect(parser, "UNIQUE")?;
        let _ = word(parser, "KEYS");
        how.push_str(if is_with { UNIQUE } else { "" });
    }
    made(parser, "json_object", &how, args)
}

/// `json_array(1, 'a' ABSENT ON NULL)`, from its first argument on.
fn array(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let mut args = Vec::new();
    while !ends(parser) {
        args.push(formatted(parser, true)?);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    let how = if on_null(parser)?.unwrap_or(true) { ABSENT } else { "" };
    made(parser, "json_array", how, args)
}

fn made(parser: &mut Parser<'_>, name: &str, how: &str, mut args: Vec<Expr>) -> Result<Expr, ParserError> {
    let kind = if parser.parse_keyword(Keyword::RETURNING) { Some(parser.parse_data_type()?) } else { None };
    if word(parser, "FORMAT") {
        expect(parser, "JSON")?;
    }
    parser.expect_token(&Token::RParen)?;
    args.insert(0, text(how));
    Ok(returned(call(name, args), kind, Some(&Behaviour::Error)))
}

/// Whether the list of arguments ends here.
fn ends(parser: &Parser<'_>) -> bool {
    let is_about_null = |at| is_word(parser, at, "ON") && is_word(parser, at + 1, "NULL");
    matches!(parser.peek_token_ref().token, Token::RParen)
        || is_about_null(1)
        || ["RETURNING", "WITH", "WITHOUT"].iter().any(|word| is_word(parser, 0, word))
}

/// `NULL ON NULL` is false, `ABSENT ON NULL` true.
fn on_null(parser: &mut Parser<'_>) -> Result<Option<bool>, ParserError> {
    let is_absent = word(parser, "ABSENT");
    if !is_absent && !parser.parse_keyword(Keyword::NULL) {
        return Ok(None);
    }
    parser.expect_keyword(Keyword::ON)?;
    parser.expect_keyword(Keyword::NULL)?;
    Ok(Some(is_absent))
}

fn how(parser: &mut Parser<'_>, name: &str) -> Result<Option<&'static str>, ParserError> {
    if name != "json_query" {
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

/// `NULL ON EMPTY`, `DEFAULT 0 ON ERROR` …, and whether it is about errors; `None` instead of a behaviour for what
/// happens without these words, too.
type Clause = (Option<Behaviour>, bool);

fn behaviour(parser: &mut Parser<'_>, name: &str) -> Result<Option<Clause>, ParserError> {
    let is_exists = name == "json_exists";
    let behaviour = if word(parser, "ERROR") {
        Some(Behaviour::Error)
    } else if is_exists && word(parser, "TRUE") {
        Some(Behaviour::of(Expr::value(Value::Boolean(true))))
    } else if is_exists && word(parser, "FALSE") {
        None
    } else if is_exists && word(parser, "UNKNOWN") {
        Some(Behaviour::of(text_or_null(None)))
    } else if !is_exists && parser.parse_keyword(Keyword::NULL) {
        None
    } else if name == "json_value" && parser.parse_keyword(Keyword::DEFAULT) {
        Some(Behaviour::of(parser.parse_expr()?))
    } else if name == "json_query" && word(parser, "EMPTY") {
        let is_object = word(parser, "OBJECT");
        let _ = is_object || parser.parse_keyword(Keyword::ARRAY);
        Some(Behaviour::of(text(if is_object { "{}" } else { "[]" })))
    } else if matches!(parser.peek_token_ref().token, Token::RParen) {
        return Ok(None);
    } else {
        let found = parser.peek_token();
        return parser.expected(")", found);
    };
    parser.expect_keyword(Keyword::ON)?;
    let is_of_error = is_exists || !word(parser, "EMPTY");
    if is_of_error {
        expect(parser, "ERROR")?;
    }
    Ok(Some((behaviour, is_of_error)))
}

fn is_word(parser: &Parser<'_>, at: usize, wanted: &str) -> bool {
    matches!(
        &parser.peek_nth_token_ref(at).token,
        Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted)
    )
}

fn word(parser: &mut Parser<'_>, wanted: &str) -> bool {
    let is_it = is_word(parser, 0, wanted);
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
