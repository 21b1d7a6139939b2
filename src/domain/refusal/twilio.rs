//! What Twilio's codes say (https://www.twilio.com/docs/api/errors, one page a code).

use super::{About, Basis, RefusalFinding};

/// What a code says of whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    first: u32,
    last: u32,
    about: About,
    basis: Basis,
}

/// The recipient has answered STOP (https://www.twilio.com/docs/api/errors/21610).
pub const OPTED_OUT: u32 = 21610;

const fn one(code: u32, about: About) -> Row {
    Row { first: code, last: code, about, basis: Basis::Certain }
}

const fn likely(code: u32, about: About) -> Row {
    Row { first: code, last: code, about, basis: Basis::Likely }
}

const fn range(first: u32, last: u32, about: About) -> Row {
    Row { first, last, about, basis: Basis::Certain }
}

/// The first row that holds a code decides.
const ROWS: &[Row] = &[
    // The account: not active, suspended, on trial, without the right.
    range(10_001, 10_004, About::Us),
    one(14_107, About::Later),
    one(20_429, About::Later),
    one(20_500, About::Later),
    one(20_503, About::Later),
    // Authentication, permission, the account and the shape of the request.
    range(20_000, 20_999, About::Us),
    // `To`: not a number, not reachable, a short code, a landline, premium; who has said STOP.
    one(21_211, About::Recipient),
    // `From`: not a number, not a short code of ours, not allowed.
    one(21_212, About::Us),
    one(21_214, About::Recipient),
    one(21_217, About::Recipient),
    // Trial accounts reach verified numbers only.
    one(21_219, About::Us),
    one(21_265, About::Recipient),
    one(21_266, About::Recipient),
    one(21_267, About::Us),
    one(21_401, About::Us),
    one(21_407, About::Us),
    // The region is not switched on in the account: a whole audience, or those who are abroad.
    likely(21_408, About::Recipient),
    one(21_601, About::Us),
    one(21_602, About::Message),
    one(21_603, About::Us),
    one(21_604, About::Recipient),
    one(21_605, About::Message),
    range(21_606, 21_609, About::Us),
    one(OPTED_OUT, About::Recipient),
    // The sender's queue is full.
    one(21_611, About::Later),
    // This pair of `To` and `From` has no way: one recipient, or the sender.
    likely(21_612, About::Recipient),
    one(21_613, About::Us),
    one(21_614, About::Recipient),
    one(21_615, About::Us),
    one(21_616, About::Us),
    range(21_617, 21_620, About::Message),
    one(21_621, About::Us),
    one(21_623, About::Message),
    one(21_624, About::Us),
    range(21_625, 21_629, About::Us),
    one(21_635, About::Recipient),
    range(21_654, 21_655, About::Us),
    one(21_656, About::Message),
    range(21_659, 21_661, About::Us),
    one(21_664, About::Recipient),
    // Messaging services: none of that id, none with a number, none that may send.
    range(21_700, 21_720, About::Us),
    // What carriers and Twilio's own filters say.
    one(30_001, About::Later),
    one(30_002, About::Us),
    range(30_003, 30_006, About::Recipient),
    likely(30_007, About::Message),
    likely(30_008, About::Recipient),
    one(30_010, About::Message),
    one(30_022, About::Later),
    range(30_023, 30_024, About::Us),
    one(30_027, About::Later),
    range(30_032, 30_035, About::Us),
    one(30_038, About::Message),
    one(30_044, About::Message),
    // Channels such as WhatsApp.
    one(63_003, About::Recipient),
    one(63_007, About::Us),
    one(63_018, About::Later),
    one(63_024, About::Recipient),
    one(63_038, About::Us),
];

/// What a refusal (4xx) with this code is about; `None` where the answer names no code.
pub fn judge(status: u16, code: Option<u32>) -> RefusalFinding {
    let row = code.and_then(|code| ROWS.iter().find(|row| (row.first..=row.last).contains(&code)));
    match (row, status) {
        (_, 429) => RefusalFinding::new(About::Later, Basis::Certain),
        (_, 401) => RefusalFinding::new(About::Us, Basis::Certain),
        (Some(row), _) => RefusalFinding::new(row.about, row.basis),
        // Without a code it does not come from the API itself: a wrong base URL, a proxy, a wall.
        (None, _) if code.is_none() => RefusalFinding::new(About::Us, Basis::Certain),
        (None, 403..=405) => RefusalFinding::new(About::Us, Basis::Unrecognized),
        (None, _) => RefusalFinding::new(About::Recipient, Basis::Unrecognized),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use About::{Later, Message, Recipient, Us};
    use Basis::{Certain, Likely, Unrecognized};

    const ANSWERS: &[(u16, Option<u32>, About, Basis)] = &[
        (400, Some(10_001), Us, Certain),
        (429, Some(14_107), Later, Certain),
        (400, Some(20_001), Us, Certain),
        (401, Some(20_003), Us, Certain),
        (403, Some(20_003), Us, Certain),
        (403, Some(20_005), Us, Certain),
        (403, Some(20_008), Us, Certain),
        (404, Some(20_404), Us, Certain),
        (429, Some(20_429), Later, Certain),
        (400, Some(21_211), Recipient, Certain),
        (400, Some(21_212), Us, Certain),
        (400, Some(21_214), Recipient, Certain),
        (400, Some(21_217), Recipient, Certain),
        (400, Some(21_219), Us, Certain),
        (400, Some(21_265), Recipient, Certain),
        (400, Some(21_266), Recipient, Certain),
        (403, Some(21_408), Recipient, Likely),
        (400, Some(21_408), Recipient, Likely),
        (400, Some(21_601), Us, Certain),
        (400, Some(21_602), Message, Certain),
        (400, Some(21_603), Us, Certain),
        (400, Some(21_604), Recipient, Certain),
        (400, Some(21_605), Message, Certain),
        (400, Some(21_606), Us, Certain),
        (400, Some(21_607), Us, Certain),
        (400, Some(21_608), Us, Certain),
        (400, Some(21_610), Recipient, Certain),
        (429, Some(21_611), Later, Certain),
        (400, Some(21_611), Later, Certain),
        (400, Some(21_612), Recipient, Likely),
        (400, Some(21_614), Recipient, Certain),
        (400, Some(21_616), Us, Certain),
        (400, Some(21_617), Message, Certain),
        (400, Some(21_619), Message, Certain),
        (400, Some(21_635), Recipient, Certain),
        (400, Some(21_655), Us, Certain),
        (400, Some(21_656), Message, Certain),
        (400, Some(21_659), Us, Certain),
        (400, Some(21_660), Us, Certain),
        (400, Some(21_701), Us, Certain),
        (400, Some(21_703), Us, Certain),
        (400, Some(21_704), Us, Certain),
        (400, Some(21_705), Us, Certain),
        (400, Some(30_001), Later, Certain),
        (400, Some(30_002), Us, Certain),
        (400, Some(30_003), Recipient, Certain),
        (400, Some(30_004), Recipient, Certain),
        (400, Some(30_005), Recipient, Certain),
        (400, Some(30_006), Recipient, Certain),
        (400, Some(30_007), Message, Likely),
        (400, Some(30_022), Later, Certain),
        (400, Some(30_023), Us, Certain),
        (400, Some(30_034), Us, Certain),
        (400, Some(63_007), Us, Certain),
        (400, Some(99_999), Recipient, Unrecognized),
        (404, Some(99_999), Us, Unrecognized),
        (400, None, Us, Certain),
        (401, None, Us, Certain),
        (403, None, Us, Certain),
        (404, None, Us, Certain),
        (429, None, Later, Certain),
    ];

    #[test]
    fn every_code_says_whom_it_is_about() {
        for &(status, code, about, basis) in ANSWERS {
            assert_eq!(judge(status, code), RefusalFinding::new(about, basis), "{status} {code:?}");
        }
    }

    #[test]
    fn the_rows_are_in_order() {
        assert!(ROWS.iter().all(|row| row.first <= row.last));
    }
}
