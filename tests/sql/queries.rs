//! The named queries on the fixtures, with the expected rows.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

mod made;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn tagfall(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tagfall")).args(args).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// The rows of a query over the incident.
fn rows(query: &str, params: &[&str]) -> Vec<Value> {
    let source = fixtures().join("incident/AWSLogs");
    let mut args = vec!["query", query, source.to_str().unwrap(), "--format", "ndjson", "--quiet"];
    for param in params {
        args.extend(["--param", param]);
    }
    let (code, out, talk) = tagfall(&args);
    assert_eq!(code, Some(0), "{query}: {talk}");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn texts(rows: &[Value], column: &str) -> Vec<String> {
    rows.iter()
        .map(|row| row[column].as_str().map_or_else(|| row[column].to_string(), str::to_owned))
        .collect()
}

const LOST: &str = "sha256:2d6584fa9333a12a8fa7922a8168f577b4abe34ad354c2ce5ed1b7a60b2a974e";
const KEPT: &str = "sha256:eae91ce699322f6b6838711c186a8eb4d626ea9b7088b64b066efe2a157a75cc";

#[test]
fn the_story_in_sql_agrees_with_detect() {
    let story = rows("@same-tag-pairs-then-expiry", &[]);
    assert_eq!(story.len(), 1);
    let source = fixtures().join("incident/AWSLogs");
    let (_, document, _) = tagfall(&["detect", source.to_str().unwrap(), "--format", "json", "--quiet"]);
    let document: Value = serde_json::from_str(&document).unwrap();
    let finding = &document["findings"][0];
    let row = &story[0];
    assert_eq!(row["lost_digest"], finding["lost"]["digest"]);
    assert_eq!(row["kept_digest"], finding["kept"]["digest"]);
    assert_eq!(row["gap_seconds"], finding["gap_seconds"]);
    assert_eq!(row["kind"], finding["kind"]);
    assert_eq!(row["gone_at"], finding["lost"]["gone_at"]);
    assert_eq!(row["first_push"], finding["first_push"]["event_time"]);
    assert_eq!(row["second_actor"], finding["second_push"]["actor"]);
    // The engine's own table agrees.
    let table = rows("SELECT lost_digest, kept_digest, kind, gap_seconds FROM findings", &[]);
    assert_eq!(
        (&table[0]["lost_digest"], &table[0]["gap_seconds"]),
        (&row["lost_digest"], &row["gap_seconds"])
    );
}

#[test]
fn a_narrower_window_makes_an_overwrite_of_it_and_another_repository_nothing() {
    assert_eq!(
        texts(&rows("@same-tag-pairs-then-expiry", &["window_seconds=8"]), "kind"),
        ["same-tag-overwrite"]
    );
    assert_eq!(rows("@same-tag-pairs-then-expiry", &["repo=shop/basket"]).len(), 0);
}

#[test]
fn the_history_of_a_tag() {
    let history = rows("@tag-history", &["repo=shop/checkout", "tag=release-2026.03.02"]);
    assert_eq!(texts(&history, "digest"), [LOST, KEPT]);
    assert_eq!(texts(&history, "since"), ["2026-03-02T13:41:07Z", "2026-03-02T13:41:16Z"]);
    assert_eq!(texts(&history, "until"), ["2026-03-02T13:41:16Z", "null"]);
}

#[test]
fn pushes_and_pushers() {
    let pushes = rows("@who-pushed-what", &[]);
    assert_eq!(texts(&pushes, "tag"), ["release-2026.02.23", "release-2026.03.02", "release-2026.03.02"]);
    let pushers = rows("@pushes-by-pipeline", &[]);
    assert_eq!(texts(&pushers, "shared_tags"), ["1", "1"]);
    assert_eq!(texts(&pushers, "pushes"), ["2", "1"]);
}

#[test]
fn pulls_after_the_end_and_expiries() {
    let pulls = rows("@digests-pulled-after-they-went", &[]);
    assert_eq!(texts(&pulls, "calls"), ["2", "2", "1"]);
    assert!(texts(&pulls, "digest").iter().all(|digest| digest == LOST));
    let expiries = rows("@expiries-by-rule", &[]);
    assert_eq!(
        (texts(&expiries, "rule_priority"), texts(&expiries, "images"), texts(&expiries, "tagged")),
        (vec!["1".into()], vec!["1".into()], vec!["0".into()])
    );
}

#[test]
fn before_the_expiry_the_image_is_at_risk() {
    assert_eq!(rows("@images-at-risk", &[]).len(), 0);
    // The same archive as it was on 9 March.
    let source = fixtures().join("incident/AWSLogs");
    let (_, out, talk) = tagfall(&[
        "query",
        "@images-at-risk",
        source.to_str().unwrap(),
        "--until",
        "2026-03-09",
        "--format",
        "ndjson",
        "--quiet",
    ]);
    let risks: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(texts(&risks, "digest"), [LOST], "{talk}");
    assert_eq!(texts(&risks, "displaced_by"), [KEPT]);
    assert!(risks[0]["pulls_since"].as_i64() > Some(0));
}

#[test]
fn the_log_itself() {
    let trail = rows("@blind-trail", &[]);
    assert_eq!(texts(&trail, "verdict"), ["sees"]);
    // Two of the records are delivered twice but count once.
    let distinct = rows("SELECT count(*) AS n, count(DISTINCT eventid) AS d FROM events", &[]);
    assert_eq!(distinct[0]["n"], distinct[0]["d"]);
    assert_eq!(texts(&rows("@gaps-in-the-log", &["hours=300"]), "silent_hours"), ["961", "312"]);
    assert_eq!(rows("@top-talkers", &["least_calls=60"]).len(), 1);
}

#[test]
fn the_policy_in_force_rule_by_rule() {
    let policies = rows("SELECT * FROM policies ORDER BY rule_priority", &[]);
    assert_eq!(texts(&policies, "repository"), ["shop/checkout", "shop/checkout"]);
    assert_eq!(texts(&policies, "since"), ["2026-01-14T09:12:34Z", "2026-01-14T09:12:34Z"]);
    assert_eq!(texts(&policies, "event_name"), ["PutLifecyclePolicy", "PutLifecyclePolicy"]);
    assert_eq!(texts(&policies, "action"), ["expire", "expire"]);
    assert_eq!(texts(&policies, "tag_status"), ["untagged", "any"]);
    assert_eq!(texts(&policies, "count_type"), ["sinceImagePushed", "imageCountMoreThan"]);
    assert_eq!(
        (texts(&policies, "count_number"), texts(&policies, "count_unit")),
        (vec!["7".into(), "200".into()], vec!["days".into(), "null".into()])
    );
    assert_eq!(
        (texts(&policies, "images"), texts(&policies, "last_time")),
        (vec!["1".into(), "0".into()], vec!["2026-03-10T02:26:40Z".into(), "null".into()])
    );
}

#[test]
fn without_the_event_that_put_it_the_policy_is_what_the_runs_state() {
    let source = fixtures().join("incident/AWSLogs");
    let sql = "SELECT since, event_name, rule_priority, tag_status, count_type, count_number, count_unit, images FROM policies ORDER BY rule_priority LIMIT 1";
    let (_, out, talk) = tagfall(&[
        "query",
        sql,
        source.to_str().unwrap(),
        "--since",
        "2026-03-04",
        "--format",
        "csv",
        "--quiet",
    ]);
    // The first of the runs that were read, and the rule in the words of a policy.
    assert_eq!(
        out.lines().nth(1),
        Some("2026-03-04 03:58:11.000 UTC,PolicyExecutionEvent,1,untagged,sinceImagePushed,7,days,1"),
        "{talk}"
    );
}

#[test]
fn what_was_changed_before_it_broke() {
    let changes = rows("@changes-before", &["moment=2026-03-24 09:15:00", "minutes=5"]);
    assert!(texts(&changes, "call_name").contains(&"UpdateService".to_owned()), "{changes:?}");
    assert!(rows("@changes-before", &["moment=2026-03-24 09:15:00", "minutes=0"]).is_empty());
}

#[test]
fn every_query_runs_and_is_listed_with_its_question_columns_and_parameters() {
    let (_, listed, _) = tagfall(&["queries"]);
    let mut names: Vec<String> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("queries"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 15);
    for name in names {
        assert!(listed.contains(&format!("@{name} ")), "{name} is not listed");
        let (_, text, _) = tagfall(&["queries", &name]);
        for part in ["?\n--\n-- How to read: ", "\n-- Columns: ", "\n-- Parameters: "] {
            assert!(text.contains(part), "{name} does not have {part:?}");
        }
        // Its rows have the declared columns, in that order.
        let promised = text
            .split("-- Columns: ")
            .nth(1)
            .unwrap()
            .split("\n-- Parameters")
            .next()
            .unwrap()
            .replace("\n--", "");
        let source = fixtures().join("incident/AWSLogs");
        let (code, document, talk) =
            tagfall(&["query", &format!("@{name}"), source.to_str().unwrap(), "--format", "json", "--quiet"]);
        assert_eq!(code, Some(0), "{name}: {talk}");
        let document: Value = serde_json::from_str(&document).unwrap();
        let columns: Vec<&str> = document["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column["name"].as_str().unwrap())
            .collect();
        let promised: String =
            promised.split('(').map(|part| part.split_once(')').map_or(part, |(_, after)| after)).collect();
        let words: Vec<&str> = promised
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| columns.contains(word))
            .collect();
        assert_eq!(words, columns, "{name} promises other columns than it gives");
    }
}

#[test]
fn a_mistake_costs_no_reading_and_says_where_it_is() {
    let (code, out, talk) = tagfall(&["query", "SELECT evntname FROM events", "/nowhere/at/all"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(
        talk.contains("line 1, column 8: there is no column evntname; did you mean eventname?"),
        "{talk}"
    );
    let (code, _, talk) = tagfall(&["query", "@no-such-query", "/nowhere/at/all"]);
    assert_eq!(code, Some(2));
    assert!(talk.contains("tagfall queries"), "{talk}");
    let source = fixtures().join("incident/AWSLogs");
    let (code, _, talk) = tagfall(&["query", "@tag-history", "--param", "repos=x", source.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(talk.contains("there is no parameter repos; there are repo, tag; did you mean repo?"), "{talk}");
}

#[test]
fn explain_shows_what_the_conditions_save() {
    let source = fixtures().join("incident/AWSLogs");
    let sql = "SELECT eventname FROM cloudtrail_logs WHERE eventsource = 'ecr.amazonaws.com' AND eventtime >= '2026-03-10' AND eventtime < '2026-03-11T00:00:00Z'";
    let (code, out, talk) = tagfall(&["query", sql, source.to_str().unwrap(), "--explain", "--quiet"]);
    assert_eq!(code, Some(0), "{talk}");
    assert!(out.contains("event source: ecr.amazonaws.com\n"), "{out}");
    assert!(
        out.contains("from:         2026-03-10T00:00:00Z\nuntil:        2026-03-12T00:00:00Z\n"),
        "{out}"
    );
    assert!(out.contains("columns:      3 of 39: eventtime, eventsource, eventname\n"), "{out}");
    assert!(!out.contains("left out:     0 places"), "{out}");
}

#[test]
fn explain_shows_the_operators_with_their_types() {
    let source = fixtures().join("incident/AWSLogs");
    let plan = |sql: &str| {
        let (code, out, talk) = tagfall(&["query", sql, source.to_str().unwrap(), "--explain", "--quiet"]);
        assert_eq!(code, Some(0), "{talk}");
        let lines = out.lines().skip_while(|line| !line.starts_with("plan:"));
        let of_plan = lines.take_while(|line| line.starts_with("plan:") || line.starts_with(' '));
        of_plan.map(|line| line[14..].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        plan(
            "WITH p AS (SELECT 'PutImage' AS wanted) SELECT e.eventname, count(*) AS n, max(r.arn) AS arn \
             FROM events e CROSS JOIN UNNEST(resources) AS r JOIN p ON e.eventname = p.wanted \
             WHERE eventsource = 'ecr.amazonaws.com' AND readonly = false \
             GROUP BY 1 HAVING count(*) > 0 ORDER BY n DESC LIMIT 3"
        ),
        [
            "Output eventname varchar, n bigint, arn varchar",
            "  Limit 3",
            "    TopK 3 by n DESC",
            "      Project e.eventname, count(*) AS n, max(r.arn) AS arn",
            "        Filter count(*) > 0",
            "          Aggregate by e.eventname: count(*), max(r.arn)",
            "            Filter eventsource = 'ecr.amazonaws.com' AND readonly = false",
            "              Join on e.eventname = p.wanted",
            "                Unnest resources AS r (arn varchar, accountid varchar, type varchar)",
            "                  Scan cloudtrail_logs AS e",
            "                Scan p",
            "  With p",
            "    Project 'PutImage' AS wanted",
            "      Row",
        ]
    );
    assert_eq!(
        plan(
            "SELECT DISTINCT a.eventid, row_number() OVER (PARTITION BY a.awsregion ORDER BY a.eventtime) AS nth \
             FROM events a LEFT JOIN (SELECT requestid AS id FROM events) b ON a.eventid = b.id \
             WHERE EXISTS (SELECT 1 FROM steps)"
        ),
        [
            "Output eventid varchar, nth bigint",
            "  Distinct",
            "    Project a.eventid, row_number() OVER (PARTITION BY a.awsregion ORDER BY a.eventtime) AS nth",
            "      Window row_number() OVER (PARTITION BY a.awsregion ORDER BY a.eventtime)",
            "        Filter EXISTS (…)",
            "          Subquery in an expression",
            "            Project 1",
            "              Scan steps",
            "          Left join on a.eventid = b.id",
            "            Scan cloudtrail_logs AS a",
            "            Subquery AS b (id varchar)",
            "              Project requestid AS id",
            "                Scan cloudtrail_logs AS events",
        ]
    );
    assert_eq!(
        plan("SELECT eventname FROM events UNION ALL VALUES ('x') ORDER BY 1 LIMIT 2"),
        [
            "Output eventname varchar",
            "  Limit 2",
            "    TopK 2 by 1",
            "      UNION ALL",
            "        Project eventname",
            "          Scan cloudtrail_logs AS events",
            "        Values, 1 row",
        ]
    );
    // What is shown is what is run: elements belong to the row that they come from, in any kind of join.
    for (kind, said) in [("RIGHT", "Unnest"), ("FULL", "Unnest, rows without elements too,")] {
        assert_eq!(
            plan(&format!(
                "SELECT n FROM (VALUES ARRAY[1]) t (a) {kind} JOIN UNNEST(a) AS u (n) ON true LIMIT 1 + 1"
            )),
            [
                "Output n bigint",
                "  Limit 1 + 1",
                "    Project n",
                &format!("      {said} a AS u (n bigint)"),
                "        Subquery AS t (a array(bigint))",
                "          Values, 1 row",
            ]
        );
    }
}

#[test]
fn records_with_another_name_are_not_parsed() {
    let source = fixtures().join("incident/AWSLogs");
    let parsed = |sql: &str| {
        let (_, out, _) = tagfall(&["query", sql, source.to_str().unwrap(), "--explain", "--quiet"]);
        out.lines().find_map(|line| line.strip_prefix("parsed:")).map(|said| said.trim().to_owned())
    };
    // Three pushes, one of them delivered twice.
    assert_eq!(
        parsed("SELECT eventid FROM events WHERE eventname = 'PutImage'").as_deref(),
        Some("4 records of them")
    );
    assert_eq!(
        parsed("SELECT n FROM (SELECT eventname AS n FROM events) WHERE n IN ('PutImage')").as_deref(),
        Some("4 records of them")
    );
}

#[test]
fn limit_without_order_stops_early_and_gives_the_first_rows_every_time() {
    let source = fixtures().join("incident/AWSLogs");
    let sql = "SELECT object, record FROM events WHERE eventsource = 'ecr.amazonaws.com' LIMIT 2";
    let (_, first, _) = tagfall(&["query", sql, source.to_str().unwrap(), "--format", "csv", "--quiet"]);
    assert_eq!(first.lines().count(), 3);
    for jobs in ["1", "2", "8"] {
        let (_, again, _) =
            tagfall(&["query", sql, source.to_str().unwrap(), "--format", "csv", "--quiet", "--jobs", jobs]);
        assert_eq!(first, again, "{jobs} jobs");
    }
}

#[test]
fn what_a_query_leaves_out_itself_is_an_answer_without_rows() {
    let source = fixtures().join("incident/AWSLogs");
    for condition in [
        "eventtime >= '2031-01-01'",
        "from_iso8601_timestamp(eventtime) > current_timestamp - interval '1' minute",
        "account = '999999999999'",
    ] {
        let sql = format!("SELECT count(*) AS n FROM cloudtrail_logs WHERE {condition}");
        let (code, out, talk) = tagfall(&["query", &sql, source.to_str().unwrap(), "--format", "csv"]);
        assert_eq!((code, out.as_str()), (Some(0), "n\n0\n"), "{condition}: {talk}");
        assert!(talk.contains("the query's own conditions exclude everything"), "{condition}: {talk}");
    }
    // An option that leaves out everything is still an error.
    let (code, _, talk) = tagfall(&[
        "query",
        "SELECT count(*) FROM cloudtrail_logs",
        source.to_str().unwrap(),
        "--since",
        "2031-01-01",
    ]);
    assert_eq!(code, Some(2), "{talk}");
}

#[test]
fn a_query_may_begin_with_a_comment() {
    let source = fixtures().join("incident/AWSLogs");
    for sql in [
        "-- How many?\nSELECT count(*) AS n FROM events WHERE eventname = 'PutImage'",
        "--- how many\nSELECT count(*) AS n FROM events WHERE eventname = 'PutImage';",
        "--how many\nSELECT count(*) AS n FROM events WHERE eventname = 'PutImage'",
    ] {
        let (code, out, talk) =
            tagfall(&["query", sql, source.to_str().unwrap(), "--format", "csv", "--quiet"]);
        assert_eq!((code, out.as_str()), (Some(0), "n\n3\n"), "{sql}: {talk}");
    }
    let (code, _, talk) = tagfall(&["query", "--exlpain", "SELECT 1", source.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(talk.contains("--explain"), "{talk}");
}
