//! polars' own column writer against ours: the same rows of a lake, as columns in compressed pages.
//!
//! `cargo test --release --lib peer -- --ignored --nocapture`

use std::io::Write as _;
use std::ops::Range;

use polars_arrow::array::{
    Array, ListArray, MutableBinaryViewArray, PrimitiveArray, StructArray, Utf8ViewArray,
};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, Field};
use polars_arrow::offset::OffsetsBuffer;
use polars_parquet::write::{
    CompressedPage, Encoding, FileWriter, array_to_columns, compress, to_parquet_leaves, to_parquet_type,
};
use serde_json::json;

use super::leaf::Chunk;
use super::packer::Packer;
use super::write::{SCHEMA, columns, encode, options, written};
use crate::lake::checksum::Cuts;
use crate::lake::record::leaves::LEAVES;
use crate::lake::record::row::{Cells, Head};
use crate::lake::record::rows::{Piece, Rows};
use crate::lake::record::shape::Shape;
use crate::lake::record::{MEMBERS, Split};

const ROWS: usize = 100_000;
const ROUNDS: usize = 5;

/// A column of Arrow's that is being filled.
enum Build {
    Text(MutableBinaryViewArray<str>),
    Row(Vec<Build>),
    List { offsets: Vec<i64>, validity: Vec<bool>, elements: Box<Build> },
}

impl Build {
    fn new(shape: &Shape) -> Self {
        let list = |elements| Self::List { offsets: vec![0], validity: vec![], elements: Box::new(elements) };
        match shape {
            Shape::Text => Self::Text(MutableBinaryViewArray::new()),
            Shape::Row(fields) => Self::Row(fields.iter().map(|field| Self::new(&field.shape)).collect()),
            Shape::List(element) => list(Self::new(&element.shape)),
            Shape::Map => list(Self::Row([(); 2].map(|()| Self::new(&Shape::Text)).into())),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(texts) => texts.len(),
            Self::Row(fields) => fields[0].len(),
            Self::List { validity, .. } => validity.len(),
        }
    }

    fn list(&mut self, count: Option<usize>) {
        if let Self::List { offsets, validity, .. } = self {
            offsets.push(offsets.last().unwrap() + count.unwrap_or(0) as i64);
            validity.push(count.is_some());
        }
    }

    fn null(&mut self) {
        match self {
            Self::Text(texts) => texts.push_null(),
            Self::Row(fields) => fields.iter_mut().for_each(Self::null),
            Self::List { .. } => self.list(None),
        }
    }

    fn take(&mut self, cells: &mut Cells<'_>) {
        match self {
            Self::Text(texts) => {
                texts.push(cells.text().unwrap().map(|text| std::str::from_utf8(text).unwrap()))
            }
            Self::Row(fields) => fields.iter_mut().for_each(|field| field.take(cells)),
            Self::List { elements, .. } => {
                let count = cells.count().unwrap();
                (0..count.unwrap_or(0)).for_each(|_| elements.take(cells));
                self.list(count);
            }
        }
    }

    fn pad(&mut self, rows: usize) {
        (self.len()..rows).for_each(|_| self.null());
    }

    fn finish(self, shape: &Shape) -> Box<dyn Array> {
        match (self, shape) {
            (Self::Text(texts), _) => Utf8ViewArray::from(texts).boxed(),
            (Self::Row(parts), Shape::Row(fields)) => {
                let parts = parts.into_iter().zip(fields);
                row(parts.map(|(part, field)| (field.name.as_str(), part.finish(&field.shape))).collect())
            }
            (Self::Row(parts), _) => {
                let parts = ["key", "value"].into_iter().zip(parts);
                row(parts.map(|(name, part)| (name, part.finish(&Shape::Text))).collect())
            }
            (Self::List { offsets, validity, elements }, shape) => {
                let inner = if let Shape::List(element) = shape { &element.shape } else { shape };
                let values = elements.finish(inner);
                let item = Field::new("item".into(), values.dtype().clone(), true);
                let offsets = OffsetsBuffer::try_from(offsets).unwrap();
                let dtype = ArrowDataType::LargeList(Box::new(item));
                ListArray::<i64>::new(dtype, offsets, values, Some(Bitmap::from(validity))).boxed()
            }
        }
    }
}

fn row(parts: Vec<(&str, Box<dyn Array>)>) -> Box<dyn Array> {
    let field =
        |(name, array): &(&str, Box<dyn Array>)| Field::new((*name).into(), array.dtype().clone(), true);
    let (dtype, length) = (ArrowDataType::Struct(parts.iter().map(field).collect()), parts[0].1.len());
    StructArray::new(dtype, length, parts.into_iter().map(|(_, array)| array).collect(), None).boxed()
}

/// A column of a member, put together from its leaves.
fn member(shape: &Shape, leaves: &mut impl Iterator<Item = Box<dyn Array>>) -> Box<dyn Array> {
    let Shape::Row(fields) = shape else { return leaves.next().unwrap() };
    row(fields.iter().map(|field| (field.name.as_str(), member(&field.shape, leaves))).collect())
}

/// All columns in the order of [`SCHEMA`].
fn arrays(rows: &Rows, group: Range<usize>) -> Vec<Box<dyn Array>> {
    let height = group.len();
    let mut builds: Vec<Build> = LEAVES.iter().map(|leaf| Build::new(leaf.shape)).collect();
    let (mut objects, mut records) = (Build::new(&Shape::Text), Vec::with_capacity(height));
    for (at, row) in group.enumerate() {
        let (head, mut cells) = rows.parts(row).unwrap();
        while let Some(leaf) = cells.leaf() {
            let build = &mut builds[usize::from(leaf)];
            build.pad(at);
            build.take(&mut cells);
        }
        if let Build::Text(objects) = &mut objects {
            objects.push(Some(std::str::from_utf8(head.object).unwrap()));
        }
        records.push(i64::try_from(head.record).unwrap());
    }
    let mut leaves = builds.into_iter().zip(LEAVES.iter()).map(|(mut build, leaf)| {
        build.pad(height);
        build.finish(leaf.shape)
    });
    let members = MEMBERS.iter().map(|one| member(&one.field.shape, &mut leaves));
    let mut arrays: Vec<_> = members.collect();
    arrays.extend([objects.finish(&Shape::Text), PrimitiveArray::from_slice(&records).boxed()]);
    arrays.extend(leaves);
    arrays
}

fn theirs(rows: &Rows) -> Vec<Chunk> {
    let options = options().unwrap();
    let chunks = arrays(rows, 0..rows.len()).into_iter().zip(SCHEMA.iter()).flat_map(|(array, field)| {
        let kind = to_parquet_type(field).unwrap();
        let encodings = vec![Encoding::RleDictionary; to_parquet_leaves(kind.clone()).len()];
        array_to_columns(array, kind, options, &encodings).unwrap()
    });
    let packed = |page| compress(page, Vec::new(), options.compression).unwrap();
    chunks
        .map(|pages| Chunk { pages: pages.map(|page| packed(page.unwrap())).collect(), filter: None })
        .collect()
}

fn ours(rows: &Rows) -> Vec<Chunk> {
    let (options, mut packer) = (options().unwrap(), Packer::new());
    let parts = columns(rows, 0..rows.len()).unwrap().into_iter().zip(SCHEMA.iter());
    parts.flat_map(|(part, field)| encode(part, field, options, &mut packer).unwrap()).collect()
}

/// Bytes of a file of these chunks, without filters, and its largest data page before compression.
fn size(chunks: &[Chunk], rows: usize) -> (u64, usize) {
    let schema = SCHEMA.iter().map(|field| (field.name.clone(), field.clone())).collect();
    let mut writer = FileWriter::try_new(Vec::new(), schema, options().unwrap()).unwrap();
    writer.write(rows as u64, written(chunks, &Cuts::default())).unwrap();
    let largest = chunks.iter().flat_map(|chunk| &chunk.pages).map(|page| match page {
        CompressedPage::Data(page) => page.uncompressed_size(),
        CompressedPage::Dict(_) => 0,
    });
    (writer.end(Some(Vec::new())).unwrap(), largest.max().unwrap())
}

/// Processor seconds of this thread, where the system tells.
fn seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// Events of which ids, keys and sessions hardly repeat, and the rest does.
fn rows(count: usize) -> Rows {
    let mut piece = Piece::default();
    for at in 0..count {
        let mixed = |salt: u64| {
            (at as u64 + salt)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29)
                .wrapping_mul(0xbf58_476d_1ce4_e5b9)
        };
        let (role, bucket) = (mixed(1) % 300, mixed(2) % 50);
        let source = ["s3.amazonaws.com", "kms.amazonaws.com", "ecr.amazonaws.com"][at % 3];
        let mut record = json!({
            "eventVersion": "1.09", "eventTime": format!("2026-03-02T{:02}:{:02}:{:02}Z", at * 24 / count, mixed(3) % 60, mixed(4) % 60),
            "userIdentity": {"type": "AssumedRole", "arn": format!("arn:aws:sts::111122223333:assumed-role/role-{role}/{:x}", mixed(5)), "accessKeyId": format!("ASIA{:016X}", mixed(6)),
                "accountId": "111122223333", "sessionContext": {"sessionIssuer": {"type": "Role", "arn": format!("arn:aws:iam::111122223333:role/role-{role}")}}},
            "eventSource": source, "eventName": format!("Call{}", mixed(7) % 14),
            "sourceIPAddress": format!("10.{}.{}.{}", mixed(8) % 256, mixed(9) % 256, mixed(10) % 256), "userAgent": format!("agent-{}", mixed(11) % 5),
            "requestParameters": {"bucketName": format!("bucket-{bucket}"), "key": format!("builds/{:x}/{:x}.tar", mixed(12), mixed(13))},
            "requestID": format!("{:016X}", mixed(14)), "eventID": format!("{:016x}{:016x}", mixed(15), mixed(16)), "eventType": "AwsApiCall",
        });
        if mixed(17) % 5 < 3 {
            record["resources"] = json!([{"type": "AWS::S3::Object", "ARN": format!("arn:aws:s3:::bucket-{bucket}/{:x}", mixed(18))}, {"accountId": "111122223333", "type": "AWS::S3::Bucket"}]);
        }
        let json = record.to_string();
        let split = Split::of(&json, false).unwrap();
        piece.write(
            &Head { time: at as i64, record: at as u64, id: b"", object: b"AWSLogs/x.json.gz" },
            |out| split.put(out),
        );
    }
    Rows::of(vec![piece])
}

#[test]
#[ignore = "a measurement"]
fn columns_of_polars_and_ours() {
    let rows = rows(ROWS);
    let mut best = [f64::MAX; 2];
    for _ in 0..ROUNDS {
        for (best, make) in best.iter_mut().zip([ours, theirs]) {
            let begun = seconds();
            let made = make(&rows);
            *best = best.min(seconds() - begun);
            drop(made);
        }
    }
    let [(bytes, largest), (their_bytes, their_largest)] =
        [ours, theirs].map(|make| size(&make(&rows), rows.len()));
    let [seconds, their_seconds] = best;
    let told = format!(
        "{ROWS} events. Ours: {seconds:.3} CPU-s, {bytes} bytes, largest page {largest} bytes; polars: {:.2} times the \
         CPU, {:.3} times the bytes, largest page {their_largest} bytes",
        their_seconds / seconds,
        their_bytes as f64 / bytes as f64,
    );
    writeln!(std::io::stdout(), "{told}").unwrap();
}
