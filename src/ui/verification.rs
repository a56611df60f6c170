//! The output of `verify`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::columns::TableRows;
use super::escape::Escape;
use super::format::{Format, Look, no_such_form, write_document, write_line};
use super::page::Page;
use super::quantity::{bytes, count, counted};
use crate::model::{
    Chain, ChainBegin, CheckedKind, CheckedObject, Coverage, GapCause, LogText, Severity, SignaturesChecked,
    Standing, Standings, Verification,
};
use crate::tables::{cells, engine};

/// Maximum number of objects of one result that a page lists.
const LISTED_MAX: usize = 20;
/// Maximum number of chains in full that a page shows.
const CHAINS_MAX: usize = 40;
/// Maximum number of times or gaps for one chain.
const TIMES_MAX: usize = 10;

/// Writes a verification.
pub fn write(
    out: &mut dyn Write,
    look: Look,
    coverage: &Coverage,
    verification: &Verification,
) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(&mut Page::new(out, look.columns), coverage, verification),
        Format::Json => write_document(out, "verify", coverage, Body { verification }),
        Format::Ndjson => verification.objects.iter().try_for_each(|object| write_line(out, object)),
        Format::Csv => write_rows(out, &verification.objects),
        _ => Err(no_such_form()),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    verification: &'a Verification,
}

fn write_page(page: &mut Page<'_>, coverage: &Coverage, verification: &Verification) -> io::Result<()> {
    let Verification { summary, chains, objects } = verification;
    let mut read = format!(
        "{} of {}",
        count(coverage.objects_read),
        counted(coverage.objects_listed, "object", "objects")
    );
    if coverage.objects_failed > 0 {
        read.push_str(&format!(", {} failed", count(coverage.objects_failed)));
    }
    read.push_str(&format!(
        "; {}, {} inflated",
        bytes(coverage.bytes_compressed),
        bytes(coverage.bytes_decompressed)
    ));
    page.item(0, "Read", &read)?;
    if coverage.partial {
        page.item(0, "Partial", "the run ended before its time: nothing is called missing or unlisted")?;
    }
    page.item(0, "Signatures", signatures(summary.signatures))?;
    page.item(
        0,
        "Digest files",
        &standings(&summary.log_digest_files, "log digest file", "log digest files"),
    )?;
    page.item(0, "Log files", &standings(&summary.log_files, "log file", "log files"))?;
    if let (Some(from), Some(to), true) =
        (summary.proven_from, summary.proven_to, summary.log_files.of(Standing::Valid) > 0)
    {
        let valid = counted(summary.log_files.of(Standing::Valid), "log file is", "log files are");
        page.item(0, "Proven", &format!("{valid} what CloudTrail delivered between {from} and {to}"))?;
    }
    if summary.not_in_sources > 0 {
        page.item(
            0,
            "Not judged",
            &format!(
                "{} outside of the sources or filters",
                counted(summary.not_in_sources, "listed file", "listed files")
            ),
        )?;
    }
    summary.warnings.iter().try_for_each(|warning| page.item(0, "Note", warning))?;
    page.blank()?;
    page.line(&headline(objects))?;
    write_findings(page, objects)?;
    write_rest(page, objects)?;
    write_chains(page, chains)
}

const fn signatures(checked: SignaturesChecked) -> &'static str {
    match checked {
        SignaturesChecked::All => "AWS's signatures vouch for every log digest file",
        SignaturesChecked::Some => "AWS's signatures vouch for some of the log digest files",
        SignaturesChecked::None => {
            "NOT checked: hashes and chains alone, which anybody who can write to the place could have made \
             to fit"
        }
    }
}

/// `24 log files: 22 valid, 2 missing`.
fn standings(standings: &Standings, one: &str, many: &str) -> String {
    let each: Vec<String> = standings
        .counted()
        .map(|(standing, number)| format!("{} {}", count(number), words(standing)))
        .collect();
    let total = counted(standings.total(), one, many);
    if each.is_empty() { total } else { format!("{total}: {}", each.join(", ")) }
}

fn words(standing: Standing) -> String {
    standing.word().replace('_', " ")
}

/// Whether it makes `--fail-on medium` fail.
fn is_finding(object: &CheckedObject) -> bool {
    object.severity.is_some_and(|severity| severity <= Severity::Medium)
}

/// `3 findings: 2 hash mismatch, 1 missing`.
fn headline(objects: &[CheckedObject]) -> String {
    let mut found = Standings::default();
    objects.iter().filter(|object| is_finding(object)).for_each(|object| found.add(object.verdict));
    let each: Vec<String> =
        found.counted().map(|(standing, number)| format!("{} {}", count(number), words(standing))).collect();
    match found.total() {
        0 => "No findings.".to_owned(),
        total => format!("{}: {}", counted(total, "finding", "findings"), each.join(", ")),
    }
}

fn write_findings(page: &mut Page<'_>, objects: &[CheckedObject]) -> io::Result<()> {
    let mut worst_first: Vec<Standing> = Standing::ALL.to_vec();
    worst_first.reverse();
    for standing in worst_first {
        let of_it = || objects.iter().filter(|object| is_finding(object) && object.verdict == standing);
        for object in of_it().take(LISTED_MAX) {
            page.blank()?;
            write_finding(page, object)?;
        }
        let rest = of_it().count().saturating_sub(LISTED_MAX);
        if rest > 0 {
            page.blank()?;
            page.line(&format!(
                "and {} more {}: --format json lists them all",
                count(rest as u64),
                words(standing)
            ))?;
        }
    }
    Ok(())
}

fn write_finding(page: &mut Page<'_>, object: &CheckedObject) -> io::Result<()> {
    let severity = object.severity.map(|severity| severity.word().to_uppercase()).unwrap_or_default();
    page.line(&format!("{severity}  {}  {}", words(object.verdict), kind(object.kind)))?;
    page.point(2, "", &object.object.for_terminal())?;
    if let Some(reason) = &object.reason {
        page.item(2, "why", &reason.for_terminal())?;
    }
    if let Some(by) = &object.vouched_by {
        page.item(2, "by", &by.for_terminal())?;
    }
    for (label, sha256) in [("expected", object.expected_sha256), ("is", object.actual_sha256)] {
        if let Some(sha256) = sha256 {
            page.item(2, label, &sha256.to_string())?;
        }
    }
    Ok(())
}

const fn kind(kind: CheckedKind) -> &'static str {
    match kind {
        CheckedKind::LogDigestFile => "log digest file",
        CheckedKind::LogFile => "log file",
    }
}

/// Objects that are neither valid nor findings, by reason.
fn write_rest(page: &mut Page<'_>, objects: &[CheckedObject]) -> io::Result<()> {
    let mut reasons: BTreeMap<(CheckedKind, Standing, Option<&LogText>), u64> = BTreeMap::new();
    for object in objects.iter().filter(|object| !is_finding(object) && object.verdict != Standing::Valid) {
        *reasons.entry((object.kind, object.verdict, object.reason.as_ref())).or_default() += 1;
    }
    if reasons.is_empty() {
        return Ok(());
    }
    page.blank()?;
    page.line("Not proven:")?;
    for ((of, standing, reason), number) in reasons.iter().take(LISTED_MAX) {
        let reason = reason.map(|reason| format!(": {}", reason.for_terminal())).unwrap_or_default();
        page.point(
            0,
            "- ",
            &format!(
                "{} {}{reason}",
                counted(*number, kind(*of), &format!("{}s", kind(*of))),
                words(*standing)
            ),
        )?;
    }
    match reasons.len().saturating_sub(LISTED_MAX) {
        0 => Ok(()),
        rest => {
            page.line(&format!("and for {} more reasons: --format json has them all", count(rest as u64)))
        }
    }
}

fn write_chains(page: &mut Page<'_>, chains: &[Chain]) -> io::Result<()> {
    for chain in chains.iter().take(CHAINS_MAX) {
        page.blank()?;
        write_chain(page, chain)?;
    }
    match chains.len().saturating_sub(CHAINS_MAX) {
        0 => Ok(()),
        rest => page.line(&format!(
            "and {}: --format json has them all",
            counted(rest as u64, "more chain", "more chains")
        )),
    }
}

fn write_chain(page: &mut Page<'_>, chain: &Chain) -> io::Result<()> {
    let Chain { account, trail, home_region, region, .. } = chain;
    let [account, trail, home_region, region] =
        [account, trail, home_region, region].map(|text| text.for_terminal());
    page.line(&format!("Trail {trail} (home {home_region}) in {account}, {region}"))?;
    page.item(2, "digest files", &standings(&chain.log_digest_files, "log digest file", "log digest files"))?;
    page.item(2, "lists", &standings(&chain.log_files, "log file", "log files"))?;
    match chain.begins {
        Some(ChainBegin::StartingFile) => {
            page.item(2, "begins", "with a starting file: validation was turned on then")?
        }
        Some(ChainBegin::Missing) => page.item(2, "begins", "behind a log digest file that is missing")?,
        Some(ChainBegin::Altered) => page.item(2, "begins", "behind a log digest file that was altered")?,
        Some(ChainBegin::NotInSources) => {
            page.item(2, "begins", "behind a log digest file outside of the sources or filters")?
        }
        None => {}
    }
    for time in chain.covered.iter().take(TIMES_MAX) {
        let signed = if time.signed { "signed" } else { "no signature checked" };
        page.item(2, "covers", &format!("{} to {}, {signed}", time.from, time.to))?;
    }
    for gap in chain.gaps.iter().take(TIMES_MAX) {
        let cause = match gap.cause {
            GapCause::StartedAnew => "the chain begins anew behind it",
            GapCause::Missing => "a log digest file is missing:",
            GapCause::NotInSources => "outside of the sources or filters:",
            GapCause::Altered => "a log digest file was altered:",
        };
        let object =
            gap.object.as_ref().map(|object| format!(" {}", object.for_terminal())).unwrap_or_default();
        page.item(2, "gap", &format!("{} to {}, {cause}{object}", gap.from, gap.to))?;
    }
    match chain.covered.len().max(chain.gaps.len()).saturating_sub(TIMES_MAX) {
        0 => Ok(()),
        _ => page.item(2, "", "and more: --format json has them all"),
    }
}

fn write_rows(out: &mut dyn Write, objects: &[CheckedObject]) -> io::Result<()> {
    let mut rows = TableRows::new(out, &engine::OBJECTS)?;
    objects.iter().try_for_each(|object| rows.push(cells::checked(object)))?;
    rows.finish()
}
