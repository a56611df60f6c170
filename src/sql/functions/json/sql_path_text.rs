//! The text of an SQL/JSON path → its steps.

use super::sql_path::{Comparison, Condition, Index, Method, Operand, SqlPath, Step};
use crate::sql::error::{Result, SqlError};
use crate::sql::functions::pattern::Pattern;

/// Parses a path. `lax` may be missing, and so may the `$` in front. `any_case`: names are compared ignoring their
/// case.
pub(super) fn parse(text: &str, any_case: bool) -> Result<SqlPath> {
    let mut reader = Reader { rest: text.trim(), depth: 0, wrong: None };
    let is_strict = reader.word("strict");
    let _ = is_strict || reader.word("lax");
    reader.rest = reader.rest.trim_start();
    let path = |steps| Operand::Path { of_whole: true, steps };
    let root = if reader.rest.is_empty() || reader.rest.starts_with(['.', '[', '?']) {
        reader.steps().map(path)
    } else if reader.rest.starts_with(['$', '-', '+', '(', '"']) {
        reader.operand()
    } else {
        reader.name().and_then(|name| {
            let mut steps = reader.steps()?;
            steps.insert(0, Step::Member(name));
            Some(path(steps))
        })
    };
    match (root, reader.wrong) {
        (Some(root), None) if reader.rest.is_empty() => Ok(SqlPath { is_strict, any_case, root }),
        (_, Some(error)) => Err(error),
        _ => Err(SqlError::new(format!(
            "'{text}' is no JSON path that is supported: $.member, $.*, $[index], $[*], $[last], \
             ?(@.member == \"text\"), ?(@.member like_regex \"^a\"), size(), type(), abs(), ceiling(), floor(), \
             double(), keyvalue(), and + - * / %"
        ))),
    }
}

/// Conditions that are nested more deeply are refused.
const DEPTH_MAX: usize = 32;

const METHODS: [(&str, Method); 7] = [
    ("size()", Method::Size),
    ("type()", Method::Type),
    ("abs()", Method::Abs),
    ("ceiling()", Method::Ceiling),
    ("floor()", Method::Floor),
    ("double()", Method::Double),
    ("keyvalue()", Method::KeyValue),
];

struct Reader<'p> {
    rest: &'p str,
    depth: usize,
    /// An error with a text of its own.
    wrong: Option<SqlError>,
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

    fn steps(&mut self) -> Option<Vec<Step>> {
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
                } else if let Some((_, method)) = METHODS.into_iter().find(|(call, _)| self.sign(call)) {
                    steps.push(Step::Method(method));
                } else {
                    steps.push(Step::Member(self.name()?));
                }
            } else {
                return Some(steps);
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
            self.sign(")").then_some(())?;
            if self.word("is") {
                return self.word("unknown").then(|| Condition::IsUnknown(Box::new(inner)));
            }
            return Some(inner);
        }
        if self.word("exists") {
            self.sign("(").then_some(())?;
            let operand = self.operand()?;
            return self.sign(")").then_some(Condition::Exists(operand));
        }
        let first = self.operand()?;
        if self.word("starts") {
            self.word("with").then_some(())?;
            return Some(Condition::StartsWith(first, self.operand()?));
        }
        if self.word("like_regex") {
            return self.like_regex(first);
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

    /// `like_regex "pattern" flag "i"`, from the pattern on.
    fn like_regex(&mut self, text: Operand) -> Option<Condition> {
        let mut pattern = self.quoted('"')?;
        if self.word("flag") {
            let flags = self.quoted('"')?;
            if flags.contains('q') {
                pattern = regex::escape(&pattern);
            }
            let flags: String = flags.chars().filter(|flag| *flag != 'q').collect();
            flags.chars().all(|flag| "imsx".contains(flag)).then_some(())?;
            if !flags.is_empty() {
                pattern = format!("(?{flags}){pattern}");
            }
        }
        match Pattern::new(&pattern) {
            Ok(pattern) => Some(Condition::LikeRegex(text, pattern)),
            Err(error) => {
                self.wrong = Some(error);
                None
            }
        }
    }

    /// Terms with `+` and `-` between them.
    fn operand(&mut self) -> Option<Operand> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let mut sum = self.product()?;
        while let Some(sign) = ['+', '-'].into_iter().find(|sign| self.sign(sign.encode_utf8(&mut [0; 4]))) {
            sum = Operand::Arithmetic(Box::new(sum), sign, Box::new(self.product()?));
        }
        self.depth -= 1;
        Some(sum)
    }

    fn product(&mut self) -> Option<Operand> {
        let mut product = self.factor()?;
        let signs = ['*', '/', '%'];
        while let Some(sign) = signs.into_iter().find(|sign| self.sign(sign.encode_utf8(&mut [0; 4]))) {
            product = Operand::Arithmetic(Box::new(product), sign, Box::new(self.factor()?));
        }
        Some(product)
    }

    fn factor(&mut self) -> Option<Operand> {
        if self.sign("(") {
            let inner = self.operand()?;
            return self.sign(")").then_some(inner);
        }
        if let Some(number) = self.unsigned() {
            return Some(number);
        }
        let is_negative = self.sign("-");
        if is_negative || self.sign("+") {
            self.depth += 1;
            let inner = if self.depth > DEPTH_MAX { None } else { self.factor() }?;
            self.depth -= 1;
            return Some(if is_negative { Operand::Negative(Box::new(inner)) } else { inner });
        }
        if self.sign("$") {
            let name = if self.rest.starts_with(|sign: char| sign.is_alphabetic() || sign == '_') {
                self.name()
            } else {
                None
            };
            let steps = self.steps()?;
            return Some(match name {
                Some(name) => Operand::Variable { name, steps },
                None => Operand::Path { of_whole: true, steps },
            });
        }
        if self.sign("@") {
            return Some(Operand::Path { of_whole: false, steps: self.steps()? });
        }
        if let Some(text) = self.quoted('"') {
            return Some(Operand::Literal(serde_json::Value::from(text).to_string()));
        }
        let word = ["true", "false", "null"].into_iter().find(|word| self.word(word))?;
        Some(Operand::Literal(word.to_owned()))
    }

    fn unsigned(&mut self) -> Option<Operand> {
        self.rest = self.rest.trim_start();
        let mut length = 0;
        let mut before = ' ';
        for sign in self.rest.chars() {
            let is_exponent = matches!(before, 'e' | 'E') && matches!(sign, '+' | '-');
            if !(sign.is_ascii_digit() || (length > 0 && (".eE".contains(sign) || is_exponent))) {
                break;
            }
            length += sign.len_utf8();
            before = sign;
        }
        let (number, rest) = self.rest.split_at(length);
        serde_json::from_str::<serde_json::Number>(number).ok()?;
        self.rest = rest;
        Some(Operand::Literal(number.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str =
        r#"{"ids": [{"tag": "prod", "n": 1}, {"tag": "dev", "n": 2, "x": [7, 8]}], "one": {"n": 9}}"#;

    fn at(path: &str) -> Option<Vec<String>> {
        parse(path, false).unwrap().values(CALL, &[])
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
    fn methods_operators_and_regular_expressions() {
        let is = |path: &str, values: &[&str]| assert_eq!(at(path).unwrap(), values, "{path}");
        is("lax $.one.n + 2 * 3", &["15"]);
        is("lax -$.one.n", &["-9"]);
        is("lax ($.one.n - 1) / 3", &["2"]);
        is("lax $.one.n % 4", &["1"]);
        is("lax $.ids?(@.n * 2 > 3).n", &["2"]);
        is("lax $.ids?(@.n == 3 - 1).n", &["2"]);
        is(r#"lax $.ids[*].tag ? (@ like_regex "^P" flag "i")"#, &["\"prod\""]);
        is(r#"lax $.ids ? (@.tag like_regex "v$").n"#, &["2"]);
        is("lax $.ids ? ((@.tag > 3) is unknown).n", &["1", "2"]);
        is("lax $.one.keyvalue().name", &["\"n\""]);
        is("lax $.one.n.double()", &["9.0"]);
        assert_eq!(at("lax $.ids.tag.abs()"), None);
        assert_eq!(at("lax $.ids.n + 1"), None);
        assert!(parse(r#"lax $?(@ like_regex "(")"#, false).unwrap_err().message.contains("regular"));
        let variables = [("N".to_owned(), "2".to_owned())];
        let path = parse("lax $.ids?(@.n == $n).tag", false).unwrap();
        assert_eq!(path.values(CALL, &variables).unwrap(), ["\"dev\""]);
        assert_eq!(path.values(CALL, &[]).unwrap(), [""; 0]);
        for path in ["-".repeat(100) + "1", "(".repeat(100), "$?(".repeat(100)] {
            assert!(parse(&path, false).is_err(), "{path}");
        }
    }

    #[test]
    fn strict_paths_refuse_what_is_not_there() {
        for path in ["strict $.none", "strict $.ids.n", "strict $.one[0]", "strict $.ids[2]"] {
            assert_eq!(at(path), None, "{path}");
        }
        assert_eq!(at("strict $.ids[*].n"), Some(vec!["1".to_owned(), "2".to_owned()]));
        assert_eq!(parse("lax $", false).unwrap().values("{\"a\":", &[]), None);
    }
}
