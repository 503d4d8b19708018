//! What a column holds, and how its values become text.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::schema::types::ColumnDescriptor;

/// How the values of a column are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Physical {
    Int32,
    Int64,
    Bytes,
    /// So many bytes each.
    Fixed(usize),
    Bool,
    Float,
    Double,
    /// What is not read: old timestamps.
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
    /// `true` or `false`; with those below, only for values that are compared.
    Bool,
    /// The shortest number that is the same float.
    Float,
    /// Days since 1970 as `2026-11-24`.
    Date,
    /// Such parts of a second since 1970 as `2026-11-24 02:00:00`.
    Moment(Part),
    /// A whole number with so many decimal places.
    Decimal(u8),
}

/// Parts of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Milli,
    Micro,
    Nano,
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
    /// How they become text to be compared, if they can be.
    pub(super) compared: Option<Render>,
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
            compared: if is_list { None } else { compared(column, physical) },
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
            Type::BOOLEAN => Self::Bool,
            Type::FLOAT => Self::Float,
            Type::DOUBLE => Self::Double,
            Type::INT96 => Self::Other,
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
    match (physical, logical, converted) {
        (_, Some(LogicalType::Decimal(_) | LogicalType::Float16), _) | (_, None, Old::DECIMAL) => {
            Err(Unfit::Number)
        }
        (Physical::Float | Physical::Double, ..) => Err(Unfit::Number),
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

/// How values become text that a condition is compared with: as identifiers, or as programs print what is none.
fn compared(column: &ColumnDescriptor, physical: Physical) -> Option<Render> {
    use ConvertedType as Old;
    let (logical, converted) = (column.logical_type_ref(), column.converted_type());
    let part = |unit: &TimeUnit| match unit {
        TimeUnit::MILLIS => Part::Milli,
        TimeUnit::MICROS => Part::Micro,
        TimeUnit::NANOS => Part::Nano,
    };
    let is_int = matches!(physical, Physical::Int32 | Physical::Int64);
    match (logical, converted) {
        _ if physical == Physical::Bool => Some(Render::Bool),
        (Some(LogicalType::Date), _) | (None, Old::DATE) if physical == Physical::Int32 => {
            Some(Render::Date)
        }
        (Some(LogicalType::Timestamp(of)), _) if physical == Physical::Int64 => {
            Some(Render::Moment(part(&of.unit)))
        }
        (None, Old::TIMESTAMP_MILLIS) => Some(Render::Moment(Part::Milli)),
        (None, Old::TIMESTAMP_MICROS) => Some(Render::Moment(Part::Micro)),
        (Some(LogicalType::Decimal(_)), _) | (None, Old::DECIMAL) if is_int => {
            u8::try_from(column.type_scale()).ok().map(Render::Decimal)
        }
        _ if matches!(physical, Physical::Float | Physical::Double) => Some(Render::Float),
        _ => render(column, physical).ok(),
    }
}
