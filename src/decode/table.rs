//! CSV as CloudTrail Lake, Athena, CloudWatch Logs Insights and Splunk export it.
//!
//! If a column contains whole records, these are read. If the table has CloudTrail's own columns, records are
//! made from them; the report then says that parts of the records may be missing.

use std::borrow::Cow;
use std::io::{self, BufReader, Read};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::foreign;
use super::json::{skip_space, skip_value};
use super::names::{flattened, known_inside};

/// Maximum length of a header line in bytes: some exporters write a column for each member of a record.
const HEADING_BYTES_MAX: usize = 30_000;
/// The record in a table without header begins within this many bytes.
const ROW_BYTES_MAX: usize = 4_000;
/// Approximate bytes of text that are made at a time.
const STEP_BYTES: usize = 64 << 10;

/// Columns by CloudTrail's own names. Tables have them in lower case, some with underscores.
const COLUMNS: &[(&str, Kind)] = &[
    ("eventVersion", Kind::Text),
    ("userIdentity", Kind::Struct),
    ("eventTime", Kind::Text),
    ("eventSource", Kind::Text),
    ("eventName", Kind::Text),
    ("awsRegion", Kind::Text),
    ("sourceIPAddress", Kind::Text),
    ("userAgent", Kind::Text),
    ("errorCode", Kind::Text),
    ("errorMessage", Kind::Text),
    ("requestParameters", Kind::Struct),
    ("responseElements", Kind::Struct),
    ("additionalEventData", Kind::Struct),
    ("requestID", Kind::Text),
    ("eventID", Kind::Text),
    ("readOnly", Kind::Flag),
    ("resources", Kind::Struct),
    ("eventType", Kind::Text),
    ("apiVersion", Kind::Text),
    ("managementEvent", Kind::Flag),
    ("recipientAccountId", Kind::Text),
    ("sharedEventID", Kind::Text),
    ("vpcEndpointId", Kind::Text),
    ("eventCategory", Kind::Text),
    ("serviceEventDetails", Kind::Struct),
    ("addendum", Kind::Struct),
    ("sessionCredentialFromConsole", Kind::Text),
    ("tlsDetails", Kind::Struct),
];

/// Microsoft Sentinel's names for some of them.
const OTHERS: &[(&str, &str)] = &[
    ("timegenerated", "eventTime"),
    ("awseventid", "eventID"),
    ("awsrequestid", "requestID"),
    ("eventtypename", "eventType"),
    ("sourceipaddress", "sourceIPAddress"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Flag,
    /// JSON, or a struct as Athena writes it: `{type=Root, arn=…}`.
    Struct,
    /// A nested member in a column of its own; it is moved into its object when the record is repaired.
    Member,
}

/// A column that is part of a record.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub column: usize,
    pub name: Cow<'static, str>,
    kind: Kind,
}

/// Whether the columns contain request parameters.
pub(super) fn has_requests(known: &[Known]) -> bool {
    known.iter().any(|known| {
        known.name == "requestParameters"
            || known.kind == Kind::Member && known.name.starts_with("requestParameters")
    })
}

/// A table as records.
pub(super) struct Table<'r> {
    /// As JSON lines.
    pub records: Box<dyn Read + 'r>,
    pub lossy: bool,
}

/// Whether `head` begins with the header line of a table that may contain records.
pub(super) fn is_table(head: &[u8]) -> bool {
    let text = Form::of(head).behind_preamble(head);
    if is_row(text) {
        return true;
    }
    let Some(length) = memchr::memchr(b'\n', text.get(..HEADING_BYTES_MAX).unwrap_or(text)) else {
        return false;
    };
    let line = text.get(..length).unwrap_or_default().trim_ascii_end();
    if !line.first().is_some_and(|first| {
        first.is_ascii_alphabetic() || matches!(first, b'"' | b'_' | b'@' | b',' | b';' | b'\t')
    }) {
        return false;
    }
    let names = heading(line);
    let wordlike = |name: &String| {
        name.len() <= 200
            && name
                .replace("{}", "")
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b" _@.-:/()#".contains(&byte))
    };
    if names.is_empty() || !names.iter().all(wordlike) {
        return false;
    }
    let behind = text.get(length..).unwrap_or_default().trim_ascii_start();
    let holds_json = behind.starts_with(b"{")
        || memchr::memmem::find(behind.get(..1000).unwrap_or(behind), b"\"{").is_some();
    known(&names).len() >= 3 || holds_json
}

/// Whether a table without a header begins here: a whole record in quotes, possibly after some other cells.
fn is_row(text: &[u8]) -> bool {
    let near = text.get(..text.len().min(ROW_BYTES_MAX)).unwrap_or(text);
    let Some(at) = memchr::memmem::find(near, b"\"{\"\"") else { return false };
    let (before, cell) = near.split_at(at);
    // The cells before it in the first row are plain.
    let is_plain = before.iter().all(|byte| byte.is_ascii_alphanumeric() || b"\",;|\t -:._+/".contains(byte));
    let is_ours =
        [&b"\"\"eventName\"\""[..], b"\"\"eventVersion\"\"", b"\"\"Records\"\"", b"\"\"detail-type\"\""];
    is_plain && is_ours.iter().any(|key| memchr::memmem::find(cell, key).is_some())
}

/// The dialect of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    /// Length of what precedes the header: a byte order mark, Excel's `sep=;`, PowerShell's `#TYPE`.
    preamble: usize,
    delimiter: u8,
    /// Whether there is no header.
    bare: bool,
    /// Whether quotes in cells are escaped by a backslash, as Spark writes them.
    backslashes: bool,
}

/// Whether the first cell with a JSON object escapes its quotes by a backslash, and not by doubling them.
/// Quotes inside of JSON strings have both.
fn has_backslashes(text: &[u8]) -> bool {
    let begins = |at: &usize| at.checked_sub(1).and_then(|before| text.get(before)) != Some(&b'"');
    let quote = |at: usize| text.get(at + 2..).unwrap_or_default().trim_ascii_start();
    memchr::memmem::find_iter(text, b"\"{").filter(begins).map(quote).find_map(|quote| match quote {
        [b'\\', b'"', ..] => Some(true),
        [b'"', b'"', ..] => Some(false),
        _ => None,
    }) == Some(true)
}

impl Form {
    fn of(head: &[u8]) -> Self {
        let mark = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let text = head.get(mark..).unwrap_or_default();
        let line = |text: &[u8]| memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1);
        let said =
            text.strip_prefix(b"sep=").and_then(|rest| rest.first().copied()).filter(|_| line(text) <= 8);
        // PowerShell's `#TYPE Amazon.CloudTrail.Model.Event`.
        let is_type = text.starts_with(b"#TYPE ");
        let preamble = mark + if said.is_some() || is_type { line(text) } else { 0 };
        let text = head.get(preamble..).unwrap_or_default();
        let bare = is_row(text);
        let first = text.get(..line(text)).unwrap_or_default();
        let behind = if bare { text } else { text.get(first.len()..).unwrap_or_default() };
        let backslashes = has_backslashes(behind);
        Self {
            preamble,
            delimiter: said.unwrap_or_else(|| delimiter(if bare { b"" } else { first })),
            bare,
            backslashes,
        }
    }

    fn behind_preamble(self, head: &[u8]) -> &[u8] {
        head.get(self.preamble..).unwrap_or_default()
    }
}

fn heading(line: &[u8]) -> Vec<String> {
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter(line)).has_headers(false).flexible(true).from_reader(line);
    let first = reader.byte_records().next().and_then(Result::ok).unwrap_or_default();
    first.iter().map(column_name).collect()
}

/// The name of a column without additions: a byte order mark, or Microsoft's ` [UTC]` for the time zone.
fn column_name(written: &[u8]) -> String {
    let name = String::from_utf8_lossy(written);
    let name = name.trim_start_matches('\u{feff}').trim();
    name.strip_suffix(" [UTC]").unwrap_or(name).to_owned()
}

fn delimiter(line: &[u8]) -> u8 {
    let count = |byte: u8| memchr::memchr_iter(byte, line).count();
    [b',', b'\t', b';', b'|']
        .into_iter()
        .max_by_key(|&byte| (count(byte), byte == b','))
        .filter(|&byte| count(byte) > 0)
        .unwrap_or(b',')
}

pub(super) fn known(names: &[String]) -> Vec<Known> {
    let plain = |name: &str| name.rsplit('.').next().unwrap_or(name).replace('_', "").to_ascii_lowercase();
    // Datadog's columns of attributes.
    let find = |(column, written): (usize, &String)| {
        let written = written.strip_prefix('@').filter(|_| written != "@timestamp").unwrap_or(written);
        if let Some(names) = flattened(written.as_bytes()) {
            return Some(Known { column, name: Cow::Owned(names.join(".")), kind: Kind::Member });
        }
        let name = plain(written);
        let other = OTHERS.iter().find(|(other, _)| *other == name).map(|(_, known)| *known);
        let (name, kind) =
            COLUMNS.iter().find(|(known, _)| Some(*known) == other || known.to_ascii_lowercase() == name)?;
        Some(Known { column, name: Cow::Borrowed(name), kind: *kind })
    };
    names.iter().enumerate().filter_map(find).collect()
}

/// Reads the header, and returns the rows as records.
///
/// # Errors
/// The columns contain no records, and why.
pub(super) fn records<'r>(reader: Box<dyn Read + 'r>) -> Result<Table<'r>, String> {
    let (head, reader) = super::layers::head(reader);
    let form = Form::of(&head);
    let text = form.behind_preamble(&head);
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut reader = BufReader::new(reader);
    io::copy(&mut reader.by_ref().take(form.preamble as u64), &mut io::sink())
        .map_err(|error| error.to_string())?;
    let mut rows = ReaderBuilder::new()
        .delimiter(form.delimiter)
        .has_headers(!form.bare)
        .flexible(true)
        .double_quote(!form.backslashes)
        .escape(form.backslashes.then_some(b'\\'))
        .from_reader(reader);
    let names: Vec<String> =
        rows.byte_headers().map_err(|error| reason(&error))?.iter().map(column_name).collect();
    let known = if form.bare { Vec::new() } else { known(&names) };
    let mut row = ByteRecord::new();
    let first = rows.read_byte_record(&mut row).map_err(|error| reason(&error))?.then_some(row);
    let whole = first.as_ref().and_then(|row| row.iter().position(holds_record));
    if whole.is_none()
        && !["eventTime", "eventSource", "eventName"]
            .iter()
            .all(|name| known.iter().any(|known| known.name == *name))
    {
        return Err(foreign::csv(text).unwrap_or_else(|| {
            format!(
                "CSV with the columns {}, and none of them holds records: export whole records, as JSON",
                super::fields::excerpt(line)
            )
        }));
    }
    if whole.is_none() && !has_requests(&known) {
        return Err("CSV (CloudTrail Lake or Athena) without a column requestparameters, so that no image can be told: select that column, too, or \
                    export whole records"
            .to_owned());
    }
    let made = Made { rows, columns: names.len(), known, whole, next: first, out: Vec::new(), at: 0 };
    Ok(Table { records: Box::new(made), lossy: whole.is_none() })
}

/// Whether a cell contains an event as JSON.
pub(super) fn holds_record(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    cell.starts_with(b"{")
        && [&b"\"eventName\""[..], b"\"eventVersion\"", b"\"detail-type\"", b"\"Records\""]
            .iter()
            .any(|key| memchr::memmem::find(cell, key).is_some())
}

fn reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Io(error) => error.to_string(),
        _ => format!("the CSV is damaged: {error}"),
    }
}

/// A reader of JSON lines, which are made from rows on demand.
struct Made<R> {
    rows: Reader<R>,
    /// Number of columns in the heading.
    columns: usize,
    known: Vec<Known>,
    whole: Option<usize>,
    next: Option<ByteRecord>,
    out: Vec<u8>,
    at: usize,
}

impl<R: Read> Made<R> {
    fn refill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.at = 0;
        while self.out.len() < STEP_BYTES {
            let Some(row) = self.next.take() else { break };
            self.write(&row);
            let mut row = row;
            match self.rows.read_byte_record(&mut row) {
                Ok(true) => self.next = Some(row),
                Ok(false) => {}
                Err(error) if self.out.is_empty() => return Err(io::Error::other(reason(&error))),
                // The rows before the error are returned first; then the CSV reader returns it again, or
                // continues.
                Err(_) => self.next = Some(ByteRecord::new()),
            }
        }
        Ok(())
    }

    fn write(&mut self, row: &ByteRecord) {
        let Some(whole) = self.whole else {
            if row.iter().skip(self.columns).any(|cell| !cell.trim_ascii().is_empty()) {
                // Somewhere a delimiter is not in quotes, and what follows stands under other names. This is no
                // record, and is told as that.
                let told = format!("{} cells under {} columns\n", row.len(), self.columns);
                self.out.extend_from_slice(told.as_bytes());
            } else if !row.is_empty() {
                write_record(&mut self.out, &self.known, |at| {
                    let column = self.known.get(at).and_then(|known| row.get(known.column));
                    Cow::Borrowed(column.unwrap_or_default())
                });
            }
            return;
        };
        write_line(&mut self.out, row.get(whole).unwrap_or_default());
    }
}

impl<R: Read> Read for Made<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.out.len() {
            self.refill()?;
        }
        let rest = self.out.get(self.at..).unwrap_or_default();
        let taken = rest.len().min(out.len());
        out[..taken].copy_from_slice(&rest[..taken]);
        self.at += taken;
        Ok(taken)
    }
}

/// Writes a whole record on one line. Inside of strings, line ends are escaped; elsewhere they are white
/// space.
pub(super) fn write_line(out: &mut Vec<u8>, record: &[u8]) {
    out.extend(record.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
    out.push(b'\n');
}

/// Writes a record from the cells of a row, one for each of the `known` columns.
pub(super) fn write_record<'c>(out: &mut Vec<u8>, known: &[Known], cell: impl Fn(usize) -> Cow<'c, [u8]>) {
    out.push(b'{');
    let mut first = true;
    let mut written: Vec<&str> = Vec::new();
    for (at, Known { name, kind, .. }) in known.iter().enumerate() {
        let cell = cell(at);
        let cell = cell.trim_ascii();
        // Empty cells and words for null are left out.
        if cell.is_empty() || [&b"null"[..], b"NULL", b"-", b"None", b"nan", b"NaN"].contains(&cell) {
            continue;
        }
        // Of two columns with one name the first non-empty one counts.
        if written.contains(&&**name) {
            continue;
        }
        written.push(name);
        if !first {
            out.push(b',');
        }
        first = false;
        write_text(out, name);
        out.push(b':');
        match kind {
            Kind::Flag if cell.eq_ignore_ascii_case(b"true") => out.extend_from_slice(b"true"),
            Kind::Flag if cell.eq_ignore_ascii_case(b"false") => out.extend_from_slice(b"false"),
            Kind::Struct if is_json(cell) => {
                out.extend(cell.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }))
            }
            Kind::Struct if matches!(cell, [b'{', .., b'}'] | [b'[', .., b']']) => {
                let text = String::from_utf8_lossy(cell);
                match super::literal::json(&text) {
                    Some(json) => out.extend_from_slice(json.replace(['\n', '\r'], " ").as_bytes()),
                    None => write_struct(out, &text, 0),
                }
            }
            _ => write_text(out, &String::from_utf8_lossy(cell)),
        }
    }
    out.extend_from_slice(b"}\n");
}

fn is_json(cell: &[u8]) -> bool {
    matches!(cell.first(), Some(b'{' | b'['))
        && skip_value(cell, 0).is_ok_and(|end| skip_space(cell, end) == cell.len())
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

/// The same as JSON; `None` if the text is nothing of the kind.
pub(super) fn struct_as_json(text: &str) -> Option<String> {
    let text = text.trim();
    matches!(text.as_bytes(), [b'{', .., b'}']).then_some(())?;
    let mut out = Vec::new();
    write_struct(&mut out, text, 0);
    String::from_utf8(out).ok()
}

/// Converts Athena's notation for a struct, `{type=Root, sessioncontext={…}}`, or an array to JSON.
fn write_struct(out: &mut Vec<u8>, text: &str, depth: u8) {
    const DEPTH_MAX: u8 = 8;
    let inside = text.get(1..text.len() - 1).unwrap_or_default();
    let is_list = text.starts_with('[');
    out.push(if is_list { b'[' } else { b'{' });
    let mut first = true;
    for part in parts(inside) {
        let (key, value) = match part.split_once('=') {
            Some((key, value)) if !is_list => (Some(key.trim()), value.trim()),
            _ => (None, part.trim()),
        };
        if value.is_empty() || value == "null" || key.is_none() && !is_list {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        if let Some(key) = key {
            write_text(out, known_inside(key));
            out.push(b':');
        }
        let nested = value.len() >= 2
            && (value.starts_with('{') && value.ends_with('}')
                || value.starts_with('[') && value.ends_with(']'));
        if nested && depth < DEPTH_MAX { write_struct(out, value, depth + 1) } else { write_text(out, value) }
    }
    out.push(if is_list { b']' } else { b'}' });
}

/// The parts between commas outside of inner brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(csv: &str) -> Result<String, String> {
        let mut out = String::new();
        records(Box::new(csv.as_bytes()))
            .map(|mut table| table.records.read_to_string(&mut out).unwrap())
            .map(|_| out)
    }

    #[test]
    fn a_column_with_whole_records_is_the_table() {
        let csv = "timestamp,@message,n\n1,\"{\"\"eventVersion\"\":\"\"1\"\",\n \"\"a\"\":\"\"b, c\"\"}\",x\n2,\"{\"\"eventVersion\"\":\"\"2\"\"}\",y\n";
        assert!(is_table(csv.as_bytes()));
        assert_eq!(
            lines(csv).unwrap(),
            "{\"eventVersion\":\"1\",  \"a\":\"b, c\"}\n{\"eventVersion\":\"2\"}\n"
        );
    }

    #[test]
    fn cloudtrails_columns_make_a_record() {
        let csv = "eventtime,eventsource,eventname,useridentity,requestparameters,readonly,errorcode\n\
                   2026-03-02T10:00:00Z,ecr.amazonaws.com,PutImage,\"{type=AssumedRole, arn=arn:aws:x, sessioncontext={attributes={mfaauthenticated=false}}}\",\"{\"\"a\"\":1}\",false,\n";
        assert!(is_table(csv.as_bytes()));
        let value: serde_json::Value = serde_json::from_str(&lines(csv).unwrap()).unwrap();
        assert_eq!(value["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"], "false");
        assert_eq!(
            (&value["requestParameters"]["a"], &value["readOnly"]),
            (&serde_json::json!(1), &serde_json::json!(false))
        );
        assert!(value.get("errorCode").is_none());
    }

    #[test]
    fn how_quotes_are_written_is_told_by_the_first_cell_with_an_object() {
        for (cell, expected) in [
            (r#"a,"{""b"":""{""c"":1}""}""#, false),
            ("a,\"{\n  \"\"b\"\": \"\"{\\\"\"c\\\"\":1}\"\"}\"", false),
            (r#"a,"{\"b\":\"{\\\"c\\\":1}\"}""#, true),
            ("\"{\n  \\\"b\\\": 1}\"", true),
            ("a,b", false),
        ] {
            assert_eq!(has_backslashes(cell.as_bytes()), expected, "{cell}");
        }
    }

    #[test]
    fn no_table_and_no_records() {
        for text in [
            "{\"a\":1}\n",
            "79a5 bucket [02/Jun/2025:09:00:00 +0000] 198\n",
            "2026-03-02T10:00:00Z {\"eventVersion\":1}\n",
            "hello\nworld\n",
            "a,b\n1,2\n",
        ] {
            assert!(!is_table(text.as_bytes()), "{text}");
        }
        assert!(lines("eventname,calls,eventid\nPutImage,2,x\n").unwrap_err().contains("CSV"));
        assert!(lines("eventtime,eventname,eventsource\na,b,c\n").unwrap_err().contains("requestparameters"));
    }
}
