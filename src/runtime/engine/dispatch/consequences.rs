//! What an attempt means beyond its own message: a recipient who opted out, an endpoint that is gone.
//!
//! Written before the outcome is, so that a crash between the two leaves the delivery in doubt, never a consent that was
//! withdrawn and is not known to be.

use std::sync::Arc;
use std::time::Duration;

use super::job::Job;
use crate::channels::{Attempt, Reach};
use crate::domain::customer::EventNeeds;
use crate::domain::name::ChannelName;
use crate::domain::pause::{Pause, PauseScope, REASON_MAX};
use crate::runtime::engine::clock::Clock;
use crate::store::StoreError;
use crate::store::customers::{CustomerWrite, Customers};
use crate::store::pauses::PauseBook;

/// Who pauses a channel whose endpoint is gone.
const WHO: &str = "fanfare";
/// How long the store is waited for; what could not be written is written with the next attempt.
const WRITTEN_IN: Duration = Duration::from_secs(5);

/// Where consequences are written, for one channel.
#[derive(Clone)]
pub(super) struct Consequences {
    pub channel: ChannelName,
    pub customers: Arc<dyn Customers>,
    pub pauses: Arc<dyn PauseBook>,
    pub clock: Clock,
}

impl Consequences {
    /// Writes what follows from the attempt, and says so in its reason.
    pub(super) async fn draw(&self, attempt: Attempt, job: &Job) -> Attempt {
        let Attempt::Refused { reason, reach } = attempt else { return attempt };
        let followed = match reach {
            Reach::OptedOut => in_time(self.withdraw_consent(&reason, job)).await,
            Reach::Gone => in_time(self.pause(&reason)).await,
            Reach::This | Reach::PerhapsAll { .. } => Ok(None),
        };
        let reason = match followed {
            Ok(Some(words)) => format!("{reason}; {words}"),
            Ok(None) => reason,
            Err(error) => {
                tracing::warn!(
                    channel = %self.channel, call = %job.chunk.run.call, delivery = %job.id, %error,
                    "what follows from a refusal could not be written"
                );
                reason
            }
        };
        Attempt::Refused { reason, reach }
    }

    /// Withdraws the consent that the message needed. Doing so again changes nothing.
    async fn withdraw_consent(&self, reason: &str, job: &Job) -> Result<Option<String>, StoreError> {
        let Some(category) = job.chunk.run.bound.consent_category(job.id.node) else {
            return Ok(Some("the message needs no consent, so none is withdrawn".into()));
        };
        let found = self.customers.load(&[job.id.customer], &EventNeeds::default()).await?;
        let Some(customer) = found.first() else { return Ok(None) };
        let line = CustomerWrite {
            registered: customer.registered().to_owned(),
            consents: [(category.to_owned(), Some(false))].into(),
            ..CustomerWrite::default()
        };
        if let Some(Err(refused)) = self.customers.upsert_customers(vec![line]).await?.first() {
            return Ok(Some(format!("their consent {category} cannot be withdrawn: {refused}")));
        }
        tracing::info!(
            channel = %self.channel, call = %job.chunk.run.call, delivery = %job.id, consent = category, reason,
            "the recipient has opted out; the consent is withdrawn"
        );
        Ok(Some(format!("their consent {category} is withdrawn")))
    }

    /// Pauses the channel until a person resumes it. A pause that is there already stays.
    async fn pause(&self, reason: &str) -> Result<Option<String>, StoreError> {
        let why = format!("the endpoint is gone and asks for nothing more: {reason}");
        let pause = Pause {
            scope: PauseScope::Channel(self.channel.clone()),
            who: WHO.into(),
            reason: why.chars().take(REASON_MAX).collect(),
            since: self.clock.now(),
        };
        self.pauses.pause(&pause).await?;
        tracing::warn!(channel = %self.channel, reason, "the endpoint is gone; the channel is paused");
        Ok(Some("the channel is paused".into()))
    }
}

async fn in_time(
    write: impl Future<Output = Result<Option<String>, StoreError>>,
) -> Result<Option<String>, StoreError> {
    let written = tokio::time::timeout(WRITTEN_IN, write).await;
    written.unwrap_or_else(|_| Err(StoreError::Unavailable("the store does not answer".into())))
}
