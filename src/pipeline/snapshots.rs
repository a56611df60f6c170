//! Snapshots: workers collect them, and when all logs have been read it is decided when each was taken and
//! where it belongs. Then they become events beside those of the logs. Nothing is guessed silently: a
//! snapshot that cannot be placed is left out, and the coverage lists every snapshot with how it was
//! placed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::note_names;
use crate::decode::identity::without_space;
use crate::model::{
    Action, Coverage, Digest, Event, Filter, Identity, LogText, PlaceFrom, Recognized, RepositoryRef, Seen,
    SnapshotRead, TimeFrom, Timestamp,
};
use crate::recognize::{AccountRegion, Snapshot, Statement};
use crate::timeline::Fold;

/// A snapshot and where it was found.
pub struct FoundSnapshot {
    pub object: String,
    pub document: u64,
    /// Hash of its text without white space.
    text: Digest,
    /// When its file was last changed.
    modified: Option<Timestamp>,
    answer: Snapshot,
}

impl FoundSnapshot {
    pub fn new(
        object: &str,
        document: u64,
        json: &str,
        modified: Option<Timestamp>,
        answer: Snapshot,
    ) -> Self {
        let compact = String::from_utf8(without_space(json.as_bytes())).unwrap_or_default();
        Self { object: object.to_owned(), document, text: Digest::of_manifest(&compact), modified, answer }
    }

    /// When it was taken, how that is known, and a note about it.
    fn time(&self) -> (Option<Timestamp>, TimeFrom, Option<String>) {
        let newest = self.answer.newest;
        match (self.answer.envelope.at, self.modified, newest) {
            (Some(at), _, Some(newest)) if newest > at => {
                let note = format!(
                    "it says that it was taken at {at}, and has times up to {newest}: one of the clocks was \
                     wrong"
                );
                (Some(at), TimeFrom::Document, Some(note))
            }
            (Some(at), ..) => (Some(at), TimeFrom::Document, None),
            (None, Some(at), Some(newest)) if newest > at => {
                let note = format!(
                    "its file was changed at {at}, and it has times up to {newest}: taken for no older than \
                     those"
                );
                (Some(newest), TimeFrom::Content, Some(note))
            }
            (None, Some(at), _) => (Some(at), TimeFrom::File, None),
            (None, None, Some(newest)) => (Some(newest), TimeFrom::Content, None),
            (None, None, None) => (None, TimeFrom::Nothing, None),
        }
    }
}

/// Repositories by name: the accounts and regions where they are.
type Known = BTreeMap<String, BTreeSet<(String, String)>>;

/// Adds the snapshots to the fold; returns the time of the newest one that counts.
pub fn settle(
    mut met: Vec<FoundSnapshot>,
    fold: &mut Fold,
    seen: &mut Seen,
    filter: &Filter,
    coverage: &mut Coverage,
) -> Option<Timestamp> {
    // Of identical snapshots the oldest counts: a copied file has a later time, but shows nothing newer.
    met.sort_by(|a, b| {
        (a.text.as_bytes(), a.time().0, &a.object, a.document).cmp(&(
            b.text.as_bytes(),
            b.time().0,
            &b.object,
            b.document,
        ))
    });
    let known = known(fold, &met);
    let mut newest = None;
    let mut first: Option<(Digest, String)> = None;
    for one in met {
        let copy = first.as_ref().filter(|(text, _)| *text == one.text).map(|(_, object)| object.clone());
        let mut read = blank(&one);
        match copy {
            Some(object) => {
                (read.left_out, read.note) = (one.answer.entries, format!("a second copy of {object}"))
            }
            None => {
                first = Some((one.text, one.object.clone()));
                let counts = take(one, &mut read, &known, fold, seen, filter);
                newest = newest.max(read.time.filter(|_| counts));
            }
        }
        coverage.snapshots.push(read);
    }
    coverage.snapshots.sort_unstable();
    newest
}

fn blank(met: &FoundSnapshot) -> SnapshotRead {
    let (time, time_from, note) = met.time();
    let text = |text: &Option<String>| text.as_deref().map(LogText::from);
    SnapshotRead {
        object: met.object.as_str().into(),
        document: met.document,
        call: met.answer.call.as_str().into(),
        account: text(&met.answer.envelope.account),
        region: text(&met.answer.envelope.region),
        place_from: PlaceFrom::Nothing,
        time,
        time_from,
        entries: met.answer.entries,
        left_out: met.answer.left_out,
        whole: !met.answer.pages_missing,
        note: note.unwrap_or_default(),
    }
}

/// Adds one snapshot; returns whether it counts.
fn take(
    met: FoundSnapshot,
    read: &mut SnapshotRead,
    known: &Known,
    fold: &mut Fold,
    seen: &mut Seen,
    filter: &Filter,
) -> bool {
    let Some(time) = read.time else {
        return leave_out(
            read,
            met.answer.entries,
            "nothing tells when it was taken: save it to a file, or let `tagfall snapshot` take it",
        );
    };
    if filter.until.is_some_and(|until| time >= until) {
        return leave_out(read, met.answer.entries, "it was taken after --until");
    }
    let named = name_place(&met.object);
    let mut places: BTreeSet<(Option<String>, Option<String>)> = BTreeSet::new();
    let mut unplaced = None;
    let entries_each = if met.answer.statements.len() == 1 { met.answer.entries } else { 1 };
    let mut counts =
        met.answer.statements.is_empty() && met.answer.entries == 0 && met.answer.envelope.at.is_some();
    let whole = !met.answer.pages_missing;
    let is_raw_list = met.answer.envelope.whole.is_none() && met.answer.call == "ecr describe-images";
    for (number, statement) in met.answer.statements.into_iter().enumerate() {
        let needs_place =
            statement.place.repository.is_some() || matches!(statement.action, Action::Registry(_));
        // What runs an image is identified by an ARN or by the image's own name: a cluster may be in any
        // account.
        let settled = if needs_place {
            place(&statement.place, &named, known, filter)
        } else {
            Ok((statement.place.clone(), PlaceFrom::Document))
        };
        let (place, from) = match settled {
            Ok(settled) => settled,
            Err(reason) => {
                read.left_out += entries_each;
                unplaced.get_or_insert(reason);
                continue;
            }
        };
        read.place_from =
            if read.place_from == PlaceFrom::Nothing { from } else { read.place_from.max(from) };
        places.insert((place.account.clone(), place.region.clone()));
        let event = event(&met.text, number, &read.call, statement.at.unwrap_or(time).min(time), &place);
        let recognized = recognized(event, place, statement);
        note_names(seen, &recognized);
        if filter.admits_account(&recognized.event.recipient_account)
            && filter.admits_region(&recognized.event.region)
        {
            fold.absorb(&recognized, read.object.raw(), met.document);
            counts = true;
        }
    }
    if let [(account, region)] = &places.iter().collect::<Vec<_>>()[..] {
        let text = |text: &Option<String>| text.as_deref().map(LogText::from);
        (read.account, read.region) =
            (text(account).or(read.account.take()), text(region).or(read.region.take()));
    }
    if let Some(reason) = unplaced {
        add_note(read, &reason);
    }
    if !whole {
        add_note(read, "pages are missing: what is not in it may be there all the same");
    } else if is_raw_list && counts {
        add_note(
            read,
            "taken for a list of the whole repository: --image-ids and --filter leave no trace in an answer",
        );
    }
    counts
}

fn leave_out(read: &mut SnapshotRead, entries: u64, reason: &str) -> bool {
    read.left_out = entries;
    add_note(read, &format!("left out: {reason}"));
    false
}

fn add_note(read: &mut SnapshotRead, note: &str) {
    if !read.note.is_empty() {
        read.note.push_str("; ");
    }
    read.note.push_str(note);
}

/// Repositories whose account and region are known: from logs, and from snapshots that state them.
fn known(fold: &Fold, met: &[FoundSnapshot]) -> Known {
    let mut known = Known::new();
    for [account, region, name] in fold.places() {
        known.entry(name.to_owned()).or_default().insert((account.to_owned(), region.to_owned()));
    }
    for one in met {
        let named = name_place(&one.object);
        for statement in &one.answer.statements {
            let AccountRegion { account, region, repository: Some(name) } = &statement.place else {
                continue;
            };
            if let (Some(account), Some(region)) =
                (account.clone().or_else(|| named.0.clone()), region.clone().or_else(|| named.1.clone()))
            {
                known.entry(name.clone()).or_default().insert((account, region));
            }
        }
    }
    known
}

/// Account and region of a statement: what it states itself, else what its file's name says, else what the
/// user says, else the only place where all other evidence knows a repository of that name (for a registry:
/// any repository of that account).
fn place(
    told: &AccountRegion,
    named: &(Option<String>, Option<String>),
    known: &Known,
    filter: &Filter,
) -> Result<(AccountRegion, PlaceFrom), String> {
    if told.account.is_some() && told.region.is_some() {
        return Ok((told.clone(), PlaceFrom::Document));
    }
    let (account, region) =
        (told.account.clone().or_else(|| named.0.clone()), told.region.clone().or_else(|| named.1.clone()));
    if let (Some(account), Some(region)) = (&account, &region) {
        return Ok((
            AccountRegion { account: Some(account.clone()), region: Some(region.clone()), ..told.clone() },
            PlaceFrom::Name,
        ));
    }
    let of_name = |name: &String| known.get(name).into_iter().flatten().collect::<Vec<_>>();
    let said = (
        account.clone().or_else(|| filter.snapshot_account.clone()),
        region.clone().or_else(|| filter.snapshot_region.clone()),
    );
    if let (Some(account), Some(region)) = said {
        return Ok((
            AccountRegion { account: Some(account), region: Some(region), ..told.clone() },
            PlaceFrom::Option,
        ));
    }
    let candidates: Vec<&(String, String)> =
        told.repository.as_ref().map_or_else(|| known.values().flatten().collect(), of_name);
    let fits = |(a, r): &&&(String, String)| {
        account.as_ref().is_none_or(|account| account == a)
            && region.as_ref().is_none_or(|region| region == r)
    };
    let fitting: BTreeSet<&(String, String)> = candidates.iter().filter(fits).copied().collect();
    let what = told.repository.as_ref().map_or_else(|| "the registry".to_owned(), Clone::clone);
    let lacks = if region.is_none() { "region" } else { "account" };
    match fitting.iter().collect::<Vec<_>>()[..] {
        [(account, region)] => Ok((
            AccountRegion { account: Some(account.clone()), region: Some(region.clone()), ..told.clone() },
            PlaceFrom::Evidence,
        )),
        [] => Err(format!(
            "left out: nothing tells the {lacks} of {what}: name it with --snapshot-account and \
             --snapshot-region, put the file into a folder named after both (111122223333/eu-central-1/), or \
             let `tagfall snapshot` take it"
        )),
        _ => {
            let places: Vec<String> =
                fitting.iter().map(|(account, region)| format!("{region} of {account}")).collect();
            Err(format!(
                "left out: it does not tell its {lacks}, and {what} may be that in {}: name it with \
                 --snapshot-account and --snapshot-region, or put the file into a folder named after both \
                 (111122223333/eu-central-1/)",
                places.join(" or in ")
            ))
        }
    }
}

/// Account and region in the names of a file and its folders; the ones nearest to the end count.
fn name_place(object: &str) -> (Option<String>, Option<String>) {
    let words =
        || object.split(|char: char| !char.is_ascii_alphanumeric() && char != '-').flat_map(candidates);
    let is_account = |word: &&str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_digit());
    let account = words().filter(is_account).last().map(str::to_owned);
    let region = words().filter(is_region).last().map(str::to_owned);
    (account, region)
}

/// `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`. A looser rule would accept `shop-api-1`.
fn is_region(word: &&str) -> bool {
    const WAYS: &[&str] =
        &["central", "north", "south", "east", "west", "northeast", "northwest", "southeast", "southwest"];
    let parts: Vec<&str> = word.split('-').collect();
    let (area, way, number) = match parts[..] {
        [area, way, number] => (area, way, number),
        [area, "gov" | "iso" | "isob" | "isoe" | "isof" | "de", way, number] => (area, way, number),
        _ => return false,
    };
    let is_area = (area.len() == 2 || area == "eusc") && area.bytes().all(|byte| byte.is_ascii_lowercase());
    is_area
        && WAYS.contains(&way)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// A word, and each run of its hyphenated parts that may be an account or region:
/// `prod-eu-central-1-images`.
fn candidates(word: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> =
        std::iter::once(0).chain(word.match_indices('-').map(|(at, _)| at + 1)).collect();
    let ends: Vec<usize> = word.match_indices('-').map(|(at, _)| at).chain([word.len()]).collect();
    let runs = move |first: usize| {
        let (starts, ends) = (starts.clone(), ends.clone());
        (first..ends.len().min(first + 4))
            .filter_map(move |last| word.get(*starts.get(first)?..*ends.get(last)?))
            .collect::<Vec<_>>()
    };
    (0..word.matches('-').count() + 1).flat_map(runs)
}

fn event(
    text: &Digest,
    number: usize,
    call: &LogText,
    time: Timestamp,
    place: &AccountRegion,
) -> Event<'static> {
    let [a, b, c, d, e, f, g, h, ..] = *text.as_bytes();
    let id = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let name = call
        .raw()
        .rsplit_once(' ')
        .map_or(call.raw(), |(service, name)| if service == "kubectl" { call.raw() } else { name });
    Event {
        id: Cow::Owned(format!("snapshot:{id:016x}:{number}")),
        identity: Identity { id, rest: number as u64 },
        shared_id: None,
        time,
        name: Cow::Owned(name.to_owned()),
        recipient_account: Cow::Owned(place.account.clone().unwrap_or_default()),
        region: Cow::Owned(place.region.clone().unwrap_or_default()),
        actor: None,
        source_ip: None,
        user_agent: None,
        invoked_by: None,
        error_code: None,
        read_only: None,
        left_out: false,
        snapshot: true,
        addendum: None,
    }
}

fn recognized(event: Event<'static>, place: AccountRegion, statement: Statement) -> Recognized<'static> {
    let repository =
        place.repository.zip(place.account).zip(place.region).map(|((name, account), region)| {
            RepositoryRef {
                registry_id: Cow::Owned(account),
                region: Cow::Owned(region),
                name: Cow::Owned(name),
            }
        });
    Recognized { event, repository, action: statement.action }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_and_region_are_found_in_the_names_of_folders_and_files() {
        let found = |object: &str| {
            let (account, region) = name_place(object);
            format!("{} {}", account.unwrap_or_default(), region.unwrap_or_default())
        };
        assert_eq!(
            found("snapshot/111122223333/eu-central-1/ecr.describe-images.shop_api.json"),
            "111122223333 eu-central-1"
        );
        assert_eq!(found("prod-eu-central-1-images.json"), " eu-central-1");
        assert_eq!(found("us-east-1/111122223333_us-gov-west-1.json"), "111122223333 us-gov-west-1");
        assert_eq!(found("images-2026.json"), " ");
    }
}
