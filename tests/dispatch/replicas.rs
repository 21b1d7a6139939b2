//! What only several replicas have: they share runs, follow one that was killed, and tell each other.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fanfare::channels::{Attempt, Channel, Outgoing};
use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::DeliveryId;
use fanfare::domain::name::{ChannelName, NodeIndex, RunId};
use fanfare::domain::run_counts::JourneysElsewhere;
use fanfare::domain::state::DeliveryState as State;
use fanfare::runtime::engine::RunningEngine;
use fanfare::runtime::engine::dispatch::{ChannelHandle, ChannelHandles};
use fanfare::store::StoreError;
use fanfare::store::deliveries::{Committed, Deliveries, Delivery, Step};
use fanfare::store::runs::ChunkId;

use crate::harness::{Ledger, Place, Store};
use crate::provider::{Manner, Provider, Seen, sent, unknown, willing};
use crate::world::{Row, WINDOW, World};

const SOON: Duration = Duration::from_secs(30);
/// A lease and a few looks.
const LEASE_AND_MORE: Duration = Duration::from_secs(20);
/// Less than a lease.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A replica of a world, with its own connections and its own way to the providers.
struct Replica {
    ledger: Ledger,
    customers: Arc<dyn Store>,
    channels: ChannelHandles,
}

impl Replica {
    async fn of(world: &World, names: [&'static str; 2], sms: Manner, mail: Manner) -> Replica {
        let (ledger, customers) = world.place.open_both().await;
        let channels = ChannelHandles::default();
        channels.store(Arc::new(world.providers(names, sms, mail)));
        Replica { ledger, customers, channels }
    }

    /// Puts another provider behind a channel.
    fn replace(&self, channel: &str, provider: Arc<dyn Channel>) {
        let name = ChannelName::new(channel);
        let mut handles = (**self.channels.load()).clone();
        let ChannelHandle { window, concurrency, concurrency_max, per_second, retry, .. } = *handles[&name];
        let handle = ChannelHandle {
            channel: provider,
            window,
            concurrency,
            concurrency_max,
            per_second,
            retry,
            provider_health: Default::default(),
        };
        handles.insert(name, Arc::new(handle));
        self.channels.store(Arc::new(handles));
    }

    fn start(&self, world: &World) -> RunningEngine {
        world.start_on(&self.ledger, &self.customers, &self.channels)
    }
}

/// Takes everything, after so long.
fn slow(delay: Duration) -> Manner {
    Arc::new(move |_, _| (true, sent(), delay))
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(milliseconds(5)).await;
    }
}

fn seen_by(world: &World, name: &str) -> usize {
    world.record.lock().unwrap().iter().filter(|seen| seen.channel == name).count()
}

/// How often each message was attempted.
fn by_key(record: &[Seen]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    record.iter().for_each(|seen| *counts.entry(seen.key.as_str()).or_default() += 1);
    counts
}

fn in_state(rows: &[Row], state: State) -> usize {
    rows.iter().filter(|row| row.3 == state.code()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_one_run_and_reach_everyone_once() {
    let world = World::new(Place::postgres()).await;
    world.populate(9_000, |n| n).await;
    let one = Replica::of(&world, ["a-sms", "a-mail"], slow(milliseconds(4)), slow(milliseconds(4))).await;
    let two = Replica::of(&world, ["b-sms", "b-mail"], slow(milliseconds(4)), slow(milliseconds(4))).await;
    let engines = [one.start(&world), two.start(&world)];
    let call = world.call("narrow+wide", None).await;
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    for engine in engines {
        engine.stop(milliseconds(1000)).await;
    }
    let rows = world.rows();
    let record = world.record.lock().unwrap();
    assert!(by_key(&record).values().all(|times| *times == 1), "nobody got it twice");
    assert_eq!(record.len(), in_state(&rows, State::Sent));
    assert_eq!(rows.len(), in_state(&rows, State::Sent) + in_state(&rows, State::Skipped));
    for run in [1, 2] {
        assert_eq!(world.audience(run), 9_000);
        assert_eq!(world.journeys(run).values().sum::<i64>(), 9_000, "run {run}");
    }
    let senders: BTreeSet<&str> = record.iter().map(|seen| &seen.channel[..1]).collect();
    assert_eq!(senders, BTreeSet::from(["a", "b"]), "both did some of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_is_followed_once_its_lease_has_run_out() {
    let world = World::new(Place::postgres()).await;
    world.populate(3_000, |n| n).await;
    let one = Replica::of(&world, ["a-sms", "a-mail"], slow(milliseconds(20)), slow(milliseconds(20))).await;
    let two = Replica::of(&world, ["b-sms", "b-mail"], willing(), willing()).await;
    let killed = one.start(&world);
    let call = world.call("narrow", None).await;
    until("the first to be in the midst of it", || seen_by(&world, "a-sms") > 40).await;
    let other = two.start(&world);
    drop(killed);
    let open = world.rows();
    let in_doubt = in_state(&open, State::Sending);
    assert!(in_doubt > 0, "a kill must come while something is under way, else this proves nothing");
    assert_eq!(world.until_ended(&call, LEASE_AND_MORE).await, "done");
    other.stop(milliseconds(1000)).await;

    let rows = world.rows();
    let has_address = |n: &i64| n % 13 != 12 && n % 7 != 0;
    let expected = (0..3_000).filter(has_address).count();
    assert_eq!(in_state(&rows, State::Sent) + in_state(&rows, State::Held), expected, "nobody is lost");
    // Whose SMS was under way is held, whose mail was is sent again with the same key.
    let is_held = |row: &&Row| row.3 == State::Held.code();
    assert!(rows.iter().filter(is_held).all(|row| row.2 == 0), "mails are not held");
    let doubtful_sms = open.iter().filter(|row| row.3 == State::Sending.code() && row.2 == 0).count();
    assert!(rows.iter().filter(is_held).count() <= doubtful_sms, "{doubtful_sms}");
    let record = world.record.lock().unwrap();
    let mut keys = HashSet::new();
    assert!(record.iter().filter(|seen| seen.channel.ends_with("sms")).all(|seen| keys.insert(&seen.key)));
    let twice = by_key(&record).values().filter(|times| **times > 1).count();
    assert!(twice <= WINDOW, "{twice}");
    assert_eq!(world.journeys(1).values().sum::<i64>(), world.audience(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_dead_replica_left_goes_before_whom_nobody_has_begun() {
    let world = World::new(Place::postgres()).await;
    world.populate(60_000, |n| n).await;
    let one = Replica::of(&world, ["a-sms", "a-mail"], slow(milliseconds(40)), slow(milliseconds(40))).await;
    let two = Replica::of(&world, ["b-sms", "b-mail"], slow(milliseconds(40)), slow(milliseconds(40))).await;
    let (killed, survivor) = (one.start(&world), two.start(&world));
    world.call("narrow", None).await;
    until("both to be in the midst of it", || seen_by(&world, "a-sms") > 40 && seen_by(&world, "b-sms") > 40)
        .await;
    drop(killed);
    let left = world.place.count(CHUNKS_OF_THE_DEAD);
    assert!(left > 0, "a kill must come while it has chunks, else this proves nothing");
    tokio::time::timeout(LEASE_AND_MORE, async {
        while world.place.count(CHUNKS_OF_THE_DEAD) == left {
            tokio::time::sleep(milliseconds(20)).await;
        }
    })
    .await
    .expect("nobody follows the dead one");
    let untouched = world.place.count("SELECT count(*) FROM chunk WHERE state = 0 AND fence = 0");
    assert!(untouched > 0, "all the rest was done before");
    drop(survivor);
}

/// Chunks whose owner's lease has run out, or will soon as it was not renewed; the living renew theirs every 2 s.
const CHUNKS_OF_THE_DEAD: &str = "SELECT count(*) FROM chunk c WHERE c.state = 0 AND c.owner =
    (SELECT p.owner FROM replica p ORDER BY p.owner LIMIT 1)";

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stops_leaves_its_work_to_others_at_once() {
    let world = World::new(Place::postgres()).await;
    world.populate(3_000, |n| n).await;
    let one = Replica::of(&world, ["a-sms", "a-mail"], slow(milliseconds(20)), slow(milliseconds(20))).await;
    let two = Replica::of(&world, ["b-sms", "b-mail"], willing(), willing()).await;
    let engines = (one.start(&world), two.start(&world));
    let call = world.call("narrow", None).await;
    until("the first to be in the midst of it", || seen_by(&world, "a-sms") > 40).await;
    engines.0.stop(milliseconds(1000)).await;
    assert_eq!(world.until_ended(&call, AT_ONCE).await, "done");
    engines.1.stop(milliseconds(1000)).await;
    let record = world.record.lock().unwrap();
    assert!(by_key(&record).values().all(|times| *times == 1), "nothing was in doubt");
    assert_eq!(in_state(&world.rows(), State::Held), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_one_replica_stops_is_halted_in_all_at_once() {
    let world = World::new(Place::postgres()).await;
    world.populate(9_000, |n| n * 26 + 2).await;
    let one = Replica::of(&world, ["a-sms", "a-mail"], slow(milliseconds(20)), willing()).await;
    let two = Replica::of(&world, ["b-sms", "b-mail"], slow(milliseconds(20)), willing()).await;
    let engines = [one.start(&world), two.start(&world)];
    let call = world.call("narrow", None).await;
    until("both to send", || seen_by(&world, "a-sms") > 40 && seen_by(&world, "b-sms") > 40).await;
    // Through one that has nothing of it, and may not know of it yet.
    let third = Replica::of(&world, ["c-sms", "c-mail"], willing(), willing()).await;
    third.channels.store(Arc::default());
    let asked = third.start(&world);
    assert_eq!(
        asked.control().cancel(&fanfare::domain::pause::PauseScope::Call(call.clone())).await.unwrap(),
        1
    );
    assert_eq!(world.until_ended(&call, AT_ONCE).await, "cancelled");
    let sent = world.record.lock().unwrap().len();
    for engine in engines.into_iter().chain([asked]) {
        engine.stop(milliseconds(1000)).await;
    }
    assert_eq!(world.record.lock().unwrap().len(), sent, "nothing is sent behind the end");
    let journeys = world.journeys(1);
    assert_eq!(journeys.values().sum::<i64>(), 9_000, "{journeys:?}");
    assert_eq!(journeys["messaged"] as usize, sent, "{journeys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_sends_again_here_is_sent_by_the_one_who_walks_its_chunk() {
    let world = World::new(Place::postgres()).await;
    // The first is held; the mails of the others take long enough for the chunk to be walked meanwhile.
    world.populate(200, |n| if n == 0 { 2 } else { 5 }).await;
    let first = AtomicBool::new(true);
    let once: Manner = Arc::new(move |_, _| match first.swap(false, Ordering::AcqRel) {
        true => (true, unknown(), Duration::ZERO),
        false => (true, sent(), Duration::ZERO),
    });
    let go_on = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&go_on);
    let mails: Manner = Arc::new(move |_, _| {
        (true, sent(), milliseconds(if gate.load(Ordering::Acquire) { 0 } else { 500 }))
    });
    let walking = Replica::of(&world, ["b-sms", "b-mail"], once, mails).await;
    let engine = walking.start(&world);
    let call = world.call("narrow", None).await;
    until("one to be held", || in_state(&world.rows(), State::Held) == 1).await;
    let other = Replica::of(&world, ["a-sms", "a-mail"], willing(), willing()).await;
    let asked = other.start(&world);
    let rows = world.rows();
    let held = rows.iter().find(|row| row.3 == State::Held.code()).unwrap();
    let id = DeliveryId::to_only_target(RunId(held.0), CustomerKey(held.1), NodeIndex(0));
    assert_eq!(asked.control().resend(id).await, Ok(true));
    until("it to be sent again", || seen_by(&world, "b-sms") == 2).await;
    go_on.store(true, Ordering::Release);
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    assert_eq!(seen_by(&world, "a-sms") + seen_by(&world, "a-mail"), 0, "the other one has nothing of it");
    assert_eq!(in_state(&world.rows(), State::Sent), 200);
    engine.stop(milliseconds(1000)).await;
    asked.stop(milliseconds(1000)).await;
}

/// A provider that takes what comes and answers when it is let.
struct Late {
    inner: Provider,
    answers: tokio::sync::watch::Receiver<bool>,
}

#[async_trait::async_trait]
impl Channel for Late {
    async fn attempt(&self, message: &Outgoing) -> Attempt {
        let attempt = self.inner.attempt(message).await;
        self.answers.clone().wait_for(|answers| *answers).await.unwrap();
        attempt
    }

    async fn close(&self) {}
}

/// Deliveries of a process that is slow to look at single ones.
struct Hesitant {
    inner: Arc<dyn Deliveries>,
    looks: tokio::sync::watch::Receiver<bool>,
}

#[async_trait::async_trait]
impl Deliveries for Hesitant {
    async fn commit(&self, step: Arc<Step>) -> Result<Committed, StoreError> {
        self.inner.commit(step).await
    }

    async fn of_chunk(&self, chunk: ChunkId) -> Result<Vec<Delivery>, StoreError> {
        self.inner.of_chunk(chunk).await
    }

    async fn journeys_elsewhere(&self, chunk: ChunkId) -> Result<JourneysElsewhere, StoreError> {
        self.inner.journeys_elsewhere(chunk).await
    }

    async fn get(&self, ids: &[DeliveryId]) -> Result<Vec<Delivery>, StoreError> {
        self.looks.clone().wait_for(|looks| *looks).await.unwrap();
        self.inner.get(ids).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_from_one_who_lost_the_chunk_counts_and_the_journey_goes_on_behind_it() {
    let world = World::new(Place::postgres()).await;
    // For each an SMS first, and a mail behind it.
    world.populate(10, |_| 6).await;
    let (let_answer, answers) = tokio::sync::watch::channel(false);
    let one = Replica::of(&world, ["a-sms", "a-mail"], willing(), willing()).await;
    let inner = Provider { name: "a-sms", record: Arc::clone(&world.record), manner: willing() };
    one.replace("sms", Arc::new(Late { inner, answers }));
    let first = one.start(&world);
    world.call("wide", None).await;
    until("all to be under way", || seen_by(&world, "a-sms") == 10).await;

    // The other one takes the chunk and finds them in doubt; it looks at them again once it is let.
    let mut two = Replica::of(&world, ["b-sms", "b-mail"], willing(), willing()).await;
    let (let_look, looks) = tokio::sync::watch::channel(false);
    let inner = Arc::clone(&two.ledger.deliveries);
    two.ledger.deliveries = Arc::new(Hesitant { inner, looks });
    let second = two.start(&world);
    let session = world.place.session().await;
    let owner: String = session.query_one("SELECT owner FROM chunk", &[]).await.unwrap().get(0);
    let deadline = Instant::now() + SOON;
    while in_state(&world.rows(), State::Retrying) < 10 {
        assert!(Instant::now() < deadline, "the other one does not take the chunk: {:?}", world.rows());
        let end = "UPDATE replica SET lease_until = clock_timestamp() - interval '1 second' WHERE owner = $1";
        session.execute(end, &[&owner]).await.unwrap();
    }
    let_answer.send_replace(true);
    until("the outcomes to count", || in_state(&world.rows(), State::Sent) == 10).await;
    assert_eq!(world.place.count("SELECT count(*) FROM pending_delivery"), 0, "nothing waits any more");
    let_look.send_replace(true);
    until("the journeys to go on", || seen_by(&world, "b-mail") == 10).await;
    until("the run to be done", || world.place.count("SELECT count(*) FROM run WHERE state = 2") == 1).await;
    first.stop(milliseconds(1000)).await;
    second.stop(milliseconds(1000)).await;
    let seen = ["a-sms", "a-mail", "b-sms", "b-mail"].map(|name| seen_by(&world, name));
    assert_eq!(seen, [10, 0, 0, 10]);
    assert_eq!(world.journeys(1)["messaged"], 10);
}
