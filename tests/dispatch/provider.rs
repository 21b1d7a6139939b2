//! A provider in process that keeps what it takes and answers as its script says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::channels::{Attempt, Channel, Outgoing};
use fanfare::domain::content::Content;

/// One attempt as the provider saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub channel: &'static str,
    pub key: String,
    pub address: String,
    pub text: String,
    pub taken: bool,
}

/// What all providers of a world have seen, in order; it outlives the engine.
pub type Record = Arc<Mutex<Vec<Seen>>>;

/// What a provider does with the n-th attempt: whether it takes the message, and what it answers.
pub type Manner = Arc<dyn Fn(usize, &Outgoing) -> (bool, Attempt, Duration) + Send + Sync>;

pub struct Provider {
    pub name: &'static str,
    pub record: Record,
    pub manner: Manner,
}

#[async_trait::async_trait]
impl Channel for Provider {
    async fn attempt(&self, message: &Outgoing) -> Attempt {
        let (attempt, delay) = {
            let mut record = self.record.lock().unwrap();
            let (taken, attempt, delay) = (self.manner)(record.len(), message);
            let Content::Sms { body } = &message.content else { panic!("a test sends texts") };
            record.push(Seen {
                channel: self.name,
                key: message.key.to_string(),
                address: message.address.clone(),
                text: body.clone(),
                taken,
            });
            (attempt, delay)
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        attempt
    }

    async fn close(&self) {}
}

/// Takes everything after a while and counts how many messages are under way at once.
#[derive(Clone)]
pub struct CountedProvider {
    pub now: Arc<AtomicUsize>,
    pub most: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl Channel for CountedProvider {
    async fn attempt(&self, _message: &Outgoing) -> Attempt {
        let now = self.now.fetch_add(1, Ordering::AcqRel) + 1;
        self.most.fetch_max(now, Ordering::AcqRel);
        tokio::time::sleep(Duration::from_millis(40)).await;
        self.now.fetch_sub(1, Ordering::AcqRel);
        sent()
    }

    async fn close(&self) {}
}

/// Takes everything at once.
pub fn willing() -> Manner {
    Arc::new(|_, _| (true, sent(), Duration::ZERO))
}

pub fn sent() -> Attempt {
    Attempt::Sent { provider_id: None }
}

pub fn down() -> Attempt {
    Attempt::NotTaken { reason: "no connection".into(), retry_after: None, provider_down: true }
}

pub fn busy() -> Attempt {
    Attempt::NotTaken { reason: "busy".into(), retry_after: None, provider_down: false }
}

pub fn unknown() -> Attempt {
    Attempt::Unknown { reason: "reset after the body".into() }
}
