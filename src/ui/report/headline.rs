//! The headline: one sentence on what happened where, and one on who was affected.

use std::collections::BTreeMap;

use super::Report;
use super::picture::shortened;
use crate::model::{Finding, FindingKind, Repository, Severity};
use crate::ui::findings::headline;
use crate::ui::quantity::{count, counted};

/// Longer names are cut in a headline.
const NAME_MAX: usize = 60;

pub fn what_happened(report: &Report<'_>) -> String {
    let findings = report.findings;
    let mut places: BTreeMap<&Repository, u64> = BTreeMap::new();
    findings.iter().for_each(|finding| *places.entry(&finding.repository).or_default() += 1);
    let most = places
        .iter()
        .max_by_key(|(name, number)| (**number, std::cmp::Reverse(*name)))
        .map(|(name, _)| shortened(name.name.raw(), NAME_MAX));
    match (findings, places.len()) {
        ([], _) if report.coverage.partial => "No lost image in what was read until the run ended".to_owned(),
        ([], _) => "No lost image that anything still needed".to_owned(),
        ([one], _) => of_one(one),
        (_, 1) => format!("{}: {}", most.unwrap_or_default(), together(findings)),
        (_, number) => {
            format!(
                "{} in {}, most in {}",
                together(findings),
                counted(number as u64, "repository", "repositories"),
                most.unwrap_or_default()
            )
        }
    }
}

fn of_one(finding: &Finding) -> String {
    let name = shortened(finding.repository.name.raw(), NAME_MAX);
    let tag =
        finding.tag.as_ref().map_or_else(|| "an image".to_owned(), |tag| shortened(tag.raw(), NAME_MAX));
    match finding.kind {
        FindingKind::SameTagRace | FindingKind::SameTagOverwrite => {
            format!("{name} lost an image to a second push of {tag}")
        }
        FindingKind::DisplacedAlive => format!("{name} is about to lose an image to a second push of {tag}"),
        FindingKind::ExpiredWhileTagged => format!("{name} lost {tag} to a lifecycle rule"),
        FindingKind::DeletedByCall => format!("{name} lost {tag}: it was deleted while something needed it"),
        FindingKind::RepositoryDeleted => format!("{name} was deleted while something needed {tag}"),
        FindingKind::NotListed => format!("{name} does not list {tag} any more, and something needs it"),
        FindingKind::Archived => format!("{name} has {tag} in the archive, and something needs it"),
        FindingKind::ExpiredUntagged => format!("{name} lost an image without a tag that something needed"),
        FindingKind::ChildLost => format!("{name}: {tag} is broken for one platform"),
        FindingKind::ReplicatedDeletion => format!("{name} lost a copy along with its source"),
        FindingKind::TagRemoved => format!("{name} lost tag {tag} to a call"),
        FindingKind::TagMovedBack => format!("{name}: tag {tag} went back to an older image"),
        FindingKind::Unexplained => format!("{name}: {tag} could not be had, and these logs do not say why"),
        FindingKind::AskedBeforePushed => format!("{name}: {tag} was asked for before it was pushed"),
        FindingKind::NeverPushedHere => format!("{name}: {tag} was asked for, and its push had been refused"),
        FindingKind::IndexLostToItsChild => format!("{name}: {tag} points to one platform of its index"),
        FindingKind::AccessTaken => format!("{name}: {tag} was there, and could not be pulled"),
    }
}

/// What all findings have in common.
fn together(findings: &[Finding]) -> String {
    let lost = findings.iter().filter(|finding| finding.kind.is_a_loss());
    let (lost, all) = (lost.count() as u64, findings.len() as u64);
    match (lost, all - lost) {
        (lost, 0) => format!("{} lost", counted(lost, "image", "images")),
        (0, others) => {
            format!("{} in danger or out of reach", counted(others, "image or tag", "images and tags"))
        }
        (lost, others) => {
            format!("{} lost, {} in danger or out of reach", counted(lost, "image", "images"), count(others))
        }
    }
}

/// Who was affected.
pub fn verdict(report: &Report<'_>) -> String {
    let findings = report.findings;
    let hurt = findings.iter().filter(|finding| finding.severity == Severity::Critical).count() as u64;
    let needed = findings.iter().filter(|finding| finding.severity == Severity::High).count() as u64;
    let counts = headline(report.coverage, findings);
    match (findings.len() as u64, hurt, needed) {
        (0, ..) => "No image was lost that anything still needed, as far as these logs show.".to_owned(),
        (_, 0, 0) => format!("{counts}; the logs show nobody who was hurt."),
        (_, 0, _) => format!(
            "{counts}; {} was needed when it went, and no failure shows yet.",
            counted(needed, "image", "images")
        ),
        _ => format!("{counts}; somebody asked in vain for {}.", counted(hurt, "image", "images")),
    }
}
