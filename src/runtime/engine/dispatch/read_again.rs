//! Reads customers again before an attempt at a message that has waited since they were read: behind a slow provider, a
//! rate, or a ledger that could not be written. A customer who has withdrawn the consent meanwhile is not written to.
//!
//! Many are read in one statement, and only those whose message needs a consent. What is rendered, opened and begun within
//! seconds is not read again.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;

use super::dispatcher::Dispatcher;
use super::job::Job;
use crate::domain::customer::{Customer, CustomerKey, EventNeeds};
use crate::domain::permit::{Permit, PermitFacts, permit};
use crate::store::StoreError;
use crate::store::customers::Customers;
use crate::telemetry::Sampled;

/// How long what was read of a customer is good for.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How many messages' customers are read at once.
const READ_AT_ONCE: usize = 512;
/// How long the store is waited for.
const READ_IN: Duration = Duration::from_secs(2);
/// When a message is tried again whose customer could not be read.
const UNREAD_PAUSE: SignedDuration = SignedDuration::from_secs(1);
/// Its reason until then.
const UNREAD: &str = "its customer could not be read again before it was sent";

static NOT_READ: Sampled = Sampled::every(Duration::from_secs(10));

/// Messages that are opened, and what was read of their customers.
pub(super) struct ReadAgain {
    jobs: Vec<Job>,
    at: Instant,
    customers: Result<Vec<Customer>, StoreError>,
}

pub(super) type ReadingAgain = Pin<Box<dyn Future<Output = ReadAgain> + Send>>;

impl Job {
    /// Whether its customer must be read again before an attempt begins.
    pub(super) fn is_outdated(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.read_at) >= READ_AGAIN_AFTER
            && self.chunk.run.bound.consent_category(self.id.node).is_some()
    }
}

impl Dispatcher {
    /// Whether the message that is ready first waits for its customer to be read again.
    pub(super) fn first_is_outdated(&self, now: Instant) -> bool {
        self.ready.front().is_some_and(|first| first.is_outdated(now))
    }

    /// Reads the customers of the next messages again. False if others are just being read.
    pub(super) fn read_again(&mut self, now: Instant) -> bool {
        if self.reading_again.is_some() {
            return false;
        }
        let jobs = self.ready.take_outdated(now, READ_AT_ONCE);
        self.reading_again = Some(Box::pin(read(Arc::clone(&self.customers), jobs, now)));
        true
    }

    /// Goes on with those that may still be sent.
    pub(super) fn note_read_again(&mut self, ReadAgain { jobs, at, customers }: ReadAgain) {
        let now = self.clock.now();
        let customers: HashMap<CustomerKey, Customer> = match customers {
            Ok(customers) => customers.into_iter().map(|customer| (customer.key, customer)).collect(),
            Err(error) => {
                if let Some(held_back) = NOT_READ.pass(self.queue.name.as_str()) {
                    tracing::warn!(channel = %self.queue.name, %error, held_back, "customers cannot be read; their messages wait");
                }
                let retry_at = now.saturating_add(UNREAD_PAUSE).unwrap_or(now);
                jobs.into_iter().for_each(|job| self.put_back_one(job, retry_at, UNREAD.into()));
                return;
            }
        };
        for mut job in jobs {
            let customer = customers.get(&job.id.customer);
            let facts = PermitFacts {
                is_customer_gone: customer.is_none(),
                consent: customer.and_then(|customer| job.chunk.run.bound.consent(job.id.node, customer)),
                ..job.chunk.permit_facts(now)
            };
            match permit(&facts) {
                Permit::Skip(reason) if !job.chunk.is_lost() => self.give_up_opened(job, &reason),
                // What its run and its channel say is asked again when its turn has come.
                _ => {
                    job.read_at = at;
                    self.ready.push_read_again(job);
                }
            }
        }
    }
}

async fn read(customers: Arc<dyn Customers>, jobs: Vec<Job>, at: Instant) -> ReadAgain {
    let mut keys: Vec<CustomerKey> = jobs.iter().map(|job| job.id.customer).collect();
    keys.sort_unstable();
    keys.dedup();
    let needs = EventNeeds::default();
    let read = tokio::time::timeout(READ_IN, customers.load(&keys, &needs)).await;
    let customers = read.unwrap_or_else(|_| Err(StoreError::Unavailable("the store does not answer".into())));
    ReadAgain { jobs, at, customers }
}

/// Waits for the customers that are being read.
pub(super) async fn read_again(reading: &mut Option<ReadingAgain>) -> ReadAgain {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}
