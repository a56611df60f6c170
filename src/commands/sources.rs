//! From the SOURCE arguments to feeds: the one place that knows how sources are opened.

use super::options::Common;
use crate::failure::Failure;
use crate::model::Filter;
use crate::source::Feed;
use crate::ui::plan::PlannedSource;

/// Opens every source, in the order given.
pub fn open(common: &Common, filter: &Filter) -> Result<Vec<Box<dyn Feed>>, Failure> {
    let _ = (filter, common.s3.request_payer());
    Err(unavailable(common))
}

/// What reading the sources would fetch.
pub fn plan(common: &Common, filter: &Filter) -> Result<Vec<PlannedSource>, Failure> {
    let _ = filter;
    Err(unavailable(common))
}

fn unavailable(common: &Common) -> Failure {
    Failure::new(format!("cannot read {}", common.sources.join(", "))).because("this build has no source to read from")
}
