//! Recognises content that is not JSON, and says what it is and what to do instead.

/// Why `text` cannot contain records; `None` if it may. Empty text is handled elsewhere.
pub(super) fn refusal(text: &[u8]) -> Option<String> {
    let known: &[(&[u8], &str)] = &[
        (b"BZh", "bzip2 data: decompress it first"),
        (b"\xfd7zXZ\0", "xz data: decompress it first"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
        (b"PAR1", "Parquet, which this build cannot read: build with the feature sql, or export JSON"),
        (b"\xff\xfe\0\0", "UTF-32 text: convert it to UTF-8 first (iconv -f UTF-32 -t UTF-8)"),
        (b"\0\0\xfe\xff", "UTF-32 text: convert it to UTF-8 first (iconv -f UTF-32 -t UTF-8)"),
        (b"\x78\x01", "zlib data: decompress it first (zlib-flate -uncompress, or pigz -dz)"),
        (b"\x78\x9c", "zlib data: decompress it first (zlib-flate -uncompress, or pigz -dz)"),
        (b"\x78\xda", "zlib data: decompress it first (zlib-flate -uncompress, or pigz -dz)"),
        (b"H4sI", "base64 of gzip data: decode it first (base64 -d)"),
        (b"eyJ", "base64 of JSON: decode it first (base64 -d)"),
        (b"ewo", "base64 of JSON: decode it first (base64 -d)"),
        (b"W3si", "base64 of JSON: decode it first (base64 -d)"),
        (b"\x1b[", "text with a terminal's colours: write it without them (jq -M, --color=never)"),
        (
            b"{\\\"",
            "JSON with escaped quotes, without the string that it was in: take the whole string, or unescape it",
        ),
        (
            b"[{\\\"",
            "JSON with escaped quotes, without the string that it was in: take the whole string, or unescape it",
        ),
        (b"{'", "Python's way to write objects (str or repr), not JSON: write them with json.dumps"),
        (b"[{'", "Python's way to write objects (str or repr), not JSON: write them with json.dumps"),
        (
            b"{\xe2\x80\x9c",
            "JSON whose quotes a word processor or a chat has changed: take it from where it came from, as a \
             file",
        ),
        (
            b"{\xe2\x80\x9d",
            "JSON whose quotes a word processor or a chat has changed: take it from where it came from, as a \
             file",
        ),
        (b"{&quot;", "JSON inside HTML: take it from where it came from, as a file"),
        (b"\xff\xfe", "UTF-16 text: convert it to UTF-8 first"),
        (b"\xfe\xff", "UTF-16 text: convert it to UTF-8 first"),
        (b"<", "XML or HTML, not JSON: an error page instead of the object?"),
    ];
    if let Some((_, reason)) = known.iter().find(|(magic, _)| text.starts_with(magic)) {
        return Some((*reason).to_owned());
    }
    let head = text.get(..text.len().min(512)).unwrap_or(text);
    if memchr::memchr(0, head).is_some() {
        let utf16 = matches!(head, [0, 1..=255, 0, 1..=255, ..] | [1..=255, 0, 1..=255, 0, ..]);
        let utf32 = matches!(
            head,
            [0, 0, 0, 1..=255, 0, 0, 0, 1..=255, ..] | [1..=255, 0, 0, 0, 1..=255, 0, 0, 0, ..]
        );
        let zeros = head.iter().all(|byte| *byte == 0);
        let reason = match () {
            () if utf16 => "UTF-16 text: convert it to UTF-8 first",
            () if utf32 => "UTF-32 text: convert it to UTF-8 first (iconv -f UTF-32 -t UTF-8)",
            () if zeros => {
                "nothing but zeros, not JSON: a file that was never written, or a copy that went wrong"
            }
            () => "binary data, not JSON",
        };
        return Some(reason.to_owned());
    }
    csv(text)
}

/// Number of bytes that are examined to tell a table from lines of JSON.
const BEHIND_BYTES: usize = 64 << 10;

/// Recognises CSV exports of events by their header line.
pub(super) fn csv(text: &[u8]) -> Option<String> {
    let line = text.split(|&byte| byte == b'\n').next()?;
    let header = String::from_utf8_lossy(line.get(..line.len().min(4096))?).to_lowercase();
    if text.starts_with(b"{") || text.starts_with(b"[") || !is_heading(&header) {
        return None;
    }
    let has = |name: &str| header.split(',').any(|column| column.trim().trim_matches('"') == name);
    if has("event name") && has("event time") {
        return Some(
            "CSV from the CloudTrail console, which leaves the request parameters out: download the event \
             history as JSON"
                .to_owned(),
        );
    }
    if has("eventname") || has("eventtime") || has("eventsource") || has("eventjson") {
        return Some(
            "CSV (CloudTrail Lake or Athena), whose columns are no records: export the trail's .json.gz \
             objects instead"
                .to_owned(),
        );
    }
    let is_wide = header.matches(',').count() > 0 || header.trim_end().ends_with('"');
    // One quoted word is also a valid line of JSON; a text with objects on lines of their own is not a
    // table.
    let behind = text.get(line.len()..text.len().min(BEHIND_BYTES)).unwrap_or_default();
    let has_objects = memchr::memmem::find(behind, b"\n{").is_some();
    (is_wide && !has_objects && text.len() > line.len()).then(|| {
        format!(
            "CSV with the columns {}, and none of them holds records",
            super::fields::excerpt(line.trim_ascii_end())
        )
    })
}

/// Whether a line may be the header of a table: words separated by commas, or one quoted word.
fn is_heading(line: &str) -> bool {
    let is_word = |cell: &str| {
        let word = cell.trim().trim_matches('"');
        let begins = word.starts_with(|first: char| first.is_alphabetic() || "_@".contains(first));
        begins && word.len() <= 80 && !word.contains(['"', '{', '}', ':', '=', '['])
    };
    line.trim_end().split(',').all(is_word)
}
