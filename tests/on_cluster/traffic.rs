//! A steady stream of calls, and what each was answered.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::Request;

/// A client that waits no longer asks again, under the same key.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// How many call at a time.
const STREAMS: usize = 2;

/// A caller with a trigger's credentials.
pub struct Calls {
    url: String,
    username: String,
    password: String,
    over: AtomicBool,
    begun: AtomicUsize,
    acknowledged: Mutex<Vec<String>>,
    slowest: Mutex<Duration>,
    /// Answers that are no 202, and errors instead of an answer, with how often each came.
    refused: Mutex<BTreeMap<String, usize>>,
}

impl Calls {
    pub fn new(url: String, username: String, password: String) -> Self {
        let (over, begun) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (acknowledged, slowest, refused) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { url, username, password, over, begun, acknowledged, slowest, refused }
    }

    /// Ids of calls that were answered 202.
    pub fn acknowledged(&self) -> Vec<String> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// How many were begun.
    pub fn begun(&self) -> usize {
        self.begun.load(Relaxed)
    }

    /// The longest that a 202 took.
    pub fn slowest(&self) -> Duration {
        *self.slowest.lock().unwrap()
    }

    /// What came instead of a 202.
    pub fn refused(&self) -> BTreeMap<String, usize> {
        self.refused.lock().unwrap().clone()
    }

    /// Calls at this pace while something is done.
    pub fn while_doing<T>(&self, pause: Duration, work: impl FnOnce() -> T) -> T {
        std::thread::scope(|threads| {
            for _ in 0..STREAMS {
                threads.spawn(|| {
                    while !self.over.load(Relaxed) {
                        self.call();
                        std::thread::sleep(pause);
                    }
                });
            }
            let _at_last = Over(&self.over);
            work()
        })
    }

    /// One call, repeated under its key until it is answered, as a provider would.
    pub fn call(&self) -> String {
        let key = format!("call-{}", self.begun.fetch_add(1, Relaxed));
        loop {
            let request = Request::post(&self.url).basic(&self.username, &self.password).within(ANSWER_MAX);
            let request = request.header("Idempotency-Key", &key).json(&json!({"region": "north"}));
            let asked = Instant::now();
            let why = match request.send() {
                Ok(answer) if answer.status == 202 => {
                    let mut slowest = self.slowest.lock().unwrap();
                    *slowest = slowest.max(asked.elapsed());
                    let id = answer.json()["id"].as_str().unwrap().to_owned();
                    self.acknowledged.lock().unwrap().push(id.clone());
                    return id;
                }
                Ok(answer) => format!("{}: {}", answer.status, answer.body),
                Err(error) => error.to_string(),
            };
            *self.refused.lock().unwrap().entry(why).or_default() += 1;
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Ends the stream, also by a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}
