//! What a column holds, and how its values become text.

use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::schema::types::ColumnDescriptor;

/// How the values of a column are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Physical {
    Int32,
    Int64,
    Bytes,
    /// So many bytes each.
    Fixed(usize),
    /// What no identifier is stored as: truth values, floats, old timestamps.
    Other,
}

/// How the values of a column are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Render {
    /// They are text.
    Text,
    Signed,
    Unsigned,
    Uuid,
}

/// Why a column cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Its rows hold lists.
    List,
    /// It holds decimal or floating-point numbers, which have lost digits or have some that are not in the number.
    Number,
    /// It holds dates, truth values and the like.
    OtherType,
}

/// A column without columns below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Its path with dots between names.
    pub(super) name: String,
    pub(super) physical: Physical,
    /// The definition level of values that are there.
    pub(super) level_max: i16,
    /// True if nothing says that its bytes are text.
    pub(super) is_binary: bool,
    /// How its values become text, or why they cannot be identifiers.
    pub(super) render: Result<Render, Unfit>,
}

impl Leaf {
    pub(super) fn of(column: &ColumnDescriptor) -> Self {
        let (name, physical) = (column.path().parts().join("."), Physical::of(column));
        let is_list = column.max_rep_level() > 0;
        Self {
            name: if is_list { without_list_names(&name).to_owned() } else { name },
            physical,
            level_max: column.max_def_level(),
            is_binary: matches!(physical, Physical::Bytes | Physical::Fixed(_))
                && column.logical_type_ref().is_none()
                && column.converted_type() == ConvertedType::NONE,
            render: if is_list { Err(Unfit::List) } else { render(column, physical) },
        }
    }
}

impl Physical {
    fn of(column: &ColumnDescriptor) -> Self {
        match column.physical_type() {
            Type::INT32 => Self::Int32,
            Type::INT64 => Self::Int64,
            Type::BYTE_ARRAY => Self::Bytes,
            Type::FIXED_LEN_BYTE_ARRAY => match usize::try_from(column.type_length()) {
                Ok(len) if len > 0 => Self::Fixed(len),
                _ => Self::Other,
            },
            Type::BOOLEAN | Type::INT96 | Type::FLOAT | Type::DOUBLE => Self::Other,
        }
    }
}

/// The name of a list as people know it; what writers call the levels below it says nothing.
fn without_list_names(name: &str) -> &str {
    [".list.element", ".list.item", ".bag.array_element", ".array"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name)
}

/// How values become text, by the logical type or, in files of older writers, the converted type. What is neither text
/// nor an integer is no identifier.
fn render(column: &ColumnDescriptor, physical: Physical) -> Result<Render, Unfit> {
    use ConvertedType as Old;
    let (logical, converted) = (column.logical_type_ref(), column.converted_type());
    let is_float = matches!(column.physical_type(), Type::FLOAT | Type::DOUBLE);
    match (physical, logical, converted) {
        (_, Some(LogicalType::Decimal(_) | LogicalType::Float16), _) | (_, None, Old::DECIMAL) => {
            Err(Unfit::Number)
        }
        (Physical::Other, ..) if is_float => Err(Unfit::Number),
        (Physical::Int32 | Physical::Int64, Some(LogicalType::Integer(of)), _) => {
            Ok(if of.is_signed { Render::Signed } else { Render::Unsigned })
        }
        (
            Physical::Int32 | Physical::Int64,
            None,
            Old::UINT_8 | Old::UINT_16 | Old::UINT_32 | Old::UINT_64,
        ) => Ok(Render::Unsigned),
        (Physical::Int32 | Physical::Int64, Some(LogicalType::Unknown), _)
        | (
            Physical::Int32 | Physical::Int64,
            None,
            Old::NONE | Old::INT_8 | Old::INT_16 | Old::INT_32 | Old::INT_64,
        ) => Ok(Render::Signed),
        (
            Physical::Bytes,
            Some(
                LogicalType::String | LogicalType::Enum | LogicalType::Unknown | LogicalType::Json,
            ),
            _,
        )
        | (Physical::Bytes, None, Old::NONE | Old::UTF8 | Old::ENUM | Old::JSON)
        | (Physical::Fixed(_), None, Old::NONE) => Ok(Render::Text),
        (Physical::Fixed(16), Some(LogicalType::Uuid), _) => Ok(Render::Uuid),
        _ => Err(Unfit::OtherType),
    }
}
