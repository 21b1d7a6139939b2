//! What a Public key may write: what its ApiKey lists, of customers whose id the caller proves.
//!
//! A Public key can be read by anybody, so it says nothing about who a customer is. The proof is a signature of the id by a
//! secret that only a server has: HMAC-SHA256 (RFC 2104) under the secret of a Private ApiKey, in hexadecimal.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;

use crate::domain::secret::Secret;

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
        "proof is missing or wrong; it must be the HMAC-SHA256 of ids.registered under the secret of ApiKey {0}, in \
         hexadecimal, made by a server"
    )]
    Unproven(String),
    /// The secret is not known here (yet).
    #[error(
        "the proof cannot be checked: the secret of ApiKey {0} is not known (yet); send this again later"
    )]
    Unknown(String),
}

impl TrackScope {
    /// Whether the proof is of this id.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn check(&self, id: &str, proof: Option<&str>) -> Result<(), ProofError> {
        let proven_by = self.proven_by.as_ref().ok_or(ProofError::NothingListed)?;
        if self.secrets.is_empty() {
            return Err(ProofError::Unknown(proven_by.clone()));
        }
        let signature = proof.and_then(from_hexadecimal);
        let is_of = |secret: &Secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
            signature.as_ref().is_some_and(|signature| hmac::verify(&key, id.as_bytes(), signature).is_ok())
        };
        match self.secrets.iter().any(is_of) {
            true => Ok(()),
            false => Err(ProofError::Unproven(proven_by.clone())),
        }
    }
}

fn from_hexadecimal(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.trim().chars().map(|c| c.to_digit(16).map(|it| it as u8)).collect::<Option<_>>()?;
    let (pairs, odd) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok().filter(|_| odd.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf %s ann | openssl dgst -sha256 -hmac hunter2`
    const OF_ANN: &str = "9b535644bf1b9a664e49df2bc01078888861ccf491b9d0e08fdf81927abecc29";

    fn sign(secret: &str, id: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::sign(&key, id.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn scope(secrets: &[&str]) -> TrackScope {
        let secrets = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        TrackScope { proven_by: Some("shop".into()), secrets, ..TrackScope::default() }
    }

    #[test]
    fn an_id_is_proven_by_each_secret_in_force_and_no_other() {
        let scope = scope(&["new", "old"]);
        for secret in ["new", "old"] {
            assert_eq!(scope.check("ann", Some(&sign(secret, "ann"))), Ok(()));
            assert_eq!(scope.check("ann", Some(&sign(secret, "ann").to_uppercase())), Ok(()));
        }
        let of_hunter = TrackScope { secrets: vec![Secret::new("hunter2")], ..scope.clone() };
        assert_eq!(of_hunter.check("ann", Some(OF_ANN)), Ok(()));
        let unproven = Err(ProofError::Unproven("shop".into()));
        for proof in [sign("other", "ann"), sign("new", "bob"), OF_ANN.into(), String::new(), "ü".into()] {
            assert_eq!(scope.check("ann", Some(&proof)), unproven, "{proof}");
        }
        assert_eq!(scope.check("ann", None), unproven);
        assert_eq!(scope.check("Ann", Some(&sign("new", "ann"))), unproven);
    }

    #[test]
    fn without_a_secret_nothing_is_proven() {
        assert_eq!(TrackScope::default().check("ann", None), Err(ProofError::NothingListed));
        let signed_by_nothing = sign("", "ann");
        let unknown = Err(ProofError::Unknown("shop".into()));
        assert_eq!(scope(&[]).check("ann", Some(&signed_by_nothing)), unknown);
    }
}
