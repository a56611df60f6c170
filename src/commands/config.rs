//! Settings from a file and from the environment: `tagfall.toml` in the working directory or the file of
//! `--config`, and `TAGFALL_*`.
//!
//! A flag takes precedence over the environment, and that over the file. Settings are added to the command
//! line before it is parsed, so that all three are checked by the same rules. A file beside evidence may be
//! somebody else's: it can set sources and thresholds, but neither a place to write to, nor an endpoint,
//! nor whose credentials are used.

mod file;
mod setting;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};

use self::file::File;
use self::setting::{SETTINGS, Setting};
use super::Cli;
use crate::failure::Failure;
use crate::ui::output::Destination;
use crate::ui::settings;

/// The file that is looked for in the working directory, and nowhere else.
const NAME: &str = "tagfall.toml";
const PREFIX: &str = "TAGFALL_";
/// Variables that the recipes of docs/ALERTS.md use for themselves, and the secret of `--redact`, which is
/// never shown.
const OTHERS: [&str; 4] = ["HOME", "SEND", "SOURCE", "REDACT_KEY"];
/// From this similarity on, a variable's name is taken for a mistyped setting.
const ALMOST: f64 = 0.9;

/// Where a value came from, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Flag,
    Environment(&'static Setting),
    File(String),
    Default,
}

/// One setting of this run: its values, and where they came from.
struct Found {
    setting: &'static Setting,
    values: Vec<String>,
    origin: Origin,
}

/// The command line with the settings of the environment and the file added.
pub struct Settled {
    pub arguments: Vec<OsString>,
    /// A note about what a file or the environment has set, so that users know.
    pub note: Option<String>,
    /// The settings, if `--show-config` asks for them instead of a run.
    show: Option<Vec<Found>>,
}

/// Adds the settings that the command line leaves open.
pub fn settle(arguments: Vec<OsString>) -> Result<Settled, Failure> {
    if !may_have_settings(&arguments) {
        return Ok(Settled { arguments, note: None, show: None });
    }
    // Errors in the command line are reported when it is parsed for good.
    let command = Cli::command();
    let matches = command.clone().ignore_errors(true).try_get_matches_from(&arguments).ok();
    let verb = matches.as_ref().and_then(ArgMatches::subcommand);
    let Some((name, given)) = verb else { return Ok(Settled { arguments, note: None, show: None }) };
    let Some(verb) = command.find_subcommand(name).filter(|verb| has(verb, "sources")) else {
        return Ok(Settled { arguments, note: None, show: None });
    };
    let is_asked = |id: &str| given.try_get_one::<bool>(id).ok().flatten().copied().unwrap_or_default();
    let asks_for_help = arguments.iter().any(|argument| argument == "--help" || argument == "-h");
    if asks_for_help {
        return Ok(Settled { arguments, note: None, show: None });
    }
    let file = file(given.try_get_one::<String>("config").ok().flatten(), is_asked("no_config"))?;
    let environment = environment()?;
    let mut found = Vec::new();
    for setting in SETTINGS.iter().filter(|setting| has(verb, setting.id)) {
        found.push(find(setting, verb, given, &environment, file.as_ref())?);
    }
    if is_asked("show_config") {
        return Ok(Settled { arguments, note: None, show: Some(found) });
    }
    let note = note(&found);
    Ok(Settled { arguments: with(arguments, &found), note, show: None })
}

/// Whether there may be a file or a variable with settings, or the command line asks for them. Mostly there is
/// none, and the command line is parsed once only.
fn may_have_settings(arguments: &[OsString]) -> bool {
    let is_option = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        argument.starts_with("--") && argument.contains("config")
    };
    let is_variable = |(name, _): (OsString, OsString)| name.to_string_lossy().starts_with(PREFIX);
    arguments.iter().any(is_option)
        || std::env::vars_os().any(is_variable)
        || Path::new(NAME).symlink_metadata().is_ok()
}

fn has(verb: &Command, id: &str) -> bool {
    verb.get_arguments().any(|argument| argument.get_id() == id)
}

/// The file that was named, or the one in the working directory if there is one.
fn file(named: Option<&String>, none: bool) -> Result<Option<File>, Failure> {
    match named {
        Some(path) => File::read(Path::new(path)).map(Some),
        None if none => Ok(None),
        None if Path::new(NAME).symlink_metadata().is_err() => Ok(None),
        None => File::read(Path::new(NAME)).map(Some),
    }
}

/// The settings in `TAGFALL_*`. A name that is nearly a setting's is an error, because a threshold that is
/// silently ignored is none.
fn environment() -> Result<Vec<(&'static Setting, String)>, Failure> {
    let mut values = Vec::new();
    let mut names: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    names.sort();
    for (name, value) in names {
        let Some(key) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        if value.is_empty() || OTHERS.contains(&key) {
            continue;
        }
        let shown = format!("{PREFIX}{key}");
        match SETTINGS.iter().find(|setting| setting.variable() == shown) {
            Some(setting) => {
                let value = value.into_string().map_err(|_| {
                    Failure::new(format!("{shown} is no text")).advise("set it to plain UTF-8")
                })?;
                values.push((setting, value));
            }
            None => near(&shown, key)?,
        }
    }
    Ok(values)
}

/// Other programs have such variables, too (an image's `TAGFALL_VERSION`); one that is nearly a setting is
/// a typing error.
fn near(shown: &str, key: &str) -> Result<(), Failure> {
    match setting::near(key, ALMOST) {
        Some(near) => Err(Failure::new(format!("there is no setting {shown}"))
            .advise(format!("did you mean {}? else unset it", near.variable()))),
        None => Ok(()),
    }
}

fn find(
    setting: &'static Setting,
    verb: &Command,
    given: &ArgMatches,
    environment: &[(&'static Setting, String)],
    file: Option<&File>,
) -> Result<Found, Failure> {
    if given.value_source(setting.id) == Some(ValueSource::CommandLine) {
        return Ok(Found { setting, values: raw(given, setting.id), origin: Origin::Flag });
    }
    if let Some((_, value)) = environment.iter().find(|(other, _)| other.id == setting.id) {
        let values = setting.split(value);
        setting
            .check(&values)
            .map_err(|why| Failure::new(format!("{} is {value:?}", setting.variable())).because(why))?;
        return Ok(Found { setting, values, origin: Origin::Environment(setting) });
    }
    if let Some((line, values)) = file.and_then(|file| file.values(setting)) {
        return Ok(Found { setting, values: values.to_vec(), origin: Origin::File(line) });
    }
    let default = verb
        .get_arguments()
        .find(|argument| argument.get_id() == setting.id)
        .map(|argument| argument.get_default_values().to_vec());
    let values =
        default.unwrap_or_default().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    Ok(Found { setting, values, origin: Origin::Default })
}

/// The values as they were typed.
fn raw(given: &ArgMatches, id: &str) -> Vec<String> {
    given
        .get_raw(id)
        .into_iter()
        .flatten()
        .map(OsStr::to_string_lossy)
        .map(|value| value.into_owned())
        .collect()
}

/// The command line with the settings appended; sources come last, after `--`.
fn with(mut arguments: Vec<OsString>, found: &[Found]) -> Vec<OsString> {
    let added = || found.iter().filter(|found| !matches!(found.origin, Origin::Flag | Origin::Default));
    let ends_options = arguments.iter().position(|argument| argument == "--");
    let options = added().filter(|found| found.setting.id != "sources");
    let options = options.flat_map(|found| {
        found.values.iter().map(|value| OsString::from(format!("--{}={value}", found.setting.key)))
    });
    let at = ends_options.unwrap_or(arguments.len());
    let _ = arguments.splice(at..at, options).count();
    if let Some(sources) = added().find(|found| found.setting.id == "sources") {
        if ends_options.is_none() {
            arguments.push("--".into());
        }
        arguments.extend(sources.values.iter().map(OsString::from));
    }
    arguments
}

/// `settings from tagfall.toml: sources, since; from the environment: fail-on`.
fn note(found: &[Found]) -> Option<String> {
    let keys = |of: &dyn Fn(&Origin) -> bool| {
        let keys: Vec<&str> =
            found.iter().filter(|found| of(&found.origin)).map(|found| found.setting.key).collect();
        (!keys.is_empty()).then(|| keys.join(", "))
    };
    let file = keys(&|origin| matches!(origin, Origin::File(_)))
        .map(|keys| format!("from {}: {keys}", file_of(found)));
    let environment = keys(&|origin| matches!(origin, Origin::Environment(_)))
        .map(|keys| format!("from the environment: {keys}"));
    let parts: Vec<String> = file.into_iter().chain(environment).collect();
    (!parts.is_empty()).then(|| format!("settings {}", parts.join("; ")))
}

fn file_of(found: &[Found]) -> String {
    let place = found
        .iter()
        .find_map(|found| if let Origin::File(place) = &found.origin { Some(place.as_str()) } else { None });
    place.and_then(|place| place.rsplit_once(':')).map_or(NAME, |(file, _)| file).to_owned()
}

impl Settled {
    /// Shows each setting with its value and origin, if that was asked for.
    pub fn show(&self) -> Option<Result<(), Failure>> {
        let found = self.show.as_ref()?;
        let rows: Vec<[String; 3]> = found.iter().map(row).collect();
        let place = Destination::Stdout;
        Some(place.write(|out| settings::write(out, place.columns(), &rows)).map(|_| ()))
    }
}

fn row(found: &Found) -> [String; 3] {
    let origin = match &found.origin {
        Origin::Flag => "command line".to_owned(),
        Origin::Environment(setting) => setting.variable(),
        Origin::File(place) => place.clone(),
        Origin::Default if found.values.is_empty() => "not set".to_owned(),
        Origin::Default => "default".to_owned(),
    };
    let value = if found.values.is_empty() { "–".to_owned() } else { found.values.join(", ") };
    [found.setting.key.to_owned(), value, origin]
}
