//! Which of the image's tags the rule selects, and which rule looks as if it would have protected the
//! image.

use super::{ReasonFound, Subject, listed};
use crate::model::ReasonKind;
use crate::policy::{Rule, Tags};

/// One prefix or pattern of a rule.
#[derive(Clone, Copy)]
struct Want<'r> {
    text: &'r str,
    is_prefix: bool,
}

impl Want<'_> {
    fn fits(self, tag: &str) -> bool {
        let one = || vec![self.text.to_owned()];
        let alone = if self.is_prefix {
            Tags::Tagged { prefixes: one(), patterns: Vec::new() }
        } else {
            Tags::Tagged { prefixes: Vec::new(), patterns: one() }
        };
        alone.speaks_of(tag)
    }

    fn in_words(self) -> String {
        format!("{} {}", if self.is_prefix { "prefix" } else { "pattern" }, self.text)
    }
}

fn wants(rule: &Rule) -> Vec<Want<'_>> {
    if !matches!(rule.tags, Tags::Tagged { .. }) {
        return Vec::new();
    }
    let prefixes = rule.words.prefixes.iter().map(|text| Want { text, is_prefix: true });
    prefixes.chain(rule.words.patterns.iter().map(|text| Want { text, is_prefix: false })).collect()
}

pub fn matched(subject: Subject<'_>) -> Option<ReasonFound> {
    let (tags, wants) = (subject.tags(), wants(subject.rule));
    let fitting: Vec<(Want<'_>, &str)> =
        wants.iter().filter_map(|want| Some((*want, *tags.iter().find(|tag| want.fits(tag))?))).collect();
    if fitting.is_empty() {
        return None;
    }
    let pairs: Vec<String> =
        fitting.iter().map(|(want, tag)| format!("{}, which tag {tag} matches", want.in_words())).collect();
    let others: Vec<&str> =
        tags.iter().copied().filter(|tag| fitting.iter().all(|(_, own)| own != tag)).collect();
    let with = if others.is_empty() {
        String::new()
    } else {
        format!(" The image went with all its tags, {} among them.", listed(&others))
    };
    let text = format!("Rule {} selects {}.{with}", subject.rule.priority, listed(&pairs));
    let advice = (!others.is_empty()).then(|| {
        format!(
            "Protect {} by a rule of its own with a lower number than {}: an image belongs to the first rule \
             that any of its tags meets, and goes with all of them.",
            listed(&others),
            subject.rule.priority
        )
    });
    let given = subject
        .loss
        .tags
        .iter()
        .filter(|(tag, _)| fitting.iter().any(|(_, own)| *own == subject.history.text(*tag)))
        .map(|(_, given)| *given);
    let events = given.filter(|given| given.is_some()).chain([subject.loss.event]).collect();
    Some(ReasonFound { advice, ..subject.told(ReasonKind::TagMatched, text, events) })
}

/// Rules that mention tags like these and still did not protect the image: rules above it because something
/// in them did not match, rules below because this rule came first.
pub fn unprotected(subject: Subject<'_>) -> Option<ReasonFound> {
    let tags = subject.tags();
    let others = subject
        .policy
        .rules()
        .iter()
        .filter(|other| other.priority != subject.rule.priority && other.class == subject.rule.class);
    let (mut texts, mut advice) = (Vec::new(), None);
    for other in others {
        let found = if other.priority < subject.rule.priority {
            missed(other, &tags)
        } else {
            too_late(other, subject.rule, &tags)
        };
        if let Some((text, remedy)) = found {
            texts.push(text);
            advice = advice.or(Some(remedy));
        }
    }
    if texts.is_empty() {
        return None;
    }
    Some(ReasonFound {
        advice,
        ..subject.told(ReasonKind::ProtectionMissed, texts.join(" "), vec![subject.loss.event])
    })
}

/// For a rule above: what in it did not match. All of its prefixes and patterns have to match some tag of
/// the image.
fn missed(rule: &Rule, tags: &[&str]) -> Option<(String, String)> {
    let wants = wants(rule);
    let (fitting, missing): (Vec<Want<'_>>, Vec<Want<'_>>) =
        wants.into_iter().partition(|want| tags.iter().any(|tag| want.fits(tag)));
    let number = rule.priority;
    if let Some(first) = fitting.first() {
        let protected = tags.iter().find(|tag| first.fits(tag))?;
        let all: Vec<&str> = fitting.iter().chain(&missing).map(|want| want.text).collect();
        let lacking: Vec<String> = missing.iter().map(|want| want.in_words()).collect();
        if lacking.is_empty() {
            return None;
        }
        let kind = if first.is_prefix { "prefixes" } else { "patterns" };
        return Some((
            format!(
                "Rule {number} looks as if it protected {protected}, and did not: it needs a tag for each of \
                 its {kind} ({}) on the same image, and this one had none for {}.",
                listed(&all),
                listed(&lacking)
            ),
            format!(
                "Write one rule for each of {} instead of rule {number}: a rule with several asks for all of \
                 them on one image.",
                listed(&all)
            ),
        ));
    }
    let (want, tag) =
        missing.iter().find_map(|want| Some((*want, *tags.iter().find(|tag| is_near(want.text, tag))?)))?;
    let how = match (want.is_prefix, want.text.contains('*')) {
        (false, false) => format!("a pattern without * matches the very tag {} alone", want.text),
        (false, true) => "* stands for any text, everything else for itself, capitals included".to_owned(),
        (true, _) => "a tag has to begin with the very prefix, capitals included".to_owned(),
    };
    Some((
        format!(
            "Rule {number} looks as if it protected {tag}, and did not: its {} does not match {tag}: {how}.",
            want.in_words()
        ),
        format!(
            "Write rule {number} so that it matches {tag}, and see with `tagfall whatif --policy` what it \
             keeps then."
        ),
    ))
}

/// Whether the tag contains the text, ignoring case.
fn is_near(want: &str, tag: &str) -> bool {
    let letters = |text: &str| text.replace('*', "").to_lowercase();
    let core = letters(want);
    let core = core.trim_matches(['-', '.', '_', '/']);
    core.len() >= 2 && letters(tag).contains(core)
}

/// For a rule below that would have kept the image: the first rule that matches an image decides.
fn too_late(rule: &Rule, first: &Rule, tags: &[&str]) -> Option<(String, String)> {
    let names: Vec<String> = wants(rule).iter().map(|want| want.in_words()).collect();
    if names.is_empty() || tags.is_empty() || !rule.tags.wants(tags) {
        return None;
    }
    let (number, above) = (rule.priority, first.priority);
    Some((
        format!(
            "Rule {number} ({}) speaks of it, too, and had no say: an image belongs to the first rule whose \
             tags it meets, and rule {above} comes first.",
            listed(&names)
        ),
        format!("Give rule {number} a lower number than rule {above}, if it is the one to decide."),
    ))
}
