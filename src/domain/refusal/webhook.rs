//! What an HTTP status says of a webhook (RFC 9110, 15). The URL is the same for every message, so that only a refusal
//! of this very body is the message's; any other is the endpoint's, or ours.

use super::{About, Basis, RefusalFinding};

/// What a status other than 2xx means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing was taken, and the finding says whom that is about.
    Refused(RefusalFinding),
    /// The endpoint is gone and asks to be left alone (410; Standard Webhooks: "disable the endpoint").
    Gone,
    /// A redirect, which is not followed: nothing was taken where it was posted to, and a signed body is given to no
    /// other host.
    Redirected,
    /// It may have been taken.
    MayBeTaken,
}

/// Statuses that refuse this body: malformed, too large, of a type that is not taken, or of a content that is not.
const OF_THIS_BODY: [u16; 4] = [400, 413, 415, 422];
/// A server says 408 when the request did not come whole in time; whatever is between may say it of one that did.
const MAY_BE_TAKEN: u16 = 408;
/// What servers say with 400 when they are spoken to in the wrong way, whatever the body (nginx, Apache, Go).
const SPOKEN_TO_WRONGLY: [&str; 4] = [
    "plain http request was sent to https port",
    "speaking plain http to an ssl-enabled server port",
    "client sent an http request to an https server",
    "invalid host header",
];

/// What a status means, with what the body says.
pub fn judge(status: u16, body: &str) -> Meaning {
    let refused = |about, basis| Meaning::Refused(RefusalFinding::new(about, basis));
    match status {
        410 => Meaning::Gone,
        300..=399 => Meaning::Redirected,
        MAY_BE_TAKEN => Meaning::MayBeTaken,
        400 if is_spoken_to_wrongly(body) => refused(About::Us, Basis::Certain),
        status if OF_THIS_BODY.contains(&status) => refused(About::Message, Basis::Certain),
        429 => refused(About::Later, Basis::Certain),
        401..=407 | 409 | 411 | 412 | 414 | 416 | 417 | 421 | 423..=426 | 428 | 431 | 451 => {
            refused(About::Us, Basis::Certain)
        }
        400..=499 => refused(About::Us, Basis::Unrecognized),
        _ => Meaning::MayBeTaken,
    }
}

fn is_spoken_to_wrongly(body: &str) -> bool {
    let body = body.to_lowercase();
    SPOKEN_TO_WRONGLY.iter().any(|words| body.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_says_whom_it_is_about() {
        let refused = |about, basis| Meaning::Refused(RefusalFinding::new(about, basis));
        let us = refused(About::Us, Basis::Certain);
        let message = refused(About::Message, Basis::Certain);
        let rows = [
            (300, Meaning::Redirected),
            (301, Meaning::Redirected),
            (302, Meaning::Redirected),
            (303, Meaning::Redirected),
            (304, Meaning::Redirected),
            (307, Meaning::Redirected),
            (308, Meaning::Redirected),
            (400, message),
            (401, us),
            (402, us),
            (403, us),
            (404, us),
            (405, us),
            (406, us),
            (407, us),
            (408, Meaning::MayBeTaken),
            (409, us),
            (410, Meaning::Gone),
            (411, us),
            (412, us),
            (413, message),
            (414, us),
            (415, message),
            (416, us),
            (417, us),
            (418, refused(About::Us, Basis::Unrecognized)),
            (421, us),
            (422, message),
            (423, us),
            (424, us),
            (425, us),
            (426, us),
            (428, us),
            (429, refused(About::Later, Basis::Certain)),
            (431, us),
            (451, us),
            (499, refused(About::Us, Basis::Unrecognized)),
            (500, Meaning::MayBeTaken),
            (501, Meaning::MayBeTaken),
            (502, Meaning::MayBeTaken),
            (503, Meaning::MayBeTaken),
            (504, Meaning::MayBeTaken),
            (599, Meaning::MayBeTaken),
        ];
        for (status, meaning) in rows {
            assert_eq!(judge(status, ""), meaning, "{status}");
        }
    }

    #[test]
    fn a_400_for_the_wrong_protocol_is_no_fault_of_the_body() {
        for said in [
            "<center>The plain HTTP request was sent to HTTPS port</center>",
            "Reason: You're speaking plain HTTP to an SSL-enabled server port.",
            "Client sent an HTTP request to an HTTPS server.\n",
        ] {
            let us = Meaning::Refused(RefusalFinding::new(About::Us, Basis::Certain));
            assert_eq!(judge(400, said), us, "{said}");
        }
    }
}
