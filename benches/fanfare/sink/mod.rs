//! Providers that take everything as fast as they can and only count: what remains is the sender's own cost.

pub mod http;
pub mod smtp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How many messages came, and when the first and the last.
pub struct Arrivals {
    epoch: Instant,
    count: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
    refused: AtomicU64,
}

impl Arrivals {
    fn new() -> Self {
        let [count, first, last, refused] = [0, u64::MAX, 0, 0].map(AtomicU64::new);
        Arrivals { epoch: Instant::now(), count, first, last, refused }
    }

    fn arrived(&self) {
        let now = self.epoch.elapsed().as_micros() as u64;
        self.first.fetch_min(now, Ordering::Relaxed);
        self.last.fetch_max(now, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Whether one that comes now is among as many as are allowed in this second.
    fn is_allowed(&self, per_second: u32, taken: &std::sync::Mutex<(u64, u32)>) -> bool {
        let second = self.epoch.elapsed().as_secs();
        let mut taken = taken.lock().expect("nobody panics with it");
        if taken.0 != second {
            *taken = (second, 0);
        }
        taken.1 += 1;
        let is_allowed = taken.1 <= per_second;
        if !is_allowed {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        is_allowed
    }

    /// How many were refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Forgets what came.
    pub fn reset(&self) {
        self.first.store(u64::MAX, Ordering::Relaxed);
        self.last.store(0, Ordering::Relaxed);
        self.count.store(0, Ordering::Release);
    }

    /// How many came.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// When the first came; meaningless before.
    pub fn first(&self) -> Instant {
        self.epoch + Duration::from_micros(self.first.load(Ordering::Relaxed))
    }

    /// When the last came.
    pub fn last(&self) -> Instant {
        self.epoch + Duration::from_micros(self.last.load(Ordering::Relaxed))
    }

    /// Waits until so many have come.
    ///
    /// # Panics
    /// None comes for a whole minute.
    pub async fn wait_for(&self, expected: u64) {
        let (mut seen, mut since) = (self.count(), Instant::now());
        while self.count() < expected {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.count() != seen {
                (seen, since) = (self.count(), Instant::now());
            }
            assert!(
                since.elapsed() < Duration::from_secs(60),
                "{seen} of {expected} messages came, then none"
            );
        }
    }
}

/// A running sink on threads of its own, as a provider elsewhere would be. It ends with its handle.
pub struct Sink {
    /// Where it listens.
    pub address: SocketAddr,
    /// What came.
    pub arrivals: Arc<Arrivals>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Sink {
    fn start<Served: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(TcpStream, Arc<Arrivals>) -> Served + Send + 'static,
    ) -> Self {
        let runtime = crate::own_threads();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("a socket can be made non-blocking");
        let arrivals = Arc::new(Arrivals::new());
        let counted = arrivals.clone();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("it does not block");
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("a socket can be told");
                serving.spawn(serve(stream, counted.clone()));
                while serving.try_join_next().is_some() {}
            }
        });
        Sink { address, arrivals, runtime: Some(runtime) }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
