//! Whether a Lease is held now, judged by reading it.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::{Api, Client};

use crate::causes::in_words;

/// A Lease.
#[derive(Debug, Clone)]
pub struct LeaseName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A Lease that is looked at several times.
pub(super) struct LeaseHeld<'a> {
    api: Api<Lease>,
    name: &'a LeaseName,
    /// The revision that was seen first.
    seen: Mutex<Option<String>>,
}

impl<'a> LeaseHeld<'a> {
    pub(super) fn new(client: &Client, name: &'a LeaseName) -> Self {
        let api = Api::namespaced(client.clone(), &name.namespace);
        LeaseHeld { api, name, seen: Mutex::default() }
    }

    /// It is held if somebody is named and renews it: as its time says, or, as clocks differ, as it changes while it is
    /// looked at.
    pub(super) async fn look(&self) -> Result<(), String> {
        let LeaseName { namespace, name } = self.name;
        let found = self.api.get_opt(name).await.map_err(|error| in_words(&error))?;
        let Some(lease) = found else {
            return Err(format!(
                "there is no Lease {name} in namespace {namespace}; look at the operator's log, it says why it makes none"
            ));
        };
        let spec = lease.spec.unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        if holder.is_empty() {
            return Err("nobody holds it; look whether the operator runs, and at its log".into());
        }
        if is_fresh(&spec, Timestamp::now()) || self.has_changed(lease.metadata.resource_version) {
            return Ok(());
        }
        Err(format!(
            "{holder} holds it and does not renew it; look whether that Pod still runs, and at its log"
        ))
    }

    fn has_changed(&self, revision: Option<String>) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match &*seen {
            Some(seen) => revision.as_ref() != Some(seen),
            None => {
                *seen = revision;
                false
            }
        }
    }
}

fn is_fresh(spec: &LeaseSpec, now: Timestamp) -> bool {
    let Some(renewed) = &spec.renew_time else { return false };
    now.duration_since(renewed.0).as_secs().abs()
        <= i64::from(spec.lease_duration_seconds.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

    use super::*;

    #[test]
    fn a_lease_is_fresh_for_its_own_length() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let renewed = |text: &str| LeaseSpec {
            renew_time: Some(MicroTime(text.parse().unwrap())),
            lease_duration_seconds: Some(35),
            ..LeaseSpec::default()
        };
        assert!(is_fresh(&renewed("2026-01-01T00:00:30Z"), now));
        assert!(!is_fresh(&renewed("2026-01-01T00:00:20Z"), now));
        assert!(!is_fresh(&LeaseSpec::default(), now));
    }
}
