//! Commands that can be pasted into a shell safely, whatever characters the names in them have.

use std::borrow::Cow;

/// A command line being built; a value is quoted unless a shell would read it as one plain word anyway.
pub struct Shell(String);

impl Shell {
    pub fn new(command: &str) -> Self {
        Self(command.to_owned())
    }

    /// Adds `--name value`, or `--name=value` where the value begins with a dash. Adds nothing if there is
    /// no value.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            let tie = if value.starts_with('-') { '=' } else { ' ' };
            self.0.push_str(&format!(" --{name}{tie}{}", quoted(value)));
        }
        self
    }

    pub fn flag(mut self, name: &str) -> Self {
        self.0.push_str(&format!(" --{name}"));
        self
    }

    pub fn argument(mut self, value: &str) -> Self {
        self.0.push_str(&format!(" {}", quoted(value)));
        self
    }

    /// Adds text to the command as it is, unquoted.
    pub fn raw(mut self, text: &str) -> Self {
        self.0.push_str(&format!(" {text}"));
        self
    }

    pub fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// Quotes `value` as one word of a POSIX shell. Control characters are left out, as no AWS name has any.
pub fn quoted(value: &str) -> Cow<'_, str> {
    let plain = |letter: char| {
        letter.is_ascii_alphanumeric()
            || matches!(letter, '_' | '-' | '.' | '/' | ':' | '@' | '%' | '+' | '=' | ',')
    };
    if !value.is_empty() && value.chars().all(plain) {
        return Cow::Borrowed(value);
    }
    let kept: String = value.chars().filter(|letter| !letter.is_control()).collect();
    Cow::Owned(format!("'{}'", kept.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_words() {
        assert_eq!(quoted("shop/api:v1@sha256:ab"), "shop/api:v1@sha256:ab");
        for (name, expected) in [
            ("", "''"),
            ("a b", "'a b'"),
            ("$(rm -rf ~)", "'$(rm -rf ~)'"),
            ("x'; rm", r"'x'\''; rm'"),
            ("`id`\n\u{1b}[0m", "'`id`[0m'"),
        ] {
            assert_eq!(quoted(name), expected);
        }
        assert_eq!(
            Shell::new("aws").option("name", "-x").option("none", "").flag("force").argument("a;b").to_text(),
            "aws --name=-x --force 'a;b'"
        );
    }

    /// A real shell reads back the name that was quoted.
    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for name in
            ["plain", "a b", "x'; touch /tmp/never; '", "$HOME `id` \\ \"q\"", "\u{202e}ö*?[", "#!&|<>()"]
        {
            let command = format!("printf %s {}", quoted(name));
            let Ok(output) = std::process::Command::new("sh").args(["-c", &command]).output() else { return };
            assert_eq!(String::from_utf8_lossy(&output.stdout), name);
        }
    }
}
