//! One file a command: from what was typed to what is done, and what people see of it.

pub(crate) mod hash;
mod machine;
pub(crate) mod prepare;
mod progress;
pub(crate) mod verify;
