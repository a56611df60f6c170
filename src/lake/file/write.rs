//! Rows → a Parquet file: the columns of `cloudtrail_logs` that are not derived from the partition, and the
//! columns for everything that these cannot represent.
//!
//! A row group has up to [`GROUP_ROWS_MAX`] rows. While the rows are read once, repeating texts are numbered
//! and others compressed page by page; the rest is then encoded and compressed column by column, on the
//! threads that are idle.

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::LazyLock;

use polars_arrow::array::PrimitiveArray;
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_error::{PolarsError, PolarsResult};
use polars_parquet::write::{
    CompressedPage, CompressionOptions, DynIter, DynStreamingIterator, Encoding, FileWriter,
    StatisticsOptions, Version, WriteOptions, ZstdLevel, array_to_columns, compress,
    fallible_streaming_iterator, to_parquet_leaves, to_parquet_type,
};
use rayon::prelude::*;

use super::columns::{ColumnWriter, damaged};
use super::footer;
use super::leaf::{Chunk, Leaf};
use super::packer::{self, Packer};
use crate::lake::LakeError;
use crate::lake::checksum::{Cuts, Summing};
use crate::lake::commit::manifest::Tail;
use crate::lake::record::MEMBERS;
use crate::lake::record::leaves::LEAVES;
use crate::lake::record::rows::Rows;
use crate::lake::record::shape::Shape;

/// Maximum number of rows in a row group.
const GROUP_ROWS_MAX: usize = 200_000;

/// Columns beside those of [`MEMBERS`]: the position of the record, and what the other columns cannot
/// represent.
const OBJECT: &str = "object";
const RECORD: &str = "record";
const REST: [&str; 2] = ["extra", "original"];

pub(super) fn options() -> PolarsResult<WriteOptions> {
    let statistics = StatisticsOptions {
        min_value: true,
        max_value: true,
        distinct_count: false,
        null_count: true,
        binary_statistics_truncate_length: None,
    };
    let compression = CompressionOptions::Zstd(Some(ZstdLevel::try_new(packer::LEVEL)?));
    Ok(WriteOptions { statistics, version: Version::V1, compression, data_page_size: None })
}

pub(super) static SCHEMA: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name.into(), ArrowDataType::Utf8View, true);
    let members =
        MEMBERS.iter().map(|member| Field::new(member.column.into(), dtype(&member.field.shape), true));
    let place = [text(OBJECT), Field::new(RECORD.into(), ArrowDataType::Int64, true)];
    members.chain(place).chain(REST.map(text)).collect()
});

fn dtype(shape: &Shape) -> ArrowDataType {
    let text = |name: &str| Field::new(name.into(), ArrowDataType::Utf8View, true);
    let list = |element| ArrowDataType::LargeList(Box::new(Field::new("item".into(), element, true)));
    match shape {
        Shape::Text => ArrowDataType::Utf8View,
        Shape::Row(fields) => ArrowDataType::Struct(
            fields
                .iter()
                .map(|field| Field::new(field.name.as_str().into(), dtype(&field.shape), true))
                .collect(),
        ),
        Shape::List(element) => list(dtype(&element.shape)),
        Shape::Map => list(ArrowDataType::Struct(["key", "value"].map(text).to_vec())),
    }
}

/// The size of a file that was written, and its end.
#[derive(Debug, Clone, Copy)]
pub(in crate::lake) struct Written {
    pub bytes: u64,
    pub tail: Tail,
}

/// Writes some of the `rows`, in their order, as one file to `out`. `path` is the name for errors.
pub(in crate::lake) fn write(
    out: Box<dyn Write + Send>,
    path: &Path,
    rows: &Rows,
    range: Range<usize>,
) -> Result<Written, LakeError> {
    let cuts = Cuts::default();
    let parquet = |error: PolarsError| {
        cuts.failure().map_or_else(|| LakeError::io(path, error), |failure| LakeError::io(path, failure))
    };
    let schema: ArrowSchema = SCHEMA.iter().map(|field| (field.name.clone(), field.clone())).collect();
    let options = options().map_err(parquet)?;
    let mut writer = FileWriter::try_new(Summing::new(out, &cuts), schema, options).map_err(parquet)?;
    let mut filters = Vec::new();
    for group in groups(range) {
        let height = group.len() as u64;
        let mut leaves = leaves(rows, group, options).map_err(parquet)?;
        filters.extend(leaves.iter_mut().map(|leaf| leaf.filter.take()));
        writer.write(height, written(&leaves, &cuts)).map_err(parquet)?;
    }
    let (bytes, tail) = footer::finish(writer, filters, &cuts).map_err(parquet)?;
    Ok(Written { bytes, tail: Tail { bytes: tail.bytes, checksum: tail.sum } })
}

/// Divides rows into row groups of about the same size.
fn groups(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let count = range.len().div_ceil(GROUP_ROWS_MAX).max(1);
    let each = range.len().div_ceil(count).max(1);
    range.clone().step_by(each).map(move |start| start..(start + each).min(range.end))
}

/// The compressed columns of a row group.
fn leaves(rows: &Rows, group: Range<usize>, options: WriteOptions) -> PolarsResult<Vec<Chunk>> {
    let parts = columns(rows, group)?.into_par_iter().zip(SCHEMA.par_iter());
    let encoded: Vec<_> =
        parts.map_init(Packer::new, |packer, (part, field)| encode(part, field, options, packer)).collect();
    encoded.into_iter().try_fold(Vec::new(), |mut all, leaves| {
        all.extend(leaves?);
        Ok(all)
    })
}

/// A column that is being encoded.
pub(super) enum Part<'b> {
    Texts(Vec<Leaf<'b>>),
    Numbers(Vec<i64>),
}

/// All columns of a row group, in the order of [`SCHEMA`].
pub(super) fn columns(rows: &Rows, group: Range<usize>) -> PolarsResult<Vec<Part<'_>>> {
    let mut columns: Vec<ColumnWriter<'_>> =
        LEAVES.iter().map(|leaf| ColumnWriter::new(leaf.shape, leaf.depth)).collect();
    let (height, mut packer) = (group.len(), Packer::new());
    let (mut objects, mut records) = (ColumnWriter::new(&Shape::Text, 0), Vec::with_capacity(height));
    for (at, row) in group.enumerate() {
        let (head, mut cells) = rows.parts(row).ok_or_else(damaged)?;
        while let Some(leaf) = cells.leaf() {
            columns.get_mut(usize::from(leaf)).ok_or_else(damaged)?.take(at, &mut cells, &mut packer)?;
        }
        objects.take_text(head.object, &mut packer)?;
        records.push(i64::try_from(head.record).unwrap_or(i64::MAX));
    }
    let mut leaves = columns.into_iter().map(|column| column.into_leaves(height));
    let mut part = |count| Part::Texts(leaves.by_ref().take(count).flatten().collect());
    let mut parts: Vec<Part<'_>> = MEMBERS.iter().map(|member| part(member.field.cells)).collect();
    parts.extend([Part::Texts(objects.into_leaves(height)), Part::Numbers(records)]);
    parts.extend(REST.map(|_| part(1)));
    Ok(parts)
}

pub(super) fn encode(
    part: Part<'_>,
    field: &Field,
    options: WriteOptions,
    packer: &mut Packer,
) -> PolarsResult<Vec<Chunk>> {
    let kind = to_parquet_type(field)?;
    match part {
        Part::Texts(leaves) => leaves
            .into_iter()
            .zip(to_parquet_leaves(kind))
            .map(|(leaf, kind)| leaf.finish(&kind, packer))
            .collect(),
        Part::Numbers(numbers) => {
            let array = PrimitiveArray::from_slice(numbers).boxed();
            let leaves = array_to_columns(array, kind, options, &[Encoding::RleDictionary])?;
            let packed = |page: PolarsResult<_>| Ok(compress(page?, Vec::new(), options.compression)?);
            leaves
                .into_iter()
                .map(|pages| {
                    Ok(Chunk { pages: pages.map(packed).collect::<PolarsResult<_>>()?, filter: None })
                })
                .collect()
        }
    }
}

/// The pages for the file writer, which asks for one leaf after another.
pub(super) fn written<'l>(
    leaves: &'l [Chunk],
    cuts: &'l Cuts,
) -> DynIter<'l, PolarsResult<DynStreamingIterator<'l, CompressedPage, PolarsError>>> {
    DynIter::new(leaves.iter().map(|leaf| {
        cuts.cut();
        Ok(DynStreamingIterator::new(fallible_streaming_iterator::convert(
            leaf.pages.iter().map(PolarsResult::Ok),
        )))
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::lake::record::Split;
    use crate::lake::record::rebuild::Records;
    use crate::lake::record::row::Head;
    use crate::lake::record::rows::Piece;
    use crate::lake::tests::written_and_opened;

    /// Records with texts that repeat, that never do, and that cease to; with lists of them, empty and absent
    /// ones; and with long runs of NULLs.
    fn record(at: usize) -> Value {
        let mut record = json!({
            "eventID": format!("id-{at}"),
            "eventName": format!("Name{}", at % 7),
            "requestParameters": { "text": format!("{at}-{}", "x".repeat(200)) },
            "userAgent": if at < 5_000 { format!("agent-{}", at % 3) } else { format!("{at}-{}", "y".repeat(400)) },
            "userIdentity": { "type": "WebIdentityUser", "sessionContext": { "webIdFederationData": { "attributes": { "at": format!("v{at}"), "same": "s" } } } },
        });
        if at > 4_500 && at % 2 == 1 {
            record["errorMessage"] = json!(format!("message {at}"));
        }
        if !at.is_multiple_of(5) {
            let resource = |number: usize| json!({ "ARN": format!("arn:{at}:{number}"), "accountId": format!("{}", number % 2) });
            record["resources"] = (1..at % 5).map(resource).collect();
        }
        record
    }

    #[test]
    fn what_is_written_comes_back_whether_it_repeats_or_not() {
        let mut piece = Piece::default();
        for at in 0..9_000 {
            let json = record(at).to_string();
            let split = Split::of(&json, false).unwrap();
            piece.write(&Head { time: 0, record: at as u64, id: b"", object: b"k" }, |out| split.put(out));
        }
        let (folder, rows) = (tempfile::tempdir().unwrap(), Rows::of(vec![piece]));
        let reader = written_and_opened(folder.path(), &rows, false);
        assert_eq!(reader.check(), Ok(true));
        let (mut at, mut json) = (0, String::new());
        for group in reader.groups() {
            let there = reader.read(group, None, None).unwrap();
            let records = Records::of(&there).unwrap();
            for row in 0..there.height() {
                records.write(row, &mut json);
                assert_eq!(
                    (records.index(row), serde_json::from_str::<Value>(&json).unwrap()),
                    (at as u64, record(at))
                );
                at += 1;
            }
        }
        assert_eq!(at, 9_000);
    }
}
