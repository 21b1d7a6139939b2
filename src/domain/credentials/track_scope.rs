//! What a Public key may write: what its ApiKey lists, of customers whose id the caller proves.
//!
//! A Public key can be read by anybody, so it says nothing about who a customer is. The proof is a signature of the id, and
//! of the time until which it holds, by a secret that only a server has: `<until>.<signature>`, where `until` are Unix
//! seconds and the signature is HMAC-SHA256 (RFC 2104) of `<until>.<id>` under the secret of a Private ApiKey, in
//! hexadecimal.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};

use crate::domain::secret::Secret;

/// How far ahead the end of a proof may lie: what is copied out of a page must not hold for ever.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(31 * 24);

/// What a key may write of a customer, and by whose signature.
#[derive(Debug, Clone, Default)]
pub struct TrackScope {
    /// The Private ApiKey whose secret signs; none, if the key may write nothing.
    pub proven_by: Option<String>,
    /// Its secrets in force; several while a rotation overlaps, none while they are not known.
    pub secrets: Vec<Secret>,
    /// The types of events that may be added.
    pub events: BTreeSet<String>,
    /// The attributes that may be set and removed.
    pub attributes: BTreeSet<String>,
    /// The kinds of ids that may be given, beside `registered`.
    pub ids: BTreeSet<String>,
    /// The categories of consents that may be given and taken away.
    pub consents: BTreeSet<String>,
}

/// Why nothing may be written of a customer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The ApiKey lists nothing.
    #[error("this key may write nothing of a customer: its ApiKey has no spec.track")]
    NothingListed,
    /// The id is not proven.
    #[error(
        "proof is missing or wrong; it must be <until>.<signature>, where until are Unix seconds and the signature is the \
         HMAC-SHA256 of <until>.<ids.registered> under the secret of ApiKey {0}, in hexadecimal, made by a server"
    )]
    Unproven(String),
    /// It is a signature of the id alone, which would hold for ever.
    #[error(
        "proof says no end; it must be <until>.<signature>, where until are Unix seconds and the signature is the \
         HMAC-SHA256 of <until>.<ids.registered> under the secret of ApiKey {0}"
    )]
    Endless(String),
    /// Its time is over.
    #[error("proof held until {0}; let a server make another")]
    Expired(Timestamp),
    /// It would hold for too long.
    #[error("proof would hold until {0}; it may end at most 31 days from now")]
    TooLong(Timestamp),
    /// The secret is not known here (yet).
    #[error(
        "the proof cannot be checked: the secret of ApiKey {0} is not known (yet); send this again later"
    )]
    Unknown(String),
}

impl TrackScope {
    /// Whether the proof is of this id and holds now.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn check(&self, id: &str, proof: Option<&str>, now: Timestamp) -> Result<(), ProofError> {
        let proven_by = self.proven_by.as_ref().ok_or(ProofError::NothingListed)?;
        if self.secrets.is_empty() {
            return Err(ProofError::Unknown(proven_by.clone()));
        }
        let proof = proof.unwrap_or_default().trim();
        if self.signs(id, proof) {
            return Err(ProofError::Endless(proven_by.clone()));
        }
        let unproven = || ProofError::Unproven(proven_by.clone());
        let (until, signature) = proof.split_once('.').ok_or_else(unproven)?;
        let ends_at = moment(until).ok_or_else(unproven)?;
        // What is said of its end must be signed before it is believed.
        if !self.signs(&format!("{until}.{id}"), signature) {
            return Err(unproven());
        }
        if ends_at <= now {
            return Err(ProofError::Expired(ends_at));
        }
        match ends_at.duration_since(now) > AHEAD_MAX {
            true => Err(ProofError::TooLong(ends_at)),
            false => Ok(()),
        }
    }

    fn signs(&self, text: &str, signature: &str) -> bool {
        let Some(signature) = from_hexadecimal(signature) else { return false };
        self.secrets.iter().any(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
            hmac::verify(&key, text.as_bytes(), &signature).is_ok()
        })
    }
}

/// Unix seconds, in digits alone.
fn moment(text: &str) -> Option<Timestamp> {
    let is_plain = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    Timestamp::from_second(text.parse().ok().filter(|_| is_plain)?).ok()
}

fn from_hexadecimal(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|it| it as u8)).collect::<Option<_>>()?;
    let (pairs, odd) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok().filter(|_| odd.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf %s 1800003600.ann | openssl dgst -sha256 -hmac hunter2`
    const OF_ANN: &str = "1800003600.20cefccb5c0063d86b91afeaa2d1733c4036641746db1219ba1a64e1cf65f37a";
    const NOW: i64 = 1_800_000_000;

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    fn sign(secret: &str, text: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::sign(&key, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn proof(secret: &str, id: &str, until: i64) -> String {
        format!("{until}.{}", sign(secret, &format!("{until}.{id}")))
    }

    fn scope(secrets: &[&str]) -> TrackScope {
        let secrets = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        TrackScope { proven_by: Some("shop".into()), secrets, ..TrackScope::default() }
    }

    #[test]
    fn an_id_is_proven_by_each_secret_in_force_and_no_other() {
        let scope = scope(&["new", "old"]);
        let until = NOW + 3600;
        for secret in ["new", "old"] {
            let proof = proof(secret, "ann", until);
            assert_eq!(scope.check("ann", Some(&proof), now()), Ok(()));
            assert_eq!(scope.check("ann", Some(&proof.to_uppercase()), now()), Ok(()));
            assert_eq!(scope.check("ann", Some(&format!(" {proof}\n")), now()), Ok(()));
        }
        let of_hunter = TrackScope { secrets: vec![Secret::new("hunter2")], ..scope.clone() };
        assert_eq!(of_hunter.check("ann", Some(OF_ANN), now()), Ok(()));
        let unproven = Err(ProofError::Unproven("shop".into()));
        let later = proof("new", "ann", until).replacen(&until.to_string(), &(until + 1).to_string(), 1);
        let signed = sign("new", &format!("{until}.ann"));
        for proof in [
            proof("other", "ann", until),
            proof("new", "bob", until),
            OF_ANN.into(),
            String::new(),
            "ü".into(),
            later,
            format!("+{until}.{signed}"),
            format!("{until}.0.{signed}"),
            format!("{until}{signed}"),
            format!(".{}", sign("new", ".ann")),
        ] {
            assert_eq!(scope.check("ann", Some(&proof), now()), unproven, "{proof}");
        }
        assert_eq!(scope.check("ann", None, now()), unproven);
        assert_eq!(scope.check("Ann", Some(&proof("new", "ann", until)), now()), unproven);
    }

    #[test]
    fn a_proof_holds_until_its_time_and_none_for_ever() {
        let scope = scope(&["new"]);
        let checked = |seconds: i64| scope.check("ann", Some(&proof("new", "ann", NOW + seconds)), now());
        let at = |seconds: i64| Timestamp::from_second(NOW + seconds).unwrap();
        let most = AHEAD_MAX.as_secs();
        assert_eq!((checked(1), checked(most)), (Ok(()), Ok(())));
        assert_eq!(
            (checked(0), checked(-NOW)),
            (Err(ProofError::Expired(at(0))), Err(ProofError::Expired(at(-NOW))))
        );
        assert_eq!(checked(most + 1), Err(ProofError::TooLong(at(most + 1))));
        let of_id_alone = sign("new", "ann");
        assert_eq!(scope.check("ann", Some(&of_id_alone), now()), Err(ProofError::Endless("shop".into())));
    }

    #[test]
    fn what_is_signed_for_one_customer_proves_no_other_whose_id_looks_alike() {
        let scope = scope(&["new"]);
        let until = NOW + 60;
        // The id `5.ann` until then, and the id `ann` until a time that ends with 5, are signed alike by nobody.
        let of_dotted = proof("new", "5.ann", until);
        assert_eq!(scope.check("5.ann", Some(&of_dotted), now()), Ok(()));
        let (_, signature) = of_dotted.split_once('.').unwrap();
        let other = format!("{until}.5.{signature}");
        assert!(scope.check("ann", Some(&other), now()).is_err());
    }

    #[test]
    fn without_a_secret_nothing_is_proven() {
        assert_eq!(TrackScope::default().check("ann", None, now()), Err(ProofError::NothingListed));
        let signed_by_nothing = proof("", "ann", NOW + 60);
        let unknown = Err(ProofError::Unknown("shop".into()));
        assert_eq!(scope(&[]).check("ann", Some(&signed_by_nothing), now()), unknown);
    }
}
