//! Derives bounds from a condition: the event source, event name, account, region and time of the events for
//! which it can be true.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate};
use sqlparser::ast::{BinaryOperator as Op, Expr};

use super::mention::{column_of, is_chain_of};
use super::scan::Scan;
use crate::model::{DAY_MILLIS, Timestamp};
use crate::sql::catalog::Catalog;
use crate::sql::eval;
use crate::sql::scope::{Ctes, Scope};
use crate::sql::syntax::{calls, names, walk};
use crate::sql::types::clock;
use crate::sql::types::relation::Relation;
use crate::tables::Kind;

/// A set of allowed texts; `None` allows all.
type Allowed = Option<BTreeSet<String>>;

/// What a condition allows. The default allows everything.
#[derive(Debug, Clone, Default)]
pub(in crate::sql) struct Bounds {
    sources: Allowed,
    names: Allowed,
    accounts: Allowed,
    regions: Allowed,
    since: Option<i64>,
    until: Option<i64>,
    /// `year = '2026'`, `month = '03'`, `day = '02'`, which bound the time only together.
    date: [Option<u32>; 3],
}

impl Bounds {
    /// The bounds of `condition` for rows of the table called `alias`.
    pub fn of(condition: &Expr, alias: &str, now: Timestamp) -> Self {
        match condition {
            Expr::Nested(inner) => Self::of(inner, alias, now),
            expr if is_chain_of(expr, &Op::And) => walk::chain(expr, &Op::And)
                .into_iter()
                .map(|expr| Self::of(expr, alias, now))
                .fold(Self::default(), Self::and),
            expr if is_chain_of(expr, &Op::Or) => {
                let each = walk::chain(expr, &Op::Or).into_iter().map(|expr| Self::of(expr, alias, now));
                each.reduce(Self::or).unwrap_or_default()
            }
            Expr::BinaryOp { left, op, right } => match compare(left, op, right, alias, now) {
                Some(bounds) => bounds,
                None => flipped(op).and_then(|op| compare(right, &op, left, alias, now)).unwrap_or_default(),
            },
            Expr::InList { expr, list, negated: false } => {
                let each = list.iter().map(|item| compare(expr, &Op::Eq, item, alias, now));
                each.collect::<Option<Vec<_>>>()
                    .and_then(|all| all.into_iter().reduce(Self::or))
                    .unwrap_or_default()
            }
            Expr::Between { expr, low, high, negated: false } => {
                let low = compare(expr, &Op::GtEq, low, alias, now).unwrap_or_default();
                low.and(compare(expr, &Op::LtEq, high, alias, now).unwrap_or_default())
            }
            Expr::Like { expr, pattern, negated: false, escape_char: None, .. } => {
                like(expr, pattern, alias, now).unwrap_or_default()
            }
            _ => Self::default(),
        }
    }

    /// The bounds if both conditions hold.
    pub fn and(self, other: Self) -> Self {
        let both = |a: Allowed, b: Allowed| match (a, b) {
            (Some(a), Some(b)) => Some(a.intersection(&b).cloned().collect()),
            (a, b) => a.or(b),
        };
        let [y, m, d] = self.date;
        let [y2, m2, d2] = other.date;
        Self {
            sources: both(self.sources, other.sources),
            names: both(self.names, other.names),
            accounts: both(self.accounts, other.accounts),
            regions: both(self.regions, other.regions),
            since: self.since.max(other.since),
            until: match (self.until, other.until) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            date: [y.or(y2), m.or(m2), d.or(d2)],
        }
    }

    /// The bounds if one of the conditions holds.
    pub fn or(self, other: Self) -> Self {
        let (a, b) = (self.dated(), other.dated());
        let either = |a: Allowed, b: Allowed| Some(a?.union(&b?).cloned().collect());
        Self {
            sources: either(a.sources, b.sources),
            names: either(a.names, b.names),
            accounts: either(a.accounts, b.accounts),
            regions: either(a.regions, b.regions),
            since: a.since.zip(b.since).map(|(a, b)| a.min(b)),
            until: a.until.zip(b.until).map(|(a, b)| a.max(b)),
            date: [None; 3],
        }
    }

    /// Converts the date of the partition to a range of time.
    fn dated(self) -> Self {
        let [Some(year), month, day] = self.date else { return Self { date: [None; 3], ..self } };
        let Some((since, until)) = range_of(year, month, day.filter(|_| month.is_some())) else {
            return Self { date: [None; 3], ..self };
        };
        Self { date: [None; 3], ..self }.and(Self {
            since: Some(since),
            until: Some(until),
            ..Self::default()
        })
    }

    pub fn write(self, scan: &mut Scan) {
        let bounds = self.dated();
        let list = |allowed: Allowed| allowed.map(|set| set.into_iter().collect());
        scan.sources = list(bounds.sources);
        scan.names = list(bounds.names);
        scan.accounts = list(bounds.accounts);
        scan.regions = list(bounds.regions);
        scan.since = bounds.since.map(Timestamp::from_millis);
        scan.until = bounds.until.map(Timestamp::from_millis);
    }
}

fn flipped(op: &Op) -> Option<Op> {
    Some(match op {
        Op::Eq => Op::Eq,
        Op::Lt => Op::Gt,
        Op::LtEq => Op::GtEq,
        Op::Gt => Op::Lt,
        Op::GtEq => Op::LtEq,
        _ => return None,
    })
}

/// `column op value`, where the value is the same for all rows. `None`: the condition has another form.
fn compare(column: &Expr, op: &Op, value: &Expr, alias: &str, now: Timestamp) -> Option<Bounds> {
    flipped(op)?;
    if let Some(name) = column_of(column, alias) {
        let constant = constant(value, now)?;
        if let (Some(millis), "eventtime") = (constant.millis, name) {
            return Some(times(op, day_of(millis)));
        }
        let text = constant.text?;
        return match name {
            "eventtime" => Some(times(op, dashed_range(&text)?)),
            "timestamp" | "date" => Some(times(op, text_range(&text)?)),
            "day" if text.len() > 4 => Some(times(op, text_range(&text)?)),
            _ if *op == Op::Eq => equal(name, text),
            _ => None,
        };
    }
    if is_time_of(column, alias) {
        let constant = constant(value, now)?;
        let range = match (constant.millis, constant.text) {
            (Some(millis), _) => day_of(millis),
            (None, Some(text)) => text_range(&text)?,
            _ => return None,
        };
        return Some(times(op, range));
    }
    None
}

fn equal(name: &str, text: String) -> Option<Bounds> {
    let one = || Some(BTreeSet::from([text.clone()]));
    let number = || text.parse::<u32>().ok();
    let bounds = Bounds::default();
    Some(match name {
        "eventsource" => Bounds { sources: one(), ..bounds },
        "eventname" => Bounds { names: one(), ..bounds },
        "recipientaccountid" | "account" => Bounds { accounts: one(), ..bounds },
        "awsregion" | "region" => Bounds { regions: one(), ..bounds },
        "year" => Bounds { date: [number(), None, None], ..bounds },
        "month" => Bounds { date: [None, number(), None], ..bounds },
        "day" => Bounds { date: [None, None, number()], ..bounds },
        _ => return None,
    })
}

fn times(op: &Op, (start, end): (i64, i64)) -> Bounds {
    let (since, until) = match op {
        Op::Eq => (Some(start), Some(end)),
        Op::Gt | Op::GtEq => (Some(start), None),
        _ => (None, Some(end)),
    };
    Bounds { since, until, ..Bounds::default() }
}

/// A prefix pattern: `eventtime LIKE '2026-03-02%'`, `eventsource LIKE 'ecr.amazonaws.com'`.
fn like(column: &Expr, pattern: &Expr, alias: &str, now: Timestamp) -> Option<Bounds> {
    let name = column_of(column, alias)?;
    let pattern = constant(pattern, now)?.text?;
    if !pattern.contains(['%', '_']) {
        return equal(name, pattern);
    }
    let prefix = pattern.strip_suffix('%').filter(|prefix| !prefix.contains(['%', '_']))?;
    match name {
        "eventtime" => Some(times(&Op::Eq, dashed_range(prefix)?)),
        "timestamp" | "date" => Some(times(&Op::Eq, text_range(prefix)?)),
        "day" if prefix.len() > 4 => Some(times(&Op::Eq, text_range(prefix)?)),
        _ => None,
    }
}

/// Whether an expression is the event's time, or a function of it that is monotonic and keeps the day.
fn is_time_of(expr: &Expr, alias: &str) -> bool {
    let is_eventtime = |expr: &Expr| column_of(expr, alias) == Some("eventtime") || is_respelled(expr, alias);
    match expr {
        Expr::Nested(inner) => is_time_of(inner, alias),
        Expr::Cast { expr, data_type, .. } => {
            let time =
                matches!(data_type, sqlparser::ast::DataType::Timestamp(..) | sqlparser::ast::DataType::Date);
            time && (is_eventtime(expr) || is_time_of(expr, alias))
        }
        Expr::Function(function) => match (
            names::of_function(function).as_str(),
            calls::arguments(function).unwrap_or_default().as_slice(),
        ) {
            ("from_iso8601_timestamp" | "date" | "timestamp" | "from_iso8601_date", [inner]) => {
                is_eventtime(inner) || is_time_of(inner, alias)
            }
            ("parse_datetime" | "date_parse", [inner, format]) => {
                is_eventtime(inner) && starts_with_date(format)
            }
            _ => false,
        },
        _ => false,
    }
}

/// `replace(replace(eventtime, 'T', ' '), 'Z', '')`: the same time in the notation that a cast accepts.
fn is_respelled(expr: &Expr, alias: &str) -> bool {
    let Expr::Function(function) = expr else { return false };
    let arguments = calls::arguments(function).unwrap_or_default();
    let (Some(inner), Some(letter)) = (arguments.first(), arguments.get(1)) else { return false };
    let letters = matches!(letter.to_string().as_str(), "'T'" | "'Z'");
    names::of_function(function) == "replace"
        && letters
        && (column_of(inner, alias) == Some("eventtime") || is_respelled(inner, alias))
}

fn starts_with_date(format: &Expr) -> bool {
    let text = format.to_string();
    text.starts_with("'%Y-%m-%d") || text.starts_with("'yyyy-MM-dd") || text.starts_with("'YYYY-MM-dd")
}

/// The value of an expression that uses no columns.
struct Constant {
    text: Option<String>,
    millis: Option<i64>,
}

fn constant(expr: &Expr, now: Timestamp) -> Option<Constant> {
    if walk::has_subquery(expr) {
        return None;
    }
    let (catalog, ctes, row) = (Catalog::trial(), Ctes::default(), Relation::single_row());
    let session = eval::session(&catalog, now.millis());
    let values = Scope::new(&session, &ctes, &row).eval(expr).ok()?;
    match values.kind {
        Kind::Varchar => {
            Some(Constant { text: values.texts().ok()?.get(0).map(str::to_owned), millis: None })
        }
        Kind::Date | Kind::Timestamp { .. } | Kind::Zoned(_) => {
            Some(Constant { text: None, millis: clock::millis(&values, 1).ok()?.get(0) })
        }
        _ => None,
    }
}

fn day_of(millis: i64) -> (i64, i64) {
    let start = millis.div_euclid(DAY_MILLIS) * DAY_MILLIS;
    (start, start.saturating_add(DAY_MILLIS))
}

/// The range of days for a text that begins like a date: `2026`, `2026-03`, `2026/03/02`,
/// `2026-03-02T10:00:00Z`. Texts are compared letter by letter, so only the date can be relied on.
fn text_range(text: &str) -> Option<(i64, i64)> {
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok()).flatten()
    };
    let separator = |at: usize| matches!(text.as_bytes().get(at), Some(b'-' | b'/'));
    match text.len() {
        4 => range_of(number(0..4)?, None, None),
        7 if separator(4) => range_of(number(0..4)?, Some(number(5..7)?), None),
        8 => range_of(number(0..4)?, Some(number(4..6)?), Some(number(6..8)?)),
        10.. if separator(4) && separator(7) => {
            range_of(number(0..4)?, Some(number(5..7)?), Some(number(8..10)?))
        }
        _ => None,
    }
}

/// The same for a column that always has the form `2026-03-02`: any further letters in `text` say nothing
/// about the day.
fn dashed_range(text: &str) -> Option<(i64, i64)> {
    let is_dash = |at: usize| text.as_bytes().get(at).is_none_or(|byte| *byte == b'-');
    if is_dash(4) && is_dash(7) { text_range(text) } else { None }
}

/// The range of a year, month or day: its first millisecond, and that of the next one.
fn range_of(year: u32, month: Option<u32>, day: Option<u32>) -> Option<(i64, i64)> {
    let start = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month.unwrap_or(1), day.unwrap_or(1))?;
    let end = match (month, day) {
        (None, _) => NaiveDate::from_ymd_opt(start.year() + 1, 1, 1)?,
        (Some(_), None) => start.checked_add_months(chrono::Months::new(1))?,
        (Some(_), Some(_)) => start.succ_opt()?,
    };
    let millis = |date: NaiveDate| date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
    Some((millis(start), millis(end)))
}
