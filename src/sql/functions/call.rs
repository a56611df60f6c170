//! A call of a scalar function: its arguments' values, and what all functions share.

use crate::sql::error::{Result, SqlError};
use crate::sql::memory::Limits;
use crate::sql::types::clock;
use crate::sql::types::values::{Cell, Doubles, Texts, Values, Wholes};
use crate::tables::Kind;

/// One call: the values of the arguments, and its context.
pub(in crate::sql) struct Call<'a> {
    pub name: &'a str,
    pub args: Vec<Values>,
    pub height: usize,
    /// The current time in milliseconds.
    pub now: i64,
    /// Whether the call is inside of `try(…)`.
    pub lenient: bool,
    pub limits: &'a Limits,
}

impl Call<'_> {
    /// Whether all arguments are constants.
    pub(super) fn constant(&self) -> bool {
        self.args.iter().all(|arg| arg.constant)
    }

    /// Builds the result row by row.
    pub(super) fn build<T: Cell>(
        &self,
        kind: Kind,
        mut cell: impl FnMut(usize) -> Result<Option<T>>,
    ) -> Result<Values> {
        let mut bytes = 0_usize;
        let cell = |row| {
            let cell = cell(row)?;
            let more = cell.as_ref().map_or(0, Cell::bytes);
            bytes = bytes.saturating_add(more);
            if more > 0 {
                self.limits.fits(bytes, 1)?;
            }
            Ok(cell)
        };
        Values::build(kind, self.height, self.constant(), cell)
    }

    /// Checks that there is enough memory for a text of this size, before it is made.
    pub(super) fn fits(&self, bytes: usize) -> Result<()> {
        self.limits.fits(bytes, 1)
    }

    pub(super) fn arg(&self, at: usize) -> Result<&Values> {
        self.args.get(at).ok_or_else(|| SqlError::new(format!("argument {} is missing", at + 1)))
    }

    /// Checks the number of arguments.
    pub(super) fn arity(&self, least: usize, most: usize) -> Result<()> {
        match self.args.len() {
            count if (least..=most).contains(&count) => Ok(()),
            count => Err(SqlError::new(format!(
                "takes {}, not {count}",
                match (least, most) {
                    (1, 1) => "1 argument".to_owned(),
                    (least, most) if least == most => format!("{least} arguments"),
                    (least, most) => format!("{least} to {most} arguments"),
                }
            ))),
        }
    }

    pub(super) fn texts(&self, at: usize) -> Result<Texts> {
        if let kind @ (Kind::Ip | Kind::Binary) = &self.arg(at)?.kind {
            return Err(SqlError::new(format!(
                "argument {}: a text is needed here, and this is {kind}",
                at + 1
            )));
        }
        self.arg(at)?
            .texts()
            .map_err(|error| SqlError { message: format!("argument {}: {}", at + 1, error.message), ..error })
    }

    pub(super) fn wholes(&self, at: usize) -> Result<Wholes> {
        match self.arg(at)? {
            Values { kind: Kind::Bigint | Kind::Unknown, .. } => self.arg(at)?.wholes(),
            other => Err(SqlError::new(format!(
                "argument {}: a whole number is needed here, and this is {}",
                at + 1,
                other.kind
            ))),
        }
    }

    pub(super) fn doubles(&self, at: usize) -> Result<Doubles> {
        self.arg(at)?
            .doubles()
            .map_err(|error| SqlError { message: format!("argument {}: {}", at + 1, error.message), ..error })
    }

    /// An argument as times in milliseconds.
    pub(super) fn millis(&self, at: usize) -> Result<Wholes> {
        clock::millis(self.arg(at)?, self.height)
    }

    /// A text argument that must be the same for all rows.
    pub(super) fn literal(&self, at: usize) -> Result<String> {
        self.arg(at)?
            .constant_text()
            .ok_or_else(|| SqlError::new(format!("argument {} must be a literal text", at + 1)))
    }

    /// Handles an invalid value: an error, or NULL inside of `try(…)`.
    pub(super) fn refuse<T>(&self, message: impl FnOnce() -> String) -> Result<Option<T>> {
        if self.lenient { Ok(None) } else { Err(SqlError::value(message())) }
    }

    /// A function of one text.
    pub(super) fn text_to<T: Cell>(&self, kind: Kind, cell: impl Fn(&str) -> Option<T>) -> Result<Values> {
        self.arity(1, 1)?;
        let texts = self.texts(0)?;
        self.build(kind, |row| Ok(texts.get(row).and_then(&cell)))
    }
}
