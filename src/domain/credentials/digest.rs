//! The SHA-256 of a secret, compared in constant time.
//!
//! Generated secrets carry 192 random bits, so a plain digest cannot be guessed backwards.

use aws_lc_rs::{constant_time, digest};

/// The digest of a secret.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digests a secret.
    pub fn of(secret: &str) -> Self {
        Digest::of_bytes(secret.as_bytes())
    }

    /// Digests bytes, such as a request's body.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, bytes);
        Digest(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// Whether both are of the same secret; takes the same time wherever they differ.
    pub fn matches(&self, other: &Digest) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    /// A digest that was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Digest(bytes)
    }

    /// The bytes, for keeping the digest of something that is no secret.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[digest]")
    }
}
