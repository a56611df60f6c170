//! The queries that come with the program: `queries/*.sql`, each with its question, how to read it, and its columns.

/// A query with a name.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// What stands behind `@`.
    pub name: &'static str,
    /// `@NAME`, as it is asked for.
    pub mention: &'static str,
    /// Comments at its head, then plain SQL that also runs on Athena and Spark.
    pub sql: &'static str,
}

macro_rules! named {
    ($($name:literal),* $(,)?) => {
        /// All of them, by name.
        pub const ALL: &[Named] = &[$(Named { name: $name, mention: concat!("@", $name), sql: include_str!(concat!("../../queries/", $name, ".sql")) }),*];
    };
}

named![
    "blind-trail",
    "console-logins",
    "cross-account-pulls",
    "digests-pulled-after-they-went",
    "expiries-by-rule",
    "failed-calls-by-principal",
    "gaps-in-the-log",
    "images-at-risk",
    "immutable-tag-refusals",
    "key-use-by-network",
    "changes-before",
    "pushes-by-pipeline",
    "same-tag-pairs-then-expiry",
    "tag-history",
    "top-talkers",
    "who-pushed-what",
];

/// The query called `name`, with or without `@`.
pub fn find(name: &str) -> Option<Named> {
    let name = name.trim_start_matches('@');
    ALL.iter().copied().find(|query| query.name == name)
}

impl Named {
    /// The comments at its head, without their dashes.
    pub fn head(&self) -> impl Iterator<Item = &'static str> {
        let comments = self.sql.lines().take_while(|line| line.starts_with("--"));
        comments.map(|line| line.trim_start_matches("--").strip_prefix(' ').unwrap_or(line.trim_start_matches('-')))
    }

    /// Its question: the first line.
    pub fn question(&self) -> &'static str {
        self.head().next().unwrap_or_default()
    }
}
