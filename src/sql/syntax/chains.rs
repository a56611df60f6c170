//! Limits the depth of a query's syntax tree, estimated from its tokens before it is parsed.
//!
//! `a OR b OR c` and `a IS NULL IS NULL` make a tree as deep as the chain is long, and trees are walked
//! recursively. The depth of parentheses is limited by the parser itself.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::tokens::{is_said, keyword_of};
use crate::sql::error::{Result, SqlError};

/// Maximum number of operators in one chain.
const OPERATORS_MAX: usize = 500;
/// Maximum number of tests applied one to another, as in `a IS NULL IS NULL`.
const TESTS_MAX: usize = 30;

enum Link {
    /// AND, OR, +, || …: any number of them may form one chain.
    Operator,
    /// IS, IN, =, LIKE …: their operand is usually not a test itself.
    Test,
    /// The end of a test and of everything in it.
    End,
    Open,
    Close,
    None,
}

/// Refuses chains that would overflow the stack.
pub(in crate::sql) fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    let (mut operators, mut before) = (0, None);
    // For each open parenthesis: the number of consecutive tests, and of BETWEENs that wait for their AND.
    let mut open = vec![(0_usize, 0_usize)];
    for token in tokens {
        let (keyword, mut link) = (keyword_of(token), link(&token.token));
        // IS DISTINCT FROM
        if keyword == Some(Keyword::FROM) && before == Some(Keyword::DISTINCT) {
            link = Link::None;
        }
        before = keyword.or(before.filter(|_| !is_said(token)));
        match link {
            Link::Operator => operators += 1,
            Link::Open => open.push((0, 0)),
            Link::Close if open.len() > 1 => drop(open.pop()),
            _ => {}
        }
        if let Some((tests, betweens)) = open.last_mut() {
            match (link, keyword) {
                (Link::Test, keyword) => {
                    *tests += 1;
                    *betweens += usize::from(keyword == Some(Keyword::BETWEEN));
                }
                (_, Some(Keyword::AND)) if *betweens > 0 => *betweens -= 1,
                (Link::End, _) | (_, Some(Keyword::AND | Keyword::OR)) => (*tests, *betweens) = (0, 0),
                _ => {}
            }
            if *tests > TESTS_MAX {
                return Err(SqlError::new(format!(
                    "more than {TESTS_MAX} tests (IS, IN, =, LIKE …) of one another"
                ))
                .at_span(token.span));
            }
        }
        if operators > OPERATORS_MAX {
            let error = SqlError::new(format!(
                "more than {OPERATORS_MAX} operators (AND, OR, +, || …); a long list of values belongs in IN \
                 (…)"
            ));
            return Err(error.at_span(token.span));
        }
    }
    Ok(())
}

fn link(token: &Token) -> Link {
    match token {
        Token::Word(word) if word.quote_style.is_some() => Link::None,
        Token::Word(word) => match word.keyword {
            Keyword::AND
            | Keyword::OR
            | Keyword::NOT
            | Keyword::UNION
            | Keyword::INTERSECT
            | Keyword::EXCEPT
            | Keyword::XOR
            | Keyword::DIV => Link::Operator,
            Keyword::IS
            | Keyword::IN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::SIMILAR => Link::Test,
            Keyword::BETWEEN
            | Keyword::AT
            | Keyword::COLLATE
            | Keyword::OVERLAPS
            | Keyword::NOTNULL
            | Keyword::MATCH => Link::Test,
            Keyword::CASE => Link::Open,
            Keyword::END => Link::Close,
            Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE => Link::End,
            Keyword::ON
            | Keyword::HAVING
            | Keyword::GROUP
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::JOIN
            | Keyword::AS => Link::End,
            _ => Link::None,
        },
        Token::LParen | Token::LBracket | Token::LBrace => Link::Open,
        Token::RParen | Token::RBracket | Token::RBrace => Link::Close,
        Token::Comma | Token::SemiColon => Link::End,
        Token::Eq
        | Token::DoubleEq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq
        | Token::Arrow => Link::Test,
        Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat
        | Token::DoubleColon => Link::Operator,
        Token::Number(..)
        | Token::Whitespace(_)
        | Token::Period
        | Token::Colon
        | Token::EOF
        | Token::Placeholder(_) => Link::None,
        other if is_literal(other) => Link::None,
        // Unknown operators, which the parser may know.
        _ => Link::Operator,
    }
}

fn is_literal(token: &Token) -> bool {
    use Token as T;
    matches!(
        token,
        T::SingleQuotedString(_)
            | T::DoubleQuotedString(_)
            | T::NationalStringLiteral(_)
            | T::EscapedStringLiteral(_)
            | T::UnicodeStringLiteral(_)
            | T::HexStringLiteral(_)
            | T::DollarQuotedString(_)
            | T::Char(_)
    )
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::GenericDialect;
    use sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn is_fine(text: &str) -> bool {
        check(&Tokenizer::new(&GenericDialect {}, text).tokenize_with_location().unwrap()).is_ok()
    }

    #[test]
    fn tests_of_tests_are_few_and_tests_beside_each_other_many() {
        for chained in [
            " IS NULL",
            " IN (1)",
            " = 1",
            " BETWEEN 0 AND 2",
            " IS DISTINCT FROM 1",
            " = CASE WHEN 1 = 1 THEN 2 END",
            " -> 1",
        ] {
            assert!(!is_fine(&format!("SELECT 1{}", chained.repeat(40))), "{chained}");
            assert!(is_fine(&format!("SELECT {}", vec![format!("1{chained}"); 90].join(", "))), "{chained}");
        }
        let many = |joint: &str| vec!["a = 1 AND b BETWEEN 1 AND 2"; 100].join(joint);
        assert!(is_fine(&format!("SELECT 1 WHERE {}", many(" OR "))));
        assert!(is_fine(&format!("SELECT CASE {} END", "WHEN a = 1 THEN b IS NULL ".repeat(200))));
    }
}
