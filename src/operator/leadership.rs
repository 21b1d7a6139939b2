//! Which of several operators works: the holder of a Lease, renewed in time and given back on the way out.
//!
//! Whether a holder is gone is judged by this process's own clock, from when it last saw the Lease change: clocks of
//! machines differ. A Lease is no fence; two who work for a moment do no harm, as every write can be repeated.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::settings::OperatorSettings;
use crate::causes::in_words;

/// How long a holder that is not heard of is waited for: the next one works within 20 s of the end of the one before, the
/// start of its Pod included.
const LEASE: Duration = Duration::from_secs(13);
/// How long the holder may fail to renew before it stops working.
const RENEW_WITHIN: Duration = Duration::from_secs(10);
/// How often it is renewed.
const EVERY: Duration = Duration::from_secs(2);
/// How often one looks who just began, or who waits for a Lease that was given back.
const SOON: Duration = Duration::from_secs(1);
/// How long one request may take.
const REQUEST_MAX: Duration = Duration::from_secs(3);

/// A candidate for the Lease.
pub(super) struct Candidate {
    api: Api<Lease>,
    lease: String,
    identity: String,
    /// The Pod this process runs in: the Lease goes with it, so that no operator waits for one that was deleted.
    pod: Option<OwnerReference>,
    /// What was seen of the Lease last, and when it was first seen so.
    seen: Option<(String, Instant)>,
    renewed: Option<Instant>,
}

impl Candidate {
    /// A candidate for the Lease that the settings name.
    pub(super) fn new(client: Client, settings: &OperatorSettings) -> Self {
        let identity = format!("{}_{}", settings.identity, uuid::Uuid::now_v7().simple());
        let api = Api::namespaced(client, &settings.own_namespace);
        let pod = settings.pod_uid.as_ref().map(|uid| OwnerReference {
            api_version: "v1".into(),
            kind: "Pod".into(),
            name: settings.identity.clone(),
            uid: uid.clone(),
            ..OwnerReference::default()
        });
        Candidate { api, lease: settings.lease_name.clone(), identity, pod, seen: None, renewed: None }
    }

    /// Seeks and keeps the Lease until told to stop, then gives it back. `leads` says whether it is held.
    pub(super) async fn run(mut self, leads: watch::Sender<bool>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let held = self.look().await;
            let still = self.renewed.is_some_and(|at| at.elapsed() < RENEW_WITHIN);
            let leading = held.unwrap_or(still && *leads.borrow());
            if leads.send_if_modified(|now| std::mem::replace(now, leading) != leading) {
                tracing::info!(lease = %self.lease, identity = %self.identity, leading, "the Lease of the operator");
            }
            let rest = if leading { EVERY } else { SOON };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = stop.cancelled() => {}
            }
        }
        if *leads.borrow() {
            self.release().await;
        }
    }

    /// Gives the Lease back, so that another one need not wait.
    async fn release(&self) {
        let given_back = async {
            let Some(mut lease) = self.api.get_opt(&self.lease).await? else { return Ok(()) };
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
            if holder == Some(self.identity.as_str()) {
                lease.spec.get_or_insert_default().holder_identity = None;
                self.api.replace(&self.lease, &PostParams::default(), &lease).await?;
            }
            Ok::<(), kube::Error>(())
        };
        match tokio::time::timeout(REQUEST_MAX, given_back).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(
                    error = in_words(&error),
                    "the Lease could not be given back; it runs out by itself"
                );
            }
            Err(_) => tracing::warn!("the Lease was not given back in time; it runs out by itself"),
        }
    }

    /// Whether the Lease is held now; `None` if that cannot be known.
    async fn look(&mut self) -> Option<bool> {
        match tokio::time::timeout(REQUEST_MAX, self.try_hold()).await {
            Ok(Ok(held)) => Some(held),
            Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => {
                Some(false)
            }
            Ok(Err(error)) => {
                tracing::warn!(
                    error = in_words(&error),
                    "the Lease of the operator cannot be read or written"
                );
                None
            }
            Err(_) => None,
        }
    }

    async fn try_hold(&mut self) -> Result<bool, kube::Error> {
        let begun = Instant::now();
        let Some(lease) = self.api.get_opt(&self.lease).await? else {
            self.api.create(&PostParams::default(), &self.held(Lease::default())).await?;
            self.renewed = Some(begun);
            return Ok(true);
        };
        let revision = lease.metadata.resource_version.clone().unwrap_or_default();
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default();
        if !matches!(&self.seen, Some((seen, _)) if *seen == revision) {
            self.seen = Some((revision, begun));
        }
        let is_silent = self.seen.as_ref().is_some_and(|(_, since)| since.elapsed() >= LEASE);
        if holder != self.identity && !holder.is_empty() && !is_silent {
            return Ok(false);
        }
        // With the revision that was read: a conflicting write of another process wins.
        self.api.replace(&self.lease, &PostParams::default(), &self.held(lease)).await?;
        self.renewed = Some(begun);
        Ok(true)
    }

    fn held(&self, before: Lease) -> Lease {
        let spec = before.spec.unwrap_or_default();
        let now = MicroTime(Timestamp::now());
        let is_own = spec.holder_identity.as_deref() == Some(self.identity.as_str());
        let transitions = spec.lease_transitions.unwrap_or_default() + i32::from(!is_own);
        Lease {
            metadata: ObjectMeta {
                name: Some(self.lease.clone()),
                managed_fields: None,
                owner_references: self.pod.clone().map(|pod| vec![pod]),
                ..before.metadata
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
                acquire_time: if is_own { spec.acquire_time } else { Some(now.clone()) },
                renew_time: Some(now),
                lease_transitions: Some(transitions),
                ..LeaseSpec::default()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_was_killed_is_followed_within_twenty_seconds_and_none_works_beside_another() {
        // Of 20 s, 5 are left for the start of a Pod.
        assert!(LEASE + SOON <= Duration::from_secs(15));
        assert!(RENEW_WITHIN + REQUEST_MAX <= LEASE);
        assert!(EVERY + REQUEST_MAX < RENEW_WITHIN);
    }
}
