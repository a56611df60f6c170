//! Compares the engine's JSON with the oracle's verdict, and lists every difference in a readable line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde_json::Value;

use super::Verdict;
use super::findings::Finding;
use super::fold::Image;
use super::meaning::{Repo, seconds};

/// The key of a finding: repository, digest, kind, and the time of the loss (a digest may be lost more than
/// once). Findings about a tag occur once for each tag.
type Key = (Repo, String, String, Option<u64>, Option<String>);

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn time(value: &Value) -> Option<u64> {
    value.as_str().map(seconds)
}

pub fn repository(value: &Value) -> Repo {
    let part = |name: &str| text(&value["repository"][name]).unwrap_or_default();
    Repo(part("registry_id"), part("region"), part("name"))
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().filter_map(text).collect()
}

/// Lines about one subject.
struct Differences<'d> {
    subject: String,
    lines: &'d mut Vec<String>,
}

impl Differences<'_> {
    fn check<T: PartialEq + Debug>(&mut self, what: &str, engine: T, oracle: T) {
        if engine != oracle {
            self.lines.push(format!("{}: {what}: engine {engine:?}, oracle {oracle:?}", self.subject));
        }
    }
}

/// All differences between the findings of `detect` and the oracle's.
pub fn findings(engine: &Value, verdict: &Verdict) -> Vec<String> {
    let mut lines = Vec::new();
    let mut theirs: BTreeMap<Key, &Value> = BTreeMap::new();
    for finding in engine["findings"].as_array().into_iter().flatten() {
        let (lost, kind) = (
            text(&finding["lost"]["digest"]).unwrap_or_default(),
            text(&finding["kind"]).unwrap_or_default(),
        );
        let tag = match kind.as_str() {
            // An image may have several findings of these kinds: for several changes of access, or several
            // removals of a tag.
            "access-taken" | "tag-removed" => {
                text(&finding["event"]["event_id"]).map(|id| verdict.call(&id).to_owned())
            }
            // Of an image, and of its tag when that was on nothing any more.
            "unexplained" => text(&finding["event"]["event_id"]).map(|id| verdict.call(&id).to_owned()),
            "asked-before-pushed" => text(&finding["tag"]).filter(|_| lost.is_empty()),
            _ => text(&finding["tag"]).filter(|_| kind.starts_with("tag-")),
        };
        let key = (repository(finding), lost, kind, time(&finding["lost"]["gone_at"]), tag);
        if theirs.insert(key.clone(), finding).is_some() {
            lines.push(format!("{key:?}: twice in the engine's findings"));
        }
    }
    let inferred: BTreeSet<(Repo, String)> = theirs
        .iter()
        .filter(|(_, value)| is_inferred(value))
        .map(|(key, _)| (key.0.clone(), key.1.clone()))
        .collect();
    for finding in &verdict.findings {
        let tag = match finding.kind {
            "access-taken" | "tag-removed" | "unexplained" => Some(verdict.call(&finding.second).to_owned()),
            "asked-before-pushed" => finding.tags.first().cloned().filter(|_| finding.lost.is_empty()),
            _ => finding.tags.first().cloned().filter(|_| finding.kind.starts_with("tag-")),
        };
        let key = (finding.repo.clone(), finding.lost.clone(), finding.kind.to_owned(), finding.gone_at, tag);
        match theirs.remove(&key) {
            Some(engine) => compare_finding(
                engine,
                finding,
                verdict,
                inferred.contains(&(key.0.clone(), key.1.clone())),
                &mut lines,
            ),
            // The oracle does not infer what happened before the logs: for it, the image had no tag. If the
            // tag existed before the logs, later events may show whose it was, and the engine names that
            // image.
            None if finding.kind == "unexplained"
                && finding.lost.is_empty()
                && take_named(&mut theirs, finding) => {}
            None if finding.kind == "asked-before-pushed" && had_before(&theirs, finding) => {}
            None if finding.kind == "expired-untagged"
                && theirs.iter().any(|(other, value)| is_inferred(value) && same_loss(other, &key)) => {}
            None => lines.push(format!("{key:?}: only the oracle finds it: {finding:?}")),
        }
    }
    // The engine may infer events before the logs if there is only one possibility; the oracle does not try.
    theirs.retain(|_, finding| !is_inferred(finding));
    lines.extend(
        theirs
            .into_iter()
            .map(|(key, finding)| format!("{key:?}: only the engine finds it: {}", finding["summary"])),
    );
    lines
}

/// Removes the engine's finding about the same failure, which may name an image.
fn take_named(theirs: &mut BTreeMap<Key, &Value>, finding: &Finding) -> bool {
    let same = |(key, value): &(&Key, &&Value)| {
        key.0 == finding.repo
            && key.2 == "unexplained"
            && value["tag"].as_str().is_some_and(|tag| finding.tags.iter().any(|own| own == tag))
    };
    let key = theirs.iter().find(same).map(|(key, _)| key.clone());
    key.is_some_and(|key| theirs.remove(&key).is_some())
}

/// Whether the engine infers that another image had the tag before the first logged push.
fn had_before(theirs: &BTreeMap<Key, &Value>, finding: &Finding) -> bool {
    let took = |value: &Value| {
        value["kept"]["digest"] == finding.lost.as_str()
            && finding.tags.iter().any(|tag| value["tag"] == tag.as_str())
    };
    theirs.iter().any(|(key, value)| key.0 == finding.repo && is_inferred(value) && took(value))
}

fn is_inferred(finding: &Value) -> bool {
    finding["first_push"].is_null()
        && (finding["order"] == "inferred" || finding["kept"]["digest"].is_null())
        && finding["kind"] != "displaced-alive"
}

fn same_loss(a: &Key, b: &Key) -> bool {
    (&a.0, &a.1, a.3) == (&b.0, &b.1, b.3)
}

/// `is_inferred`: the engine infers how, and therefore when, the image lost its tag.
fn compare_finding(
    engine: &Value,
    finding: &Finding,
    verdict: &Verdict,
    is_inferred: bool,
    lines: &mut Vec<String>,
) {
    let mut differences = Differences {
        subject: format!("finding {} {} {}", finding.kind, finding.repo.2, short(&finding.lost)),
        lines,
    };
    let event = |value: &Value| value["event_id"].as_str().map(|id| verdict.call(id).to_owned());
    let call = |id: &Option<String>| id.as_deref().map(|id| verdict.call(id).to_owned());
    let has_pair = finding.kept.is_some();
    if !hurts_by_layers(engine, finding) {
        differences.check("severity", text(&engine["severity"]), Some(finding.severity.to_owned()));
    }
    differences.check(
        "tag is one of",
        text(&engine["tag"]).is_none_or(|tag| finding.tags.contains(&tag)),
        true,
    );
    if finding.kind != "tag-removed" {
        differences.check("pushed_at", time(&engine["lost"]["pushed_at"]), finding.pushed_at);
    }
    if finding.kind != "archived" && !is_inferred {
        // An archived image may lose its tags.
        differences.check("untagged_at", time(&engine["lost"]["untagged_at"]), finding.untagged_at);
    }
    differences.check("event", event(&engine["event"]), call(&Some(finding.second.clone())));
    let is_move =
        ["same-tag-race", "same-tag-overwrite", "displaced-alive", "tag-moved-back"].contains(&finding.kind);
    differences.check("second_push is a push", engine["second_push"].is_null(), !is_move);
    if has_pair {
        differences.check("kept", text(&engine["kept"]["digest"]), finding.kept.clone());
        differences.check("first_push", event(&engine["first_push"]), call(&finding.first));
        differences.check("gap_seconds", engine["gap_seconds"].as_u64(), finding.gap_seconds);
        differences.check("order", text(&engine["order"]), Some(finding.order.to_owned()));
        differences.check("exposure_seconds", engine["exposure_seconds"].as_u64(), finding.exposure_seconds);
    }
    differences.check("deletion", event(&engine["deletion"]["event"]), call(&finding.deletion));
    differences.check("rule_priority", engine["deletion"]["rule_priority"].as_i64(), finding.rule_priority);
    compare_usage(&engine["usage"], finding, &mut differences);
}

/// Requests for layers count like requests for manifests in the engine; the oracle only counts them.
fn hurts_by_layers(engine: &Value, finding: &Finding) -> bool {
    let more =
        |name: &str, oracle: usize| engine["usage"][name].as_u64().unwrap_or_default() as usize > oracle;
    let by_layers = match engine["severity"].as_str() {
        Some("critical") => more("pulls_after_gone", finding.pulls_after_gone),
        Some("high") => more("pulls_while_untagged", finding.pulls_while_untagged),
        _ => false,
    };
    by_layers && finding.layer_pulls > 0
}

/// Requests for layers may show pulls whose manifest requests are missing; nothing else may add to the count.
fn compare_usage(usage: &Value, finding: &Finding, differences: &mut Differences) {
    let count = |name: &str| usage[name].as_u64().unwrap_or_default() as usize;
    let near = |engine: usize, oracle: usize| (oracle..=oracle + finding.layer_pulls).contains(&engine);
    let mut check = |what: &str, engine: usize, oracle: usize| {
        if !near(engine, oracle) {
            differences.check(what, engine, oracle);
        }
    };
    if finding.kept.is_some() {
        check("pulls_before", count("pulls_before"), finding.pulls_before);
        check("pulls_while_untagged", count("pulls_while_untagged"), finding.pulls_while_untagged);
    }
    if !finding.kind.starts_with("tag-") {
        check(
            "pulls while it was there",
            count("pulls_before") + count("pulls_while_untagged"),
            finding.pulls_before + finding.pulls_while_untagged,
        );
    }
    check("pulls_after_gone", count("pulls_after_gone"), finding.pulls_after_gone);
    let missing: Vec<String> = finding.principals.difference(&texts(&usage["principals"])).cloned().collect();
    differences.check("principals that only the oracle names", missing, Vec::new());
}

/// All differences between the timelines and the oracle's. For digests that are only mentioned, a timeline is
/// optional.
pub fn timelines(engine: &Value, verdict: &Verdict) -> Vec<String> {
    let mut lines = Vec::new();
    let mut theirs: BTreeMap<(Repo, String), &Value> = BTreeMap::new();
    for timeline in engine["timelines"].as_array().into_iter().flatten() {
        theirs.insert((repository(timeline), text(&timeline["digest"]).unwrap_or_default()), timeline);
    }
    for (repo, repository) in &verdict.folded.repositories {
        for (digest, image) in &repository.images {
            match theirs.remove(&(repo.clone(), digest.clone())) {
                Some(timeline) => compare_timeline(
                    timeline,
                    (&repo.2, digest),
                    image,
                    repository.is_child_since(digest, 0),
                    &mut lines,
                ),
                None if image.state() == "unknown" => {}
                None => lines.push(format!(
                    "timeline {} {}: only the oracle has it, {}",
                    repo.2,
                    short(digest),
                    image.state()
                )),
            }
        }
    }
    let known = theirs.into_iter().filter(|(_, timeline)| timeline["state"] != "unknown");
    lines.extend(known.map(|((repo, digest), timeline)| {
        format!("timeline {} {}: only the engine has it, {}", repo.2, short(&digest), timeline["state"])
    }));
    lines
}

fn compare_timeline(
    engine: &Value,
    (repo, digest): (&str, &str),
    image: &Image,
    is_child: bool,
    lines: &mut Vec<String>,
) {
    let mut differences = Differences { subject: format!("timeline {repo} {}", short(digest)), lines };
    let Some(life) = image.lives.last() else { return };
    differences.check("state", text(&engine["state"]), Some(image.state().to_owned()));
    if image.state() == "unknown" {
        return;
    }
    // A task event with a resolved digest does not name the repository; the engine finds it anyway, the
    // oracle does not.
    let resolved_before = engine["steps"][0]["event"]["event_name"] == "SubmitTaskStateChange";
    if !resolved_before {
        differences.check("open_start", engine["open_start"].as_bool(), Some(image.open_start));
    }
    differences.check("lives", engine["lives"].as_u64(), Some(image.lives.len() as u64));
    differences.check("tags", texts(&engine["tags"]), image.tags().into_iter().collect());
    differences.check("pushed_at", time(&engine["pushed_at"]), life.pushed_at);
    let inferred = engine["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|step| step["kind"] == "tag_lost" && step["order"] != "observed");
    if image.open_start && inferred {
        return;
    }
    differences.check("untagged_at", time(&engine["untagged_at"]), life.untagged_at);
    if !is_child && life.untagged_by != Some("unknown") {
        differences.check("untagged_by", text(&engine["untagged_by"]), life.untagged_by.map(str::to_owned));
    }
    if image.state() != "archived" {
        differences.check(
            "gone_at",
            time(&engine["gone_at"]),
            life.gone.as_ref().map(|gone| gone.cause.time),
        );
    }
    differences.check("children", texts(&engine["children"]), image.children.iter().cloned().collect());
}

/// All differences in coverage.
pub fn coverage(engine: &Value, verdict: &Verdict) -> Vec<String> {
    let mut lines = Vec::new();
    let mut differences = Differences { subject: "coverage".to_owned(), lines: &mut lines };
    let (engine, oracle) = (&engine["coverage"], &verdict.coverage);
    let count = |name: &str| engine[name].as_u64().unwrap_or(u64::MAX) as usize;
    differences.check("objects_listed", count("objects_listed"), oracle.objects_listed);
    differences.check("objects_read", count("objects_read"), oracle.objects_read);
    differences.check("objects_skipped", count("objects_skipped"), oracle.objects_skipped);
    differences.check("objects_failed", count("objects_failed"), oracle.objects_failed);
    differences.check("records", count("records"), oracle.records);
    differences.check("records_duplicate", count("records_duplicate"), oracle.records_duplicate);
    differences.check("records_failed", count("records_failed"), oracle.records_failed);
    differences.check("first_event_time", text(&engine["first_event_time"]), oracle.first_event_time.clone());
    differences.check("last_event_time", text(&engine["last_event_time"]), oracle.last_event_time.clone());
    let named = engine["failures"].as_array().into_iter().flatten();
    let named: BTreeSet<(String, Option<usize>)> = named
        .map(|failure| {
            (
                key(&text(&failure["object"]).unwrap_or_default()),
                failure["record"].as_u64().map(|record| record as usize),
            )
        })
        .collect();
    let expected = oracle.failures.iter().map(|(object, record)| (key(object), *record)).collect();
    differences.check("failures", named, expected);
    lines
}

/// The part of a path that is the same for all sources: the object's key.
fn key(object: &str) -> String {
    object.rsplit('/').next().unwrap_or(object).to_owned()
}

fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}
