//! The loop around each kind: what changed is reconciled, in bounded numbers and time, and nothing it does takes
//! another object down.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::{Action, Config, Controller, Error as ControllerError};
use kube::runtime::events::EventType;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Resource, ResourceExt as _};
use tokio_util::sync::CancellationToken;

use super::backoff;
use super::caches::{Cache, Guarded, WakeOf};
use super::context::Context;
use super::error::ReconcileError;
use super::kind::Kind;
use super::managed_by::look_again;
use super::status;
use crate::api::Runtime;
use crate::causes::in_words;

/// How many objects of a kind are reconciled at once.
const CONCURRENCY: u16 = 16;
/// How long one reconcile may take.
const TIME_MAX: Duration = Duration::from_secs(30);
/// How soon it is retried after a conflicting write.
const AFTER_CONFLICT: Duration = Duration::from_millis(100);

/// How often an object is looked at when nothing happens.
const INTERVAL: Duration = Duration::from_secs(3600);
/// How often a reference is looked up that is not there, or may not be used: nothing tells when that changes.
const UNRESOLVED_INTERVAL: Duration = Duration::from_secs(60);
/// What is due at once is looked at after this.
const AT_ONCE: Duration = Duration::from_millis(100);

/// When an object is to be looked at again: what is due of it, or what it refers to, may be earlier than usual.
pub(super) fn again(is_resolved: bool, due: Option<Duration>) -> Duration {
    let usual = if is_resolved { INTERVAL } else { UNRESOLVED_INTERVAL };
    due.map_or(usual, |due| due.min(usual)).max(AT_ONCE)
}

/// How the operator makes a kind real.
pub(super) trait Reconcile: Kind {
    /// How long changes are waited for that come together.
    const DEBOUNCE: Duration;

    /// Makes the object real and says how it stands; gives when it is to be looked at again.
    fn reconcile(
        context: &Context,
        object: &Self,
    ) -> impl Future<Output = Result<Duration, ReconcileError>> + Send;
}

/// Reconciles a kind's objects until told to stop; what is under way then is brought to its end.
pub(super) async fn run<K: Reconcile>(
    context: Arc<Context>,
    changes: impl Stream<Item = Result<Guarded<K>, watcher::Error>> + Send + 'static,
    cache: Cache<K>,
    wake: WakeOf<K>,
    stop: CancellationToken,
) {
    let config = Config::default().concurrency(CONCURRENCY).debounce(K::DEBOUNCE);
    Controller::for_stream(changes, cache.store)
        .with_config(config)
        .reconcile_on(wake.stream())
        .graceful_shutdown_on(async move { stop.cancelled().await })
        .run(reconcile::<K>, after_failure::<K>, context)
        .for_each(|result| async move {
            match result {
                Ok(_) | Err(ControllerError::ObjectNotFound(_) | ControllerError::ReconcilerFailed(..)) => {}
                Err(error) => {
                    let error = in_words(&error);
                    tracing::warn!(kind = K::NAME, error, "the watch was interrupted and goes on");
                }
            }
        })
        .await;
}

async fn reconcile<K: Reconcile>(
    object: Arc<Guarded<K>>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    let key = backoff::key(&ObjectRef::from_obj(object.as_ref()), K::NAME);
    if object.meta().deletion_timestamp.is_some() {
        context.backoff.forget(&key);
        return Ok(Action::await_change());
    }
    // Nothing is judged by half of what it refers to.
    tokio::select! {
        () = context.caches.filled() => {}
        () = context.term.cancelled() => return Ok(Action::await_change()),
    }
    let begun = Instant::now();
    let namespace = object.namespace().unwrap_or_default();
    let attempt = async {
        match &object.0 {
            // Its own reconcile says so, and takes over from one that is gone.
            Ok(_) if K::NAME != Runtime::NAME && context.managed_by_other(&namespace).is_some() => {
                Ok(look_again::<K>())
            }
            Ok(object) => K::reconcile(&context, object).await,
            Err(invalid) => not_understood::<K>(&context, invalid).await,
        }
    };
    let guarded = tokio::time::timeout(TIME_MAX, AssertUnwindSafe(attempt).catch_unwind()).await;
    let outcome = match guarded {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(ReconcileError::Panicked(words_of(panic.as_ref()))),
        Err(_) => Err(ReconcileError::TimedOut(TIME_MAX)),
    };
    context.metrics.reconciled(K::NAME, begun.elapsed(), outcome.as_ref().err());
    if let (Err(error), Ok(object)) = (&outcome, &object.0) {
        tell_failure(&context, object, &key, error).await;
    }
    let again = outcome?;
    context.backoff.forget(&key);
    Ok(Action::requeue(backoff::spread(again, &key)))
}

/// Says in a condition and in an Event what goes wrong again and again: the first time it may pass by itself.
async fn tell_failure<K: Kind>(context: &Context, object: &K, key: &str, error: &ReconcileError) {
    let failures = context.backoff.failures(key);
    if failures == 0 || error.is_conflict() {
        return;
    }
    let told = error.told();
    if !error.is_told()
        && let Err(untold) = status::write_failed::<K>(context, object.meta(), error.reason(), &told).await
    {
        tracing::warn!(kind = K::NAME, key, %untold, "that a reconcile failed could not be written to the status");
    }
    if failures == 1 {
        status::publish(context, object, EventType::Warning, "ReconcileFailed", "Reconcile", &told).await;
    }
}

fn after_failure<K: Kind>(object: Arc<Guarded<K>>, error: &ReconcileError, context: Arc<Context>) -> Action {
    if error.is_conflict() {
        return Action::requeue(AFTER_CONFLICT);
    }
    let key = backoff::key(&ObjectRef::from_obj(object.as_ref()), K::NAME);
    let rest = context.backoff.failed(&key, error.is_answered());
    tracing::warn!(
        kind = K::NAME, namespace = object.namespace(), name = object.name_any(), %error, again_in = ?rest,
        "a reconcile failed and is tried again"
    );
    Action::requeue(rest)
}

/// An object that this version cannot read says so itself; it and nothing else waits for an edit.
async fn not_understood<K: Kind>(
    context: &Context,
    invalid: &InvalidObject,
) -> Result<Duration, ReconcileError> {
    let what =
        format!("this version of Fanfare cannot read it: {}; correct it, or upgrade Fanfare", invalid.error);
    status::write_unreadable::<K>(context, &invalid.metadata, &what).await?;
    Ok(INTERVAL)
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words").to_owned()
}
