//! The views with hand-made values: layout, formats, and hostile text.

use std::io::{self, Write};

use serde_json::Value;

use super::report::{Next, PolicyKnown, Report, RepositoryLine, Story};
use super::samples::{HOSTILE, coverage, finding, forecast, hostile, timeline, verdict};
use super::{Format, Look, findings, report, timelines, verdict as verdicts};
use crate::model::{Finding, ImageState, Severity, Timestamp};

const ALL: [Format; 4] = [Format::Table, Format::Json, Format::Ndjson, Format::Csv];

fn look(format: Format) -> Look {
    Look { format, columns: None }
}

fn shown(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// All three views in one format.
fn views(format: Format, hostile_world: bool) -> [String; 3] {
    let (coverage, finding, timeline, verdict) =
        if hostile_world { hostile() } else { (coverage(), finding(), timeline(), verdict()) };
    [
        shown(|out| findings::write(out, look(format), &coverage, &[finding])),
        shown(|out| {
            timelines::write(
                out,
                look(format),
                timelines::Telling { evidence: true, ..Default::default() },
                &coverage,
                [timeline].into_iter(),
                std::iter::empty(),
            )
            .map(drop)
        }),
        shown(|out| verdicts::write(out, look(format), &coverage, &verdict)),
    ]
}

#[test]
fn the_page_of_a_finding() {
    let [page, ..] = views(Format::Table, false);
    let expected = "\
Read         1,211 of 1,213 objects, 1 of another kind skipped, 1 failed, 2 more left out by name;
             34.0 KiB, 1.0 MiB inflated
             12,004 records, 88 about images, 3 delivered twice, 1 not understood
             beside them 2 events of another kind, 4 lines that are no events
             5 of them not as CloudTrail writes them: 3 JSON as text, 2 words for nothing
Period       2026-03-01T00:00:01Z to 2026-03-09T23:59:58Z
Left out     2 records of shop/api: CloudTrail left out what they say (over 100 KB)
Note         there is no read-only event in these logs: pulls and lifecycle runs cannot be seen

1 finding: 1 critical

CRITICAL  same-tag-race shop/api:v7 (f-0123456789abcdef)
  v7 was pushed twice within 9 s; the first image lost the tag, a lifecycle rule took it, and it was
  pulled 4 times since.
  registry     111122223333, eu-central-1
  lost         sha256:a1a1a1a1a1a1, pushed 2026-03-02T10:00:00Z, untagged 2026-03-02T10:00:09Z, gone
               2026-03-05T02:00:00Z (2 d 15 h after it was untagged)
  kept         sha256:b2b2b2b2b2b2
  first push   2026-03-02T10:00:00Z PutImage by arn:aws:sts::111122223333:assumed-role/build-a/1 in
               AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/a.json.gz#3
  second push  9 s later: 2026-03-02T10:00:09Z PutImage by
               arn:aws:sts::111122223333:assumed-role/build-b/2 in
               AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/a.json.gz#3
  taken        by rule 1: 2026-03-05T02:00:00Z PolicyExecutionEvent by ecr.amazonaws.com in
               AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/a.json.gz#3
  pulls        2 before, 1 while untagged, 4 after it was gone
  last pull    2026-03-06T08:30:00Z BatchGetImage by arn:aws:sts::111122223333:assumed-role/task/9
               in AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/a.json.gz#3
  pulled by    arn:aws:sts::111122223333:assumed-role/task/9
  needed by    service:shop
  do           Push the image again by its digest, or deploy the one that v7 points to.
  do           Make the repository's tags immutable.
  rescue       tagfall rescue f-0123456789abcdef, with these sources, tells where the same digest
               still is
  evidence     2026-03-02T10:00:00Z PutImage by arn:aws:sts::111122223333:assumed-role/build-a/1 in
               AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/a.json.gz#3
  evidence     2026-03-02T10:00:09Z PutImage by arn:aws:sts::111122223333:assumed-role/build-b/2 in
               AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/a.json.gz#3
  evidence     2026-03-05T02:00:00Z PolicyExecutionEvent by ecr.amazonaws.com in
               AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/a.json.gz#3
  evidence     2026-03-06T08:30:00Z BatchGetImage by arn:aws:sts::111122223333:assumed-role/task/9
               in AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/a.json.gz#3

Not read     a/b.json.gz#7: not an object
";
    assert_eq!(page, expected);
}

#[test]
fn the_page_of_a_timeline() {
    let [_, page, _] = views(Format::Table, false);
    let object = "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/a.json.gz#3";
    let expected = format!(
        "\
shop/api in 111122223333, eu-central-1

  sha256:a1a1a1a1a1a1 expired, without a tag, pushed 2026-03-02T10:00:00Z, untagged
  2026-03-02T10:00:09Z, gone 2026-03-05T02:00:00Z, displaced
    child of     sha256:c3c3c3c3c3c3
    a1a1a1a1a1a1        ███████░░░░░░░░░░░░░░░░░▲░░░░░░░░░░░░░░░░░▲░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░✂
                          9 s                1 d 21 h                            18 h
                        2026-03-02                                                        2026-03-05
    2026-03-02T10:00:00Z push v7 by arn:aws:sts::111122223333:assumed-role/build-a/1 in
    {object}
    2026-03-02T10:00:09Z tag_lost v7 to sha256:b2b2b2b2b2b2 by
    arn:aws:sts::111122223333:assumed-role/build-b/2 in
    {object}
    2026-03-03T08:00:00Z pull, 2 times until 2026-03-04T08:00:00Z by task in
    {object}
    2026-03-05T02:00:00Z expire by ecr.amazonaws.com in
    {object}

Not read     a/b.json.gz#7: not an object
"
    );
    assert_eq!(page.split_once("\n\n").unwrap().1, expected);
}

#[test]
fn the_page_of_a_verdict() {
    let [.., page] = views(Format::Table, false);
    let object = "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/a.json.gz#3";
    let expected = format!(
        "\
Reference    shop/api:v7
Repository   shop/api in 111122223333, eu-central-1
Exists       tag: yes (it points to sha256:b2b2b2b2b2b2); digest: no
Cause        tag-moved-then-expired: its tag moved to another image, and then a lifecycle rule took
             it
Finding      f-0123456789abcdef

1. The tag exists, the digest does not.
2. It went on 2026-03-05T02:00:00Z, by lifecycle rule 1.
   | 2026-03-05T02:00:00Z PolicyExecutionEvent by ecr.amazonaws.com in
     {object}
3. It had lost its tag 9 s after its push.
   | 2026-03-02T10:00:09Z PutImage by arn:aws:sts::111122223333:assumed-role/build-b/2 in
     {object}

Not this:
- Not deleted by a call: there is no BatchDeleteImage of it.

What the logs cannot show:
- Whether a node still has it in its cache.

What to do:
- Deploy the digest that v7 points to.
- Look where the same digest still is: `tagfall rescue shop/api:v7`, with these sources.
"
    );
    assert_eq!(page.split_once("\n\n").unwrap().1, expected);
}

#[test]
fn documents_have_the_promised_shape() {
    for (text, command, list) in views(Format::Json, false)
        .iter()
        .zip(["detect", "timeline", "explain"])
        .zip(["findings", "timelines", "verdict"])
        .map(|((a, b), c)| (a, b, c))
    {
        assert!(
            text.starts_with("{\n  \"schema_version\": 1,\n  \"command\": ") && text.ends_with("}\n"),
            "{text}"
        );
        let document: Value = serde_json::from_str(text).unwrap();
        let keys: Vec<_> = document.as_object().unwrap().keys().cloned().collect();
        assert_eq!(document["command"], command);
        let known = ["schema_version", "command", "coverage", list, "tags"];
        assert!(
            keys.iter().all(|key| known.contains(&key.as_str()))
                && keys.len() == 4 + usize::from(command == "timeline"),
            "{keys:?}"
        );
        assert_eq!(document["coverage"]["failures"][0]["object"], "a/b.json.gz");
    }
}

#[test]
fn an_empty_list_is_a_document_too() {
    let coverage = coverage();
    let empty = shown(|out| {
        timelines::write(
            out,
            look(Format::Json),
            timelines::Telling::default(),
            &coverage,
            std::iter::empty(),
            std::iter::empty(),
        )
        .map(drop)
    });
    assert_eq!(serde_json::from_str::<Value>(&empty).unwrap()["timelines"], Value::Array(Vec::new()));
    assert_eq!(shown(|out| findings::write(out, look(Format::Ndjson), &coverage, &[])), "");
    assert!(
        shown(|out| findings::write(out, look(Format::Table), &coverage, &[])).contains("\n\nNo findings.\n")
    );
    assert_eq!(shown(|out| findings::write(out, look(Format::Csv), &coverage, &[])).lines().count(), 1);
}

#[test]
fn lines_are_the_elements_of_the_document() {
    for (document, line, list) in views(Format::Json, false)
        .iter()
        .zip(views(Format::Ndjson, false))
        .zip(["findings", "timelines", "verdict"])
        .map(|((a, b), c)| (a, b, c))
    {
        let document: Value = serde_json::from_str(document).unwrap();
        let element = document[list].as_array().map_or(&document[list], |elements| &elements[0]);
        assert_eq!(&serde_json::from_str::<Value>(&line).unwrap(), element);
        assert_eq!(line.matches('\n').count(), 1);
    }
}

#[test]
fn every_timeline_is_counted_and_written_once() {
    let coverage = coverage();
    for format in ALL {
        let mut out = Vec::new();
        let written = timelines::write(
            &mut out,
            look(format),
            timelines::Telling::default(),
            &coverage,
            (0..3).map(|_| timeline()),
            std::iter::empty(),
        )
        .unwrap();
        assert_eq!(written, 3, "{format:?}");
    }
}

#[test]
fn hostile_text_stays_inside_its_page() {
    for (plain, page) in views(Format::Table, false).iter().zip(views(Format::Table, true)) {
        let bad = |character: &char| {
            *character != '\n' && (character.is_control() || "\u{202e}\u{200b}\u{feff}".contains(*character))
        };
        assert_eq!(page.chars().find(bad), None, "{page}");
        assert!(
            !page.lines().any(|line| line.trim_start() == "No findings."),
            "a forged line stands in\n{page}"
        );
        assert!(page.contains("\\u{1b}") && !plain.contains("\\u{"), "{page}");
    }
}

#[test]
fn hostile_text_stays_inside_its_cell() {
    for csv in views(Format::Csv, true) {
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let rows: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), 1, "{csv}");
        let hostile: Vec<_> = rows[0].iter().filter(|cell| cell.contains("HYPERLINK")).collect();
        assert!(!hostile.is_empty() && hostile.iter().all(|cell| cell.starts_with("'=HYPERLINK")), "{csv}");
        assert!(
            !csv.chars().any(|character| !matches!(character, '\n' | '\r' | '\t') && character.is_control()),
            "{csv}"
        );
    }
}

#[test]
fn documents_keep_hostile_text_as_it_was_without_its_bytes() {
    for text in views(Format::Json, true).into_iter().chain(views(Format::Ndjson, true)) {
        assert_eq!(
            text.chars()
                .find(|character| *character != '\n' && (character.is_control() || *character == '\u{202e}')),
            None
        );
    }
    let [detect, timeline, explain] =
        views(Format::Json, true).map(|text| serde_json::from_str::<Value>(&text).unwrap());
    assert_eq!(detect["findings"][0]["tag"], HOSTILE);
    assert_eq!(detect["findings"][0]["second_push"]["user_agent"], HOSTILE);
    assert_eq!(timeline["timelines"][0]["steps"][0]["tag"], HOSTILE);
    assert_eq!(explain["verdict"]["reference"], HOSTILE);
}

#[test]
fn the_columns_of_a_row_are_the_columns_of_the_heading() {
    for csv in views(Format::Csv, false) {
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let heading = reader.headers().unwrap().clone();
        let row = reader.records().next().unwrap().unwrap();
        let cell = |name: &str| heading.iter().position(|column| column == name).and_then(|at| row.get(at));
        assert_eq!(cell("repository"), Some("shop/api"), "{csv}");
        assert_eq!(cell("registry_id"), Some("111122223333"), "{csv}");
        for (name, value) in [
            ("gap_seconds", "9"),
            ("rule_priority", "1"),
            ("pulls_after_gone", "4"),
            ("steps", "5"),
            ("why", "f-0123456789abcdef"),
        ] {
            assert!(cell(name).is_none_or(|found| found == value), "{name} in {csv}");
        }
    }
}

#[test]
fn a_closed_pipe_is_reported_as_one() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for format in ALL {
        let found = [finding()];
        let error = findings::write(&mut Closed, look(format), &coverage(), &found).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{format:?}");
    }
}

/// A report of these findings, all with the same life.
fn report_of(findings: &[Finding], hostile_world: bool) -> String {
    let (coverage, _, timeline, _) =
        if hostile_world { hostile() } else { (coverage(), finding(), timeline(), verdict()) };
    let mut images = [0; ImageState::ALL.len()];
    images[ImageState::Expired as usize] = 1_234;
    let repositories = [RepositoryLine {
        repository: timeline.repository.clone(),
        images,
        findings: [1, 0, 0, 0],
        policy: PolicyKnown::Stated(timeline.steps[0].event.clone()),
        last_run: Some(timeline.steps[0].event.clone()),
        runs: 7,
    }];
    let mut row = forecast();
    if hostile_world {
        (row.repository, row.displaced_tag, row.why) =
            (timeline.repository.clone(), Some(HOSTILE.into()), vec![HOSTILE.into()]);
    }
    let as_of = coverage.last_event_time.unwrap();
    let next = Next { as_of, images: 1_001, needed: 1, unknown: 2, rows: vec![row] };
    let story = |_: &Finding| Story { life: Some(timeline.clone()), ..Story::default() };
    let (coverage, next) = (&coverage, Some(&next));
    let (story, elsewhere): (&dyn Fn(&Finding) -> Story, _) = (&story, &|_: &Finding| None);
    shown(|out| {
        report::write(
            out,
            &Report {
                coverage,
                findings,
                next,
                repositories: &repositories,
                story,
                elsewhere,
                interactive: false,
            },
        )
    })
}

/// This many findings, a day apart, with all severities in turn.
fn many(number: usize) -> Vec<Finding> {
    let one = |n: usize| {
        let mut one = finding();
        one.id = format!("f-{n:016x}");
        one.severity = Severity::ALL[n % Severity::ALL.len()];
        one.lost.gone_at =
            one.lost.gone_at.map(|gone| Timestamp::from_millis(gone.millis() + n as i64 * 86_400_000));
        one
    };
    (0..number).map(one).collect()
}

#[test]
fn a_report_tells_what_weakens_it_before_anything_else() {
    let page = report_of(&[finding()], false);
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(
        at("1 finding: 1 critical; somebody asked in vain for 1 image.") < at("What these logs cannot show")
    );
    assert!(
        at("there is no read-only event in these logs")
            < at("<article id=\"f-f-0123456789abcdef\" class=\"critical\">")
    );
    assert!(at("Some evidence could not be read: 1 object, 1 record.") < at("<article"));
    at("<code>a/b.json.gz#7</code>: not an object");
    at(
        "2026-03-02T10:00:00Z: pushed by build-a → 9 s later the tag is pushed again by build-b → 2 d 15 h later taken by a lifecycle rule",
    );
    at("pull, 2 times until 2026-03-04T08:00:00Z");
    at("<td class=\"number\">1,234</td>");
    at("stated by the run of 2026-03-02T10:00:00Z");
    at(
        "As things stand at 2026-03-09T23:59:58Z, the lifecycle policies in force will take 1,001 images, 1 of which somebody needs. \
        The policy of 2 repositories is not in these logs",
    );
    at(
        "<td>the next run</td><td><code>shop/api:v7</code><br><small>lost that tag to another push</small></td>",
    );
    at("rule 1, expire</td><td><span class=\"severity high\">high</span> service:shop is deployed with it");
    at("<p>and 1,000 more: <code>tagfall forecast</code> lists them all</p>");
}

#[test]
fn a_report_without_findings_says_so() {
    let page = report_of(&[], false);
    assert!(page.contains("No image was lost that anything still needed, as far as these logs show."));
    assert!(page.contains("<h2>Findings</h2><p>None.</p>"));
    assert!(page.contains("<h1>No lost image that anything still needed</h1>"));
    assert!(!page.contains("<article"));
}

/// What a page cannot show is counted; nothing is left out silently.
#[test]
fn a_report_of_very_many_findings_stays_a_page() {
    let page = report_of(&many(10_400), false);
    assert_eq!(page.matches("<article ").count(), 500);
    assert!(page.contains("<h3>9,900 more, in short</h3>"));
    assert_eq!(page.matches("<tr id=\"f-").count(), 9_900, "each can be linked to");
    assert!(
        report_of(&many(10_600), false).contains("<strong>100 more findings are not on this page</strong>")
    );
    // 28 years of losses, a bar for each year: the worst at the bottom, and every image in one bar.
    let titles: Vec<&str> = page
        .split("<title>from ")
        .skip(1)
        .filter_map(|rest| rest.split_once(" image"))
        .map(|(title, _)| title)
        .collect();
    assert_eq!(titles.len(), 29);
    let number = |title: &&str| title.split_once(": ").unwrap().1.replace(',', "").parse::<u64>().unwrap();
    assert_eq!(titles.iter().map(number).sum::<u64>(), 10_400);
}

#[test]
fn a_report_of_a_hostile_world_is_well_formed() {
    let (_, finding, ..) = hostile();
    let page = report_of(&[finding], true);
    assert!(!page.contains(['\u{1b}', '\r', '\u{202e}', '\u{200b}', '\u{9b}', '\u{7}']), "{page}");
    let ours = ["<!DOCTYPE html>", "<html lang=\"en\">"];
    assert!(ours.iter().all(|text| page.contains(text)));
    // Every opened tag is one that this program writes, and is closed in its turn.
    let void = ["!DOCTYPE", "meta", "br", "input"];
    let mut open: Vec<&str> = Vec::new();
    let body = page.replacen(page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0, "", 1);
    for tag in body.split('<').skip(1) {
        let name = tag.split([' ', '>', '/', '\n']).find(|part| !part.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !void.contains(&name) && !tag.split_once('>').unwrap().0.ends_with('/') {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0]);
}

/// In Markdown, all hostile text is in a code span or an escaped summary.
#[test]
fn no_text_is_markdown() {
    let (coverage, mut finding, ..) = hostile();
    for harm in [
        "](http://x)",
        "<script>alert(1)</script>",
        "@everyone",
        "| a | b |",
        "`` ` ``",
        "# heading",
        "![x](http://x)",
        "<!-- ",
    ] {
        (finding.summary, finding.repository.name) = (format!("In {harm} it went"), harm.into());
        finding.advice = vec![format!("run `aws {harm}` {harm}")];
        let page = shown(|out| {
            findings::write(out, look(Format::Markdown), &coverage, std::slice::from_ref(&finding))
        });
        let mut outside = String::new();
        for line in page.lines() {
            let mut rest = line;
            // Code spans with fences of one, two, three … backticks, from left to right, as every Markdown
            // reader finds them.
            while let Some(at) = rest.find('`') {
                let fence = rest[at..].bytes().take_while(|byte| *byte == b'`').count();
                outside.push_str(&rest[..at]);
                let behind = &rest[at + fence..];
                let closes = behind.match_indices('`').find(|(end, _)| {
                    let run = behind[*end..].bytes().take_while(|byte| *byte == b'`').count();
                    run == fence && !behind[..*end].ends_with('`')
                });
                rest = &behind[closes.unwrap_or_else(|| panic!("a fence stays open: {line}")).0 + fence..];
            }
            outside.push_str(rest);
            outside.push('\n');
        }
        for mark in ["](", "<script", "@", "http", "<!--", "# h"] {
            let summaries = outside.lines().filter(|line| !line.starts_with("<details>")).collect::<String>();
            assert!(!summaries.contains(mark), "{harm}: {mark} stands in {summaries}");
        }
        assert!(
            !page.contains("<script")
                || page.lines().filter(|line| line.contains("<script")).all(|line| !line.starts_with('<'))
        );
    }
}
