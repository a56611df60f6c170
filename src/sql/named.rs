//! The queries that come with the program: `queries/*.sql`, each with its question, an explanation, and its
//! columns.

/// A query with a name.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// The name without `@`.
    pub name: &'static str,
    /// `@NAME`, as users write it.
    pub mention: &'static str,
    /// Comments, followed by SQL that also runs on Athena and Spark.
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
    /// The comments at its beginning, without the dashes.
    pub fn head(&self) -> impl Iterator<Item = &'static str> {
        let comments = self.sql.lines().take_while(|line| line.starts_with("--"));
        comments.map(|line| {
            line.trim_start_matches("--").strip_prefix(' ').unwrap_or(line.trim_start_matches('-'))
        })
    }

    /// Its question: the first comment line.
    pub fn question(&self) -> &'static str {
        self.head().next().unwrap_or_default()
    }
}
