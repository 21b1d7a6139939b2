//! What an SMTP server's refusal says (RFC 5321 4.2, RFC 3463, RFC 4954, RFC 7504, RFC 7505), at every step.
//!
//! The order: words that servers say with any code; then the enhanced status code; then other words; then the code; and
//! what no row knows is judged by its step. The rows are in `rows`.

mod rows;

use super::{About, Basis, RefusalFinding};
use rows::{CODES, FIRST_WORDS, STATUSES, WORDS};

/// The step of the dialogue at which a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpStep {
    /// The banner.
    Connect,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Login,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// The end of the mail.
    End,
}

/// Whom an answer of 4xx or 5xx is about. `text` is what stands behind the code, all lines of it.
pub fn judge(step: SmtpStep, code: u16, text: &str) -> RefusalFinding {
    let words = words(text);
    let found = by_words(FIRST_WORDS, &words)
        .or_else(|| status(code, text).and_then(|status| by_status(&status, step)))
        .or_else(|| by_words(WORDS, &words))
        .or_else(|| by_code(code, step));
    let found =
        found.unwrap_or_else(|| RefusalFinding::new(unrecognized(step, code, text), Basis::Unrecognized));
    at_its_step(step, found)
}

/// Before a recipient is named, nothing can be about one; and nothing but its size can be wrong with a mail.
fn at_its_step(step: SmtpStep, found: RefusalFinding) -> RefusalFinding {
    let about = match (step, found.about) {
        (SmtpStep::Sender, About::Recipient) => About::Us,
        (
            SmtpStep::Connect | SmtpStep::Hello | SmtpStep::StartTls | SmtpStep::Login,
            About::Recipient | About::Message,
        ) => About::Us,
        (_, about) => about,
    };
    RefusalFinding { about, ..found }
}

/// What no row knows. Security and policy (X.7.x, and 554, which RFC 5321 has for a host that serves nobody) is about
/// who sends when it is said before the mail was seen; 4xx about one recipient is greylisting as a rule.
fn unrecognized(step: SmtpStep, code: u16, text: &str) -> About {
    let is_policy = code == 554 || status(code, text).is_some_and(|status| status.starts_with("7."));
    match step {
        SmtpStep::Recipient if is_policy && code >= 500 => About::Us,
        SmtpStep::Recipient => About::Recipient,
        SmtpStep::Data | SmtpStep::End => About::Message,
        _ => About::Us,
    }
}

/// Subject and detail of an enhanced status code (RFC 3463), `1.1` of `550 5.1.1`, wherever it stands in the text: qmail
/// writes `(#5.1.1)`. One of another class than the code is none (RFC 2034).
fn status(code: u16, text: &str) -> Option<String> {
    let class = code / 100;
    text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '#' | '-' | ';' | ',')).find_map(
        |word| {
            let word = word.trim_end_matches([':', '.', ']']).trim_start_matches('[');
            let mut parts = word.split('.');
            let (first, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
            let number =
                |part: &str| (1..=3).contains(&part.len()).then(|| part.parse::<u16>().ok()).flatten();
            let is_status = parts.next().is_none() && first.len() == 1 && number(first)? == class;
            let (subject, detail) = (number(subject)?, number(detail)?);
            is_status.then(|| format!("{subject}.{detail}"))
        },
    )
}

/// The text in lower case, without addresses: a customer's must not be read as the server's words.
fn words(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut depth = 0_usize;
    for letter in text.chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.extend(letter.to_lowercase()),
            _ => {}
        }
    }
    let kept: Vec<&str> = plain.split_whitespace().filter(|word| !word.contains('@')).collect();
    kept.join(" ")
}

fn by_words(rows: &[(&str, About, Basis)], words: &str) -> Option<RefusalFinding> {
    let row = rows.iter().find(|(said, ..)| holds(words, said))?;
    Some(RefusalFinding::new(row.1, row.2))
}

/// Whether the words hold these, where `*` stands for any others between.
fn holds(words: &str, said: &str) -> bool {
    let mut rest = words;
    said.split('*').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

fn by_status(status: &str, step: SmtpStep) -> Option<RefusalFinding> {
    let row = STATUSES.iter().find(|(row, steps, ..)| is_like(status, row) && steps.hold(step))?;
    Some(RefusalFinding::new(row.2, row.3))
}

/// `7.6xx` stands for 7.600 to 7.699.
fn is_like(status: &str, row: &str) -> bool {
    status.len() == row.len() && row.bytes().zip(status.bytes()).all(|(row, byte)| row == b'x' || row == byte)
}

fn by_code(code: u16, step: SmtpStep) -> Option<RefusalFinding> {
    let row = CODES.iter().find(|(row, steps, ..)| *row == code && steps.hold(step))?;
    Some(RefusalFinding::new(row.2, row.3))
}

#[cfg(test)]
mod tests;
