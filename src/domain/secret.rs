//! Values that must not reach a log, an answer or a manifest.
//!
//! The type is the guard: its Debug says `[redacted]`, it has no Display and no Serialize.

use std::fmt;

/// A secret text, such as a password or a provider's token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one place that must send or digest it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A credential as it was written, without one newline at its end: `echo` and every editor write one, which is no part of it.
pub fn without_last_newline(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap_or(text);
    match line.len() < text.len() {
        true => line.strip_suffix('\r').unwrap_or(line),
        false => text,
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_at_the_end_is_no_part_of_it() {
        for (written, meant) in [
            ("hunter2\n", "hunter2"),
            ("hunter2\r\n", "hunter2"),
            ("hunter2", "hunter2"),
            ("hunter2\n\n", "hunter2\n"),
            ("a\nb\n", "a\nb"),
            ("hunter2\r", "hunter2\r"),
            (" hunter2 \n", " hunter2 "),
            ("\n", ""),
            ("", ""),
        ] {
            assert_eq!(without_last_newline(written), meant, "{written:?}");
        }
    }

    #[test]
    fn debug_does_not_show_it() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some([redacted])");
    }
}
