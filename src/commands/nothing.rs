//! "Nothing to read" is an error, never an empty success: a typo in a filter must not look like a clean
//! archive.

use std::collections::BTreeSet;

use wildmatch::WildMatch;

use crate::failure::Failure;
use crate::model::{Coverage, Filter, LogText, Seen};
use crate::source::Pruned;
use crate::ui::escape::Escape;
use crate::ui::quantity::counted;

/// Names that are at least this similar may be meant (Jaro-Winkler; 1 is the same).
const ALIKE: f64 = 0.8;
/// Maximum number of similar names, or names in the logs, that are shown.
const TOLD_MAX: usize = 5;

/// An error if there was nothing to judge. A run that lost evidence is a different case, which its coverage
/// shows.
pub fn check(
    sources: &[String],
    filter: &Filter,
    coverage: &Coverage,
    seen: &Seen,
    pruned: &Pruned,
) -> Result<(), Failure> {
    if coverage.partial {
        return Ok(());
    }
    // All members of an archive were left out by name: the archive is an object in which nothing was read.
    let only_archives = pruned.places > 0
        && coverage.objects_failed == 0
        && coverage.bytes_decompressed == 0
        && coverage.records == 0;
    if coverage.objects_listed == 0 || only_archives {
        return Err(no_objects(sources, filter, pruned));
    }
    if coverage.objects_read == 0 && coverage.objects_failed == 0 {
        return Err(no_events(sources, coverage));
    }
    let shown = coverage.snapshots.iter().any(|snapshot| snapshot.left_out < snapshot.entries);
    if !coverage.is_complete()
        || (coverage.records_relevant > 0 || shown) && !names_nothing_seen(filter, seen)
    {
        return Ok(());
    }
    no_such_time(filter, coverage, pruned)?;
    no_such_name("--account", "account", &filter.accounts, &seen.accounts, |name| {
        filter.admits_account(name)
    })?;
    no_such_name("--region", "region", &filter.regions, &seen.regions, |name| filter.admits_region(name))?;
    let globs: Vec<String> = filter.repositories.iter().map(ToString::to_string).collect();
    no_such_name("--repository", "repository", &globs, &seen.repositories, |name| {
        filter.admits_repository(name)
    })
}

/// Remarks if there was something to judge: parts of the filters that match nothing, and what was left out.
pub fn remarks(filter: &Filter, coverage: &Coverage, seen: &Seen, pruned: &Pruned) -> Vec<String> {
    let mut remarks = Vec::new();
    if pruned.no_evidence > 0 {
        remarks.push(left_out(pruned.no_evidence));
    }
    // If evidence is missing or was left out by key, a name may be there.
    if !coverage.is_complete() || pruned.places > 0 {
        return remarks;
    }
    let globs: Vec<(String, &WildMatch)> =
        filter.repositories.iter().map(|glob| (glob.to_string(), glob)).collect();
    let exact = |names: &[String]| names.iter().map(|name| (name.clone(), name.clone())).collect::<Vec<_>>();
    remarks.extend(unmatched("--repository", &globs, &seen.repositories, |glob, name| glob.matches(name)));
    remarks.extend(unmatched("--account", &exact(&filter.accounts), &seen.accounts, |wanted, name| {
        wanted == name
    }));
    remarks
        .extend(unmatched("--region", &exact(&filter.regions), &seen.regions, |wanted, name| wanted == name));
    remarks
}

fn left_out(number: u64) -> String {
    let files = counted(number, "file or folder was", "files and folders were");
    format!(
        "{files} left out as no evidence (dot files, *.md, pipes, devices); name one as a source to have it \
         read"
    )
}

/// A value of a filter that matches nothing, while other values of the same filter do.
fn unmatched<W>(
    option: &str,
    wanted: &[(String, W)],
    seen: &BTreeSet<LogText>,
    fits: impl Fn(&W, &str) -> bool,
) -> Vec<String> {
    let nothing = |(_, wanted): &&(String, W)| !seen.iter().any(|name| fits(wanted, name.raw()));
    let told = |(text, _): &(String, W)| {
        let near = near(std::slice::from_ref(text), seen);
        let meant =
            if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" or ")) };
        format!("nothing in these logs matches {option} {text}{meant}")
    };
    if seen.is_empty() { Vec::new() } else { wanted.iter().filter(nothing).map(told).collect() }
}

/// Cheap and common: relevant records may be ECS events, which name no repository, so the names in the logs
/// decide as well.
fn names_nothing_seen(filter: &Filter, seen: &Seen) -> bool {
    !seen.repositories.is_empty()
        && !seen.repositories.iter().any(|name| filter.admits_repository(name.raw()))
}

/// There is no object at all: the filters left out all of them by key, or the source is empty.
pub fn no_objects(sources: &[String], filter: &Filter, pruned: &Pruned) -> Failure {
    let failure = Failure::new(format!("nothing to read in {}", sources.join(", ")));
    if pruned.places == 0 {
        let failure = failure.because("it contains no objects");
        let failure =
            if pruned.no_evidence > 0 { failure.because(left_out(pruned.no_evidence)) } else { failure };
        return failure.advise(
            "check the folder or prefix: keys of a trail look like \
             AWSLogs/111122223333/CloudTrail/eu-central-1/2024/10/01/…",
        );
    }
    let names = |names: &BTreeSet<String>| names.iter().map(|name| LogText::from(name.as_str())).collect();
    let named = no_such_name("--account", "account", &filter.accounts, &names(&pruned.accounts), |name| {
        filter.admits_account(name)
    })
    .and_then(|()| {
        no_such_name("--region", "region", &filter.regions, &names(&pruned.regions), |name| {
            filter.admits_region(name)
        })
    });
    if let Err(named) = named {
        return named;
    }
    let failure = failure.because("--since, --until, --account and --region exclude every object by its key");
    match &pruned.days {
        Some((first, last)) => {
            failure.because(format!("the excluded objects were delivered between {first} and {last}")).advise(
                "widen --since and --until",
            )
        }
        None => failure.advise(
            "remove --since, --until, --account and --region one by one; detect --dry-run shows what would be \
             read",
        ),
    }
}

fn no_events(sources: &[String], coverage: &Coverage) -> Failure {
    let skipped = counted(coverage.objects_skipped, "object", "objects");
    let failure = Failure::new(format!("nothing to read in {}", sources.join(", ")));
    let failure = failure.because(format!(
        "{skipped} of another kind (log digest files, Insights, network activity), and none with events"
    ));
    failure.advise("name the folder or prefix CloudTrail/, not CloudTrail-Digest/ or CloudTrail-Insight/")
}

fn no_such_time(filter: &Filter, coverage: &Coverage, pruned: &Pruned) -> Result<(), Failure> {
    let (Some(first), Some(last)) = (coverage.first_event_time, coverage.last_event_time) else {
        return Ok(());
    };
    let late = filter.since.filter(|since| last < *since).map(|since| format!("--since is {since}"));
    let early = filter.until.filter(|until| first >= *until).map(|until| format!("--until is {until}"));
    match late.or(early) {
        None => Ok(()),
        Some(limit) => {
            let failure = Failure::new("no event is in the period between --since and --until");
            let failure =
                failure.because(format!("{limit}, but the events that were read are from {first} to {last}"));
            let days = |(first, last): &(String, String)| {
                format!("the objects excluded by their keys were delivered between {first} and {last}")
            };
            let failure = pruned.days.iter().map(days).fold(failure, Failure::because);
            Err(failure.advise("widen --since and --until"))
        }
    }
}

fn no_such_name(
    option: &str,
    noun: &str,
    wanted: &[String],
    seen: &BTreeSet<LogText>,
    admits: impl Fn(&str) -> bool,
) -> Result<(), Failure> {
    if wanted.is_empty() || seen.is_empty() || seen.iter().any(|name| admits(name.raw())) {
        return Ok(());
    }
    let failure = Failure::new(format!("no {noun} in these logs matches {option} {}", wanted.join(", ")));
    let near = near(wanted, seen);
    Err(if near.is_empty() {
        failure.advise(format!("the logs have {}", some(seen)))
    } else {
        failure.advise(format!("did you mean {}?", near.join(" or ")))
    })
}

/// The names in the logs that are most similar to the wanted ones, best first.
fn near(wanted: &[String], seen: &BTreeSet<LogText>) -> Vec<String> {
    let plain: Vec<String> =
        wanted.iter().map(|glob| glob.replace(['*', '?'], "")).filter(|name| !name.is_empty()).collect();
    let likeness = |name: &LogText| plain.iter().map(|wanted| like(wanted, name.raw())).fold(0.0, f64::max);
    let mut scored: Vec<_> =
        seen.iter().map(|name| (likeness(name), name)).filter(|(score, _)| *score >= ALIKE).collect();
    scored.sort_by(|(a, left), (b, right)| b.total_cmp(a).then_with(|| left.cmp(right)));
    scored.into_iter().take(TOLD_MAX).map(|(_, name)| name.for_terminal().into_owned()).collect()
}

fn like(wanted: &str, name: &str) -> f64 {
    if name.contains(wanted) { 1.0 } else { strsim::jaro_winkler(wanted, name) }
}

fn some(seen: &BTreeSet<LogText>) -> String {
    let mut names: Vec<_> = seen.iter().take(TOLD_MAX).map(|name| name.for_terminal().into_owned()).collect();
    if seen.len() > TOLD_MAX {
        names.push(format!("{} more", seen.len() - TOLD_MAX));
    }
    names.join(", ")
}

/// A forecast as of the last event needs an event.
pub fn no_end() -> Failure {
    Failure::new("no event in these logs has a time")
        .advise("give the time to look from: --at 2026-03-02T10:00:00Z, or --at now")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn coverage() -> Coverage {
        let time = |text| Timestamp::parse(text);
        let (first_event_time, last_event_time) =
            (time("2026-03-01T00:00:00Z"), time("2026-03-09T00:00:00Z"));
        Coverage {
            objects_listed: 2,
            objects_read: 2,
            records: 9,
            records_relevant: 0,
            first_event_time,
            last_event_time,
            ..Coverage::default()
        }
    }

    fn seen() -> Seen {
        let names = |names: &[&str]| names.iter().map(|name| LogText::from(*name)).collect();
        Seen {
            accounts: names(&["111122223333"]),
            regions: names(&["eu-central-1"]),
            repositories: names(&["shop/api", "shop/web", "tools"]),
        }
    }

    fn told(filter: &Filter, coverage: &Coverage) -> Option<String> {
        text(check(&["logs".to_owned()], filter, coverage, &seen(), &Pruned::default()).err()?)
    }

    fn text(failure: Failure) -> Option<String> {
        Some(failure.lines().map(|(label, text)| format!("{label}: {text}")).collect::<Vec<_>>().join("\n"))
    }

    fn repository(glob: &str) -> Filter {
        Filter { repositories: vec![WildMatch::new(glob)], ..Filter::default() }
    }

    #[test]
    fn a_quiet_archive_is_fine() {
        assert_eq!(told(&Filter::default(), &coverage()), None);
        assert_eq!(told(&repository("shop/*"), &coverage()), None);
        let since = Filter { since: Timestamp::parse("2026-03-08T00:00:00Z"), ..Filter::default() };
        assert_eq!(told(&since, &coverage()), None);
    }

    #[test]
    fn a_typo_is_told_with_what_may_be_meant() {
        assert_eq!(
            told(&repository("shop/apy"), &coverage()).unwrap().lines().last(),
            Some("try: did you mean shop/api or shop/web?")
        );
        assert_eq!(
            told(&repository("api*"), &coverage()).unwrap().lines().last(),
            Some("try: did you mean shop/api?")
        );
        assert_eq!(
            told(&repository("zzz"), &coverage()).unwrap().lines().last(),
            Some("try: the logs have shop/api, shop/web, tools")
        );
        let account = Filter { accounts: vec!["444455556666".into()], ..Filter::default() };
        assert_eq!(
            told(&account, &coverage()).unwrap(),
            "error: no account in these logs matches --account 444455556666\ntry: the logs have 111122223333"
        );
    }

    #[test]
    fn events_of_ecs_do_not_hide_a_typo_in_a_repository() {
        assert!(told(&repository("zzz"), &Coverage { records_relevant: 3, ..coverage() }).is_some());
    }

    #[test]
    fn a_time_outside_the_logs_is_told_with_theirs() {
        let until = Filter { until: Timestamp::parse("2026-03-01T00:00:00Z"), ..Filter::default() };
        let cause = "because: --until is 2026-03-01T00:00:00Z, but the events that were read are from \
            2026-03-01T00:00:00Z to 2026-03-09T00:00:00Z";
        assert_eq!(told(&until, &coverage()).unwrap().lines().nth(1), Some(cause));
    }

    #[test]
    fn no_objects_and_objects_of_another_kind() {
        let none = Coverage::default();
        assert!(told(&Filter::default(), &none).unwrap().contains("it contains no objects"));
        let skipped = Coverage { objects_listed: 4, objects_skipped: 4, ..Coverage::default() };
        assert!(told(&Filter::default(), &skipped).unwrap().contains("4 objects of another kind"));
    }

    #[test]
    fn keys_that_were_left_out_tell_which_filter_did_it() {
        let days = Some(("2026-03-01".to_owned(), "2026-03-09".to_owned()));
        let pruned = Pruned {
            places: 3,
            accounts: ["111122223333".to_owned()].into(),
            regions: BTreeSet::new(),
            days,
            no_evidence: 0,
        };
        let failed = |filter: &Filter| {
            text(
                check(&["s3://trail".to_owned()], filter, &Coverage::default(), &Seen::default(), &pruned)
                    .unwrap_err(),
            )
            .unwrap()
        };
        let typo = Filter { accounts: vec!["111122223334".into()], ..Filter::default() };
        assert_eq!(
            failed(&typo),
            "error: no account in these logs matches --account 111122223334\ntry: did you mean 111122223333?"
        );
        let since = Filter { since: Timestamp::parse("2026-05-01T00:00:00Z"), ..Filter::default() };
        assert!(failed(&since).contains("delivered between 2026-03-01 and 2026-03-09"));
    }

    #[test]
    fn one_typo_among_several_names_is_remarked() {
        let two = Filter {
            repositories: vec![WildMatch::new("shop/*"), WildMatch::new("tolls")],
            ..Filter::default()
        };
        let relevant = Coverage { records_relevant: 3, ..coverage() };
        assert_eq!(told(&two, &relevant), None);
        let expected = ["nothing in these logs matches --repository tolls (did you mean tools?)"];
        assert_eq!(remarks(&two, &relevant, &seen(), &Pruned::default()), expected);
        assert_eq!(remarks(&repository("shop/*"), &relevant, &seen(), &Pruned::default()), [""; 0]);
        let pruned = Pruned { places: 1, no_evidence: 2, ..Pruned::default() };
        let left = "2 files and folders were left out as no evidence (dot files, *.md, pipes, devices); name \
            one as a source to have it read";
        assert_eq!(remarks(&two, &relevant, &seen(), &pruned), [left]);
    }

    #[test]
    fn missing_evidence_is_not_nothing() {
        let failed = Coverage { objects_listed: 1, objects_failed: 1, ..Coverage::default() };
        assert_eq!(told(&repository("zzz"), &failed), None);
        assert_eq!(told(&Filter::default(), &Coverage { partial: true, ..Coverage::default() }), None);
    }
}
