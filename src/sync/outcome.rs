//! One outcome of a run of which several audiences may have failed.

use crate::error::{Error, ExitCode, Result};

/// The outcome of a run with these troubles: the gravest one's code and hint, and what happened to all of them.
/// `has_sent` says whether anything was confirmed in it.
pub(super) fn outcome(troubles: Vec<Error>, has_sent: bool) -> Result<()> {
    let mut troubles = troubles;
    let graveness = |error: &Error| match error.exit_code() {
        ExitCode::Interrupted | ExitCode::Terminated => 5,
        ExitCode::Credentials => 4,
        ExitCode::Unknown => 3,
        ExitCode::Temporary => 0,
        ExitCode::Partial => 1,
        _ => 2,
    };
    // The first one of the gravest ones.
    let at = (0..troubles.len()).rev().max_by_key(|at| graveness(&troubles[*at]));
    let Some(at) = at else { return Ok(()) };
    let gravest = troubles.remove(at);
    let code = match gravest.exit_code() {
        ExitCode::Temporary if has_sent => ExitCode::Partial,
        code => code,
    };
    if troubles.is_empty() && code == gravest.exit_code() {
        return Err(gravest);
    }
    let mut messages = vec![gravest.to_string()];
    for message in troubles.iter().map(ToString::to_string) {
        if !messages.contains(&message) {
            messages.push(message);
        }
    }
    let hint = match code {
        ExitCode::Partial => {
            Some("run the same command again: it goes on where it stopped".to_owned())
        }
        _ => gravest.hint().map(str::to_owned),
    };
    Err(Error::Api { code, message: messages.join("; "), hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: ExitCode, message: &str) -> Error {
        Error::api(code, message, "do it")
    }

    #[test]
    fn the_gravest_trouble_decides_and_all_are_named() {
        assert!(outcome(Vec::new(), false).is_ok());
        for (codes, has_sent, expected, message) in [
            (vec![ExitCode::Temporary], false, ExitCode::Temporary, "0"),
            (vec![ExitCode::Temporary], true, ExitCode::Partial, "0"),
            (vec![ExitCode::Partial, ExitCode::Unknown], true, ExitCode::Unknown, "1; 0"),
            (vec![ExitCode::Unknown, ExitCode::Credentials], false, ExitCode::Credentials, "1; 0"),
            (vec![ExitCode::Temporary, ExitCode::Temporary], true, ExitCode::Partial, "0; 1"),
            (vec![ExitCode::Output, ExitCode::Partial], true, ExitCode::Output, "0; 1"),
        ] {
            let numbered = codes.iter().enumerate();
            let troubles = numbered.map(|(at, code)| error(*code, &at.to_string())).collect();
            let error = outcome(troubles, has_sent).expect_err("there was trouble");
            assert_eq!((error.exit_code(), &*error.to_string()), (expected, message), "{codes:?}");
        }
    }
}
