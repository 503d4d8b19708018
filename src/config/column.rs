//! Names of columns.

/// A column, as a user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSelector {
    /// By header, compared without regard to letter case and surrounding white space.
    Name(String),
    /// By place, counted from 1.
    Number(usize),
}

impl std::str::FromStr for ColumnSelector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<usize>() {
            Ok(0) => Err("columns are counted from 1".to_owned()),
            Ok(number) => Ok(Self::Number(number)),
            Err(_) if text.is_empty() => Err("a column needs a name or a number".to_owned()),
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl ColumnSelector {
    /// The text that was typed.
    pub fn text(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl std::fmt::Display for ColumnSelector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "`{name}`"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

crate::written::written! {
    ColumnSelector: { "type": ["integer", "string"], "minimum": 1, "minLength": 1 },
}
