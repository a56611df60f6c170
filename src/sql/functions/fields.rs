//! Fields of row values.

use sqlparser::ast::Ident;

use crate::sql::error::{Result, SqlError};
use crate::sql::syntax::names;
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// Fields of a row, one inside the other.
pub(in crate::sql) fn fields(mut values: Values, path: &[Ident]) -> Result<Values> {
    for ident in path {
        let Kind::Row(members) = &values.kind else {
            let hint = if values.kind.is_text() {
                "; it is text: use json_extract_scalar(…, '$.…')"
            } else {
                ""
            };
            return Err(SqlError::new(format!(
                "there is no field {} in a {}{hint}",
                ident.value, values.kind
            ))
            .at_span(ident.span));
        };
        let Some((name, kind)) = members.iter().find(|(name, _)| name.eq_ignore_ascii_case(&ident.value))
        else {
            let hint = names::suggestion(&ident.value, members.iter().map(|(name, _)| name.as_str()));
            return Err(SqlError::new(format!("there is no field {}{hint}", ident.value)).at_span(ident.span));
        };
        let data = values.data.struct_()?.field_by_name(name)?;
        values = Values { kind: kind.clone(), data, constant: values.constant };
    }
    Ok(values)
}
