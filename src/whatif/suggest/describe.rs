//! The description of a rule that a suggestion changes: what the rule does now.
//!
//! People write the number into the description ("expire after 7 days"). It would contradict the rule as soon
//! as the number changes, and nobody can tell which of its words still hold. So a changed rule is described
//! anew, from its selection and its action; the old description stays visible in `in_force`.

use serde_json::{Value, json};

/// Replaces the description of a rule, if it has one, by what its selection and action say.
pub(super) fn describe_anew(rule: &mut Value) {
    if rule.get("description").is_some() {
        rule["description"] = json!(described(rule));
    }
}

/// `Expire untagged images 30 days after the push`.
fn described(rule: &Value) -> String {
    let selection = &rule["selection"];
    let (images, number) = (images(selection), selection["countNumber"].as_i64().unwrap_or(0));
    let verb = if rule["action"]["type"] == "transition" { "Archive" } else { "Expire" };
    let days = if number == 1 { "day" } else { "days" };
    match selection["countType"].as_str().unwrap_or_default() {
        "imageCountMoreThan" => format!("{verb} all but the newest {number} of {images}"),
        "sinceImagePulled" => format!("{verb} {images} {number} {days} after the last pull"),
        "sinceImageTransitioned" => format!("{verb} {images} {number} {days} after they were archived"),
        _ => format!("{verb} {images} {number} {days} after the push"),
    }
}

fn images(selection: &Value) -> String {
    let list = |key: &str| selection[key].as_array().map_or(&[][..], Vec::as_slice);
    match (list("tagPrefixList"), list("tagPatternList")) {
        ([prefix], []) => format!("images tagged {}*", prefix.as_str().unwrap_or_default()),
        ([], [pattern]) => format!("images tagged {}", pattern.as_str().unwrap_or_default()),
        _ => match selection["tagStatus"].as_str() {
            Some("untagged") => "untagged images".to_owned(),
            Some("tagged") => "tagged images".to_owned(),
            _ => "all images".to_owned(),
        },
    }
}
