//! What went wrong, with all its causes, in words for people: never the shape of a value in this program.

use std::error::Error;

use kube::core::Status;
use kube::runtime::watcher;

/// What kube puts before the cause that matters.
const WITHOUT_MEANING: [&str; 3] = ["ServiceError", "HyperError", "rustls tls error"];

/// An error and what caused it, each cause once, from the outermost to the innermost. Of an answer of the API server it is
/// what that says.
pub fn in_words(error: &(dyn Error + 'static)) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        let own = match answer(error) {
            Some(status) => {
                next = None;
                refusal(status)
            }
            None => own_words(error, next),
        };
        let is_news = !own.is_empty() && !WITHOUT_MEANING.contains(&own.as_str());
        if is_news && !told.iter().any(|before| before.contains(&own)) {
            told.push(own);
        }
    }
    told.join(": ")
}

/// The API server's answer, if the error is one: libraries print it as a value of theirs.
fn answer<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Status> {
    if let Some(kube::Error::Api(status)) = error.downcast_ref() {
        return Some(status);
    }
    match error.downcast_ref()? {
        watcher::Error::WatchError(status) => Some(status),
        _ => None,
    }
}

fn refusal(status: &Status) -> String {
    let Status { message, reason, code, .. } = status;
    match (message.trim(), reason.as_str()) {
        ("", "") => format!("the API server answers {code}"),
        ("", reason) => format!("the API server answers {code} {reason}"),
        // All that it says of a token that it does not know.
        ("Unauthorized", _) => {
            "the API server refuses the token of this account (401 Unauthorized)".to_owned()
        }
        (message, _) => message.to_owned(),
    }
}

/// What an error says beyond its cause.
fn own_words(error: &dyn Error, cause: Option<&(dyn Error + 'static)>) -> String {
    let text = error.to_string();
    let cause = cause.map(ToString::to_string).filter(|cause| !cause.is_empty());
    let own = cause.and_then(|cause| text.strip_suffix(&cause).map(str::to_owned));
    own.unwrap_or(text).trim().trim_end_matches(':').trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("client error (Connect)")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("invalid peer certificate: {0}")]
    struct Inner(#[source] std::io::Error);

    fn status(message: &str, reason: &str, code: u16) -> Box<Status> {
        Box::new(Status::failure(message, reason).with_code(code))
    }

    #[test]
    fn an_answer_of_the_api_server_is_told_in_its_own_words() {
        let error = kube::Error::Api(status("secrets \"a\" is forbidden", "Forbidden", 403));
        assert_eq!(in_words(&error), "secrets \"a\" is forbidden");
        let error = watcher::Error::InitialListFailed(error);
        assert_eq!(in_words(&error), "failed to perform initial object list: secrets \"a\" is forbidden");
        let error = watcher::Error::WatchError(status("too old resource version", "Expired", 410));
        assert_eq!(in_words(&error), "too old resource version");
        assert_eq!(in_words(&kube::Error::Api(status("", "", 502))), "the API server answers 502");
        let refused = in_words(&kube::Error::Api(status("Unauthorized", "Unauthorized", 401)));
        assert!(refused.contains("token") && refused.contains("401"), "{refused}");
    }

    #[test]
    fn every_cause_is_told_once() {
        let inner = || Inner(std::io::Error::other("UnknownIssuer"));
        let whole = "client error (Connect): invalid peer certificate: UnknownIssuer";
        assert_eq!(in_words(&Outer(inner())), whole);
        assert_eq!(in_words(&kube::Error::Service(Box::new(Outer(inner())))), whole);
    }
}
