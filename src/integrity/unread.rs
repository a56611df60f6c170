//! Folders that could not be listed: objects in them are not missing, they could not be looked for.

use std::collections::HashMap;

use super::name;
use super::read::{Content, Other};

/// Why folders (by name) could not be read.
#[derive(Debug, Default)]
pub struct Unread {
    folders: HashMap<String, String>,
}

impl Unread {
    pub fn of(others: &[Other]) -> Self {
        let mut folders: HashMap<String, String> = HashMap::new();
        for other in others {
            let Content::Unreadable(reason) = &other.content else { continue };
            let name = name::identity(other.object.raw()).trim_end_matches('/');
            // If there are two with one name, the same reason is chosen whichever came first.
            let known = folders.entry(format!("{name}/")).or_insert_with(|| reason.to_string());
            if **reason < **known {
                *known = reason.to_string();
            }
        }
        Self { folders }
    }

    /// Why the object `key` could not be looked for.
    pub fn reason(&self, key: &str) -> Option<&str> {
        let key = name::identity(key);
        let folders = key.match_indices('/').filter_map(|(at, _)| key.get(..=at));
        folders.filter_map(|folder| self.folders.get(folder)).map(String::as_str).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(unreadable: &[(&str, &str)], key: &str) -> Option<String> {
        let other = |(object, reason): &(&str, &str)| Other {
            object: (*object).into(),
            content: Content::Unreadable((*reason).into()),
        };
        Unread::of(&unreadable.iter().map(other).collect::<Vec<_>>()).reason(key).map(str::to_owned)
    }

    #[test]
    fn a_folder_speaks_of_what_is_below_it_alone() {
        let denied = [("p/AWSLogs/1/CloudTrail/us-east-1/", "denied")];
        assert_eq!(reason(&denied, "AWSLogs/1/CloudTrail/us-east-1/2026/a"), Some("denied".to_owned()));
        for other in ["AWSLogs/1/CloudTrail/us-east-11/a", "AWSLogs/1/CloudTrail/us-east-1", "AWSLogs/1/a"] {
            assert_eq!(reason(&denied, other), None, "{other}");
        }
    }

    /// Objects come in any order: the reason used to be that of the first.
    #[test]
    fn the_reason_is_the_same_whichever_came_first() {
        let mut denied =
            [("AWSLogs/1/", "timed out"), ("AWSLogs/1/CloudTrail/", "gone"), ("p/AWSLogs/1/", "denied")];
        let one = reason(&denied, "AWSLogs/1/CloudTrail/a");
        denied.reverse();
        assert_eq!(
            (reason(&denied, "AWSLogs/1/CloudTrail/a"), one),
            (Some("denied".to_owned()), Some("denied".to_owned()))
        );
    }
}
