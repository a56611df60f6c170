//! The text of an SQL/JSON path → its steps.

use super::sql_path::{Comparison, Condition, Index, Method, Operand, SqlPath, Step};
use crate::sql::error::{Result, SqlError};

/// Parses a path. `lax` may be missing, and so may the `$` in front. `any_case`: names are compared ignoring their
/// case.
pub(super) fn parse(text: &str, any_case: bool) -> Result<SqlPath> {
    let mut reader = Reader { rest: text.trim(), depth: 0 };
    let is_strict = reader.word("strict");
    let _ = is_strict || reader.word("lax");
    let begins = reader.sign("$") || reader.rest.starts_with(['.', '[', '?']) || reader.rest.is_empty();
    let path = if begins {
        reader.steps()
    } else {
        reader.name().and_then(|name| {
            let (mut steps, method) = reader.steps()?;
            steps.insert(0, Step::Member(name));
            Some((steps, method))
        })
    };
    match path {
        Some((steps, method)) if reader.rest.is_empty() => Ok(SqlPath { is_strict, any_case, steps, method }),
        _ => Err(SqlError::new(format!(
            "'{text}' is no JSON path that is supported: $.member, $.*, $[index], $[*], $[last], \
             ?(@.member == \"text\"), size(), type()"
        ))),
    }
}

/// Conditions that are nested more deeply are refused.
const DEPTH_MAX: usize = 32;

struct Reader<'p> {
    rest: &'p str,
    depth: usize,
}

impl Reader<'_> {
    fn sign(&mut self, sign: &str) -> bool {
        self.rest = self.rest.trim_start();
        let after = self.rest.strip_prefix(sign);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn word(&mut self, word: &str) -> bool {
        self.rest = self.rest.trim_start();
        let after = self.rest.strip_prefix(word);
        let after =
            after.filter(|after| !after.starts_with(|sign: char| sign.is_alphanumeric() || sign == '_'));
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn steps(&mut self) -> Option<(Vec<Step>, Option<Method>)> {
        let mut steps = Vec::new();
        loop {
            if self.sign("[") {
                steps.push(self.element()?);
            } else if self.sign("?") {
                self.sign("(").then_some(())?;
                steps.push(Step::Filter(self.condition()?));
                self.sign(")").then_some(())?;
            } else if self.sign(".") {
                if self.sign("*") {
                    steps.push(Step::AnyMember);
                    continue;
                }
                let method = [("size()", Method::Size), ("type()", Method::Type)]
                    .into_iter()
                    .find(|(call, _)| self.sign(call));
                if let Some((_, method)) = method {
                    return Some((steps, Some(method)));
                }
                steps.push(Step::Member(self.name()?));
            } else {
                return Some((steps, None));
            }
        }
    }

    /// A member's name, in quotes or without.
    fn name(&mut self) -> Option<String> {
        if let Some(quoted) = self.quoted('"') {
            return Some(quoted);
        }
        let ends = |sign: char| sign.is_whitespace() || ".[]()?*&|!=<>,@$\"'".contains(sign);
        let (name, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        (!name.is_empty()).then(|| name.to_owned())
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        self.rest = self.rest.trim_start();
        let inner = self.rest.strip_prefix(quote)?;
        let mut text = String::new();
        let mut signs = inner.char_indices();
        while let Some((at, sign)) = signs.next() {
            match sign {
                '\\' => text.push(signs.next()?.1),
                sign if sign == quote => {
                    self.rest = inner.get(at + sign.len_utf8()..)?;
                    return Some(text);
                }
                sign => text.push(sign),
            }
        }
        None
    }

    /// What stands in brackets, whose first one has been read.
    fn element(&mut self) -> Option<Step> {
        let step = if self.sign("*") {
            Step::AnyElement
        } else if let Some(name) = self.quoted('"').or_else(|| self.quoted('\'')) {
            Step::Member(name)
        } else {
            let mut ranges = Vec::new();
            loop {
                let first = self.index()?;
                ranges.push((first, if self.word("to") { self.index()? } else { first }));
                if !self.sign(",") {
                    break Step::Elements(ranges);
                }
            }
        };
        self.sign("]").then_some(step)
    }

    fn index(&mut self) -> Option<Index> {
        if !self.word("last") {
            return self.number().map(Index::At);
        }
        let before = if self.sign("-") { self.number()? } else { 0 };
        Some(Index::FromLast(before))
    }

    fn number(&mut self) -> Option<usize> {
        self.rest = self.rest.trim_start();
        let digits = self.rest.len() - self.rest.trim_start_matches(|sign: char| sign.is_ascii_digit()).len();
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().ok()
    }

    fn condition(&mut self) -> Option<Condition> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let mut any = self.all()?;
        while self.sign("||") {
            any = Condition::Or(Box::new(any), Box::new(self.all()?));
        }
        self.depth -= 1;
        Some(any)
    }

    fn all(&mut self) -> Option<Condition> {
        let mut all = self.predicate()?;
        while self.sign("&&") {
            all = Condition::And(Box::new(all), Box::new(self.predicate()?));
        }
        Some(all)
    }

    fn predicate(&mut self) -> Option<Condition> {
        if self.sign("!") {
            self.sign("(").then_some(())?;
            let inner = self.condition()?;
            return self.sign(")").then(|| Condition::Not(Box::new(inner)));
        }
        if self.sign("(") {
            let inner = self.condition()?;
            return self.sign(")").then_some(inner);
        }
        if self.word("exists") {
            self.sign("(").then_some(())?;
            let operand = self.operand()?;
            return self.sign(")").then_some(Condition::Exists(operand));
        }
        let first = self.operand()?;
        if self.word("starts") {
            self.word("with").then_some(())?;
            return Some(Condition::StartsWith(first, self.quoted('"')?));
        }
        let signs = [
            ("==", Comparison::Equal),
            ("<>", Comparison::NotEqual),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let (_, comparison) = signs.into_iter().find(|(sign, _)| self.sign(sign))?;
        Some(Condition::Compare(first, comparison, self.operand()?))
    }

    fn operand(&mut self) -> Option<Operand> {
        let of_whole = self.sign("$");
        if of_whole || self.sign("@") {
            let (steps, method) = self.steps()?;
            return Some(Operand::Path { of_whole, steps, method });
        }
        if let Some(text) = self.quoted('"') {
            return Some(Operand::Literal(serde_json::Value::from(text).to_string()));
        }
        if let Some(word) = ["true", "false", "null"].into_iter().find(|word| self.word(word)) {
            return Some(Operand::Literal(word.to_owned()));
        }
        let is_of_number = |sign: char| sign.is_ascii_digit() || "+-.eE".contains(sign);
        let (number, rest) =
            self.rest.split_at(self.rest.len() - self.rest.trim_start_matches(is_of_number).len());
        self.rest = rest;
        serde_json::from_str::<serde_json::Number>(number).ok()?;
        Some(Operand::Literal(number.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str =
        r#"{"ids": [{"tag": "prod", "n": 1}, {"tag": "dev", "n": 2, "x": [7, 8]}], "one": {"n": 9}}"#;

    fn at(path: &str) -> Option<Vec<String>> {
        parse(path, false).unwrap().values(CALL)
    }

    #[test]
    fn a_path_leads_to_any_number_of_values() {
        let is = |path: &str, values: &[&str]| assert_eq!(at(path).unwrap(), values, "{path}");
        is("lax $.ids[*].n", &["1", "2"]);
        is("lax $.ids.n", &["1", "2"]);
        is("lax $.ids[last].n", &["2"]);
        is("lax $.ids[last - 1].n", &["1"]);
        is("lax $.ids[0 to 5].n", &["1", "2"]);
        is("lax $.ids[1, 0].n", &["2", "1"]);
        is("lax $.ids[7].n", &[]);
        is("lax $.one[0].n", &["9"]);
        is("lax $.one.*", &["9"]);
        is("lax $.ids.x.size()", &["2"]);
        is("lax $.ids.tag.type()", &["\"string\"", "\"string\""]);
        is("lax $.\"one\".n", &["9"]);
    }

    #[test]
    fn filters_keep_the_values_for_which_they_hold() {
        let is = |path: &str, values: &[&str]| assert_eq!(at(path).unwrap(), values, "{path}");
        is(r#"lax $.ids[*]?(@.tag == "prod").n"#, &["1"]);
        is(r#"lax $.ids?(@.n > 1 && @.tag <> "prod").tag"#, &["\"dev\""]);
        is("lax $.ids?(@.n <= 1 || exists(@.x)).n", &["1", "2"]);
        is("lax $.ids?(!(@.n == 1)).n", &["2"]);
        is("lax $.ids?(@.x == 8).n", &["2"]);
        is(r#"lax $.ids?(@.tag starts with "pr").n"#, &["1"]);
        is(r#"lax $.ids?(@.tag > 3).n"#, &[]);
        is("lax $.ids?(@.n < $.one.n).n", &["1", "2"]);
    }

    #[test]
    fn strict_paths_refuse_what_is_not_there() {
        for path in ["strict $.none", "strict $.ids.n", "strict $.one[0]", "strict $.ids[2]"] {
            assert_eq!(at(path), None, "{path}");
        }
        assert_eq!(at("strict $.ids[*].n"), Some(vec!["1".to_owned(), "2".to_owned()]));
        assert_eq!(parse("lax $", false).unwrap().values("{\"a\":"), None);
    }
}
