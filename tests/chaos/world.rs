//! A story with several replicas on a server of its own, and what must hold when all is over.

use std::path::PathBuf;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::admin::Admin;
use crate::checker::{Claims, Ledger, Record, check, say_what_was_at_stake};
use crate::fleet::Fleet;
use crate::harness::{Random, Sandbox, until};
use crate::proxy::Proxy;
use crate::server::Server;
use crate::story::{Customers, Manifests, Traffic, is_done};

/// No replica holds more memory, whatever happens.
pub const MEMORY_MAX_MIB: u64 = 512;
/// Replicas in every story.
pub const REPLICAS: usize = 3;
/// The channels' window.
pub const WINDOW: u32 = 64;
/// Whatever was accepted is at its end so long after the last fault.
const END_MAX: Duration = Duration::from_secs(120);
/// Edits are rare enough that reading them is not all that replicas do.
const EDIT_EVERY: Duration = Duration::from_millis(900);

/// What a story is told with: a folder, manifests, providers.
pub struct Stage {
    /// Kept when an assertion fails, for whoever looks for the reason.
    pub folder: PathBuf,
    pub customers: Customers,
    pub manifests: Manifests,
    pub sandbox: Sandbox,
}

/// What is struck.
pub struct World<'a> {
    pub server: Server,
    /// One before the database for each replica; none if they reach it directly.
    pub proxies: Vec<Proxy>,
    pub fleet: Fleet<'a>,
    pub traffic: Traffic,
}

/// Ends something when it is dropped, also by a panic.
pub struct Ends<'a>(pub &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

impl Stage {
    /// Providers that answer every message well.
    pub fn new(customers: u32) -> Self {
        Self::with_faulty_providers(customers, &[])
    }

    /// Providers that answer by these rules.
    pub fn with_faulty_providers(customers: u32, faults: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let customers = Customers { north: customers };
        let channel = "retry: {attempts: 20}";
        let manifests = Manifests::write(&folder.join("manifests"), customers, WINDOW, channel);
        manifests.add_follow_up();
        let sandbox = Sandbox::start(&folder, faults);
        println!("in {}", folder.display());
        Self { folder, customers, manifests, sandbox }
    }

    /// The replicas, each of which reaches the database by its own URL.
    pub fn fleet(&self, urls: &[String]) -> Fleet<'_> {
        Fleet::start(&self.manifests.folder, &self.folder.join("data"), &self.sandbox, urls)
    }

    /// Replicas that reach the server through proxies.
    pub fn behind_proxies(&self, server: Server) -> World<'_> {
        let proxies: Vec<Proxy> = (0..REPLICAS).map(|_| Proxy::before(server.port)).collect();
        let urls: Vec<String> = proxies.iter().map(|proxy| Server::url_at(proxy.port)).collect();
        World { fleet: self.fleet(&urls), proxies, server, traffic: Traffic::default() }
    }

    /// Replicas that reach the server directly.
    pub fn before(&self, server: Server) -> World<'_> {
        let urls = vec![server.url(); REPLICAS];
        World { fleet: self.fleet(&urls), proxies: Vec::new(), server, traffic: Traffic::default() }
    }

    /// Lets the world go on while something happens to it, and returns once everything that was accepted is at its
    /// end. It gives the server that is there at last.
    pub fn live_through<'s>(
        &self,
        world: &World<'_>,
        random: &mut Random,
        happens: impl FnOnce(&mut Random) -> &'s Server,
    ) -> &'s Server {
        let (traffic, fleet, started) = (&world.traffic, &world.fleet, Instant::now());
        let server = std::thread::scope(|threads| {
            let _at_last = Ends(&traffic.over);
            let (changes, events) = (random.fork(), random.fork());
            threads.spawn(|| traffic.call(fleet));
            threads.spawn(|| traffic.call(fleet));
            threads.spawn(|| traffic.change_customers(fleet, self.customers, changes));
            threads.spawn(|| traffic.send_events(fleet, self.customers, events));
            threads.spawn(|| traffic.edit(&self.manifests, EDIT_EVERY));
            happens(random)
        });
        let (over, acknowledged) = (Instant::now(), traffic.acknowledged());
        for id in &acknowledged {
            until("the end of every call", END_MAX.saturating_sub(over.elapsed()), || {
                is_done(fleet, id).then_some(())
            });
        }
        // And of those that were accepted by an answer that nobody got.
        until("the end of all work", END_MAX.saturating_sub(over.elapsed()), || {
            let open = Admin::try_of(server)?.try_query("SELECT 1 FROM call WHERE state IN (0, 1)", &[])?;
            open.is_empty().then_some(())
        });
        println!(
            "{} calls, {} changes, {} batches of events, {} edits; {:.1?} of faults, {:.1?} until the end",
            acknowledged.len(),
            traffic.changes.load(Relaxed),
            traffic.events.load(Relaxed),
            traffic.edits.load(Relaxed),
            over - started,
            over.elapsed(),
        );
        server
    }

    /// What the traffic was answered.
    pub fn claims(&self, traffic: &Traffic, faults: u64) -> Claims {
        Claims {
            acknowledged: traffic.acknowledged(),
            faults,
            replicas: REPLICAS as u64,
            window: WINDOW.into(),
            stories: Manifests::stories_with_follow_up(self.customers),
            calls_max: traffic.calls.load(Relaxed) as usize,
        }
    }

    /// Ends the replicas in order, and asserts that every promise was kept; then nothing of the story is left.
    pub fn settle(&self, world: World<'_>, faults: u64) -> Settled {
        world.fleet.stop();
        world.fleet.assert_no_defect();
        let memory = world.fleet.memory_max_mib();
        println!("memory at most {memory:?} MiB");
        assert!(memory.iter().all(|mib| *mib < MEMORY_MAX_MIB), "{memory:?} MiB");
        let traffic = &world.traffic;
        assert!(
            traffic.changes.load(Relaxed) > 0 && traffic.events.load(Relaxed) > 0,
            "the world stood still"
        );
        let claims = self.claims(traffic, faults);
        let World { server, .. } = world;
        let admin = Admin::of(&server);
        admin.assert_intact();
        let (record, ledger) = (Record::read(&self.sandbox.record), admin.ledger());
        let violations = check(&claims, &record, &ledger);
        assert!(violations.is_empty(), "in {}: {violations:#?}", self.folder.display());
        print!("{} messages, ", record.taken.len());
        say_what_was_at_stake(&record, &ledger);
        std::fs::remove_dir_all(&self.folder).unwrap();
        Settled { claims, record, ledger, admin, _server: server }
    }
}

/// What a story left, all of it in order.
pub struct Settled {
    pub claims: Claims,
    pub record: Record,
    pub ledger: Ledger,
    pub admin: Admin,
    _server: Server,
}

impl World<'_> {
    /// A replica that no other fault has, and the right to strike it.
    pub fn take(&self, which: u32) -> (usize, MutexGuard<'_, ()>) {
        let order = (0..REPLICAS).map(|step| (which as usize + step) % REPLICAS);
        let free = order.clone().find_map(|number| Some((number, self.fleet.replicas[number].try_strike()?)));
        free.unwrap_or_else(|| {
            let number = which as usize % REPLICAS;
            (number, self.fleet.replicas[number].strike())
        })
    }
}
