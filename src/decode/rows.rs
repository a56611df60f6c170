//! Tables as JSON, as services return them: Athena's rows after a row of column names, and rows of CloudTrail
//! Lake and CloudWatch Logs Insights, with an object for each cell.

use serde_json::{Map, Value};

use super::json::{Elements, Members, skip_value};
use super::table;

/// The key of a cell in Athena's results.
const CELL: &[u8] = b"\"VarCharValue\"";

/// The records of `athena get-query-results`, as JSON lines; `None` for anything else.
pub(super) fn of_athena(json: &[u8]) -> Option<Vec<u8>> {
    memchr::memmem::find(json, CELL)?;
    let answer: Value = serde_json::from_slice(json).ok()?;
    let rows = answer.pointer("/ResultSet/Rows")?.as_array()?;
    let cells = |row: &Value| -> Option<Vec<String>> {
        let text = |cell: &Value| cell["VarCharValue"].as_str().unwrap_or_default().to_owned();
        Some(row["Data"].as_array()?.iter().map(text).collect())
    };
    let (heading, rows) = rows.split_first()?;
    let known = table::known(&cells(heading)?);
    if !table::has_requests(&known) {
        return None;
    }
    let mut lines = Vec::new();
    for row in rows {
        let row = cells(row)?;
        table::write_record(&mut lines, &known, |at| {
            let cell = known.get(at).and_then(|known| row.get(known.column));
            cell.map_or_else(Default::default, |cell| cell.as_bytes().into())
        });
    }
    Some(lines)
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
