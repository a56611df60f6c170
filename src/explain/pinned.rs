//! A question about a tag that resolves: perhaps a task pinned the image that the tag pointed to before.

use super::cause::of_loss;
use super::{Case, Known, sentence};
use crate::model::{Sentence, Timestamp};
use crate::timeline::{Image, Loss};

/// Maximum number of images that had the tag before that are named.
const HOLDERS_MAX: usize = 5;

/// Images that had the tag before and are gone: a task that pinned one of them still asks for it. Only for
/// questions without a digest.
fn gone_holders<'h>(case: Case<'h>, known: Known<'h>) -> Vec<(&'h Image, &'h Loss)> {
    let asked = case
        .question
        .about
        .tag()
        .filter(|_| case.question.about.digest().is_none())
        .and_then(|tag| case.history.find_string(tag));
    let Some(tag) = asked else { return Vec::new() };
    let had = |image: &&Image| image.gone_at.is_some() && image.steps.iter().any(|step| step.tag == tag);
    known
        .repository
        .images
        .iter()
        .filter(had)
        .filter_map(|image| Some((image, image.losses.last()?)))
        .collect()
}

/// The third step if the tag resolves, but images that it pointed to before are gone.
pub fn before(case: Case<'_>, known: Known<'_>) -> Option<Sentence> {
    let mut holders = gone_holders(case, known);
    holders.sort_by_key(|(_, loss)| std::cmp::Reverse(loss.at));
    let told = |(image, loss): &(&Image, &Loss)| {
        let cause = of_loss(case, Known { image, ..known }, loss).word();
        format!(
            "{} (gone at {}: {cause})",
            case.history.digest_or_zero(image.digest),
            Timestamp::from_millis(loss.at)
        )
    };
    let named: Vec<String> = holders.iter().take(HOLDERS_MAX).map(told).collect();
    let more = holders.len().saturating_sub(HOLDERS_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!(
        "The tag resolves; what it pointed to before does not, and a task that pinned it fails: {}{more}.",
        named.join(", ")
    );
    let evidence = holders.iter().take(HOLDERS_MAX).flat_map(|(_, loss)| case.event(loss.event)).collect();
    (!holders.is_empty()).then(|| sentence(text, evidence))
}
