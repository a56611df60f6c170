//! Folders that could not be listed: what should be in them is not missing, it could not be read.

use super::name;
use super::read::{Content, Other};

/// Names of what could not be read, with the reason.
#[derive(Debug, Default)]
pub struct Unread {
    folders: Vec<(String, String)>,
}

impl Unread {
    pub fn of(others: &[Other]) -> Self {
        let folders = others.iter().filter_map(|other| match &other.content {
            Content::Unreadable(reason) => {
                let name = name::identity(other.object.raw()).trim_end_matches('/');
                Some((format!("{name}/"), reason.to_string()))
            }
            _ => None,
        });
        Self { folders: folders.collect() }
    }

    /// Why the object `key` could not be looked for.
    pub fn reason(&self, key: &str) -> Option<&str> {
        let key = name::identity(key);
        self.folders.iter().find(|(folder, _)| key.starts_with(folder.as_str())).map(|(_, reason)| reason.as_str())
    }
}
