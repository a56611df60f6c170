//! DuckDB as an oracle: generated queries over a generated lake, evaluated by DuckDB on the same files. Needs
//! python3 with the module `duckdb` (TAGFALL_PYTHON is another interpreter); SEED selects other queries, and
//! is printed.
//!
//! Where Trino differs from DuckDB by design, the queries use what both understand in the same way, or avoid
//! it:
//!
//! - `/` of whole numbers is a whole number in Trino and a double in DuckDB; sums are `bigint`, which can
//!   overflow, and not `hugeint`;
//! - arrays count from 1 and a position beyond the end is an error or NULL by function; `substr(x, 0)` is
//!   empty in Trino;
//! - NULLs are last in Trino unless it is said: it is said here; `greatest` with a NULL is NULL in Trino;
//! - rows that an ORDER BY does not tell apart may come in any order: every LIMIT here has an `eventid` to
//!   tell them apart;
//! - `json_extract_scalar` is `json_extract_string`; `approx_distinct` is no number that two programs share;
//! - `count(DISTINCT row)`, row comparisons with NULL inside and casts of texts that do not fit have other
//!   rules: see `trino_edges`;
//! - TABLESAMPLE draws the same events each time here, and others in Trino and DuckDB.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tagfall");
const QUERIES: usize = 60;
const ORACLE: &str = r#"
import duckdb, json, sys
files = f"read_parquet('{sys.argv[1]}/**/*.parquet', hive_partitioning = true)"
duckdb.sql("SET threads = 2")
duckdb.sql(f"CREATE VIEW events AS SELECT * FROM {files}")
def plain(value):
    return float(value) if type(value).__name__ == 'Decimal' else value
for line in sys.stdin:
    try:
        print(json.dumps([[plain(value) for value in row] for row in duckdb.sql(json.loads(line)).fetchall()]))
    except Exception as error:
        print(json.dumps(str(error)))
"#;

/// Pseudo-random numbers, the same for a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % count as u64) as usize
    }

    fn of<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len())]
    }

    fn text(&mut self, t: &str, depth: usize) -> String {
        let columns = [
            "eventname",
            "eventsource",
            "errorcode",
            "useragent",
            "sourceipaddress",
            "eventid",
            "useridentity.arn",
            "useridentity.type",
        ];
        if depth == 0 || self.below(3) == 0 {
            return if self.below(6) == 0 {
                format!("'{}'", self.of(&["a", "Event1", "", "x%", "é"]))
            } else {
                format!("{t}.{}", self.of(&columns))
            };
        }
        let (a, b) = (self.text(t, depth - 1), self.text(t, depth - 1));
        match self.below(8) {
            0 => format!("upper({a})"),
            1 => format!("substr({a}, {}, {})", 1 + self.below(4), self.below(9)),
            2 => format!("coalesce({a}, {b})"),
            3 => format!("({a} || {b})"),
            4 => format!("nullif({a}, {b})"),
            5 => {
                format!("replace({a}, '{}', '{}')", self.of(&["e", "Event", "."]), self.of(&["", "_", "ee"]))
            }
            6 => format!("CASE WHEN {} THEN {a} ELSE {b} END", self.condition(t, depth - 1)),
            _ => format!(
                "JSON({t}.requestparameters, '$.{}')",
                self.of(&["name", "size", "deep.er", "nothing"])
            ),
        }
    }

    fn whole(&mut self, t: &str, depth: usize) -> String {
        if depth == 0 {
            return if self.below(2) == 0 {
                self.below(20).to_string()
            } else {
                format!("length({t}.eventname)")
            };
        }
        match self.below(6) {
            0 => format!("length({})", self.text(t, depth - 1)),
            1 => format!("({} + {})", self.whole(t, depth - 1), self.whole(t, depth - 1)),
            2 => format!("({} * {})", self.whole(t, depth - 1), self.below(7)),
            3 => format!("({} % {})", self.whole(t, depth - 1), 2 + self.below(5)),
            4 => format!("strpos({}, '{}')", self.text(t, depth - 1), self.of(&["e", "1", "Event", "."])),
            _ => format!("CASE WHEN {} THEN {} END", self.condition(t, depth - 1), self.whole(t, depth - 1)),
        }
    }

    fn condition(&mut self, t: &str, depth: usize) -> String {
        let op = self.of(&["=", "<>", "<", "<=", ">", ">="]);
        if depth > 0 && self.below(2) == 0 {
            let (a, b) = (self.condition(t, depth - 1), self.condition(t, depth - 1));
            return match self.below(3) {
                0 => format!("({a} AND {b})"),
                1 => format!("({a} OR {b})"),
                _ => format!("(NOT {a})"),
            };
        }
        let depth = depth.min(1);
        match self.below(6) {
            0 => format!("({} IS NULL)", self.text(t, depth)),
            1 => format!(
                "({} LIKE '{}')",
                self.text(t, depth),
                self.of(&["Event1%", "%a%", "_vent_", "", "%.com"])
            ),
            2 => format!("({} IN ('Event1', 'Event2', {}))", self.text(t, depth), self.text(t, 0)),
            3 => format!("({} {op} {})", self.whole(t, depth), self.whole(t, depth)),
            4 => format!("({} BETWEEN {} AND {})", self.text(t, depth), self.text(t, 0), self.text(t, 0)),
            _ => format!("({} {op} {})", self.text(t, depth), self.text(t, depth)),
        }
    }

    fn aggregate(&mut self, t: &str) -> String {
        let made = match self.below(8) {
            0 => "count(*)".to_owned(),
            1 => format!("count({})", self.text(t, 1)),
            2 => format!("min({})", self.text(t, 1)),
            3 => format!("max({})", self.text(t, 1)),
            4 => format!("sum({})", self.whole(t, 1)),
            5 => format!("count(DISTINCT {})", self.text(t, 1)),
            6 => format!("bool_or({})", self.condition(t, 1)),
            _ => format!("avg({})", self.whole(t, 1)),
        };
        if self.below(4) == 0 { format!("{made} FILTER (WHERE {})", self.condition(t, 1)) } else { made }
    }

    /// A query, and whether its rows are ordered.
    fn query(&mut self) -> (String, bool) {
        let (text, more, condition) = (self.text("e", 2), self.whole("e", 2), self.condition("e", 2));
        let sql = match self.below(14) {
            0 => format!("SELECT e.eventid, {text}, {more} FROM events e WHERE {condition}"),
            1 => format!("SELECT DISTINCT {text}, {} FROM events e WHERE {condition}", self.text("e", 1)),
            2 => format!(
                "SELECT {text}, {}, {} FROM events e WHERE {condition} GROUP BY 1 HAVING count(*) > {}",
                self.aggregate("e"),
                self.aggregate("e"),
                self.below(4)
            ),
            3 => format!(
                "SELECT {}, {}, {} FROM events e WHERE {condition}",
                self.aggregate("e"),
                self.aggregate("e"),
                self.aggregate("e")
            ),
            4 => {
                let sorted =
                    format!("{text} {} NULLS {}", self.of(&["ASC", "DESC"]), self.of(&["FIRST", "LAST"]));
                let limit = 1 + self.below(40);
                return (
                    format!(
                        "SELECT e.eventid, {more} FROM events e WHERE {condition} ORDER BY {sorted}, e.eventid LIMIT {limit} OFFSET {}",
                        self.below(9)
                    ),
                    true,
                );
            }
            5 => format!(
                "SELECT a.eventid, b.eventid FROM events a JOIN events b ON a.sourceipaddress = b.sourceipaddress AND {} WHERE {}",
                self.condition("b", 1),
                self.condition("a", 1)
            ),
            6 => format!(
                "SELECT a.eventname, count(*), count(b.eventid) FROM events a LEFT JOIN events b ON {} = b.eventname AND b.errorcode IS NOT NULL AND a.eventid < b.eventid GROUP BY 1",
                self.text("a", 1)
            ),
            7 => format!(
                "SELECT e.eventid FROM events e WHERE {}EXISTS (SELECT 1 FROM events i WHERE i.sourceipaddress = e.sourceipaddress AND i.eventid <> e.eventid AND {})",
                self.of(&["", "NOT "]),
                self.condition("i", 1)
            ),
            8 => format!(
                "SELECT e.eventid, (SELECT {} FROM events i WHERE i.useragent = e.useragent AND {}) FROM events e WHERE {condition}",
                self.aggregate("i").replace("avg(", "max("),
                self.condition("i", 1)
            ),
            9 => format!(
                "SELECT e.eventid FROM events e WHERE {text} {}IN (SELECT {} FROM events i WHERE {})",
                self.of(&["", "NOT "]),
                self.text("i", 1),
                self.condition("i", 1)
            ),
            10 => {
                let window = format!(
                    "OVER (PARTITION BY {} ORDER BY e.eventtime NULLS LAST, e.eventid",
                    self.text("e", 1)
                );
                let rows = format!("{window} ROWS BETWEEN {} PRECEDING AND CURRENT ROW)", self.below(4));
                format!(
                    "SELECT e.eventid, row_number() {window}), lag(e.eventname, {}) {window}), count(*) {rows}, sum({}) {rows} FROM events e",
                    1 + self.below(3),
                    self.whole("e", 1)
                )
            }
            11 => {
                // The first rows by a column for which the lake has bounds.
                let column = self.of(&["eventtime", "eventid", "sourceipaddress"]);
                let order = format!("e.{column} {} NULLS LAST, e.eventid", self.of(&["ASC", "DESC"]));
                let limit = 1 + self.below(40);
                let condition =
                    if self.below(2) == 0 { String::new() } else { format!("WHERE {condition} ") };
                return (
                    format!(
                        "SELECT e.eventid, e.{column}, e.useragent FROM events e {condition}ORDER BY {order} LIMIT {limit}"
                    ),
                    true,
                );
            }
            12 => {
                // The first events of each partition.
                let (by, column) = (
                    self.of(&["e.eventname", "e.useridentity.arn, e.eventsource"]),
                    self.of(&["eventtime", "useragent"]),
                );
                let order = format!("e.{column} {} NULLS LAST, e.eventid", self.of(&["ASC", "DESC"]));
                let condition =
                    if self.below(2) == 0 { String::new() } else { format!(" WHERE {condition}") };
                let number = format!("row_number() OVER (PARTITION BY {by} ORDER BY {order}) AS n");
                let wanted = self.of(&["n = 1", "n <= 3", "2 > q.n", "n = 2 AND q.eventid > '2'"]);
                format!(
                    "SELECT q.eventid, q.eventname, n FROM (SELECT e.eventid, e.eventname, {number} FROM events e{condition}) q WHERE {wanted}"
                )
            }
            _ => format!(
                "SELECT r.type, {}, count(*), max(r.arn) FROM events e CROSS JOIN UNNEST(e.resources) AS u(r) WHERE {condition} GROUP BY 1, 2",
                self.text("e", 1)
            ),
        };
        let whole = match self.below(10) {
            0 => format!(
                "SELECT * FROM ({sql}) AS q {} SELECT * FROM ({sql}) AS p",
                self.of(&["UNION ALL", "EXCEPT", "INTERSECT", "UNION"])
            ),
            1 => format!("WITH q AS ({sql}) SELECT count(*) FROM q"),
            _ => sql,
        };
        (whole, false)
    }
}

fn record(draw: &mut Draw, number: usize) -> Value {
    let mut record = json!({
        "eventVersion": "1.11", "eventID": format!("{:08x}-{number:04x}", draw.below(1 << 30)), "awsRegion": "eu-central-1",
        "recipientAccountId": "111122223333", "eventSource": draw.of(&["ecr.amazonaws.com", "iam.amazonaws.com", ""]),
        "eventName": format!("Event{}", draw.below(12)),
        "eventTime": format!("2026-03-0{}T{:02}:{:02}:00Z", 1 + draw.below(3), draw.below(24), draw.below(60)),
        "sourceIPAddress": format!("10.0.0.{}", draw.below(40)), "userAgent": format!("agent é {}", draw.below(25)),
    });
    if draw.below(3) == 0 {
        record["errorCode"] = json!(draw.of(&["AccessDenied", "Throttling", ""]));
    }
    if draw.below(4) > 0 {
        record["userIdentity"] =
            json!({"type": draw.of(&["Root", "AssumedRole"]), "arn": format!("arn:{}", draw.below(30))});
        record["requestParameters"] = json!({"name": format!("r{}", draw.below(9)), "size": draw.below(5), "deep": {"er": draw.below(2) == 0}});
    }
    if draw.below(2) == 0 {
        record["resources"] = (0..draw.below(4))
            .map(|_| json!({"ARN": format!("arn:r{}", draw.below(9)), "type": draw.of(&["A", "B"])}))
            .collect();
    }
    record
}

fn lake(folder: &Path, draw: &mut Draw) {
    let logs = folder.join("logs");
    fs::create_dir_all(&logs).unwrap();
    for object in 0..12 {
        let records: Vec<Value> = (0..120).map(|number| record(draw, object * 120 + number)).collect();
        fs::write(
            logs.join(format!("111122223333_CloudTrail_eu-central-1_20260302T{object:04}Z_x.json")),
            json!({ "Records": records }).to_string(),
        )
        .unwrap();
    }
    let output = Command::new(PROGRAM)
        .arg("ingest")
        .arg(&logs)
        .arg("--lake")
        .arg(folder.join("lake"))
        .arg("-q")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A value as both programs show it; the last digits of doubles are left out.
fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.to_string(),
            None => {
                let double = number.as_f64().unwrap_or_default();
                if double.fract() == 0.0 && double.abs() < 1e15 {
                    format!("{double:.0}")
                } else {
                    format!("{double:.9e}")
                }
            }
        },
        other => other.to_string(),
    }
}

fn ours(sql: &str, from: &Path, ordered: bool) -> Result<Vec<String>, String> {
    let output = Command::new(PROGRAM)
        .args(["query", sql])
        .arg(from)
        .args(["--format", "json", "-q", "--allow-incomplete"])
        .output()
        .unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> = document["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    let row = |row: &Value| names.iter().map(|name| shown(&row[*name])).collect::<Vec<_>>().join(" | ");
    Ok(in_order(document["rows"].as_array().unwrap().iter().map(row).collect(), ordered))
}

fn in_order(mut rows: Vec<String>, ordered: bool) -> Vec<String> {
    if !ordered {
        rows.sort();
    }
    rows
}

#[test]
fn duckdb_says_the_same() {
    let python = std::env::var("TAGFALL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if !Command::new(&python)
        .args(["-c", "import duckdb"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("SKIPPED: duckdb_says_the_same: {python} has no module duckdb (pip install duckdb)");
        return;
    }
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(14);
    println!("SEED={seed}");
    let (folder, mut draw) = (tempfile::tempdir().unwrap(), Draw(seed));
    lake(folder.path(), &mut draw);
    let queries: Vec<(String, bool)> = (0..QUERIES).map(|_| draw.query()).collect();
    let mut oracle = Command::new(python)
        .args(["-c", ORACLE])
        .arg(folder.path().join("lake"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = queries
        .iter()
        .map(|(sql, _)| format!("{}\n", json!(sql.replace("JSON(", "json_extract_string("))))
        .collect();
    let mut stdin = oracle.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let answers = oracle.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for ((sql, ordered), answer) in queries.iter().zip(String::from_utf8(answers).unwrap().lines()) {
        let theirs = match serde_json::from_str(answer).unwrap() {
            Value::Array(rows) => in_order(
                rows.iter()
                    .map(|row| row.as_array().unwrap().iter().map(shown).collect::<Vec<_>>().join(" | "))
                    .collect(),
                *ordered,
            ),
            error => {
                println!("not for DuckDB: {sql}: {error}");
                continue;
            }
        };
        compared += 1;
        // Archive and lake are evaluated in different ways.
        for from in ["lake", "logs"] {
            match ours(&sql.replace("JSON(", "json_extract_scalar("), &folder.path().join(from), *ordered) {
                Ok(rows) if rows == theirs => {}
                Ok(rows) => {
                    let differs = rows.iter().zip(&theirs).find(|(a, b)| a != b);
                    wrong.push(format!(
                        "{from}: {sql}\n  {} rows, DuckDB {}; first {differs:?}",
                        rows.len(),
                        theirs.len()
                    ));
                }
                Err(error) => wrong.push(format!("{from}: {sql}\n  {error}")),
            }
        }
    }
    assert!(compared > QUERIES * 3 / 4, "only {compared} queries could be compared");
    assert!(wrong.is_empty(), "SEED={seed}, {} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
}
