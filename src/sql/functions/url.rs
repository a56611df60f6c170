//! URLs and their parts.

use super::super::error::Result;
use super::super::values::Values;
use super::Call;
use crate::tables::Kind;

pub(super) const NAMES: &[&str] = &[
    "url_decode",
    "url_encode",
    "url_extract_fragment",
    "url_extract_host",
    "url_extract_parameter",
    "url_extract_path",
    "url_extract_port",
    "url_extract_protocol",
    "url_extract_query",
];

pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    let part = |part: fn(Url<'_>) -> Option<&str>| call.text_to(Kind::Varchar, |text| part(Url::of(text)?).map(str::to_owned));
    Some(match call.name {
        "url_decode" => call.text_to(Kind::Varchar, |text| Some(url_decode(text))),
        "url_encode" => call.text_to(Kind::Varchar, |text| Some(url_encode(text))),
        "url_extract_fragment" => part(|url| url.fragment),
        "url_extract_host" => part(|url| Some(url.host)),
        "url_extract_path" => part(|url| Some(url.path)),
        "url_extract_protocol" => part(|url| Some(url.protocol)),
        "url_extract_query" => part(|url| url.query),
        "url_extract_port" => call.text_to(Kind::Bigint, |text| Url::of(text)?.port?.parse::<i64>().ok()),
        "url_extract_parameter" => parameter(call),
        _ => return None,
    })
}

fn parameter(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (urls, names) = (call.texts(0)?, call.texts(1)?);
    call.build(Kind::Varchar, |row| {
        let Some((query, name)) = urls.get(row).and_then(Url::of).and_then(|url| url.query).zip(names.get(row)) else { return Ok(None) };
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Ok(pairs.find(|(key, _)| url_decode(key) == name).map(|(_, value)| url_decode(value)))
    })
}

struct Url<'t> {
    protocol: &'t str,
    host: &'t str,
    port: Option<&'t str>,
    path: &'t str,
    query: Option<&'t str>,
    fragment: Option<&'t str>,
}

impl<'t> Url<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let (protocol, rest) = text.split_once("://")?;
        let (rest, fragment) = split(rest, '#');
        let (rest, query) = split(rest, '?');
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = split(authority.rsplit('@').next().unwrap_or(authority), ':');
        Some(Self { protocol, host, port, path, query, fragment })
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn url_encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn url_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => std::str::from_utf8(&[*high, *low]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok()),
            _ => None,
        };
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
