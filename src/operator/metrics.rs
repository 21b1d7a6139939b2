//! The operator's numbers, under names of our own: every other controller has `controller_runtime_…` too, and an alert
//! could not tell whose it is.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::caches::KINDS;
use super::error::{ReconcileError, WORDS};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconciled {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    controller: &'static str,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfController {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Standing {
    kind: &'static str,
    /// `True`, `False` or `Unknown`.
    ready: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLease {
    lease: String,
}

/// The numbers. Labels are kinds and words from closed sets, never names of objects.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    reconciles: Family<Reconciled, Counter<u64, AtomicU64>>,
    errors: Family<Failed, Counter<u64, AtomicU64>>,
    panics: Family<OfController, Counter<u64, AtomicU64>>,
    seconds: Family<OfController, Histogram>,
    leader: Family<OfLease, Gauge>,
    lease: OfLease,
    objects: Family<Standing, Gauge>,
    namespaces_of_others: Gauge,
}

impl Metrics {
    /// The numbers of an operator that works while it holds this Lease.
    pub(super) fn new(lease: &str) -> Self {
        let mut registry = Registry::default();
        let (reconciles, errors, panics) = (Family::default(), Family::default(), Family::default());
        let buckets =
            || Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]);
        let seconds = Family::<OfController, Histogram>::new_with_constructor(buckets);
        let leader = Family::<OfLease, Gauge>::default();
        let lease = OfLease { lease: lease.to_owned() };
        leader.get_or_create(&lease).set(0);
        registry.register("fanfare_operator_reconcile", "Reconciles, by result", Family::clone(&reconciles));
        let help = "Reconciles that failed, by the kind of error";
        registry.register("fanfare_operator_reconcile_errors", help, Family::clone(&errors));
        registry.register(
            "fanfare_operator_reconcile_panics",
            "Reconciles that panicked",
            Family::clone(&panics),
        );
        registry.register(
            "fanfare_operator_reconcile_duration_seconds",
            "Length of reconciles",
            seconds.clone(),
        );
        let help = "1 on the process that works, 0 on those that stand by";
        registry.register("fanfare_operator_leader", help, leader.clone());
        let objects = Family::default();
        let help = "Objects that the operator serves, by kind and by what their condition Ready says";
        registry.register("fanfare_operator_objects", help, Family::clone(&objects));
        let namespaces_of_others = Gauge::default();
        let help =
            "Namespaces that another installation of the operator manages, from which this one stands back";
        registry.register("fanfare_operator_namespaces_of_others", help, namespaces_of_others.clone());
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("fanfare_operator_build", "The version that runs", version);
        let metrics = Metrics {
            registry,
            reconciles,
            errors,
            panics,
            seconds,
            leader,
            lease,
            objects,
            namespaces_of_others,
        };
        metrics.begin_with_zero();
        metrics
    }

    /// A counter that first shows with its first error cannot be told from one that never had any.
    fn begin_with_zero(&self) {
        for controller in KINDS {
            drop(self.panics.get_or_create(&OfController { controller }));
            for kind in WORDS {
                drop(self.errors.get_or_create(&Failed { controller, kind }));
            }
        }
    }

    /// Counts a reconcile.
    pub(super) fn reconciled(
        &self,
        controller: &'static str,
        took: Duration,
        error: Option<&ReconcileError>,
    ) {
        let result = if error.is_some() { "error" } else { "success" };
        self.reconciles.get_or_create(&Reconciled { controller, result }).inc();
        self.seconds.get_or_create(&OfController { controller }).observe(took.as_secs_f64());
        if let Some(error) = error {
            self.errors.get_or_create(&Failed { controller, kind: error.word() }).inc();
        }
        if let Some(ReconcileError::Panicked(_)) = error {
            self.panics.get_or_create(&OfController { controller }).inc();
        }
    }

    /// Whether this process works.
    pub(super) fn leads(&self, leads: bool) {
        self.leader.get_or_create(&self.lease).set(i64::from(leads));
    }

    /// Takes over how objects stand, just before it is shown; on a process that stands by there are none.
    pub(super) fn set_objects(
        &self,
        standing: impl IntoIterator<Item = (&'static str, &'static str, usize)>,
    ) {
        self.objects.clear();
        for (kind, ready, count) in standing {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.objects.get_or_create(&Standing { kind, ready }).inc_by(count);
        }
    }

    /// How many namespaces another installation manages.
    pub(super) fn set_namespaces_of_others(&self, count: usize) {
        self.namespaces_of_others.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// OpenMetrics text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "metrics could not be written");
        }
        text
    }
}
