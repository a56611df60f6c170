//! The types of a file's columns, from its Parquet schema alone: a writer's own notes (such as that texts
//! were categories) are not needed to read them.

use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_error::PolarsResult;
use polars_parquet::parquet::schema::types::{GroupConvertedType, GroupLogicalType, ParquetType};
use polars_parquet::read::{FileMetadata, infer_schema};

/// Maximum nesting of structs and lists.
const DEPTH_MAX: u8 = 32;

pub(super) fn schema(metadata: &FileMetadata) -> PolarsResult<ArrowSchema> {
    let types = metadata.schema().fields();
    let bare = FileMetadata { key_value_metadata: None, ..metadata.clone() };
    let fields = infer_schema(&bare)?
        .into_iter()
        .map(|(name, mut field)| {
            if let Some(of) = types.iter().find(|of| of.name() == name.as_str()) {
                field.dtype = with_maps(field.dtype, of, 0);
            }
            (name, field)
        })
        .collect();
    Ok(fields)
}

/// The library reads maps as lists of keys and values; this restores the map type.
fn with_maps(dtype: ArrowDataType, of: &ParquetType, depth: u8) -> ArrowDataType {
    let ParquetType::GroupType { logical_type, converted_type, fields: children, .. } = of else {
        return dtype;
    };
    if depth >= DEPTH_MAX {
        return dtype;
    }
    let is_map = matches!(logical_type, Some(GroupLogicalType::Map))
        || matches!(converted_type, Some(GroupConvertedType::Map | GroupConvertedType::MapKeyValue));
    match dtype {
        ArrowDataType::Struct(fields) => {
            let fixed = |field: Field| match children.iter().find(|child| child.name() == field.name.as_str())
            {
                Some(child) => Field { dtype: with_maps(field.dtype.clone(), child, depth + 1), ..field },
                None => field,
            };
            ArrowDataType::Struct(fields.into_iter().map(fixed).collect())
        }
        ArrowDataType::LargeList(inner) => {
            let entries = children.first();
            // A list in three levels has a group with one element in between.
            let element = match entries {
                Some(ParquetType::GroupType { fields, .. })
                    if fields.len() == 1
                        && !matches!(inner.dtype, ArrowDataType::Struct(ref own) if own.len() == 1 && own[0].name == fields[0].name()) =>
                {
                    fields.first()
                }
                other => other,
            };
            let pairs = matches!(&inner.dtype, ArrowDataType::Struct(pair) if pair.len() == 2);
            let inner = Box::new(match element {
                Some(element) => {
                    Field { dtype: with_maps(inner.dtype.clone(), element, depth + 1), ..*inner }
                }
                None => *inner,
            });
            if is_map && pairs { ArrowDataType::Map(inner, false) } else { ArrowDataType::LargeList(inner) }
        }
        other => other,
    }
}
