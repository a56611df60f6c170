//! Messages to stderr. Data never goes here, and messages never go to stdout.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::escape::Escape;
use crate::failure::Failure;
use crate::redact::Redactor;

/// Stderr, shared by the run, the progress line and the Ctrl-C handler. Errors of writing to stderr are
/// ignored, as there is no place left to report them.
pub struct Talk {
    quiet: bool,
    terminal: bool,
    /// Whether a progress line is at the cursor.
    line_drawn: Mutex<bool>,
    /// Redacts names in messages, if that was asked for.
    redactor: OnceLock<Arc<Redactor>>,
}

impl Talk {
    /// With `quiet`, only what explains the exit codes 2 and 3 is written.
    pub fn new(quiet: bool) -> Self {
        Self {
            quiet,
            terminal: io::stderr().is_terminal(),
            line_drawn: Mutex::new(false),
            redactor: OnceLock::new(),
        }
    }

    /// Redacts messages from now on.
    pub fn redact(&self, redactor: &Arc<Redactor>) {
        let _ = self.redactor.set(Arc::clone(redactor));
    }

    fn shown(&self, text: &str) -> String {
        self.redactor.get().map_or_else(|| text.to_owned(), |redactor| redactor.text(text))
    }

    /// Whether a progress line is drawn on a terminal.
    pub const fn draws(&self) -> bool {
        self.terminal && !self.quiet
    }

    /// Writes something that is good to know.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.say(&[("", text)]);
        }
    }

    /// Writes something that has to be known.
    pub fn warn(&self, text: &str) {
        self.say(&[("warning: ", text)]);
    }

    /// Writes why the run failed.
    pub fn failure(&self, failure: &Failure) {
        let lines: Vec<_> = failure.lines().map(|(label, text)| format!("{label}: {text}")).collect();
        let leads = std::iter::once("").chain(std::iter::repeat("  "));
        let lines: Vec<_> = leads.zip(lines.iter().map(String::as_str)).collect();
        self.say(&lines);
    }

    /// Draws a line that the next one replaces; only on a terminal.
    pub fn draw(&self, text: &str) {
        let columns =
            terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
        let shown: String = self.shown(text).for_terminal().chars().take(columns.saturating_sub(1)).collect();
        let mut drawn = self.line_drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = write!(io::stderr().lock(), "\r\x1b[2K{shown}");
        *drawn = true;
    }

    /// Removes the drawn line.
    pub fn clear(&self) {
        let mut drawn = self.line_drawn.lock().unwrap_or_else(PoisonError::into_inner);
        erase(&mut drawn);
    }

    fn say(&self, lines: &[(&str, &str)]) {
        let mut drawn = self.line_drawn.lock().unwrap_or_else(PoisonError::into_inner);
        erase(&mut drawn);
        let mut stderr = io::stderr().lock();
        for (at, (lead, text)) in lines.iter().enumerate() {
            let name = if at == 0 { "tagfall: " } else { "" };
            let _ = writeln!(stderr, "{name}{lead}{}", self.shown(text).for_terminal());
        }
    }
}

fn erase(drawn: &mut bool) {
    if *drawn {
        let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        *drawn = false;
    }
}
