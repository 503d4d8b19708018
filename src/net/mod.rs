//! What everything that uses the network needs: host names, proxies, and the authorities that are trusted.

mod authorities;
mod proxy;
mod resolver;

pub(crate) use self::authorities::authorities;
pub(crate) use self::proxy::proxy;
pub(crate) use self::resolver::PatientResolver;
