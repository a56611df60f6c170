//! `tagfall query SQL|@NAME SOURCE…`: runs a SQL query.

#[cfg(feature = "sql")]
mod run;

use std::path::PathBuf;

use super::after_help;
use super::options::Common;

const EXAMPLES: &str = "\
Examples:
  tagfall query \"SELECT eventname, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC\" ./logs
  tagfall query @tag-history --param repo=shop/api --param tag=v7 s3://my-trail/AWSLogs/ --since 30d
  tagfall query @same-tag-pairs-then-expiry ./logs --format csv -o pairs.csv";

/// Run a SQL query, in Athena's dialect
///
/// Tables: cloudtrail_logs (also events, cloudtrail; with the columns of the table that the CloudTrail
/// console creates), steps, images, tags, findings, policies, references, coverage. Conditions on source, name,
/// time, account and region exclude objects before they are fetched, and records before they are parsed. An
/// event that was delivered twice is one row.
#[derive(Debug, clap::Args)]
#[cfg_attr(not(feature = "sql"), allow(dead_code))]
#[command(after_help = after_help(EXAMPLES))]
pub struct Args {
    /// A SELECT, or @NAME of a named query (listed by `tagfall queries`)
    #[arg(value_name = "SQL|@NAME")]
    query: String,

    #[command(flatten)]
    pub common: Common,

    /// Set a parameter of the query (repeatable)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param, help_heading = "Query")]
    params: Vec<(String, String)>,

    /// Instead of rows, show the query's plan, what its conditions exclude, and what was read
    #[arg(long, help_heading = "Query")]
    explain: bool,

    /// Folder for temporary files with what does not fit into --max-memory (default: TMPDIR, else /tmp)
    #[arg(long, value_name = "FOLDER", help_heading = "Limits")]
    spill_dir: Option<PathBuf>,

    /// Maximum number of rows in a table; other formats have all rows
    #[arg(long, value_name = "N", default_value = "1000", help_heading = "Query")]
    rows: usize,
}

fn param(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write it as name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(not(feature = "sql"))]
impl Args {
    pub fn run(
        &self,
        _talk: &std::sync::Arc<crate::ui::talk::Talk>,
    ) -> Result<super::Ending, crate::failure::Failure> {
        Err(super::queries::without_sql())
    }
}
