//! The tables that a command writes have the same columns, with the same names and in the same order, in
//! every format.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use polars_parquet::read::{infer_schema, read_metadata};

fn run(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
        .args(arguments)
        .arg("-q")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// The names in the first line.
fn of_csv(arguments: &[&str]) -> Vec<String> {
    let text = run(&[arguments, &["--format", "csv"]].concat());
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let heading = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert!(reader.records().count() > 0, "{arguments:?}: rows, or the other formats prove nothing");
    heading
}

fn of_parquet(arguments: &[&str], folder: &Path) -> Vec<String> {
    let path = folder.join("out.parquet");
    run(&[arguments, &["--format", "parquet", "-o", path.to_str().unwrap()]].concat());
    let metadata = read_metadata(&mut File::open(&path).unwrap()).unwrap();
    std::fs::remove_file(&path).unwrap();
    infer_schema(&metadata).unwrap().iter_names().map(ToString::to_string).collect()
}

const INCIDENT: &str = "fixtures/incident";

#[test]
fn csv_and_parquet_have_the_same_columns() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.json");
    std::fs::write(
        &policy,
        r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}"#,
    )
    .unwrap();
    for command in [
        &["detect", INCIDENT][..],
        &["timeline", INCIDENT],
        &["forecast", INCIDENT],
        &["whatif", "--policy", policy.to_str().unwrap(), INCIDENT],
        &[
            "query",
            "SELECT eventname, useridentity.arn AS caller, count(*), max(eventtime) FROM events GROUP BY 1, 2",
            INCIDENT,
        ],
        &["query", "SELECT * FROM findings", INCIDENT],
        &["query", "SELECT * FROM steps", INCIDENT],
        &["query", "SELECT * FROM coverage", INCIDENT],
        &["query", "SELECT * FROM events", INCIDENT],
    ] {
        assert_eq!(of_csv(command), of_parquet(command, folder.path()), "{command:?}");
    }
}

/// Rows of a query are JSON objects with the same columns. For the engine's results, the table's declaration
/// says where each column is in the document.
#[test]
fn rows_in_json_have_the_columns_of_the_table() {
    let query = [
        "query",
        "SELECT eventname, awsregion AS \"Region\", count(*) AS n FROM events GROUP BY 1, 2",
        INCIDENT,
    ];
    let text = String::from_utf8(run(&[&query[..], &["--format", "ndjson"]].concat())).unwrap();
    let row: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let (mut names, mut heading): (Vec<String>, _) =
        (row.as_object().unwrap().keys().cloned().collect(), of_csv(&query));
    names.sort();
    heading.sort();
    assert_eq!(names, heading);
    let document: serde_json::Value =
        serde_json::from_slice(&run(&[&query[..], &["--format", "json"]].concat())).unwrap();
    assert_eq!(document["rows"][0].as_object().unwrap().len(), heading.len());
}
