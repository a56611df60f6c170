//! A settings file in TOML. It may be hostile: unless it is a small regular file, it is refused before it
//! is read.

use std::fs;
use std::io::Read;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::setting::{self, SETTINGS, Setting};
use crate::failure::Failure;

/// Far larger than any real settings file.
const BYTES_MAX: u64 = 64 << 10;

/// What a file sets.
pub struct File {
    /// `tagfall.toml`, as it was named.
    name: String,
    values: Vec<(&'static Setting, usize, Vec<String>)>,
}

impl File {
    /// Reads a file. Every mistake in it is an error, because a threshold that is silently ignored is none.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let cannot = |why: &dyn std::fmt::Display| {
            Failure::new(format!("cannot read the settings in {name}")).because(why)
        };
        // Checked before it is opened: opening a pipe would wait forever.
        let found =
            fs::metadata(path).map_err(|error| cannot(&error).advise("name another file with --config"))?;
        if !found.is_file() {
            return Err(cannot(&"it is not a regular file")
                .advise("name another file with --config, or leave it out with --no-config"));
        }
        let mut text = String::new();
        let opened = fs::File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text));
        opened.map_err(|error| cannot(&error))?;
        if text.len() as u64 > BYTES_MAX {
            return Err(cannot(&"it is larger than 64 KiB")
                .advise("--show-config lists the settings: sources and thresholds"));
        }
        let mut values = Vec::new();
        let table = DeTable::parse(&text).map_err(|error| {
            let line =
                error.span().map(|span| format!("line {}: ", line_of(&text, span.start))).unwrap_or_default();
            Failure::new(format!("{name} is not valid TOML"))
                .because(format!("{line}{}", error.message().replace('\n', ", ")))
        })?;
        for (key, value) in table.get_ref() {
            let line = line_of(&text, key.span().start);
            let wrong = |why: String| Failure::new(format!("{name}, line {line}: {why}"));
            let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key.get_ref().as_ref()) else {
                return Err(unknown(wrong(format!("there is no setting {}", key.get_ref())), key.get_ref()));
            };
            let own = taken(setting, value).map_err(|why| wrong(format!("{}: {why}", setting.key)))?;
            setting
                .check(&own)
                .map_err(|why| wrong(format!("{} is {}", setting.key, own.join(", "))).because(why))?;
            values.push((setting, line, own));
        }
        Ok(Self { name, values })
    }

    /// The values of one setting, and where they are: `tagfall.toml:3`.
    pub fn values(&self, setting: &Setting) -> Option<(String, &[String])> {
        let (_, line, values) = self.values.iter().find(|(own, ..)| own.id == setting.id)?;
        Some((format!("{}:{line}", self.name), values))
    }
}

fn unknown(failure: Failure, key: &str) -> Failure {
    match setting::near(key, setting::ALIKE) {
        Some(near) => failure.advise(format!("did you mean {}?", near.key)),
        None => failure.advise(
            "--show-config lists the settings: sources and thresholds; everything else is an option of the \
             command line",
        ),
    }
}

/// The values of one key, as words of the command line.
fn taken(setting: &Setting, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, String> {
    match value.get_ref() {
        DeValue::Array(values) if setting.is_list() => {
            values.iter().map(|value| one(setting, value.get_ref())).collect()
        }
        DeValue::Array(_) => Err("it has one value, and this is a list".to_owned()),
        value => one(setting, value).map(|value| vec![value]),
    }
}

fn one(setting: &Setting, value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) if !setting.takes_bool() => Ok(text.to_string()),
        DeValue::Integer(number) if setting.takes_number() => Ok(number.to_string()),
        DeValue::Boolean(flag) if setting.takes_bool() => Ok(flag.to_string()),
        _ if setting.takes_bool() => Err("write true or false, without quotes".to_owned()),
        other => Err(format!("write it in quotes; this is a TOML {}", other.type_str())),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
