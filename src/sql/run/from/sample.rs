//! `TABLESAMPLE BERNOULLI (10)`: a random sample of the rows.
//!
//! Trino selects different rows each time. Here the selection depends only on the positions of the events, so
//! that results can be reproduced.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::query::Sample;
use crate::sql::scope::mask;
use crate::sql::types::relation::Relation;
use crate::sql::types::values::Values;
use crate::tables::Kind;

pub(super) fn sampled(rows: Relation, sample: Option<Sample>) -> Result<Relation> {
    let Some(Sample { percentage, seed }) = sample else { return Ok(rows) };
    let column = |name: &str, kind: &Kind| {
        let at = rows.fields.iter().position(|field| field.name == name && field.kind == *kind)?;
        rows.values(at).ok()
    };
    let place = column("object", &Kind::Varchar).zip(column("record", &Kind::Bigint));
    let place = place
        .as_ref()
        .map(|(object, record): &(Values, Values)| Ok::<_, SqlError>((object.texts()?, record.wholes()?)))
        .transpose()?;
    let drawn = |row: usize| {
        let number = row as i64;
        let hash = match &place {
            Some((object, record)) => {
                let seed = xxh3_64_with_seed(object.get(row).unwrap_or_default().as_bytes(), seed);
                xxh3_64_with_seed(&record.get(row).unwrap_or_default().to_le_bytes(), seed)
            }
            None => xxh3_64_with_seed(&number.to_le_bytes(), seed),
        };
        // 53 bits of the hash as a double from 0 to 1.
        ((hash >> 11) as f64 / (1_u64 << 53) as f64) * 100.0 < percentage
    };
    let keep: Vec<bool> = (0..rows.height).map(drawn).collect();
    rows.filter(&mask(&keep))
}
