//! Records as a table, one row a run: CSV for spreadsheets, Parquet for everything else.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use crate::Record;

/// Records as columns.
#[derive(Clone, PartialEq, Debug)]
pub struct Table {
    columns: Vec<(String, Column)>,
    rows: usize,
}

/// The values of one column, a run each.
#[derive(Clone, PartialEq, Debug)]
enum Column {
    Text(Vec<String>),
    Whole(Vec<i64>),
    Truth(Vec<Option<bool>>),
    Number(Vec<Option<f64>>),
}

impl Table {
    /// The table of `records`, in the order of the plan. Its columns: `run`, the values that were set, `seed`, `digest`,
    /// `ok`, `error`, `end_s`, `events`, `transmissions`, of each expectation whether it held (`expect.NAME`) and what was
    /// found (`found.NAME`), and every metric by its name.
    pub fn new(records: &[Record]) -> Self {
        let mut records: Vec<&Record> = records.iter().collect();
        records.sort_by_key(|r| r.run);
        let names =
            |of: fn(&Record) -> Vec<&String>| -> BTreeSet<&String> { records.iter().flat_map(|r| of(r)).collect() };
        let whole = |of: fn(&Record) -> u64| Column::Whole(records.iter().map(|r| of(r) as i64).collect());
        let text = |of: &dyn Fn(&Record) -> String| Column::Text(records.iter().map(|r| of(r)).collect());
        let mut columns = vec![("run".to_owned(), whole(|r| r.run))];
        for path in names(|r| r.set.keys().collect()) {
            columns.push((path.clone(), text(&|r| r.set.get(path).cloned().unwrap_or_default())));
        }
        columns.push(("seed".to_owned(), whole(|r| r.seed)));
        columns.push(("digest".to_owned(), text(&|r| r.digest.clone())));
        columns.push(("ok".to_owned(), Column::Truth(records.iter().map(|r| Some(r.ok)).collect())));
        columns.push(("error".to_owned(), text(&|r| r.error.clone().unwrap_or_default())));
        columns.push(("end_s".to_owned(), Column::Number(records.iter().map(|r| Some(r.end_s)).collect())));
        columns.push(("events".to_owned(), whole(|r| r.events)));
        columns.push(("transmissions".to_owned(), whole(|r| r.transmissions)));
        for name in names(|r| r.expect.keys().collect()) {
            let held = records.iter().map(|r| r.expect.get(name).map(|e| e.ok)).collect();
            columns.push((format!("expect.{name}"), Column::Truth(held)));
            let found = records.iter().map(|r| r.expect.get(name).and_then(|e| e.value)).collect();
            columns.push((format!("found.{name}"), Column::Number(found)));
        }
        for name in names(|r| r.metrics.keys().collect()) {
            let values = records.iter().map(|r| r.metrics.get(name).copied()).collect();
            columns.push((name.clone(), Column::Number(values)));
        }
        Self { columns, rows: records.len() }
    }

    /// Writes the table as CSV (RFC 4180) with a header line. What is missing is empty.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_csv(&self, mut out: impl Write) -> io::Result<()> {
        let header: Vec<_> = self.columns.iter().map(|(name, _)| quoted(name)).collect();
        write!(out, "{}\r\n", header.join(","))?;
        for row in 0..self.rows {
            let cells: Vec<_> = self.columns.iter().map(|(_, column)| quoted(&column.cell(row))).collect();
            write!(out, "{}\r\n", cells.join(","))?;
        }
        out.flush()
    }

    /// Writes the table as Parquet, in one row group.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_parquet(&self, out: impl Write + Send) -> io::Result<()> {
        self.parquet(out).map_err(io::Error::other)
    }

    fn parquet(&self, out: impl Write + Send) -> Result<(), ParquetError> {
        let fields = self.columns.iter().map(|(name, column)| Ok(Arc::new(column.field(name)?)));
        let fields = fields.collect::<Result<Vec<_>, ParquetError>>()?;
        let schema = Arc::new(Type::group_type_builder("run").with_fields(fields).build()?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_created_by("septet".to_owned())
            .build();
        let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
        let mut group = writer.next_row_group()?;
        for (_, column) in &self.columns {
            column.write(&mut group)?;
        }
        group.close()?;
        writer.close()?;
        Ok(())
    }
}

impl Column {
    fn cell(&self, row: usize) -> String {
        match self {
            Self::Text(values) => values[row].clone(),
            Self::Whole(values) => values[row].to_string(),
            Self::Truth(values) => values[row].map(|v| v.to_string()).unwrap_or_default(),
            Self::Number(values) => values[row].map(|v| v.to_string()).unwrap_or_default(),
        }
    }

    fn field(&self, name: &str) -> Result<Type, ParquetError> {
        let (physical, logical, repetition) = match self {
            Self::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String), Repetition::REQUIRED),
            Self::Whole(_) => (Physical::INT64, None, Repetition::REQUIRED),
            Self::Truth(_) => (Physical::BOOLEAN, None, Repetition::OPTIONAL),
            Self::Number(_) => (Physical::DOUBLE, None, Repetition::OPTIONAL),
        };
        Type::primitive_type_builder(name, physical).with_logical_type(logical).with_repetition(repetition).build()
    }

    fn write<W: Write + Send>(&self, group: &mut SerializedRowGroupWriter<'_, W>) -> Result<(), ParquetError> {
        let Some(mut column) = group.next_column()? else { return Ok(()) };
        match self {
            Self::Text(values) => {
                let bytes: Vec<ByteArray> = values.iter().map(|v| v.as_str().into()).collect();
                column.typed::<ByteArrayType>().write_batch(&bytes, None, None)?;
            }
            Self::Whole(values) => {
                column.typed::<Int64Type>().write_batch(values, None, None)?;
            }
            Self::Truth(values) => {
                let (present, levels) = present(values);
                column.typed::<BoolType>().write_batch(&present, Some(&levels), None)?;
            }
            Self::Number(values) => {
                let (present, levels) = present(values);
                column.typed::<DoubleType>().write_batch(&present, Some(&levels), None)?;
            }
        }
        column.close()
    }
}

/// The values that are there, and for each row whether it has one: Parquet's definition levels.
fn present<T: Copy>(values: &[Option<T>]) -> (Vec<T>, Vec<i16>) {
    (values.iter().flatten().copied().collect(), values.iter().map(|v| i16::from(v.is_some())).collect())
}

/// A CSV cell, in quotes where it needs them.
pub(crate) fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
