//! Tables that are named by an id or a placeholder.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::data_store;
use super::tokens::{closes, is_said, keyword_of};

/// Replaces table names that are the id of an event data store, as in CloudTrail Lake, or a placeholder as
/// in documentation (`<table>`, `$EDS_ID`, `"${database}"."${table}"`): they mean the trail's table.
pub(in crate::sql) fn with_tables(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    let own = own_tables(&tokens);
    let (mut expected, mut before) = (false, None);
    while let Some(token) = tokens.get(at) {
        if expected && is_said(token) {
            expected = false;
            let (length, name) = stand_in(tokens.get(at..).unwrap_or_default(), &own);
            if let Some(last) = length.checked_sub(1).and_then(|last| tokens.get(at + last)) {
                out.push(TokenWithSpan::new(name, Span::new(token.span.start, last.span.end)));
                at += length;
                continue;
            }
        }
        if is_said(token) {
            let keyword = keyword_of(token);
            expected =
                matches!(keyword, Some(Keyword::FROM | Keyword::JOIN)) && before != Some(Keyword::DISTINCT);
            before = keyword;
        }
        out.push(token.clone());
        at += 1;
    }
    out
}

/// How many tokens name a table with an id or placeholder among them, and the name to use instead; 0 if
/// there are none.
fn stand_in(tokens: &[TokenWithSpan], own: &[String]) -> (usize, Token) {
    let trail = Token::make_word("cloudtrail_logs", None);
    let lake = Token::make_word(data_store::TABLE, None);
    let (mut at, mut is_one) = (0, false);
    loop {
        let rest = tokens.get(at..).unwrap_or_default();
        let length = placeholder(rest);
        let name = match rest.first() {
            _ if length > 0 && is_of_lake(rest.get(..length).unwrap_or_default()) => lake.clone(),
            _ if length > 0 => trail.clone(),
            Some(token) if is_called_store(token, own) => {
                is_one = true;
                lake.clone()
            }
            Some(TokenWithSpan { token: name @ Token::Word(_), .. }) => name.clone(),
            _ => return (0, trail),
        };
        at += length.max(1);
        is_one |= length > 0;
        match tokens.get(at) {
            Some(TokenWithSpan { token: Token::Period, .. }) => at += 1,
            _ => return (if is_one { at } else { 0 }, name),
        }
    }
}

/// Whether a placeholder stands for an event data store: its id, or a name for it.
fn is_of_lake(tokens: &[TokenWithSpan]) -> bool {
    let text: String = tokens.iter().map(|token| token.token.to_string().to_lowercase()).collect();
    let letters: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let is_called = letters == "eds" || letters.contains("edsid") || letters.contains("eventdatastore");
    is_uuid(text.trim_matches(['"', '`']))
        || is_called
        || text.trim_start_matches(['$', '<', '{']).starts_with("eds_")
}

/// A plain name that stands for an event data store in documentation, `EDS_ID` and `event_data_store_id`,
/// unless the query defines a table of that name.
fn is_called_store(token: &TokenWithSpan, own: &[String]) -> bool {
    let Token::Word(word) = &token.token else { return false };
    let name = word.value.to_lowercase();
    (name.starts_with("eds_") || name.starts_with("event_data_store")) && !own.contains(&name)
}

/// Names of tables and views that the query itself defines: `name AS (`, `name (a, b) AS (`, `name AS
/// SELECT`.
fn own_tables(tokens: &[TokenWithSpan]) -> Vec<String> {
    let said: Vec<&TokenWithSpan> = tokens.iter().filter(|token| is_said(token)).collect();
    let mut names = Vec::new();
    for (at, token) in said.iter().enumerate() {
        let Token::Word(word) = &token.token else { continue };
        if !is_called_store(token, &[]) {
            continue;
        }
        let mut next = at + 1;
        if said.get(next).is_some_and(|token| token.token == Token::LParen) {
            next += closes(said.get(next..).unwrap_or_default()).unwrap_or(0) + 1;
        }
        let is_as = said.get(next).and_then(|token| keyword_of(token)) == Some(Keyword::AS);
        let is_query = |token: &&TokenWithSpan| {
            token.token == Token::LParen || matches!(keyword_of(token), Some(Keyword::SELECT | Keyword::WITH))
        };
        if is_as && said.get(next + 1).is_some_and(is_query) {
            names.push(word.value.to_lowercase());
        }
    }
    names
}

/// How many tokens form an id or placeholder.
fn placeholder(tokens: &[TokenWithSpan]) -> usize {
    let text = |token: &TokenWithSpan| token.token.to_string();
    let near: Vec<String> = tokens.iter().take_while(|token| is_said(token)).take(24).map(text).collect();
    let id = near.iter().scan(String::new(), |text, part| {
        text.push_str(part);
        Some(text.clone())
    });
    if let Some(at) =
        id.enumerate().find(|(_, text)| is_uuid(text.trim_matches(['"', '`']))).map(|(at, _)| at)
    {
        return at + 1;
    }
    let is_quoted = |name: &str| {
        name.starts_with(['"', '`'])
            && name.get(1..).is_some_and(|name| name.starts_with(['$', '{', '<', '[']))
    };
    let (open, close) = match near.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [name, ..] if is_quoted(name) => return 1,
        [name, ..] if name.len() > 1 && name.starts_with('$') => return 1,
        ["<", ..] => ("<", ">"),
        ["$", "{", ..] | ["{", ..] => ("{", "}"),
        _ => return 0,
    };
    // The words in a placeholder may be separated by spaces.
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().take(24) {
        match text(token).as_str() {
            sign if sign == open => depth += 1,
            sign if sign == close => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            "$" | "-" | "." => {}
            _ if !is_said(token) || matches!(token.token, Token::Word(_) | Token::Number(..)) => {}
            _ => return 0,
        }
    }
    0
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
