//! Tables of other tools over a lake: the statement of `lake ddl`, and the files of `lake files`.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::place::Location;

#[test]
fn athena_gets_a_table_of_the_lists_or_of_a_copy() {
    let place = Location::new();
    place.run(&["ingest", "incident", "--lake", "lake"]);
    place.run(&["ingest", "incident", "--lake", "s3://trail/lake"]);
    let ddl =
        |args: &[&str]| String::from_utf8(place.run(&[&["lake", "ddl"], args].concat()).stdout).unwrap();
    let far = ddl(&["s3://trail/lake", "--table", "logs.trail"]);
    for part in [
        "CREATE EXTERNAL TABLE `logs`.`trail` (",
        "`useridentity` struct<type:string,",
        "`record` bigint",
        "SymlinkTextInputFormat",
        "LOCATION 's3://trail/lake/_tagfall/hive/'",
        "'projection.account.values' = '111122223333'",
        "'projection.date.range' = '2026-01-14,NOW'",
        "'storage.location.template' = 's3://trail/lake/_tagfall/hive/account=${account}/region=${region}/date=${date}/'",
    ] {
        assert!(far.contains(part), "{part}: {far}");
    }
    let listed = |lake: &str| String::from_utf8(place.run(&["lake", "files", lake]).stdout).unwrap();
    assert!(
        listed("lake").lines().count() > 3
            && listed("lake").lines().all(|path| place.world.path(path).is_file())
    );
    let far_files = listed("s3://trail/lake");
    assert_eq!(far_files.lines().count(), listed("lake").lines().count());
    assert!(
        far_files.lines().all(|file| place.bucket.get(file.strip_prefix("s3://trail/").unwrap()).is_some()),
        "{far_files}"
    );
    let copy = ddl(&["lake", "--location", "s3://copies/lake/"]);
    assert!(
        copy.contains("MapredParquetInputFormat") && copy.contains("LOCATION 's3://copies/lake/'"),
        "{copy}"
    );
    assert_eq!(place.run(&["lake", "ddl", "lake"]).status.code(), Some(2));
    assert!(
        ddl(&["s3://trail/lake", "--table", "my-logs.2026"])
            .starts_with("CREATE EXTERNAL TABLE `my-logs`.`2026` (")
    );
    for name in ["my-table", "a.b.c", ".a", "a.", "", "a b", "Logs.trail", "a`b", "a;b"] {
        let output = place.run(&["lake", "ddl", "s3://trail/lake", "--table", name]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{name}");
    }
    assert_eq!(place.run(&["lake", "ddl", "incident", "--location", "s3://x/y"]).status.code(), Some(2));
}

/// What an event says of its account, its region and its time may be anything.
#[test]
fn a_table_shows_what_has_odd_names_and_says_what_it_cannot_show() {
    let place = Location::new();
    let event = |number: u32, time: &str, account: &str, region: &str| {
        json!({"eventVersion": "1.08", "eventTime": time, "eventSource": "ecr.amazonaws.com", "eventName": "BatchGetImage", "awsRegion": region,
            "recipientAccountId": account, "eventID": format!("00000000-0000-4000-8000-{number:012}")})
    };
    let events = [
        event(1, "2026-03-02T10:00:00Z", "111122223333", "eu-central-1"),
        event(2, "2026-03-01T10:00:00Z", "1,2'3", "a b/c%"),
        event(3, "1970-01-01T00:00:00Z", "111122223333", "eu-central-1"),
        event(5, "2999-01-01T00:00:00Z", "111122223333", "eu-central-1"),
    ];
    place.world.file("logs/a.json", json!({"Records": events}).to_string().as_bytes());
    let lake = "s3://trail/it's a \\ lake";
    place.run(&["ingest", "logs", "--lake", lake]);
    let output = place.run(&["lake", "ddl", lake]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "LOCATION 's3://trail/it\\'s a \\\\ lake/_tagfall/hive/'",
        "'projection.account.values' = '1%2C2%273,111122223333'",
        "'projection.region.values' = 'a%20b%2Fc%25,eu-central-1'",
        "'projection.date.range' = '2026-03-01,NOW'",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("does not show 2 events"), "{told}");
    // Each place that the projection makes of these, where there is a list.
    let template =
        text.lines().find_map(|line| line.trim().strip_prefix("'storage.location.template' = '")).unwrap();
    let place_of = template.trim_end_matches('\'').replace("\\'", "'").replace("\\\\", "\\");
    for (account, region, date) in
        [("1%2C2%273", "a%20b%2Fc%25", "2026-03-01"), ("111122223333", "eu-central-1", "2026-03-02")]
    {
        let folder =
            place_of.replace("${account}", account).replace("${region}", region).replace("${date}", date);
        let key = format!("{}files.txt", folder.strip_prefix("s3://trail/").unwrap());
        let list = String::from_utf8(
            place.bucket.get(&key).unwrap_or_else(|| panic!("{key} of {:?}", place.keys("hive"))),
        )
        .unwrap();
        assert!(
            list.lines().all(|file| place.bucket.get(file.strip_prefix("s3://trail/").unwrap()).is_some()),
            "{list}"
        );
    }
}

/// An independent parser accepts it as a statement of Athena, and of Hive.
#[test]
fn the_statement_is_one_of_athena_s_by_another_s_parser() {
    let python = std::env::var_os("TAGFALL_SQLGLOT");
    let program = "import sys, sqlglot; from sqlglot import exp
for dialect in ['athena', 'hive']:
    one, = sqlglot.parse(sys.stdin.read() if dialect == 'athena' else text, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    text = one.sql(dialect='hive')
    assert isinstance(one, exp.Create) and one.kind == 'TABLE', one
    print(dialect, len(one.this.expressions), len(one.args['properties'].expressions))";
    let run = |text: &str| {
        let mut command = Command::new(python.clone().unwrap_or_else(|| "python3".into()));
        let command = command
            .args(["-c", program])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap_or_default();
        child.wait_with_output().unwrap()
    };
    let place = Location::new();
    place.ok(&["ingest", "incident", "--lake", "s3://trail/lake"]);
    let text = String::from_utf8(
        place.run(&["lake", "ddl", "s3://trail/lake", "--table", "my-logs.2026_trail"]).stdout,
    )
    .unwrap();
    let output = run(&text);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if python.is_none() && said.contains("No module named") {
        eprintln!(
            "SKIPPED: tests/cluster/tables.rs needs sqlglot (pip install sqlglot); TAGFALL_SQLGLOT names its Python"
        );
        return;
    }
    assert!(output.status.success(), "{said}\n{text}");
    let columns = text.lines().filter(|line| line.starts_with("  `")).count();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        columns > 25
            && told.lines().count() == 2
            && told.lines().all(|line| line.split(' ').nth(1) == Some(&columns.to_string())),
        "{told}"
    );
}

#[test]
#[cfg(unix)]
fn hive_makes_the_tables_and_reads_in_them_what_is_in_the_lake() {
    let Some((python, _)) = crate::spark::pyspark() else { return };
    let place = Location::new();
    for source in ["incident", "quiet"] {
        place.ok(&["ingest", source, "--lake", "lake"]);
        place.ok(&["ingest", source, "--lake", "s3://trail/lake"]);
    }
    // The bucket's objects in a folder; the lists name existing files.
    let folder = place.world.path("").to_str().unwrap().trim_end_matches('/').to_owned();
    let here = |text: &str, address: &str| text.replace(address, &format!("file:{folder}/"));
    for key in place.keys("lake/_tagfall/hive/") {
        let list = String::from_utf8(place.bucket.get(&key).unwrap()).unwrap();
        assert!(
            list.lines().all(|line| place.bucket.get(line.strip_prefix("s3://trail/").unwrap()).is_some()),
            "{list}"
        );
        place.world.file(&key.replacen("lake", "listed", 1), here(&list, "s3://trail/").as_bytes());
    }
    let ddl =
        |args: &[&str]| String::from_utf8(place.run(&[&["lake", "ddl"], args].concat()).stdout).unwrap();
    let listed = here(&ddl(&["s3://trail/lake", "--table", "logs.listed"]), "s3://trail/")
        .replace("/lake/_tagfall", "/listed/_tagfall");
    place.world.file("listed.sql", listed.as_bytes());
    place.world.file(
        "copied.sql",
        here(&ddl(&["lake", "--location", "s3://copies/lake", "--table", "logs.copied"]), "s3://copies/")
            .as_bytes(),
    );
    let mut command = Command::new(python);
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/hive.py"))
        .arg(&folder)
        .env("SPARK_LOCAL_IP", "127.0.0.1");
    let output = command.current_dir(Path::new(&folder)).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let theirs: Vec<Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
    let sql =
        "SELECT account, region, date, eventid, eventname, useridentity.type AS kind, useridentity.sessioncontext.sessionissuer.username AS role,
        CASE WHEN resources IS NULL THEN -1 ELSE cardinality(resources) END AS n, object, record FROM cloudtrail_logs";
    let names =
        ["account", "region", "date", "eventid", "eventname", "kind", "role", "n", "object", "record"];
    let answer = place.json(&["query", sql, "lake"]);
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
    };
    let rows = answer["rows"].as_array().unwrap().iter();
    let mut ours: Vec<Vec<String>> =
        rows.map(|row| names.iter().map(|name| text(&row[name])).collect()).collect();
    ours.sort();
    assert!(
        ours.len() > 300 && ours == theirs,
        "{:?}",
        ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs)
    );
}
