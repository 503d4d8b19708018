//! How the `parquet` crate is told what to decode: a schema of one column, and the Arrow type that it becomes.
//!
//! The schema is not the file's, but says the same of one column with nothing around it: what a value is stored as, and
//! how often it may be missing on its way down. So text is decoded as bytes, which need not be UTF-8 (a value that is not
//! is rejected by itself, with a reason), and no column of a file is read but those that are wanted.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::{Repetition, Type as Stored};
use parquet::column::page::{PageIterator, PageReader};
use parquet::errors::Result;
use parquet::file::metadata::{FileMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor, Type};

use super::check::Kind;
use super::leaf::{Leaf, Physical};

const NAME: &str = "column";

#[derive(Debug)]
pub(super) struct Shape {
    column: ColumnDescPtr,
    metadata: ParquetMetaData,
    /// As it is, and text as places in a dictionary.
    plain: FieldLevels,
    places: FieldLevels,
}

impl Shape {
    pub(super) fn of(leaf: &Leaf) -> Result<Self> {
        let (stored, len) = match leaf.physical {
            Physical::Int32 => (Stored::INT32, -1),
            Physical::Int64 => (Stored::INT64, -1),
            Physical::Fixed(len) => (Stored::FIXED_LEN_BYTE_ARRAY, i32::try_from(len)?),
            Physical::Bool => (Stored::BOOLEAN, -1),
            Physical::Float => (Stored::FLOAT, -1),
            Physical::Double => (Stored::DOUBLE, -1),
            Physical::Bytes | Physical::Other => (Stored::BYTE_ARRAY, -1),
        };
        let is_text = stored == Stored::BYTE_ARRAY;
        let missing = if leaf.level_max > 0 { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let node = Type::primitive_type_builder(NAME, stored).with_repetition(missing);
        let mut node = node.with_length(len).build()?;
        let entries = DataType::Dictionary(DataType::Int32.into(), DataType::Binary.into());
        let mut hint = Field::new(NAME, entries, leaf.level_max > 0);
        for _ in 1..leaf.level_max {
            let group = Type::group_type_builder(NAME).with_repetition(Repetition::OPTIONAL);
            node = group.with_fields(vec![Arc::new(node)]).build()?;
            hint = Field::new(NAME, DataType::Struct(vec![hint].into()), true);
        }
        let root = Type::group_type_builder(NAME).with_fields(vec![Arc::new(node)]).build()?;
        let schema = Arc::new(SchemaDescriptor::new(Arc::new(root)));
        let levels = |hint: Option<&Fields>| {
            parquet_to_arrow_field_levels(&schema, ProjectionMask::all(), hint)
        };
        let hint = is_text.then(|| vec![hint].into());
        let file = FileMetaData::new(1, 0, None, None, Arc::clone(&schema), None);
        Ok(Self {
            plain: levels(None)?,
            places: levels(hint.as_ref())?,
            column: schema.column(0),
            metadata: ParquetMetaData::new(file, Vec::new()),
        })
    }

    pub(super) fn column(&self) -> ColumnDescPtr {
        Arc::clone(&self.column)
    }

    /// Begins to decode pages, so many rows at a time.
    pub(super) fn reader(
        &self,
        kind: Kind,
        pages: impl PageReader + Clone + 'static,
        batch: usize,
    ) -> Result<ParquetRecordBatchReader> {
        let levels = match kind {
            Kind::Values => &self.plain,
            Kind::Places => &self.places,
        };
        let one = OneColumn { metadata: &self.metadata, pages };
        ParquetRecordBatchReader::try_new_with_row_groups(levels, &one, batch, None)
    }
}

/// The column as the only one of its file, and its pages as all there are.
struct OneColumn<'a, P> {
    metadata: &'a ParquetMetaData,
    pages: P,
}

impl<P: PageReader + Clone + 'static> RowGroups for OneColumn<'_, P> {
    fn num_rows(&self) -> usize {
        0
    }

    fn column_chunks(&self, _: usize) -> Result<Box<dyn PageIterator>> {
        Ok(Box::new(Once(Some(Box::new(self.pages.clone())))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::empty())
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

struct Once(Option<Box<dyn PageReader>>);

impl Iterator for Once {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for Once {}
