//! Connections that are lent, and what becomes of those that are given up: the server is asked to end what they do, and
//! they count as sessions until they have ended.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use tokio::runtime::Handle;

use super::connect::{Canceller, ConnectError, Connected, Driver};
use super::hosts::Connector;

/// How long a session that was given up may take to end, before its socket is closed: the server looks each second
/// whether its client is there.
const ENDING_MAX: Duration = Duration::from_secs(5);
/// How often it is asked to end meanwhile.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// A pool of connections of one kind.
pub(super) type Pool = managed::Pool<Manager>;
/// A lent connection.
pub(super) type Object = managed::Object<Manager>;
/// Why none was lent.
pub(super) type PoolError = managed::PoolError<ConnectError>;

/// Makes a pool's connections.
pub(super) struct Manager(pub Connector);

/// A connection with the statements that it has prepared.
pub(super) struct PooledClient {
    client: ClientWrapper,
    driver: Driver,
    canceller: Canceller,
}

impl PooledClient {
    fn new(connected: Connected) -> Self {
        let Connected { client, driver, canceller, .. } = connected;
        // The wrapper would cut the connection when it is dropped; the driver lets it come to its end.
        let nothing = tokio::spawn(std::future::ready(()));
        PooledClient { client: ClientWrapper::new(client, nothing), driver, canceller }
    }

    /// Closes it; what it is in the midst of is cancelled. Its place is taken until it has ended.
    pub(super) fn give_up(self, is_asking: bool) {
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let PooledClient { client, mut driver, canceller } = self;
            // Tells the server, once it has answered what it was asked.
            drop(client);
            let ending = async {
                loop {
                    if is_asking {
                        canceller.cancel().await;
                    }
                    if tokio::time::timeout(ASK_EVERY, &mut driver.0).await.is_ok() {
                        return;
                    }
                }
            };
            if tokio::time::timeout(ENDING_MAX, ending).await.is_err() {
                tracing::debug!("a session that was given up did not end; its socket is closed");
            }
        });
    }
}

impl Deref for PooledClient {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        &self.client
    }
}

impl DerefMut for PooledClient {
    fn deref_mut(&mut self) -> &mut ClientWrapper {
        &mut self.client
    }
}

impl managed::Manager for Manager {
    type Type = PooledClient;
    type Error = ConnectError;

    async fn create(&self) -> Result<PooledClient, ConnectError> {
        self.0.connect().await.map(PooledClient::new)
    }

    async fn recycle(&self, client: &mut PooledClient, _: &Metrics) -> RecycleResult<ConnectError> {
        if client.is_closed() { Err(RecycleError::message("the connection is closed")) } else { Ok(()) }
    }
}
