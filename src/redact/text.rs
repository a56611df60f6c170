//! Names in sentences: the longest known name at each position, and what looks like a name.

use std::ops::Bound;
use std::sync::LazyLock;

use super::Names;
use super::pseudonym::Kind;
use super::shape::{is_account, is_address};

/// Words of this program's sentences, sorted. A name that is one of them reveals nothing, and replacing it
/// would garble sentences: it is replaced only as part of something else (`deployer/build`, `service:web`).
const SAID: &str = include_str!("words.txt");

fn is_said(name: &str) -> bool {
    static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| SAID.lines().collect());
    WORDS.binary_search(&name).is_ok()
}

/// Whether a name is searched for in sentences. The shortest names mean something else there.
pub fn is_sought(name: &str) -> bool {
    let is_small_number = name.len() < 5 && name.bytes().all(|byte| byte.is_ascii_digit());
    name.chars().count() > 1 && !is_small_number
}

/// The spellings of a name in sentences: as it is, in shell quotes, and escaped.
pub fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    if name.contains('\'') {
        all.push(name.replace('\'', "'\\''"));
    }
    let escaped = name.escape_debug().to_string();
    if escaped != name {
        all.push(escaped);
    }
    let visible: String = name
        .chars()
        .flat_map(|letter| if letter.is_control() { letter.escape_unicode().collect() } else { vec![letter] })
        .collect();
    if visible != name {
        all.push(visible);
    }
    all
}

/// The program named by a user agent, if it is a common one: the rest of a user agent may identify the
/// machine.
pub fn program(agent: &str) -> Option<&'static str> {
    const PROGRAMS: &[&str] = &[
        "aws-cli",
        "Boto3",
        "Botocore",
        "aws-sdk-go",
        "aws-sdk-go-v2",
        "aws-sdk-java",
        "aws-sdk-js",
        "aws-sdk-rust",
        "docker",
        "containerd",
        "buildkit",
        "Terraform",
        "terraform-provider-aws",
        "amazon-ecs-agent",
        "Mozilla",
        "skopeo",
        "kaniko",
        "crane",
        "podman",
        "console.amazonaws.com",
        "Go-http-client",
    ];
    PROGRAMS
        .iter()
        .copied()
        .find(|program| agent.split([' ', '/', '[', ']', '(', ')']).any(|word| word == *program))
}

fn joins(letter: char) -> bool {
    letter.is_alphanumeric()
}

impl Names {
    pub fn text(&mut self, text: &str) -> String {
        let mut written = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = ' ';
        while let Some(first) = rest.chars().next() {
            let length = if joins(first) && joins(before) { None } else { self.at(rest, before) };
            let (taken, shown) = match length {
                Some((length, shown)) => (length, shown),
                None => (first.len_utf8(), first.to_string()),
            };
            written.push_str(&shown);
            before = rest[..taken].chars().next_back().unwrap_or(first);
            rest = &rest[taken..];
        }
        written
    }

    /// If `rest` begins with a name: its length and pseudonym.
    fn at(&mut self, rest: &str, before: char) -> Option<(usize, String)> {
        if let Some(found) = self.longest(rest, before) {
            return Some(found);
        }
        if rest.starts_with("arn:") {
            let arn = &rest[..rest
                .find(|letter: char| {
                    letter.is_whitespace() || matches!(letter, '"' | '\'' | '`' | ',' | ';' | ')')
                })
                .unwrap_or(rest.len())];
            // Its parts are searched for as the text goes on.
            self.learn_arn(arn);
            return Some((4, "arn:".to_owned()));
        }
        let word = &rest[..rest.find(|letter: char| !joins(letter)).unwrap_or(rest.len())];
        if is_account(word) {
            return Some((word.len(), self.pseudonym(Kind::Account, word).into()));
        }
        let word = &rest[..rest
            .find(|letter: char| !(letter.is_ascii_hexdigit() || matches!(letter, '.' | ':')))
            .unwrap_or(rest.len())];
        let address = word.trim_end_matches(['.', ':']);
        if address.len() > 2 && is_address(address) {
            return Some((address.len(), self.pseudonym(Kind::Address, address).into()));
        }
        None
    }

    /// The longest known name at the beginning of `rest` that ends at a word boundary.
    fn longest(&self, rest: &str, before: char) -> Option<(usize, String)> {
        let mut upper = rest;
        while !upper.is_empty() {
            let (name, shown) =
                self.sought.range::<str, _>((Bound::Unbounded, Bound::Included(upper))).next_back()?;
            let common = common(name, rest);
            if common == name.len() {
                let ends = name.chars().next_back().is_none_or(|last| !joins(last))
                    || rest[common..].chars().next().is_none_or(|next| !joins(next));
                let is_part =
                    || matches!(before, '/' | ':' | '@' | '=') || rest[common..].starts_with(['/', '@']);
                if ends && (!is_said(name) || is_part()) {
                    return Some((common, shown.to_string()));
                }
                // Only prefixes of this name are left to be tried.
                let last = name.char_indices().next_back().map_or(0, |(at, _)| at);
                upper = &rest[..last];
            } else {
                upper = &rest[..common];
            }
        }
        None
    }
}

/// How many bytes two texts have in common at the beginning, in whole characters.
fn common(one: &str, other: &str) -> usize {
    one.char_indices()
        .zip(other.chars())
        .find(|((_, a), b)| a != b)
        .map_or(one.len().min(other.len()), |((at, _), _)| at)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Redactor;
    use super::*;

    fn redactor(names: &[(Kind, &str)]) -> Redactor {
        let redactor = Redactor::new(None);
        let all: BTreeSet<(Kind, String)> =
            names.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect();
        redactor.names().take(all);
        redactor
    }

    #[test]
    fn the_longest_name_at_a_place_is_replaced_and_words_are_not_cut() {
        let redactor = redactor(&[
            (Kind::Repository, "shop/api"),
            (Kind::Name, "shop"),
            (Kind::Name, "api"),
            (Kind::Repository, "shop/api-v2"),
        ]);
        let numbers = |text: &str| redactor.text(text).replace(|letter: char| letter.is_ascii_digit(), "#");
        assert_eq!(numbers("In shop/api:latest, capital shop"), "In repository-#:latest, capital name-#");
        assert_eq!(numbers("shop/api-v2 and shop/api-v3"), "repository-# and repository-#-v#");
        assert_eq!(numbers("rapid api's workshop"), "rapid name-#'s workshop");
    }

    #[test]
    fn what_nobody_told_of_is_known_by_its_looks() {
        let redactor = redactor(&[]);
        let text = redactor.text(
            "111122223333.dkr.ecr.eu-central-1.amazonaws.com from 10.1.2.3, \
             arn:aws:iam::444455556666:role/ci/deployer; 2001:db8:1::7",
        );
        assert_eq!(
            text,
            "account-1.dkr.ecr.eu-central-1.amazonaws.com from 2001:db8::1, \
             arn:aws:iam::account-2:role/role-2; 2001:db8::2"
        );
    }

    #[test]
    fn quoted_and_escaped_names_are_names_too() {
        let redactor = redactor(&[
            (Kind::Name, "it's me"),
            (Kind::Name, "new\nline"),
            (Kind::Name, "7"),
            (Kind::Name, "rule"),
        ]);
        assert!(SAID.lines().is_sorted() && is_said("rule"));
        let said = redactor.text("run 'it'\\''s me' or \"new\\nline\" by rule 7");
        assert!(
            said.starts_with("run 'name-") && said.ends_with("by rule 7") && !said.contains("line"),
            "{said}"
        );
    }
}
