//! `json_object` and `json_array`: JSON made of values.
//!
//! The first argument says what happens with NULL. Values of type JSON become parts of the result, texts become
//! strings.

use crate::sql::error::{Result, SqlError};
use crate::sql::functions::call::Call;
use crate::sql::syntax::json_calls::{ABSENT, UNIQUE};
use crate::sql::types::cast;
use crate::sql::types::json::push_json_string;
use crate::sql::types::values::{Texts, Values};
use crate::tables::Kind;

pub(super) fn array(call: &Call<'_>) -> Result<Values> {
    let absent = call.literal(0)? == ABSENT;
    let values = all(call, 1, 1)?;
    call.build(Kind::Varchar, |row| {
        let cells = values.iter().map(|cells| cells.get(row).cloned().flatten());
        let cells = cells.filter(|cell| cell.is_some() || !absent);
        let cells: Vec<String> = cells.map(|cell| cell.unwrap_or_else(|| "null".to_owned())).collect();
        Ok(Some(format!("[{}]", cells.join(","))))
    })
}

pub(super) fn object(call: &Call<'_>) -> Result<Values> {
    let how = call.literal(0)?;
    let (absent, unique) = (how.contains(ABSENT), how.contains(UNIQUE));
    let keys = (1..call.args.len()).step_by(2).map(|at| call.texts(at)).collect::<Result<Vec<Texts>>>()?;
    let values = all(call, 2, 2)?;
    call.build(Kind::Varchar, |row| {
        let mut seen = std::collections::HashSet::new();
        let mut out = String::from("{");
        for (keys, values) in keys.iter().zip(&values) {
            let Some(key) = keys.get(row) else { return call.refuse(|| "a key cannot be NULL".to_owned()) };
            let value = values.get(row).cloned().flatten();
            if value.is_none() && absent {
                continue;
            }
            if unique && !seen.insert(key) {
                return call.refuse(|| format!("the key {key} is there twice"));
            }
            if out.len() > 1 {
                out.push(',');
            }
            push_json_string(key, &mut out);
            out.push(':');
            out.push_str(value.as_deref().unwrap_or("null"));
        }
        out.push('}');
        Ok(Some(out))
    })
}

/// Every `step`th argument as JSON.
fn all(call: &Call<'_>, first: usize, step: usize) -> Result<Vec<Vec<Option<String>>>> {
    let places = (first..call.args.len()).step_by(step);
    let json = |at: usize| {
        let arg = call.arg(at)?;
        if arg.kind == Kind::Binary {
            return Err(SqlError::new("JSON has no bytes: use to_base64(…) or to_hex(…)"));
        }
        cast::json_texts(arg, call.height)
    };
    places.map(json).collect()
}
