//! The checks that ECR makes before it accepts a policy. Every problem names the rule that it is in, and
//! says what to write instead.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

const RULES_MAX: usize = 50;
const STARS_MAX: usize = 4;
/// ECR keeps an archived image for at least this many days.
const ARCHIVE_DAYS_MIN: i64 = 90;

/// Something that ECR would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Position of the rule in the list, counted from 1, and its `rulePriority` if it has one.
    rule: Option<(usize, Option<i64>)>,
    what: String,
}

impl Problem {
    pub(super) fn of_all(what: impl Into<String>) -> Self {
        Self { rule: None, what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule {
            Some((number, Some(priority))) => {
                write!(f, "rule {number} (rulePriority {priority}): {}", self.what)
            }
            Some((number, None)) => write!(f, "rule {number}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// Everything that is wrong with a policy, rule by rule and then between them.
pub fn check(document: &Value) -> Vec<Problem> {
    let Some(policy) = document.as_object() else {
        return vec![Problem::of_all("it is no object: write {\"rules\": [ … ]}")];
    };
    let mut problems: Vec<Problem> = policy
        .keys()
        .filter(|key| *key != "rules")
        .map(|key| Problem::of_all(format!("{key:?} is no field of a policy: it has \"rules\" alone")))
        .collect();
    let Some(rules) = policy.get("rules").and_then(Value::as_array).filter(|rules| !rules.is_empty()) else {
        problems.push(Problem::of_all("it has no rules: write {\"rules\": [ … ]} with one rule at least"));
        return problems;
    };
    if rules.len() > RULES_MAX {
        problems.push(Problem::of_all(format!("it has {} rules, and ECR takes {RULES_MAX}", rules.len())));
    }
    let mut read = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let mut checked =
            Checked { number: index + 1, priority: rule["rulePriority"].as_i64(), problems: &mut problems };
        match rule.as_object() {
            Some(rule) => read.push(checked.rule(rule)),
            None => checked.say("it is no object"),
        }
    }
    between(&read, &mut problems);
    problems
}

/// One rule while it is checked: its JSON, and the problems found so far.
struct Checked<'p> {
    number: usize,
    priority: Option<i64>,
    problems: &'p mut Vec<Problem>,
}

/// What two rules of a policy must not share: noted for each rule, compared afterwards.
struct Read {
    number: usize,
    priority: Option<i64>,
    class: String,
    status: String,
    lists: Vec<(&'static str, Vec<String>)>,
}

impl Checked<'_> {
    fn say(&mut self, what: impl Into<String>) {
        self.problems.push(Problem { rule: Some((self.number, self.priority)), what: what.into() });
    }

    fn fields(&mut self, object: &Map<String, Value>, known: &[&str], of: &str) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            self.say(format!("{key:?} is no field of {of}: known are {}", known.join(", ")));
        }
    }

    fn rule(&mut self, rule: &Map<String, Value>) -> Read {
        self.fields(rule, &["rulePriority", "description", "selection", "action"], "a rule");
        if self.priority.is_none_or(|priority| priority < 1) {
            self.say("rulePriority is no whole number from 1: give each rule its own");
        }
        if rule.get("description").is_some_and(|text| !text.is_string()) {
            self.say("description is no text");
        }
        let empty = Map::new();
        let mut part = |name: &str| {
            let found = rule.get(name).and_then(Value::as_object);
            if found.is_none() {
                self.say(format!("{name} is missing, or is no object"));
            }
            found.unwrap_or(&empty)
        };
        let (selection, action) = (part("selection"), part("action"));
        let lists = self.tags(selection);
        self.count(selection, action);
        if !action.is_empty() {
            self.action(action);
        }
        let word = |name: &str| selection.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let class = if word("storageClass") == "archive" { "archive" } else { "standard" };
        Read {
            number: self.number,
            priority: self.priority,
            class: class.to_owned(),
            status: word("tagStatus"),
            lists,
        }
    }

    /// The lists of prefixes and patterns, by name.
    fn tags(&mut self, selection: &Map<String, Value>) -> Vec<(&'static str, Vec<String>)> {
        const SELECTION: &[&str] = &[
            "tagStatus",
            "tagPatternList",
            "tagPrefixList",
            "storageClass",
            "countType",
            "countUnit",
            "countNumber",
        ];
        if selection.is_empty() {
            return Vec::new();
        }
        self.fields(selection, SELECTION, "a selection");
        let mut lists = Vec::new();
        for name in ["tagPrefixList", "tagPatternList"] {
            match selection.get(name).map(|list| (list.as_array(), texts(list))) {
                None => {}
                Some((Some(_), Some(texts))) if texts.is_empty() => {}
                Some((Some(_), Some(texts))) => {
                    if name == "tagPatternList" {
                        self.patterns(&texts);
                    }
                    lists.push((name, texts));
                }
                Some(_) => self.say(format!("{name} is no list of texts, none of them empty")),
            }
        }
        match (selection.get("tagStatus").and_then(Value::as_str), lists.len()) {
            (Some("tagged"), 0) => self.say(
                "tagStatus tagged needs a tagPatternList or a tagPrefixList (\"tagPatternList\": [\"*\"] for \
                 every tag)",
            ),
            (Some("tagged"), 2) => self.say("it has a tagPatternList and a tagPrefixList: write one of them"),
            (Some("tagged"), _) | (Some("untagged" | "any"), 0) => {}
            (Some(status @ ("untagged" | "any")), _) => {
                self.say(format!("tagStatus {status} goes without tagPatternList and tagPrefixList"))
            }
            _ => self.say("tagStatus is none of tagged, untagged and any"),
        }
        lists
    }

    fn patterns(&mut self, patterns: &[String]) {
        for pattern in patterns.iter().filter(|pattern| pattern.matches('*').count() > STARS_MAX) {
            self.say(format!("the pattern {pattern:?} has more than {STARS_MAX} wildcards"));
        }
    }

    fn count(&mut self, selection: &Map<String, Value>, action: &Map<String, Value>) {
        if selection.is_empty() {
            return;
        }
        let word = |name: &str| selection.get(name).and_then(Value::as_str);
        let (kind, number) = (word("countType"), selection.get("countNumber").and_then(Value::as_i64));
        let (by_age, clock) = (kind.is_some_and(|kind| kind.starts_with("since")), kind.unwrap_or_default());
        if !matches!(
            kind,
            Some("imageCountMoreThan" | "sinceImagePushed" | "sinceImagePulled" | "sinceImageTransitioned")
        ) {
            self.say(
                "countType is none of imageCountMoreThan, sinceImagePushed, sinceImagePulled and \
                 sinceImageTransitioned",
            );
            return;
        }
        if number.is_none_or(|number| number < 1) {
            self.say("countNumber is no whole number from 1");
        }
        match (by_age, selection.get("countUnit").map(|_| word("countUnit"))) {
            (true, Some(Some("days"))) | (false, None) => {}
            (true, _) => self.say(format!("{clock} needs \"countUnit\": \"days\"")),
            (false, _) => self.say("imageCountMoreThan goes without countUnit"),
        }
        let expires = action.get("type").and_then(Value::as_str) == Some("expire");
        let transits = action.get("type").and_then(Value::as_str) == Some("transition");
        match (clock, selection.get("storageClass").map(|_| word("storageClass"))) {
            ("sinceImageTransitioned", Some(Some("archive")))
            | (
                "imageCountMoreThan" | "sinceImagePushed" | "sinceImagePulled",
                None | Some(Some("standard")),
            ) => {}
            ("sinceImageTransitioned", _) => {
                self.say("sinceImageTransitioned needs \"storageClass\": \"archive\"")
            }
            (_, Some(Some("archive"))) => self.say(format!(
                "{clock} selects images in standard storage: only sinceImageTransitioned goes with archive"
            )),
            _ => self.say("storageClass is neither standard nor archive"),
        }
        if clock == "sinceImagePulled" && expires {
            self.say(
                "sinceImagePulled goes with the action transition alone: \"action\": \
                 {\"type\": \"transition\", \"targetStorageClass\": \"archive\"}",
            );
        }
        if clock == "sinceImageTransitioned" && transits {
            self.say(
                "sinceImageTransitioned goes with the action expire alone: the images are in the archive \
                 already",
            );
        }
        if clock == "sinceImageTransitioned"
            && number.is_some_and(|number| (1..ARCHIVE_DAYS_MIN).contains(&number))
        {
            self.say(format!(
                "an archived image is kept for {ARCHIVE_DAYS_MIN} days at least: raise countNumber"
            ));
        }
    }

    fn action(&mut self, action: &Map<String, Value>) {
        self.fields(action, &["type", "targetStorageClass"], "an action");
        let target = action.get("targetStorageClass");
        match (action.get("type").and_then(Value::as_str), target) {
            (Some("expire"), None) => {}
            (Some("expire"), Some(_)) => self.say("the action expire goes without targetStorageClass"),
            (Some("transition"), Some(Value::String(class))) if class == "archive" => {}
            (Some("transition"), _) => {
                self.say("the action transition needs \"targetStorageClass\": \"archive\"")
            }
            _ => self.say("the action's type is neither expire nor transition"),
        }
    }
}

/// A list of non-empty texts, sorted.
fn texts(list: &Value) -> Option<Vec<String>> {
    let mut texts: Vec<String> = list
        .as_array()?
        .iter()
        .map(|text| text.as_str().filter(|text| !text.is_empty()).map(str::to_owned))
        .collect::<Option<_>>()?;
    texts.sort_unstable();
    Some(texts)
}

fn between(rules: &[Read], problems: &mut Vec<Problem>) {
    let mut say =
        |rule: &Read, what: String| problems.push(Problem { rule: Some((rule.number, rule.priority)), what });
    let (mut priorities, mut lists, mut statuses) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for rule in rules {
        if let Some(first) = rule.priority.and_then(|priority| priorities.insert(priority, rule.number)) {
            say(rule, format!("rule {first} has the same rulePriority: give each rule its own"));
        }
        for list in &rule.lists {
            if let Some(first) = lists.insert((&rule.class, list), rule.number) {
                say(rule, format!("rule {first} lists the same tags: make one rule of the two"));
            }
        }
        if matches!(rule.status.as_str(), "untagged" | "any")
            && let Some(first) = statuses.insert((&rule.class, &rule.status), rule.number)
        {
            say(
                rule,
                format!(
                    "rule {first} is for tagStatus {} already: there can be one in a storage class",
                    rule.status
                ),
            );
        }
    }
    for any in rules.iter().filter(|rule| rule.status == "any") {
        let later = rules
            .iter()
            .find(|other| other.class == any.class && other.status != "any" && other.priority > any.priority);
        if let Some(later) = later {
            say(
                any,
                format!(
                    "a rule for tagStatus any comes last: give it a higher rulePriority than rule {} has",
                    later.number
                ),
            );
        }
    }
}
