//! The proxy that the environment names.
//!
//! The first of `ALL_PROXY`, `HTTPS_PROXY` and `HTTP_PROXY`, in capitals or small letters, that is set. It is asked for a
//! tunnel (`CONNECT`), so that it sees neither token nor entries. `NO_PROXY`, a list with commas, names hosts that are
//! reached without it, and the hosts below them; `*` is all.
//!
//! What cannot be used is an error: whether a proxy may be gone around is not for throng to decide. A host without TLS,
//! which is on this machine, is never asked through a proxy: the token would be readable on the way to it.

use ureq::{Proxy, ProxyProtocol};

use crate::error::{Error, Result};

/// Where a proxy may be named, in the order in which it is looked for.
const VARIABLES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// Where hosts without a proxy are.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The proxy on the way to a host, if there is one.
pub(crate) fn proxy(has_tls: bool) -> Result<Option<Proxy>> {
    if has_tls {
        named(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    } else {
        Ok(None)
    }
}

/// The proxy that variables name. Its address may hold a password and is not repeated.
fn named(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Proxy>> {
    let set = |name: &'static str| Some((name, variable(name).filter(|value| !value.is_empty())?));
    let Some((name, address)) = VARIABLES.into_iter().find_map(set) else { return Ok(None) };
    let exceptions = EXCEPTIONS.into_iter().find_map(set).map(|(_, hosts)| hosts);
    proxy_at(&address, exceptions.as_deref().unwrap_or_default()).map(Some).ok_or_else(|| {
        Error::usage(
            format!("the proxy in {name} cannot be used"),
            "its form is http://HOST:PORT or http://USER:PASSWORD@HOST:PORT",
        )
    })
}

fn proxy_at(address: &str, exceptions: &str) -> Option<Proxy> {
    let named = Proxy::new(address).ok()?;
    if !matches!(named.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) {
        return None;
    }
    let mut proxy = Proxy::builder(named.protocol()).host(named.host()).port(named.port());
    if let Some(user) = named.username() {
        proxy = proxy.username(user);
    }
    if let Some(password) = named.password() {
        proxy = proxy.password(password);
    }
    for host in exceptions.split(',').map(str::trim).filter(|host| !host.is_empty()) {
        let below = if host.starts_with(['.', '*']) { host.to_owned() } else { format!(".{host}") };
        proxy = proxy.no_proxy(host).no_proxy(&below);
    }
    proxy.build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Proxy>> {
        let value = |name: &str| variables.iter().find(|(own, _)| *own == name).map(|(_, v)| *v);
        named(|name| value(name).map(str::to_owned))
    }

    #[test]
    fn the_first_variable_that_is_set_counts() {
        for (variables, host) in [
            (&[][..], None),
            (&[("HTTPS_PROXY", "")], None),
            (&[("NO_PROXY", "*")], None),
            (&[("HTTP_PROXY", "http://a:1")], Some("a")),
            (&[("https_proxy", "b:1"), ("HTTP_PROXY", "http://a:1")], Some("b")),
            (&[("HTTPS_PROXY", ""), ("http_proxy", "http://a:1")], Some("a")),
            (&[("ALL_PROXY", "https://c"), ("HTTPS_PROXY", "http://b:1")], Some("c")),
        ] {
            let proxy = of(variables).expect("can be used");
            assert_eq!(proxy.as_ref().map(Proxy::host), host, "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_an_error_without_its_password() {
        for address in ["socks5://canary:canary@a:1", "htp://canary:canary@a", "http://", "a b"] {
            let error = of(&[("ALL_PROXY", address)]).expect_err("refused");
            assert_eq!(error.to_string(), "the proxy in ALL_PROXY cannot be used");
        }
    }

    #[test]
    fn exceptions_are_hosts_and_those_below_them() {
        for (list, excepted, others) in [
            (
                "example.com",
                &["example.com", "api.example.com", "API.Example.com"][..],
                &["myexample.com"][..],
            ),
            ("localhost, .example.com ,x", &["localhost", "a.example.com", "x"], &["example.com"]),
            ("*.example.com", &["a.example.com"], &["example.com"]),
            ("*", &["anything"], &[]),
            ("", &[], &["example.com"]),
        ] {
            let proxy = of(&[("HTTPS_PROXY", "http://u:p@a:1"), ("no_proxy", list)]);
            let proxy = proxy.expect("can be used").expect("named");
            assert_eq!((proxy.username(), proxy.password()), (Some("u"), Some("p")));
            let is_excepted = |host: &str| {
                proxy.is_no_proxy(&format!("https://{host}/").parse().expect("an address"))
            };
            assert!(excepted.iter().all(|host| is_excepted(host)), "{list}");
            assert!(!others.iter().any(|host| is_excepted(host)), "{list}");
        }
    }
}
