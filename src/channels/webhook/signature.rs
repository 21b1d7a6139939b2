//! The signature of Standard Webhooks: HMAC-SHA256 over id, time and body.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::domain::secret::Secret;

/// A key that requests are signed with.
pub struct SigningKey(hmac::Key);

/// Why a secret is not a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// There is nothing in it.
    #[error("the signing secret is empty")]
    Empty,
    /// It begins with `whsec_`, but no base64 follows.
    #[error("a signing secret that begins with whsec_ must go on in base64")]
    NotBase64,
    /// `whsec_` stands in it, but not at its beginning: as it is, another key would sign.
    #[error(
        "the signing secret has whsec_ in it, but does not begin with it; leave out what stands before it, such \
         as `v1,`, and whatever stands behind the secret"
    )]
    NotAtTheBeginning,
    /// A key of an asymmetric signature (`v1a`).
    #[error(
        "the signing secret is a key for asymmetric signatures (whsk_, whpk_), which Fanfare does not make; use \
         one that begins with whsec_"
    )]
    Asymmetric,
}

impl SigningKey {
    /// Takes `whsec_` and base64, or any other text as it is. White space around it is not part of it.
    pub fn new(secret: &Secret) -> Result<Self, SigningKeyError> {
        let text = secret.expose().trim();
        let lower = text.to_ascii_lowercase();
        if ["whsk_", "whpk_"].into_iter().any(|prefix| lower.contains(prefix)) {
            return Err(SigningKeyError::Asymmetric);
        }
        if lower.contains("whsec_") && !text.starts_with("whsec_") {
            return Err(SigningKeyError::NotAtTheBeginning);
        }
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| SigningKeyError::NotBase64)?,
            None => text.as_bytes().to_vec(),
        };
        if bytes.is_empty() {
            return Err(SigningKeyError::Empty);
        }
        Ok(SigningKey(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The value of `webhook-signature` for a body sent under this id at this Unix time.
    pub fn sign(&self, id: &str, unix_seconds: i64, body: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{unix_seconds}.").as_bytes());
        context.update(body.as_bytes());
        let mut signature = String::from("v1,");
        STANDARD.encode_string(context.sign(), &mut signature);
        signature
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_one_of_the_specification() {
        // Key, message and signature as in the specification's own example.
        let key = SigningKey::new(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let body = r#"{"test": 2432232314}"#;
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let error = |text: &str| SigningKey::new(&Secret::new(text)).err();
        assert_eq!(error("whsec_%%"), Some(SigningKeyError::NotBase64));
        assert_eq!(error(" \n"), Some(SigningKeyError::Empty));
        assert_eq!(error("whsec_"), Some(SigningKeyError::Empty));
        assert_eq!(error("raw\n"), None);
        for text in ["v1,whsec_YQ==", "\"whsec_YQ==\"", "WHSEC_YQ==", "secret: whsec_YQ=="] {
            assert_eq!(error(text), Some(SigningKeyError::NotAtTheBeginning), "{text}");
        }
        assert_eq!(error("whsec_YQ== whsec_Yg=="), Some(SigningKeyError::NotBase64));
        assert_eq!(error("v1a,whsk_YQ=="), Some(SigningKeyError::Asymmetric));
    }
}
