//! What a verification cannot show, and what to do about it.

use std::collections::{BTreeMap, BTreeSet};

use super::chain::Node;
use super::keys::Keys;
use super::read::Found;
use crate::model::{
    Chain, CheckedKind, CheckedObject, GapCause, LogText, Standing, Timestamp, is_region, plural_verb, times,
};
use crate::source::KeyRequest;

/// More than the number of AWS regions.
const REGIONS_MAX: usize = 64;
/// A log digest file may be signed so long after the end of its time.
const SIGNED_LATER_SECONDS: i64 = 3_600;
/// Maximum number of names in a sentence.
const NAMES_MAX: usize = 8;

/// All warnings, in a fixed order.
pub fn all(
    found: &[Found],
    nodes: &[Node],
    chains: &[Chain],
    objects: &[CheckedObject],
    overdue: u64,
    keys: &Keys,
) -> Vec<String> {
    let mut warnings = Vec::new();
    warnings.extend(unsigned(found, nodes, keys));
    warnings.extend(unknown_keys(found, nodes));
    if overdue > 0 {
        warnings.push(format!(
            "{} delivered long after the last log digest file: validation was turned off, or the newest log \
             digest files were removed.",
            plural_verb(overdue, "log file", ["was", "were"])
        ));
    }
    warnings.extend(anew(chains));
    warnings.extend(nothing_to_compare(objects));
    warnings
}

/// A warning if no signature was checked at all.
fn unsigned(found: &[Found], nodes: &[Node], keys: &Keys) -> Option<String> {
    if nodes.iter().any(|node| node.proven) || cfg!(not(feature = "signatures")) {
        return cfg!(not(feature = "signatures"))
            .then(|| "Signatures were not checked: this tagfall was built without them.".to_owned());
    }
    if !keys.is_empty() {
        return Some(
            "Signatures were not checked: none of the public keys given is that of a log digest file with a \
             signature here."
                .to_owned(),
        );
    }
    Some(format!(
        "Signatures were not checked, for no public keys were given. What fits together here could have been \
         made to fit by anybody who can write to the place. Fetch the keys and pass them with --public-keys: \
         {}",
        commands(&found.iter().collect::<Vec<_>>())
    ))
}

/// The keys that these files were signed with: one request for each region. The region's name comes from
/// the files, whoever wrote those, and becomes part of a host name and of a command: so it must look like a
/// region.
pub fn key_requests(found: &[&Found]) -> Vec<KeyRequest> {
    let mut times: BTreeMap<&str, (Timestamp, Timestamp)> = BTreeMap::new();
    for found in found.iter().filter(|found| is_region(&found.file.trail.region)) {
        let file = &found.file;
        // A key is found by the time at which it signed, which may be later than the hour that the file
        // covers.
        let signed = found
            .generated
            .map_or(file.end, |generated| generated.max(file.end))
            .plus_seconds(SIGNED_LATER_SECONDS);
        let known = times.entry(&file.trail.region).or_insert((file.start, signed));
        *known = (known.0.min(file.start), known.1.max(signed));
    }
    times
        .into_iter()
        .take(REGIONS_MAX)
        .map(|(region, (from, to))| KeyRequest { region: region.to_owned(), from, to })
        .collect()
}

/// One command for each region.
fn commands(found: &[&Found]) -> String {
    let requests = key_requests(found);
    let command = |KeyRequest { region, from, to }: &KeyRequest| {
        format!(
            "aws cloudtrail list-public-keys --region {region} --start-time {from} --end-time {to} > \
             keys-{region}.json"
        )
    };
    let mut commands: Vec<String> = requests.iter().take(NAMES_MAX).map(command).collect();
    if requests.len() > NAMES_MAX {
        commands.push(format!("and so on for {} more regions", requests.len() - NAMES_MAX));
    }
    commands.join("; ")
}

fn unknown_keys(found: &[Found], nodes: &[Node]) -> Option<String> {
    let unknown: Vec<&Found> = found
        .iter()
        .zip(nodes)
        .filter(|(_, node)| node.standing == Standing::UnknownKey)
        .map(|(found, _)| found)
        .collect();
    let first = unknown.first()?;
    Some(format!(
        "{} a public key that is not among those given, such as {}. If AWS does not list it either, they were \
         forged: {}",
        plural_verb(unknown.len(), "log digest file", ["names", "name"]),
        first.file.fingerprint,
        commands(&unknown)
    ))
}

fn anew(chains: &[Chain]) -> Option<String> {
    let gaps: Vec<&LogText> = chains
        .iter()
        .flat_map(|chain| {
            chain.gaps.iter().filter(|gap| gap.cause == GapCause::StartedAnew).map(|_| &chain.trail)
        })
        .collect();
    let trails: BTreeSet<&str> = gaps.iter().map(|trail| trail.raw()).collect();
    (!gaps.is_empty()).then(|| {
        let names: Vec<&str> = trails.into_iter().take(NAMES_MAX).collect();
        format!(
            "A chain begins anew {} ({}): validation or logging was off in between. Events named StopLogging, \
             UpdateTrail and DeleteTrail tell who did that; if there are none, log digest files were \
             removed.",
            times(gaps.len()),
            names.join(", ")
        )
    })
}

/// There are lists, but no log file at all: the wrong folder was named, or everything is gone.
fn nothing_to_compare(objects: &[CheckedObject]) -> Option<String> {
    let mut log_files = objects.iter().filter(|object| object.kind == CheckedKind::LogFile).peekable();
    (log_files.peek().is_some() && log_files.all(|object| object.verdict == Standing::Missing)).then(|| {
        "Not one of the listed log files is here. If they are elsewhere, name that place as well.".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrity::file::LogDigestFile;
    use crate::integrity::name::Trail;
    use crate::model::Sha256;

    fn found(region: &str) -> Found {
        let trail = Trail {
            account: "111122223333".into(),
            name: "t".into(),
            home_region: "us-east-1".into(),
            region: region.into(),
        };
        let time = Timestamp::from_millis(1_772_442_000_000);
        let (end_text, bucket, object, fingerprint) = ("".into(), "".into(), "".into(), "".into());
        let (previous, files, sha256, backfill) = (None, Vec::new(), Sha256([0; 32]), false);
        let file = LogDigestFile {
            trail,
            start: time,
            end: time,
            end_text,
            bucket,
            object,
            fingerprint,
            previous,
            files,
            sha256,
            backfill,
        };
        Found { object: "a".into(), file: Box::new(file), signature: None, generated: None }
    }

    /// Keys are requested from the region's own host, and the region is part of a command that people
    /// paste.
    #[test]
    fn a_region_is_no_place_for_another_host_or_command() {
        let files: Vec<Found> = ["evil.example/?", "x; rm -rf ~", "$(id)", "", "eu-west-1"].map(found).into();
        let requests = key_requests(&files.iter().collect::<Vec<_>>());
        assert_eq!(requests.iter().map(|request| request.region.as_str()).collect::<Vec<_>>(), ["eu-west-1"]);
    }
}
