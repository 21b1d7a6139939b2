//! Requests from a bare hyper client: the load on an endpoint, and the baseline that dispatch is compared with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Makes the request with a number.
pub type Make = Arc<dyn Fn(u64) -> Request<Full<Bytes>> + Send + Sync>;

/// When requests are sent.
#[derive(Clone, Copy)]
pub enum Pace {
    /// So many in all, each as soon as its connection is free.
    All(u64),
    /// For so long, each as soon as its connection is free.
    For(Duration),
    /// At so many a second for so long, whether earlier ones were answered or not; latency counts from the moment a
    /// request was due.
    Open { per_second: u64, length: Duration },
}

/// What came of it.
#[derive(Default)]
pub struct Load {
    /// The requests that were answered as expected, fastest first.
    pub samples: Vec<Sample>,
    /// Answers other than the expected one, by status.
    pub others: Vec<StatusCode>,
    /// From the first request to the last answer.
    pub took: Duration,
}

/// One answered request.
#[derive(Clone, Copy)]
pub struct Sample {
    /// When it was due, since the first.
    pub due: Duration,
    /// How long after that its answer was there.
    pub took: Duration,
}

impl Load {
    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.samples.len() as f64 / self.took.as_secs_f64()
    }

    /// The latency that this share of the requests stayed below, in milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        let place = ((self.samples.len() as f64 * share) as usize).min(self.samples.len() - 1);
        self.samples[place].took.as_secs_f64() * 1e3
    }
}

/// Sends requests over some connections and expects this status of each.
pub async fn send(
    address: SocketAddr,
    connections: usize,
    pace: Pace,
    expected: StatusCode,
    make: Make,
) -> Load {
    let (next, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut sending = JoinSet::new();
    for _ in 0..connections {
        sending.spawn(one_connection(address, pace, expected, make.clone(), next.clone(), start));
    }
    let mut load = Load::default();
    while let Some(part) = sending.join_next().await {
        let part = part.expect("a connection does not panic");
        load.samples.extend(part.samples);
        load.others.extend(part.others);
    }
    load.took = start.elapsed();
    load.samples.sort_unstable_by_key(|sample| sample.took);
    load
}

async fn one_connection(
    address: SocketAddr,
    pace: Pace,
    expected: StatusCode,
    make: Make,
    next: Arc<AtomicU64>,
    start: Instant,
) -> Load {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a socket can be told");
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.expect("a fresh connection");
    let driver = tokio::spawn(connection);
    let mut load = Load::default();
    while let Some((number, due)) = next_request(pace, &next, start).await {
        let response = sender.send_request(make(number)).await.expect("the server answers");
        let status = response.status();
        response.into_body().collect().await.expect("the server finishes its answers");
        match status == expected {
            true => load.samples.push(Sample { due: due - start, took: due.elapsed() }),
            false => load.others.push(status),
        }
        sender.ready().await.expect("the server keeps connections");
    }
    drop(sender);
    // The connection ends with its sender; how does not matter.
    let _ = driver.await;
    load
}

/// The number of the next request and the moment it is due, once that has come.
async fn next_request(pace: Pace, next: &AtomicU64, start: Instant) -> Option<(u64, Instant)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    match pace {
        Pace::All(total) => (number < total).then(|| (number, Instant::now())),
        Pace::For(length) => (start.elapsed() < length).then(|| (number, Instant::now())),
        Pace::Open { per_second, length } => {
            let due = start + Duration::from_secs_f64(number as f64 / per_second as f64);
            if due.duration_since(start) >= length {
                return None;
            }
            tokio::time::sleep_until(due.into()).await;
            Some((number, due))
        }
    }
}
