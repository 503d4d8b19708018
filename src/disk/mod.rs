//! Files that are private, whole and durable.
//!
//! What can happen to a file is argued here and nowhere else: who may read it ([`private`]), when it is there after a
//! power cut ([`durable`]), how it is replaced without ever being half ([`hidden`], [`staging`], [`whole_file`]), how one
//! process knows of another ([`lock`]), and how SQLite is opened ([`sqlite`]).

mod durable;
pub(crate) mod hidden;
mod lock;
pub(crate) mod plain_file;
pub(crate) mod private;
pub(crate) mod sqlite;
mod staging;
mod whole_file;

pub(crate) use self::durable::{link_or_copy, sync_dir};
pub(crate) use self::lock::FileLock;
pub(crate) use self::private::create_file;
pub use self::staging::{MANIFEST_FILE, Staging};
pub use self::whole_file::{Readers, write_whole};
