//! New credentials, from the operating system's randomness.

use aws_lc_rs::rand;
use base64::Engine as _;

use crate::domain::secret::Secret;

/// The system gave no randomness; nothing may be generated then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers, so no credentials can be generated")]
pub struct GenerateError;

/// A new password or token: 192 random bits as 32 characters that need no quoting in a shell or URL.
///
/// # Errors
/// See [`GenerateError`].
pub fn generate_secret() -> Result<Secret, GenerateError> {
    let mut bytes = [0_u8; 24];
    rand::fill(&mut bytes).map_err(|_| GenerateError)?;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    // A leading hyphen would be read as an option when it is pasted behind a command.
    Ok(Secret::new(text.replacen('-', "A", usize::from(text.starts_with('-')))))
}

/// A new username: what it is for and eight random characters, so that a rotated one differs from the last.
///
/// # Errors
/// See [`GenerateError`].
pub fn generate_username(purpose: &str) -> Result<String, GenerateError> {
    let mut bytes = [0_u8; 4];
    rand::fill(&mut bytes).map_err(|_| GenerateError)?;
    Ok(format!("{purpose}-{:08x}", u32::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_and_none_needs_quoting() {
        let secrets: Vec<Secret> = (0..64).map(|_| generate_secret().unwrap()).collect();
        for (index, secret) in secrets.iter().enumerate() {
            let text = secret.expose();
            assert_eq!(text.len(), 32);
            assert!(
                !text.starts_with('-')
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            );
            assert!(secrets[..index].iter().all(|other| other != secret));
        }
        assert!(generate_username("crm").unwrap().starts_with("crm-"));
    }
}
