//! `appsecret_proof`: HMAC-SHA-256 of the token with the app secret, in hex.

use sha2::{Digest, Sha256};

/// Bytes that SHA-256 works on at once.
const BLOCK: usize = 64;

/// The proof that goes with a token.
pub(super) fn proof(secret: &str, token: &str) -> String {
    let mut key = [0; BLOCK];
    if secret.len() > BLOCK {
        key[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        key[..secret.len()].copy_from_slice(secret.as_bytes());
    }
    let inner = Sha256::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(token);
    let outer = Sha256::new().chain_update(key.map(|byte| byte ^ 0x5c));
    const_hex::encode(outer.chain_update(inner.finalize()).finalize())
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
