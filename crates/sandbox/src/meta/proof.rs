//! `appsecret_proof`: HMAC-SHA-256 of the token with the app secret, in hex.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The proof that goes with a token.
pub(super) fn proof(secret: &str, token: &str) -> String {
    let keyed = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let keyed = keyed.expect("a key of any length is one");
    const_hex::encode(keyed.chain_update(token).finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_samples() {
        // RFC 4231, test case 2; the second is of Python's hmac: a key that is longer than a block is hashed.
        assert_eq!(
            proof("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            proof(&"a".repeat(131), "x"),
            "76f0801bdbc0ff29214ffdd6edce36467d4142a842d91a011c59c66d12693db0"
        );
    }
}
