//! Lines between rows, as programs print them that draw tables.

/// True for a line of dashes, with what stands where columns meet: `----+-----`, `|-----|-----|`, `|:---|---:|`.
pub(crate) fn is_ruler(line: &[u8]) -> bool {
    line.iter().all(|byte| b"-=_+|: \t,;".contains(byte))
        && [b"---", b"===", b"___"]
            .iter()
            .any(|dashes| memchr::memmem::find(line, *dashes).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rulers_are_dashes_and_crossings() {
        for line in ["----+-----", "+---+---+", "|---|---|", "| --- | ---: |", "=== ===", "---"] {
            assert!(is_ruler(line.as_bytes()), "{line}");
        }
        for line in ["", "-", "-|-|-", "--", "+--+", "---a", "----1", "|||", "ann---lee"] {
            assert!(!is_ruler(line.as_bytes()), "{line}");
        }
    }
}
