//! Reads Secrets by name, a few at a time, whenever the book says that one is due.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio_util::sync::CancellationToken;

use super::content::Content;
use super::secret_cache::{Asked, Outcome};
use super::watches::Watched;
use crate::causes::in_words;
use crate::domain::backoff::drawn_jitter;

/// How many are read at once.
const AT_ONCE: usize = 8;
/// How long one read may take.
const READ_MAX: Duration = Duration::from_secs(10);

/// Reads until stopped.
pub(super) async fn read_secrets(api: Api<Secret>, watched: Arc<Watched>, stop: CancellationToken) {
    let mut under_way = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        for name in watched.secrets.take_due(now, AT_ONCE - under_way.len()) {
            let asked = watched.secrets.asked(&name);
            under_way.push(read(&api, name, asked));
        }
        // With every place taken, nothing that falls due changes anything.
        let due = watched.secrets.next_due().filter(|_| under_way.len() < AT_ONCE);
        tokio::select! {
            () = stop.cancelled() => return,
            () = watched.secrets.hurry.notified() => {}
            () = until(due) => {}
            Some((name, outcome)) = under_way.next() => {
                if watched.secrets.note(&name, outcome, Instant::now(), drawn_jitter()) {
                    watched.changed.notify_one();
                }
            }
        }
    }
}

async fn read(api: &Api<Secret>, name: String, asked: Asked) -> (String, Outcome) {
    let outcome = match tokio::time::timeout(READ_MAX, read_allowed(api, &name, &asked)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(kube::Error::Api(status))) if status.is_not_found() => Outcome::Missing,
        Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => {
            Outcome::Forbidden(format!("Secret {name} may not be read: {}", status.message))
        }
        Ok(Err(kube::Error::Api(status))) if status.code == 401 => Outcome::Failed(format!(
            "Secret {name} cannot be read: the API server refuses the token of this Pod's ServiceAccount (401), as it does \
             when that was deleted or made anew; the operator makes the Pods anew, and deleting this Pod does the same"
        )),
        Ok(Err(error)) => Outcome::Failed(format!("Secret {name} cannot be read: {}", in_words(&error))),
        Err(_) => Outcome::Failed(format!("Secret {name} cannot be read: no answer within {READ_MAX:?}")),
    };
    (name, outcome)
}

/// Reads the metadata, and the rest only if that allows one of the uses and there is anything new in it.
async fn read_allowed(api: &Api<Secret>, name: &str, asked: &Asked) -> Result<Outcome, kube::Error> {
    let metadata = Content::of_metadata(api.get_metadata(name).await?.metadata);
    if !asked.uses.iter().any(|wanted| metadata.may(name, *wanted).is_ok()) {
        return Ok(Outcome::Read(metadata));
    }
    if asked.whole.as_ref() == Some(&metadata.revision) {
        return Ok(Outcome::Unchanged);
    }
    Ok(Outcome::Read(Content::of(&api.get(name).await?)))
}

async fn until(due: Option<Instant>) {
    match due {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
