//! Several statements in one text, and statements that are not a `SELECT`.
//!
//! People paste what is in their editor: views, and a `SELECT` from them. A `CREATE VIEW x AS …` or `CREATE
//! TABLE x AS …` before the query becomes a common table expression. `SHOW` and `DESCRIBE` are answered
//! from the tables' declarations. Everything else is refused with advice.

use sqlparser::ast::{ObjectName, ObjectNamePart};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::names::suggestion;
use super::tokens::is_said;
use crate::sql::error::{Result, SqlError};
use crate::tables::{self, Column};

/// What a text asks for.
pub(in crate::sql) struct Asked {
    /// Views in order, each with its name and query.
    pub views: Vec<View>,
    pub query: Asking,
}

pub(in crate::sql) struct View {
    pub name: String,
    pub columns: Vec<String>,
    pub query: Vec<TokenWithSpan>,
}

pub(in crate::sql) enum Asking {
    /// A query as written.
    Written(Vec<TokenWithSpan>),
    /// A query that answers `SHOW` or `DESCRIBE`.
    Made(String),
}

/// The views and the one query in `tokens`.
pub(in crate::sql) fn asked(tokens: Vec<TokenWithSpan>) -> Result<Asked> {
    let mut views = Vec::new();
    let mut query: Option<Asking> = None;
    for statement in split(tokens) {
        if query.is_some() {
            return Err(placed(
                &statement,
                "one query at a time: here begins a second one; only CREATE VIEW … AS may stand before the \
                 query",
            ));
        }
        let words = words(&statement);
        match words.first().map(String::as_str) {
            Some("CREATE") => views.push(view(&statement, &words)?),
            Some("SHOW" | "DESCRIBE" | "DESC") => {
                query = Some(Asking::Made(
                    made(&words, &names(&statement)).map_err(|message| placed(&statement, message))?,
                ));
            }
            Some(first) if refusal(first, &words).is_some() => {
                return Err(placed(&statement, refusal(first, &words).unwrap_or_default()));
            }
            _ => query = Some(Asking::Written(statement)),
        }
    }
    match (query, views.last()) {
        (Some(query), _) => Ok(Asked { views, query }),
        (None, Some(view)) => {
            let begin =
                view.query.first().map(|token| token.span).unwrap_or_else(sqlparser::tokenizer::Span::empty);
            Err(SqlError::new(format!(
                "nothing is written here: run the SELECT in it, or put a SELECT … FROM {} after it",
                view.name
            ))
            .at_span(begin))
        }
        (None, None) => Err(SqlError::new("the query is empty")),
    }
}

/// The statements without the `;` between them; white space and comments alone are not a statement.
fn split(tokens: Vec<TokenWithSpan>) -> Vec<Vec<TokenWithSpan>> {
    let mut all = vec![Vec::new()];
    for token in tokens {
        match (&token.token, all.last_mut()) {
            (Token::SemiColon, _) => all.push(Vec::new()),
            (_, Some(last)) => last.push(token),
            (_, None) => {}
        }
    }
    all.retain(|statement| statement.iter().any(is_said));
    all
}

fn placed(statement: &[TokenWithSpan], message: impl Into<String>) -> SqlError {
    let error = SqlError::new(message);
    match statement.iter().find(|token| is_said(token)) {
        Some(first) => error.at_span(first.span),
        None => error,
    }
}

/// The words and symbols of a statement; names and keywords in upper case.
fn words(statement: &[TokenWithSpan]) -> Vec<String> {
    statement
        .iter()
        .filter(|token| is_said(token))
        .map(|token| token.token.to_string().to_uppercase())
        .collect()
}

/// The names in a statement, without quotes and in lower case.
fn names(statement: &[TokenWithSpan]) -> Vec<String> {
    let name = |token: &TokenWithSpan| match &token.token {
        Token::Word(word) => Some(word.value.to_lowercase()),
        _ => None,
    };
    statement.iter().filter_map(name).collect()
}

/// Why a statement is refused, by its first words.
fn refusal(first: &str, words: &[String]) -> Option<&'static str> {
    Some(match first {
        "EXPLAIN" => {
            "EXPLAIN is an option here: tagfall query --explain 'SELECT …' says what is pushed down and what \
             is read"
        }
        "MSCK" | "ALTER" => {
            "there are no partitions to load: time, account and region of a query find their objects; leave \
             this statement out"
        }
        "UNLOAD" => "nothing is written by a query: run the SELECT in it with --format parquet -o FILE",
        "USE" => "there is one database: leave USE out",
        "DROP" => "only SELECT can be asked: there is nothing to drop; leave this statement out",
        "PREPARE" | "EXECUTE" | "DEALLOCATE" => {
            "prepared statements are not supported: write the values into the query, or use --param"
        }
        "INSERT" | "DELETE" | "UPDATE" | "MERGE" | "TRUNCATE" | "VACUUM" | "OPTIMIZE" => {
            "only SELECT can be asked: logs are read, never written"
        }
        "WITH" | "SELECT" | "VALUES" | "TABLE" | "(" => return None,
        _ if words.len() == 1 => "this is no SELECT; a query that comes with the program is called @NAME",
        _ => return None,
    })
}

/// `CREATE [OR REPLACE] VIEW name [(columns)] AS query`, and `CREATE TABLE name … AS query`.
fn view(statement: &[TokenWithSpan], words: &[String]) -> Result<View> {
    let said: Vec<&TokenWithSpan> = statement.iter().filter(|token| is_said(token)).collect();
    let is = |at: usize, word: &str| words.get(at).is_some_and(|known| known == word);
    let kind = words.iter().take(5).position(|word| matches!(word.as_str(), "VIEW" | "TABLE"));
    let Some(kind) = kind else {
        return Err(placed(
            statement,
            "nothing is created here: the tables are there already; leave this statement out",
        ));
    };
    let mut at = kind + 1;
    if is(at, "IF") && is(at + 1, "NOT") && is(at + 2, "EXISTS") {
        at += 3;
    }
    let mut name = String::new();
    while let Some(Token::Word(word)) = said.get(at).map(|token| &token.token) {
        name = word.value.to_lowercase();
        at += 1;
        if !is(at, ".") {
            break;
        }
        at += 1;
    }
    let (columns, after) = columns(&said, at);
    let query = (after..said.len()).find(|begin| {
        is(*begin, "AS") && ["SELECT", "WITH", "(", "VALUES"].iter().any(|word| is(begin + 1, word))
    });
    let Some(query) = query else {
        return Err(placed(
            statement,
            "nothing is created here: the tables are there already; leave the CREATE out and run the SELECT",
        ));
    };
    Ok(View { name, columns, query: said.iter().skip(query + 1).map(|token| (*token).clone()).collect() })
}

/// `(a, b)`: the names of a view's columns; empty if there are none.
fn columns(said: &[&TokenWithSpan], at: usize) -> (Vec<String>, usize) {
    if !matches!(said.get(at).map(|token| &token.token), Some(Token::LParen)) {
        return (Vec::new(), at);
    }
    let mut names = Vec::new();
    for (after, token) in said.iter().enumerate().skip(at + 1) {
        match &token.token {
            Token::Word(word) => names.push(word.value.clone()),
            Token::Comma => {}
            Token::RParen => return (names, after + 1),
            // Types and properties, not names of columns.
            _ => break,
        }
    }
    (Vec::new(), at)
}

/// `SHOW TABLES`, `SHOW COLUMNS FROM t`, `DESCRIBE t` as a query.
fn made(words: &[String], names: &[String]) -> std::result::Result<String, String> {
    let word = |at: usize| words.get(at).map(String::as_str);
    match (word(0), word(1)) {
        (Some("SHOW"), Some("TABLES")) => Ok(format!(
            "SELECT tab_name, about FROM (VALUES {}) AS t(tab_name, about)",
            rows(tables::ALL, |table| {
                format!("('{}', '{}')", table.name, table.about.replace('\'', "''"))
            })
        )),
        (Some("SHOW"), Some("COLUMNS")) => {
            Ok(format!("SELECT column_name FROM ({}) AS t(column_name, data_type)", described(names)?))
        }
        (Some("SHOW"), Some("CREATE")) => {
            Err("the tables are there already; DESCRIBE cloudtrail_logs shows the columns".to_owned())
        }
        (Some("SHOW"), Some("DATABASES" | "SCHEMAS")) => {
            Err("there is one database; SHOW TABLES shows what is in it".to_owned())
        }
        (Some("SHOW"), Some("PARTITIONS")) => {
            Err("there are no partitions: SELECT DISTINCT account, region, date FROM cloudtrail_logs"
                .to_owned())
        }
        (Some("SHOW"), _) => Err("only SHOW TABLES and SHOW COLUMNS FROM … can be shown".to_owned()),
        _ => described(names),
    }
}

fn described(names: &[String]) -> std::result::Result<String, String> {
    let name = names.last().filter(|_| names.len() > 1).map(String::as_str).unwrap_or_default();
    let Some(table) = tables::find(name) else {
        let known: Vec<&str> = tables::ALL.iter().map(|table| table.name).collect();
        let hint = suggestion(name, known.iter().copied());
        return Err(format!("there is no table {name}; there are {}{hint}", known.join(", ")));
    };
    let columns: Vec<Column> = (table.columns)();
    Ok(format!(
        "SELECT col_name, data_type FROM (VALUES {}) AS t(col_name, data_type)",
        rows(&columns, |column| { format!("('{}', '{}')", column.name, column.kind) })
    ))
}

fn rows<T>(all: &[T], row: impl Fn(&T) -> String) -> String {
    all.iter().map(row).collect::<Vec<_>>().join(", ")
}

/// `db.view` as `view`, if there is a view of that name.
pub(in crate::sql) fn unqualify(name: &mut ObjectName, views: &[String]) {
    let last = name.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.value.to_lowercase());
    if name.0.len() > 1 && last.is_some_and(|last| views.contains(&last)) {
        name.0.drain(..name.0.len() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_can_be_described() {
        for table in tables::ALL {
            let text = described(&["describe".to_owned(), table.name.to_owned()]).unwrap();
            assert!(super::super::dialect::parse(&text).is_ok(), "{text}");
        }
    }
}
