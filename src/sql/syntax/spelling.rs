//! Rewrites Trino syntax that the parser does not know to syntax that it knows, token by token, so that
//! positions in error messages stay right.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Whitespace};

use super::stand_ins::with_tables;
use super::tokens::{closes, is_said, keyword_of};
use crate::sql::error::{Result, SqlError};

/// The tokens as the parser takes them.
///
/// # Errors
/// A name begins with a digit.
pub(in crate::sql) fn respelt(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let tokens = with_tables(with_angle_brackets(with_addresses(with_numbers(tokens))));
    check_names(&tokens)?;
    Ok(with_queries(with_rows(with_selects(tokens))))
}

/// Refuses `1abc`, which the parser would take for a number and its name.
fn check_names(tokens: &[TokenWithSpan]) -> Result<()> {
    let is_name = |token: &Token| matches!(token, Token::Word(word) if word.quote_style.is_none() && word.keyword == Keyword::NoKeyword);
    let adjacent = tokens.iter().zip(tokens.iter().skip(1)).find(|(number, name)| {
        matches!(number.token, Token::Number(..))
            && is_name(&name.token)
            && number.span.end == name.span.start
    });
    match adjacent {
        Some((number, name)) => Err(SqlError::new(format!(
            "{}{} is neither a number nor a name; a name that begins with a digit stands in double quotes",
            number.token, name.token
        ))
        .at_span(number.span)),
        None => Ok(()),
    }
}

/// Rewrites `TABLE x` to `SELECT * FROM x`, where a query may begin.
fn with_selects(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let begins = match out.iter().rev().find(|token| is_said(token)) {
            None => true,
            // After a closing one it is the query behind WITH.
            Some(before) if matches!(before.token, Token::LParen | Token::RParen) => true,
            Some(before) => matches!(
                keyword_of(before),
                Some(
                    Keyword::UNION | Keyword::ALL | Keyword::DISTINCT | Keyword::EXCEPT | Keyword::INTERSECT
                )
            ),
        };
        let is_table = keyword_of(&token) == Some(Keyword::TABLE);
        let space = |next: &TokenWithSpan| matches!(next.token, Token::Whitespace(_));
        if is_table && begins && rest.peek().is_some_and(space) {
            let span = token.span;
            let word = |text: &str| TokenWithSpan::new(Token::make_word(text, None), span);
            out.extend([word("SELECT"), TokenWithSpan::new(Token::Mul, span), word("FROM")]);
        } else {
            out.push(token);
        }
    }
    out
}

/// Rewrites `1_000` to 1000, `0x1F` to 31, `0o17` to 15 and `0b101` to 5. The parser would treat the second like
/// `X'1F'`, except for its length, and the others like a 0 with a name.
fn with_numbers(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in with_hexadecimals(tokens) {
        let digits = match (&token.token, out.last()) {
            (Token::Word(word), Some(zero))
                if zero.token == Token::Number("0".to_owned(), false)
                    && zero.span.end == token.span.start =>
            {
                in_base(&word.value)
            }
            _ => None,
        };
        match (digits, out.last_mut()) {
            (Some(number), Some(zero)) => {
                let span = Span::new(zero.span.start, token.span.end);
                *zero = TokenWithSpan::new(Token::Number(number.to_string(), false), span);
            }
            _ => out.push(token),
        }
    }
    out
}

/// The number `b101` or `o17`, of which a 0 stands in front.
fn in_base(word: &str) -> Option<u64> {
    let (base, digits) = word.split_at_checked(1)?;
    let base = match base {
        "b" | "B" => 2,
        "o" | "O" => 8,
        _ => return None,
    };
    u64::from_str_radix(&digits.replace('_', ""), base).ok()
}

fn with_hexadecimals(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    for TokenWithSpan { token, span } in &mut tokens {
        match token {
            Token::Number(digits, _) => digits.retain(|digit| digit != '_'),
            Token::HexStringLiteral(digits)
                if span.end.column - span.start.column == digits.len() as u64 + 2 =>
            {
                if let Ok(number) = u64::from_str_radix(digits, 16) {
                    *token = Token::Number(number.to_string(), false);
                }
            }
            _ => {}
        }
    }
    tokens
}

/// Rewrites `VALUES 1, 2` to `VALUES (1), (2)`.
fn with_rows(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let begins = keyword_of(&token) == Some(Keyword::VALUES);
        out.push(token);
        if !begins {
            continue;
        }
        // Row after row, up to the end of the list.
        let (mut row, mut depth) = (Vec::new(), 0_usize);
        while let Some(token) = rest.peek() {
            let ends = depth == 0
                && (matches!(token.token, Token::RParen | Token::SemiColon | Token::EOF)
                    || keyword_of(token).is_some_and(is_after_rows));
            if ends {
                break;
            }
            let Some(token) = rest.next() else { break };
            match token.token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && token.token == Token::Comma {
                out.extend(in_parentheses(std::mem::take(&mut row)));
                out.push(token);
            } else {
                row.push(token);
            }
        }
        out.extend(in_parentheses(row));
    }
    out
}

/// Rewrites `> ALL (VALUES 1, 2)` to `> ALL (SELECT * FROM (VALUES 1, 2))`: the parser requires a SELECT
/// there.
fn with_queries(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let mut before = out.iter().rev().filter(|token| is_said(token));
        let is_open = before.next().is_some_and(|token| token.token == Token::LParen);
        let is_quantified =
            matches!(before.next().and_then(keyword_of), Some(Keyword::ALL | Keyword::ANY | Keyword::SOME));
        if keyword_of(token) != Some(Keyword::VALUES) || !is_open || !is_quantified {
            out.push(token.clone());
            continue;
        }
        let word = |text: &str| TokenWithSpan::new(Token::make_word(text, None), token.span);
        let sign = |sign| TokenWithSpan::new(sign, token.span);
        let space = || TokenWithSpan::new(Token::Whitespace(Whitespace::Space), token.span);
        out.extend([
            word("SELECT"),
            space(),
            sign(Token::Mul),
            space(),
            word("FROM"),
            space(),
            sign(Token::LParen),
        ]);
        let (mut depth, mut end) = (0_usize, tokens.len());
        for (place, token) in tokens.iter().enumerate().skip(at) {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen if depth == 0 => {
                    end = place;
                    break;
                }
                Token::RParen => depth -= 1,
                _ => {}
            }
        }
        out.extend(tokens.iter().take(end).skip(at).cloned());
        out.push(sign(Token::RParen));
        // One of them in a query is what people write; what follows is as it stands.
        out.extend(with_queries(tokens.get(end..).unwrap_or_default().to_vec()));
        return out;
    }
    out
}

fn is_after_rows(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::UNION
            | Keyword::INTERSECT
            | Keyword::EXCEPT
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::OFFSET
            | Keyword::FETCH
            | Keyword::AS
    )
}

/// Adds parentheses around a row of one value, unless it has them.
fn in_parentheses(row: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let said: Vec<&TokenWithSpan> = row.iter().filter(|token| is_said(token)).collect();
    let (Some(first), Some(last)) = (said.first(), said.last()) else { return row };
    if first.token == Token::LParen && closes(&said) == Some(said.len() - 1) {
        return row;
    }
    let (open, close) =
        (TokenWithSpan::new(Token::LParen, first.span), TokenWithSpan::new(Token::RParen, last.span));
    std::iter::once(open).chain(row).chain([close]).collect()
}

/// The parser does not know literals of type `IPADDRESS '10.0.0.1'`: they become casts. A network stays a
/// text.
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
                let is_address =
                    matches!(&name, Some(Token::Word(word)) if word.value.eq_ignore_ascii_case("ipaddress"));
                let word = |text: &str| TokenWithSpan::new(Token::make_word(text, None), span);
                if is_address {
                    out.extend([
                        word("CAST"),
                        TokenWithSpan::new(Token::LParen, span),
                        token,
                        word("AS"),
                        word("ipaddress"),
                    ]);
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

/// Trino writes nested types with parentheses, `CAST(x AS ARRAY(ROW(arn VARCHAR)))`; the parser knows them
/// with angle brackets. Replaces them inside of a cast's type, and nowhere else.
fn with_angle_brackets(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    // For each open parenthesis: whether it opens a CAST, and whether it was replaced.
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
