//! Digests of passwords that people chose, made so that guessing at a stolen one is slow: salted, and stretched by PBKDF2.
//!
//! They are what the store keeps. What a process has in memory is the plain [`Digest`], from which this one is made; so a
//! stored one is looked at only when a password's Secret cannot be read, and then once for each password that is presented.

use std::num::NonZeroU32;
use std::sync::OnceLock;

use aws_lc_rs::{pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{Digest, GenerateError};

/// How often it is stretched, by OWASP's Password Storage Cheat Sheet (2023) for PBKDF2-HMAC-SHA256.
const ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).expect("600,000 is not zero");
/// What a stored one begins with; no base64 does.
const SCHEME: &str = "pbkdf2-sha256";

/// A digest that is slow to make.
#[derive(Debug)]
pub struct SlowDigest {
    rounds: NonZeroU32,
    salt: [u8; 16],
    stretched: [u8; 32],
    /// The plain digest of the right password, once it was presented.
    proven: OnceLock<Digest>,
}

impl SlowDigest {
    /// Makes one of a password's digest. Takes a good part of a second.
    ///
    /// # Errors
    /// See [`GenerateError`].
    pub fn of(digest: &Digest) -> Result<Self, GenerateError> {
        let mut salt = [0_u8; 16];
        rand::fill(&mut salt).map_err(|_| GenerateError)?;
        Ok(SlowDigest::stretched(digest, salt, ROUNDS))
    }

    fn stretched(digest: &Digest, salt: [u8; 16], rounds: NonZeroU32) -> Self {
        let mut stretched = [0_u8; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, digest.as_bytes(), &mut stretched);
        SlowDigest { rounds, salt, stretched, proven: OnceLock::new() }
    }

    /// Whether it is of this password, which is remembered if it is. Takes a good part of a second.
    pub fn prove(&self, digest: &Digest) -> bool {
        let is_right = pbkdf2::verify(
            pbkdf2::PBKDF2_HMAC_SHA256,
            self.rounds,
            &self.salt,
            digest.as_bytes(),
            &self.stretched,
        );
        if is_right.is_ok() {
            // Both threads computed the same digest.
            let _ = self.proven.set(*digest);
        }
        is_right.is_ok()
    }

    /// Whether the password of this digest was proven before. Takes no time.
    pub fn is_proven(&self, digest: &Digest) -> bool {
        self.proven.get().is_some_and(|proven| proven.matches(digest))
    }

    /// As it is stored.
    pub fn to_text(&self) -> String {
        let [salt, stretched] = [&self.salt[..], &self.stretched].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        format!("{SCHEME}${}${salt}${stretched}", self.rounds)
    }

    /// As it was stored; `None` for what is none, or would take too long.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(SCHEME)?.strip_prefix('$')?.split('$');
        let rounds: NonZeroU32 =
            parts.next()?.parse().ok().filter(|rounds| *rounds <= ROUNDS.saturating_mul(MORE))?;
        let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?.try_into().ok()?;
        let stretched = STANDARD_NO_PAD.decode(parts.next()?).ok()?.try_into().ok()?;
        Some(SlowDigest { rounds, salt, stretched, proven: OnceLock::new() })
    }
}

/// How many times as many rounds a later version may have stored.
const MORE: NonZeroU32 = NonZeroU32::new(4).expect("4 is not zero");

#[cfg(test)]
mod tests {
    use super::*;

    fn few_rounds(password: &str, salt: u8) -> SlowDigest {
        let rounds = NonZeroU32::new(10).unwrap();
        SlowDigest::stretched(&Digest::of(password), [salt; 16], rounds)
    }

    #[test]
    fn the_right_password_is_proven_and_then_known() {
        let slow = few_rounds("sommer2026", 1);
        assert!(!slow.is_proven(&Digest::of("sommer2026")) && !slow.prove(&Digest::of("winter2026")));
        assert!(slow.prove(&Digest::of("sommer2026")) && slow.is_proven(&Digest::of("sommer2026")));
        assert!(!slow.is_proven(&Digest::of("winter2026")));
    }

    #[test]
    fn it_is_stored_with_its_salt_and_shows_no_password() {
        let (one, other) = (few_rounds("sommer2026", 1).to_text(), few_rounds("sommer2026", 2).to_text());
        assert_ne!(one, other);
        let plain = STANDARD_NO_PAD.encode(Digest::of("sommer2026").as_bytes());
        assert!(!one.contains(&plain));
        let back = SlowDigest::from_text(&one).unwrap();
        assert!(back.prove(&Digest::of("sommer2026")));
        assert_eq!(back.to_text(), one);
        for wrong in ["", &plain, "pbkdf2-sha256$0$AA$AA", "pbkdf2-sha256$4000000000$AA$AA", &one[..30]] {
            assert!(SlowDigest::from_text(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_new_one_is_stretched_as_often_as_it_should() {
        let text = SlowDigest::of(&Digest::of("sommer2026")).unwrap().to_text();
        assert!(text.starts_with("pbkdf2-sha256$600000$"), "{text}");
    }
}
