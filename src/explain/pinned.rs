//! A tag that resolves, asked about all the same: perhaps a task pinned what the tag pointed to before.

use super::cause::of_loss;
use super::{Case, Known, sentence};
use crate::model::{Sentence, Timestamp};
use crate::timeline::{Image, Loss};

/// How many images are named that had the tag before.
const HOLDERS_MAX: usize = 5;

/// Images that had the tag before and are gone: what a task that pinned one of them still asks for. Only where no digest was
/// asked for.
fn gone_holders<'h>(case: Case<'h>, known: Known<'h>) -> Vec<(&'h Image, &'h Loss)> {
    let asked = case.question.about.tag().filter(|_| case.question.about.digest().is_none()).and_then(|tag| case.history.find_string(tag));
    let Some(tag) = asked else { return Vec::new() };
    let had = |image: &&Image| image.gone_at.is_some() && image.steps.iter().any(|step| step.tag == tag);
    known.repository.images.iter().filter(had).filter_map(|image| Some((image, image.losses.last()?))).collect()
}

/// The third step where the tag resolves, and images that it pointed to before do not.
pub fn before(case: Case<'_>, known: Known<'_>) -> Option<Sentence> {
    let mut holders = gone_holders(case, known);
    holders.sort_by_key(|(_, loss)| std::cmp::Reverse(loss.at));
    let told = |(image, loss): &(&Image, &Loss)| {
        let cause = of_loss(case, Known { image, ..known }, loss).word();
        format!("{} (gone at {}: {cause})", case.history.digest_or_zero(image.digest), Timestamp::from_millis(loss.at))
    };
    let named: Vec<String> = holders.iter().take(HOLDERS_MAX).map(told).collect();
    let more = holders.len().saturating_sub(HOLDERS_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!("The tag resolves; what it pointed to before does not, and a task that pinned it fails: {}{more}.", named.join(", "));
    let evidence = holders.iter().take(HOLDERS_MAX).flat_map(|(_, loss)| case.event(loss.event)).collect();
    (!holders.is_empty()).then(|| sentence(text, evidence))
}
