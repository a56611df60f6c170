//! URLs and their parts.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::call::Call;
use crate::sql::error::Result;
use crate::sql::types::values::Values;
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
    let part = |part: fn(Url<'_>) -> Option<&str>| {
        call.text_to(Kind::Varchar, |text| part(Url::of(text)?).map(str::to_owned))
    };
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
        let Some((query, name)) =
            urls.get(row).and_then(Url::of).and_then(|url| url.query).zip(names.get(row))
        else {
            return Ok(None);
        };
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
    const PLAIN: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');
    utf8_percent_encode(text, PLAIN).to_string().replace(' ', "+")
}

fn url_decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}
