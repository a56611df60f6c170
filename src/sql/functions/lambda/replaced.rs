//! `regexp_replace(text, pattern, groups -> …)`: what each match becomes, from its groups.

use super::body::Lambda;
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::functions::pattern::Pattern;
use crate::sql::scope::Scope;
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;
use crate::tables::builder::lists;

pub(super) fn replace(
    scope: &Scope<'_>,
    text: &Expression,
    pattern: &Expression,
    with: &Expression,
) -> Result<Values> {
    let with = Lambda::of("regexp_replace", with, 1)?;
    let (texts, pattern) = (scope.values(text)?, scope.value(pattern)?);
    let pattern = pattern
        .constant_text()
        .ok_or_else(|| SqlError::new("regexp_replace: the pattern must be a literal text"))?;
    let (pattern, texts) = (Pattern::new(&pattern)?, texts.texts()?);
    // For all matches together: their groups, number of groups, row, and position.
    let (mut groups, mut lengths, mut rows, mut ranges) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in 0..scope.height() {
        let Some(text) = texts.get(row) else { continue };
        for found in pattern.all(text)? {
            let Some((Some(whole), parts)) = found.split_first() else { continue };
            let part = |range: &Option<std::ops::Range<usize>>| text.get(range.clone()?).map(str::to_owned);
            groups.extend(parts.iter().map(part));
            lengths.push(Some(parts.len()));
            rows.push(u32::try_from(row).ok());
            ranges.push(whole.clone());
        }
    }
    let arrays = lists("", &String::column(groups), &Kind::Varchar, &lengths);
    let results = with.over(scope, &rows, &[&Values::new(Kind::array(Kind::Varchar), arrays)])?;
    let new = results.texts()?;
    let mut next = 0;
    Values::build(Kind::Varchar, scope.height(), false, |row| {
        let (mut made, mut end, mut is_null) = (String::new(), 0, false);
        let Some(text) = texts.get(row) else { return Ok(None) };
        while rows.get(next).copied().flatten().is_some_and(|of| of as usize == row) {
            let range = ranges.get(next).cloned().unwrap_or_default();
            made.push_str(text.get(end..range.start).unwrap_or_default());
            match new.get(next) {
                Some(new) => made.push_str(new),
                None => is_null = true,
            }
            end = range.end;
            next += 1;
        }
        made.push_str(text.get(end..).unwrap_or_default());
        Ok(if is_null { None } else { Some(made) })
    })
}
