//! Tables as JSON, as services return them: Athena's rows after a row of column names, and rows of CloudTrail
//! Lake and CloudWatch Logs Insights, with an object for each cell.

use serde_json::{Map, Value};

use super::json::{Elements, Members, skip_value};
use super::table;

/// Records that were made of rows.
pub(super) struct Made {
    /// As JSON lines.
    pub lines: Vec<u8>,
    /// The columns are CloudTrail's, so that parts of a record may be missing.
    pub lossy: bool,
}

/// The key of a cell in Athena's results.
const CELL: &[u8] = b"\"VarCharValue\"";

/// The records of `athena get-query-results`; `None` for anything else.
pub(super) fn of_athena(json: &[u8]) -> Option<Made> {
    memchr::memmem::find(json, CELL)?;
    let answer: Value = serde_json::from_slice(json).ok()?;
    let rows = answer.pointer("/ResultSet/Rows")?.as_array()?;
    let cells = |row: &Value| -> Option<Vec<String>> {
        let text = |cell: &Value| cell["VarCharValue"].as_str().unwrap_or_default().to_owned();
        Some(row["Data"].as_array()?.iter().map(text).collect())
    };
    let (heading, rows) = rows.split_first()?;
    lines(&cells(heading)?, &rows.iter().map(cells).collect::<Option<Vec<_>>>()?)
}

/// Names that services give to the list of a table's columns, and to the list of its rows.
const COLUMNS: [&str; 6] = ["columns", "meta", "fields", "schema", "headers", "column_names"];
const ROWS: [&str; 3] = ["rows", "data", "values"];
/// Members with a column's name, if columns are described by objects.
const NAMES: [&str; 3] = ["name", "ColumnName", "columnName"];

/// The same of an object that has its columns in one list and its rows in another, as lists of cells: the answers of
/// Azure Monitor (Microsoft Sentinel), Kusto and ClickHouse, and pandas' `split`.
pub(super) fn of_columns(json: &[u8]) -> Option<Made> {
    let (mut columns, mut rows) = (None, None);
    let mut members = Members::of(json, 0);
    while let Ok(Some(member)) = members.next() {
        let end = skip_value(json, member.value).ok()?;
        let key = json.get(member.key)?;
        let is_one_of = |names: &[&str]| {
            json.get(member.value) == Some(&b'[')
                && names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(key))
        };
        if is_one_of(&COLUMNS) {
            columns = Some(member.value..end);
        } else if is_one_of(&ROWS) {
            rows = Some(member.value..end);
        }
        members.go_on(end);
    }
    let name = |column: &Value| -> Option<String> {
        let name = column.as_str().or_else(|| NAMES.iter().find_map(|name| column.get(*name)?.as_str()))?;
        Some(name.to_owned())
    };
    let columns: Vec<Value> = serde_json::from_slice(json.get(columns?)?).ok()?;
    let heading: Vec<String> = columns.iter().map(name).collect::<Option<_>>()?;
    let rows: Vec<Vec<Value>> = serde_json::from_slice(json.get(rows?)?).ok()?;
    let text = |cell: &Value| match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    lines(&heading, &rows.iter().map(|row| row.iter().map(text).collect()).collect::<Vec<_>>())
}

/// Rows under a heading; `None` where they are no records.
fn lines(heading: &[String], rows: &[Vec<String>]) -> Option<Made> {
    let mut lines = Vec::new();
    if let Some(whole) = rows.first()?.iter().position(|cell| table::holds_record(cell.as_bytes())) {
        rows.iter()
            .filter_map(|row| row.get(whole))
            .for_each(|cell| table::write_line(&mut lines, cell.as_bytes()));
        return Some(Made { lines, lossy: false });
    }
    let known = table::known(heading);
    if !table::has_requests(&known) {
        return None;
    }
    for row in rows {
        table::write_record(&mut lines, &known, |at| {
            let cell = known.get(at).and_then(|known| row.get(known.column));
            cell.map_or_else(Default::default, |cell| cell.as_bytes().into())
        });
    }
    Some(Made { lines, lossy: true })
}

/// Converts a row to one object. The elements of the list at `at` are its cells: `{"eventName":"…"}` or
/// `{"field":"eventName","value":"…"}`. `None` if it is not a row of events.
pub(super) fn merged(text: &[u8], at: usize) -> Option<String> {
    let mut row = Map::new();
    let mut elements = Elements::of(text, at);
    while let Ok(Some(element)) = elements.next() {
        let end = skip_value(text, element).ok()?;
        let (name, value) = cell(text.get(element..end)?)?;
        row.insert(name, value);
        elements.go_on(end);
    }
    let has = |name: &str| row.keys().any(|key| key.eq_ignore_ascii_case(name));
    (has("eventName") && has("eventSource") && has("eventTime")).then(|| Value::Object(row).to_string())
}

fn cell(json: &[u8]) -> Option<(String, Value)> {
    // Recognised without a full parse: one member, or the two of a field.
    let mut members = Members::of(json, 0);
    let mut count = 0;
    while let Ok(Some(member)) = members.next() {
        members.go_on(skip_value(json, member.value).ok()?);
        count += 1;
        if count > 2 {
            return None;
        }
    }
    let Value::Object(mut object) = serde_json::from_slice(json).ok()? else { return None };
    match (object.get("field").and_then(Value::as_str).map(str::to_owned), count) {
        (Some(name), 2) => Some((name, object.remove("value")?)),
        (_, 1) => object.into_iter().next(),
        _ => None,
    }
}
