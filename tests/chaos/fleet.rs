//! Several `fanfare dev` on one database, each restarted when it ends, as whatever runs them would.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::harness::{Answer, Dev, Request, Sandbox, wait_for};
use crate::story::Asked;

/// A process that must be ready by then, whatever happens to its database meanwhile.
const READY_MAX: Duration = Duration::from_secs(120);
/// A client that waits no longer asks another replica, under the same key.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How long each is unready before it ends on SIGTERM.
const UNREADY_FOR: &str = "3s";

/// What a log says of what must not happen.
const DEFECTS: [&str; 4] =
    ["panicked", "ended by a panic", "a defect of Fanfare", "a step of the run failed"];

/// All of them.
pub struct Fleet<'a> {
    manifests: PathBuf,
    data: PathBuf,
    sandbox: &'a Sandbox,
    pub replicas: Vec<Replica>,
    turn: AtomicUsize,
    /// Held by whoever starts one: so the times of starts tell owners apart.
    starting: Mutex<()>,
}

/// One place in the fleet, with the process that fills it.
pub struct Replica {
    pub name: String,
    /// The database as this one reaches it.
    url: String,
    dev: Mutex<Option<Dev>>,
    /// Held by the fault that has this replica.
    struck: Mutex<()>,
    /// When its process was started and when it was ready, in milliseconds of UNIX time.
    born: Mutex<(u64, u64)>,
    memory_max_mib: AtomicU64,
}

impl<'a> Fleet<'a> {
    /// One replica for each URL, the first of them alone, because it loads the customers.
    pub fn start(manifests: &Path, data: &Path, sandbox: &'a Sandbox, urls: &[String]) -> Self {
        let replica = |(number, url): (usize, &String)| Replica {
            name: format!("r{}", number + 1),
            url: url.clone(),
            dev: Mutex::default(),
            struck: Mutex::default(),
            born: Mutex::default(),
            memory_max_mib: AtomicU64::new(0),
        };
        let replicas = urls.iter().enumerate().map(replica).collect();
        let (manifests, data) = (manifests.to_owned(), data.to_owned());
        let fleet =
            Self { manifests, data, sandbox, replicas, turn: AtomicUsize::new(0), starting: Mutex::new(()) };
        (0..urls.len()).for_each(|number| fleet.start_one(number));
        fleet
    }

    /// Starts one again and again until it serves.
    pub fn start_one(&self, number: usize) {
        let replica = &self.replicas[number];
        let _alone = self.starting.lock().unwrap();
        let start = Instant::now();
        loop {
            let mut command = Dev::replica_command(&self.manifests, &self.data, self.sandbox, &replica.name);
            command.args(["--database", &replica.url]);
            command.args(["--unready-for", UNREADY_FOR]);
            let from = now_ms();
            if let Some(dev) = Dev::try_start_replica(&mut command, &self.data, &replica.name) {
                *replica.born.lock().unwrap() = (from, now_ms());
                *replica.dev.lock().unwrap() = Some(dev);
                return;
            }
            assert!(start.elapsed() < READY_MAX, "{} does not start:\n{}", replica.name, self.tail(number));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Sends a request to this one.
    pub fn ask_one(&self, number: usize, request: impl FnOnce(&Dev) -> Request) -> Option<Answer> {
        let request = self.replicas[number].dev.lock().unwrap().as_ref().map(request)?;
        request.within(ANSWER_MAX).send().ok()
    }

    /// SIGTERM to all: each must end in order.
    pub fn stop(&self) {
        std::thread::scope(|threads| {
            for number in 0..self.replicas.len() {
                threads.spawn(move || self.terminate(number));
            }
        });
    }

    /// SIGTERM, and what it comes to: 0.
    pub fn terminate(&self, number: usize) {
        let replica = &self.replicas[number];
        replica.note_memory();
        replica.signal("TERM");
        let status = wait_for("the end after SIGTERM", || {
            let mut dev = replica.dev.lock().unwrap();
            let ended = dev.as_mut().expect("whoever strikes has it alone").process.ended();
            if ended.is_some() {
                *dev = None;
            }
            ended
        });
        assert_eq!(status.code(), Some(0), "{} ended with {status}:\n{}", replica.name, self.tail(number));
    }

    /// None met what it calls a defect of its own.
    pub fn assert_no_defect(&self) {
        for replica in &self.replicas {
            let log = std::fs::read(Dev::replica_log(&self.data, &replica.name)).unwrap();
            let text = String::from_utf8_lossy(&log);
            let is_defect = |line: &&str| DEFECTS.iter().any(|words| line.contains(words));
            let defects: Vec<&str> = text.lines().filter(is_defect).collect();
            assert!(defects.is_empty(), "{}: {defects:#?}", replica.name);
        }
    }

    /// The end of what one printed.
    pub fn tail(&self, number: usize) -> String {
        let log = Dev::replica_log(&self.data, &self.replicas[number].name);
        let text = String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// The most memory that each ever held, in MiB.
    pub fn memory_max_mib(&self) -> Vec<u64> {
        self.replicas.iter().for_each(Replica::note_memory);
        self.replicas.iter().map(|replica| replica.memory_max_mib.load(Relaxed)).collect()
    }
}

impl Asked for Fleet<'_> {
    /// Each in its turn, as behind a load balancer that does not look.
    fn ask(&self, request: impl FnOnce(&Dev) -> Request) -> Option<Answer> {
        let number = self.turn.fetch_add(1, Relaxed) % self.replicas.len();
        self.ask_one(number, request)
    }
}

impl Replica {
    /// Waits until no other fault has this replica.
    pub fn strike(&self) -> MutexGuard<'_, ()> {
        self.struck.lock().unwrap()
    }

    /// The same, unless another fault has it.
    pub fn try_strike(&self) -> Option<MutexGuard<'_, ()>> {
        self.struck.try_lock().ok()
    }

    /// SIGKILL, now. It must not have ended by itself.
    pub fn kill(&self) {
        self.note_memory();
        let dev = self.dev.lock().unwrap().take();
        let mut dev = dev.expect("whoever strikes has it alone");
        if let Some(status) = dev.process.ended() {
            panic!("{} ended by itself with {status}:\n{}", self.name, dev.process.printed());
        }
        dev.process.kill();
    }

    /// Sends a signal that it survives.
    pub fn signal(&self, name: &str) {
        self.dev.lock().unwrap().as_ref().expect("whoever strikes has it alone").process.signal(name);
    }

    /// Among these owners of chunks, the one that is this process.
    pub fn owner(&self, owners: &[String]) -> Option<String> {
        let (from, to) = *self.born.lock().unwrap();
        owners.iter().find(|owner| (from..=to).contains(&began_ms(owner))).cloned()
    }

    fn note_memory(&self) {
        if let Some(dev) = &*self.dev.lock().unwrap() {
            self.memory_max_mib.fetch_max(dev.process.memory_max_mib(), Relaxed);
        }
    }
}

fn now_ms() -> u64 {
    u64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// An owner's name is a UUID of version 7, which begins with the milliseconds of its making.
fn began_ms(owner: &str) -> u64 {
    let digits: String = owner.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    u64::from_str_radix(&digits, 16).unwrap()
}
