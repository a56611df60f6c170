//! The list of settings, and the values that each accepts.

use super::super::values;

/// One setting: the same in the file, in the environment, and on the command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the file, and behind `--`.
    pub key: &'static str,
    /// Its name in the parser of the command line.
    pub id: &'static str,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// Several texts; in the environment separated by commas.
    Texts,
    Times,
    Accounts,
    Regions,
    Repositories,
    Span,
    Severity,
    Flag,
    Number,
    Size,
}

const fn setting(key: &'static str, id: &'static str, kind: Kind) -> Setting {
    Setting { key, id, kind }
}

/// Sources and thresholds. No setting writes anywhere or decides whom to trust.
pub const SETTINGS: &[Setting] = &[
    setting("sources", "sources", Kind::Texts),
    setting("since", "since", Kind::Times),
    setting("until", "until", Kind::Times),
    setting("account", "account", Kind::Accounts),
    setting("region", "region", Kind::Regions),
    setting("repository", "repository", Kind::Repositories),
    setting("race-window", "race_window", Kind::Span),
    setting("within", "within", Kind::Span),
    setting("fail-on", "fail_on", Kind::Severity),
    setting("allow-incomplete", "allow_incomplete", Kind::Flag),
    setting("redact", "redact", Kind::Flag),
    setting("jobs", "jobs", Kind::Number),
    setting("max-memory", "max_memory", Kind::Size),
];

/// Names that are at least this similar may be meant (Jaro-Winkler; 1 is the same).
pub const ALIKE: f64 = 0.8;

/// The setting whose name is most similar to an unknown one, if it is similar enough.
pub fn near(key: &str, alike: f64) -> Option<&'static Setting> {
    let plain = |key: &str| key.replace(['_', '-'], "").to_ascii_lowercase();
    let scored =
        SETTINGS.iter().map(|setting| (strsim::jaro_winkler(&plain(key), &plain(setting.key)), setting));
    scored
        .filter(|(score, _)| *score >= alike)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, setting)| setting)
}

impl Setting {
    /// `TAGFALL_FAIL_ON`.
    pub fn variable(&self) -> String {
        format!("TAGFALL_{}", self.key.to_uppercase().replace('-', "_"))
    }

    /// Whether it may have several values.
    pub const fn is_list(&self) -> bool {
        matches!(self.kind, Kind::Texts | Kind::Accounts | Kind::Regions | Kind::Repositories)
    }

    pub const fn takes_number(&self) -> bool {
        matches!(self.kind, Kind::Number)
    }

    pub const fn takes_bool(&self) -> bool {
        matches!(self.kind, Kind::Flag)
    }

    /// The values in a text with several of them.
    pub fn split(&self, text: &str) -> Vec<String> {
        if !self.is_list() {
            return vec![text.to_owned()];
        }
        text.split(',').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    /// Checks the values; an error says what would be accepted.
    pub fn check(&self, values: &[String]) -> Result<(), String> {
        values.iter().try_for_each(|value| self.check_one(value))
    }

    fn check_one(&self, value: &str) -> Result<(), String> {
        match self.kind {
            Kind::Texts if value.is_empty() => Err("an empty text is no source".to_owned()),
            Kind::Texts => Ok(()),
            Kind::Times => values::when(value).map(drop),
            Kind::Accounts => values::account(value).map(drop),
            Kind::Regions => values::region(value).map(drop),
            Kind::Repositories => values::repository(value).map(drop),
            Kind::Span => values::span(value).map(drop),
            Kind::Severity => match crate::model::Severity::from_word(&value.to_ascii_lowercase()) {
                Some(_) => Ok(()),
                None => Err("write critical, high, medium or low".to_owned()),
            },
            Kind::Flag if matches!(value, "true" | "false") => Ok(()),
            Kind::Flag => Err("write true or false".to_owned()),
            Kind::Number => super::super::options::jobs(value).map(drop),
            Kind::Size => values::memory(value).map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// A setting that no verb has as an option would be accepted and never used.
    #[test]
    fn every_setting_is_an_option_of_some_verb() {
        let command = super::super::super::Cli::command();
        for setting in SETTINGS {
            let arguments = command.get_subcommands().flat_map(clap::Command::get_arguments);
            let own: Vec<_> = arguments.filter(|argument| argument.get_id() == setting.id).collect();
            assert!(!own.is_empty(), "{}", setting.key);
            assert!(
                own.iter().all(|argument| argument.get_long().is_none_or(|long| long == setting.key)),
                "{}",
                setting.key
            );
        }
    }

    #[test]
    fn a_typing_error_has_a_name_that_is_near() {
        let near = ["failon", "fail_on", "repositories", "source", "allow_incomplet", "colour"]
            .map(|key| near(key, ALIKE).map(|setting| setting.key));
        assert_eq!(
            near,
            [
                Some("fail-on"),
                Some("fail-on"),
                Some("repository"),
                Some("sources"),
                Some("allow-incomplete"),
                None
            ]
        );
    }
}
