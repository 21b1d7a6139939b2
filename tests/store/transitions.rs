//! Both stores follow the table of what may become of a delivery: each is driven from every state by every event.

use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::{DeliveryId, MessageDigest, TargetId};
use fanfare::domain::name::{ChannelName, NodeIndex, RunId, ScenarioName};
use fanfare::domain::state::DeliveryState;
use fanfare::domain::transition::DeliveryEvent;
use fanfare::store::deliveries::{Cursor, Decided, Opened, Outcome, SendIntent, Step};
use fanfare::store::runs::{ChunkId, Fence, Matched};

use crate::harness::Place;
use crate::retention_world::World;

/// The number of a target that is not the only one.
const SECOND_TARGET: i32 = 1_987_654_321;

/// A delivery on its way from one state to another; its place among all gives its customer and target.
#[derive(Debug, Clone, Copy)]
struct Drive {
    from: Option<DeliveryState>,
    event: DeliveryEvent,
    to: DeliveryState,
}

/// Every event from every state to every state it may lead to from any.
fn drives() -> Vec<Drive> {
    let from = std::iter::once(None).chain(DeliveryState::ALL.iter().copied().map(Some));
    let with_event = from.flat_map(|from| DeliveryEvent::ALL.iter().map(move |event| (from, *event)));
    let all = with_event.flat_map(|(from, event)| {
        let to = DeliveryState::ALL.iter().copied().filter(move |to| event.leads_to(*to));
        to.map(move |to| Drive { from, event, to })
    });
    // What is not written yet and what is being sent have no later owner who found them in doubt.
    let is_told = |drive: &Drive| {
        let is_late = drive.event == DeliveryEvent::AnsweredLate;
        !(is_late && drive.from.is_none_or(|from| from == DeliveryState::Sending))
    };
    all.filter(is_told).collect()
}

impl Drive {
    /// Whether an attempt of it was made on the way to where it begins.
    fn was_opened(self) -> bool {
        self.from.is_some_and(|from| !DeliveryEvent::Decided.leads(None, from))
    }

    /// Whether it begins in doubt.
    fn is_in_doubt(self) -> bool {
        self.event == DeliveryEvent::AnsweredLate
    }

    fn opening(self, id: DeliveryId, attempt: u32) -> SendIntent {
        SendIntent {
            id,
            channel: ChannelName::new("sms"),
            chunk: 0,
            fence: Fence(1),
            attempt,
            is_retry: self.from.is_some() && self.event == DeliveryEvent::Opened,
            address: "+43".into(),
            digest: MessageDigest([7; 16]),
            predecessor: None,
            segments: None,
        }
    }

    fn outcome(self, id: DeliveryId, state: DeliveryState, maybe_sent: bool) -> Outcome {
        Outcome {
            id,
            attempt: 1,
            fence: Fence(1),
            attempts_counted: 1,
            state,
            maybe_sent,
            provider_id: None,
            reason: None,
            retry_at: None,
            advanced: false,
        }
    }

    fn decided(self, id: DeliveryId, state: DeliveryState) -> Decided {
        Decided {
            id,
            channel: ChannelName::new("sms"),
            chunk: 0,
            fence: Fence(1),
            state,
            maybe_sent: false,
            reason: None,
            retry_at: None,
            advanced: false,
            predecessor: None,
        }
    }

    /// Brings it to where it begins: the second step is for what was opened by the first.
    fn arrive(self, id: DeliveryId, steps: &mut [Step; 2]) {
        let Some(from) = self.from else { return };
        if !self.was_opened() {
            steps[0].decided.push(self.decided(id, from));
            return;
        }
        steps[0].openings.push(SendIntent { is_retry: false, ..self.opening(id, 1) });
        if from != DeliveryState::Sending {
            steps[1].outcomes.push(self.outcome(id, from, self.is_in_doubt()));
        }
    }

    /// What happens to it, but for what a person does.
    fn happen(self, id: DeliveryId, step: &mut Step) {
        let attempts = u32::from(self.was_opened());
        match self.event {
            DeliveryEvent::Decided => step.decided.push(self.decided(id, self.to)),
            DeliveryEvent::Opened => step.openings.push(self.opening(id, attempts + 1)),
            DeliveryEvent::Answered | DeliveryEvent::AnsweredLate => {
                step.outcomes.push(self.outcome(id, self.to, false));
            }
            DeliveryEvent::SentAgain | DeliveryEvent::Closed => {}
        }
    }

    /// Where it must come to; `None` if the store takes what it is told: what nobody has written yet may be decided as anything.
    fn expected(self, has_replicas: bool) -> Option<Option<DeliveryState>> {
        // Nobody else writes a file, so nobody brings the outcome of one that is held.
        let is_of_another = self.is_in_doubt() && self.from == Some(DeliveryState::Held);
        if self.event.leads(self.from, self.to) && (has_replicas || !is_of_another) {
            return Some(Some(self.to));
        }
        (self.from.is_some() || self.event != DeliveryEvent::Decided).then_some(self.from)
    }
}

pub async fn the_table_is_followed(place: Place) {
    let world = World::in_place(place).await;
    let has_replicas = matches!(world.place, Place::Postgres(..));
    let drives = drives();
    let run = begin(&world, drives.len()).await;
    let id = |place: usize| delivery(run, place);
    let at = world.now;

    let mut steps = [Step { at, ..Step::default() }, Step { at, ..Step::default() }];
    drives.iter().enumerate().for_each(|(place, drive)| drive.arrive(id(place), &mut steps));
    for step in steps {
        let committed = world.ledger.deliveries.commit(Arc::new(step)).await.unwrap();
        assert!(!committed.lost && committed.opened.iter().all(|it| *it == Opened::Yes), "{committed:?}");
    }
    let states = states(&world, run, drives.len()).await;
    for (place, drive) in drives.iter().enumerate() {
        assert_eq!(states.get(&place).copied(), drive.from, "{drive:?} does not begin where it says");
    }

    let mut step = Step { at, ..Step::default() };
    drives.iter().enumerate().for_each(|(place, drive)| drive.happen(id(place), &mut step));
    let opened: Vec<usize> = step.openings.iter().map(|one| place_of(one.id)).collect();
    let committed = world.ledger.deliveries.commit(Arc::new(step)).await.unwrap();
    for (place, answer) in opened.into_iter().zip(committed.opened) {
        let may_be_sent = drives[place].event.leads_from(drives[place].from);
        assert_eq!(answer == Opened::Yes, may_be_sent, "{:?} was answered {answer:?}", drives[place]);
    }
    for (place, drive) in drives.iter().enumerate() {
        let log = &world.ledger.log;
        let happened = match drive.event {
            DeliveryEvent::SentAgain => log.resend(id(place), at).await.unwrap().is_some(),
            DeliveryEvent::Closed => log.close_held(id(place), at).await.unwrap(),
            _ => continue,
        };
        assert_eq!(happened, drive.event.leads_from(drive.from), "{drive:?}");
    }
    let states = self::states(&world, run, drives.len()).await;
    for (place, drive) in drives.iter().enumerate() {
        let Some(expected) = drive.expected(has_replicas) else { continue };
        assert_eq!(states.get(&place).copied(), expected, "{drive:?}");
    }
    world.close().await;
}

/// What a step writes is written in its order: an outcome before what is opened again, and what is decided before that behind it
/// is opened. A chunk that another has taken changes nothing of the order, nor what is a fact.
pub async fn a_step_is_written_in_its_order(place: Place) {
    let world = World::in_place(place).await;
    let run = begin(&world, 4).await;
    let (at, [retried, skipped, lost, late]) = (world.now, [0, 1, 2, 3].map(|place| delivery(run, place)));
    let drive = Drive { from: None, event: DeliveryEvent::Opened, to: DeliveryState::Sending };
    let opened = [retried, lost, late].map(|id| drive.opening(id, 1));
    let step = Step { at, openings: opened.to_vec(), ..Step::default() };
    assert_eq!(world.ledger.deliveries.commit(Arc::new(step)).await.unwrap().opened, [Opened::Yes; 3]);

    let again = SendIntent { is_retry: true, ..drive.opening(retried, 2) };
    let behind = DeliveryId { node: NodeIndex(1), ..skipped };
    let first = SendIntent { predecessor: Some(NodeIndex(0)), ..drive.opening(behind, 1) };
    let taken = SendIntent { is_retry: true, fence: Fence(7), ..drive.opening(lost, 2) };
    let unknown = SendIntent { is_retry: true, ..drive.opening(late, 3) };
    let cursor = Cursor { chunk: ChunkId { run, n: 0 }, fence: Fence(1), position: 2 };
    let step = Step {
        at,
        outcomes: [retried, lost, late].map(|id| drive.outcome(id, DeliveryState::Retrying, false)).to_vec(),
        decided: vec![drive.decided(skipped, DeliveryState::Skipped)],
        openings: vec![again, first, taken, unknown],
        cursors: vec![cursor],
        ..Step::default()
    };
    let committed = world.ledger.deliveries.commit(Arc::new(step)).await.unwrap();
    assert_eq!(committed.opened, [Opened::Yes, Opened::Yes, Opened::Lost, Opened::Lost]);
    assert!(!committed.lost, "{committed:?}");
    let rows = world.ledger.deliveries.get(&[retried, skipped, behind, lost, late]).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.state, row.attempt, row.advanced)).collect();
    use DeliveryState::{Retrying, Sending, Skipped};
    // Its customer has gone on behind the node, to whichever targets the message of that went.
    let expected = [(Sending, 2, true), (Skipped, 0, true), (Sending, 1, false), (Retrying, 1, false)];
    assert_eq!(seen[..4], expected);
    assert_eq!(seen[4], (Retrying, 1, false), "an attempt between is missing");
    let run = run.0;
    assert_eq!(world.count(&format!("SELECT position FROM chunk WHERE run = {run} AND n = 0")), 2);
    world.close().await;
}

/// Each customer has two: what becomes of one target of a message changes nothing of the other.
fn delivery(run: RunId, place: usize) -> DeliveryId {
    let customer = CustomerKey(i64::try_from(place / 2).unwrap());
    let target = TargetId::from_number(if place.is_multiple_of(2) { 0 } else { SECOND_TARGET }).unwrap();
    DeliveryId { target, ..DeliveryId::to_only_target(run, customer, NodeIndex(0)) }
}

fn place_of(id: DeliveryId) -> usize {
    2 * usize::try_from(id.customer.0).unwrap() + usize::from(id.target != TargetId::ONLY)
}

/// A run with one chunk of so many customers, which is the first owner's.
async fn begin(world: &World, customers: usize) -> RunId {
    let (_, seq) = world.call(world.now, "v").await;
    let matched = Matched { fired: vec![ScenarioName::new("alert")], not_fired: Vec::new() };
    let run = world.ledger.runs.begin_runs(seq, matched, "one", world.now).await.unwrap()[0];
    let keys = (0..customers).map(|place| CustomerKey(i64::try_from(place).unwrap())).collect();
    let audience = world.ledger.runs.set_audience(run, Arc::new(vec![keys]), "by hand".into(), "one");
    assert_eq!(audience.await.unwrap(), Some(Fence(1)));
    run
}

/// The states of those that are written, by their places.
async fn states(world: &World, run: RunId, customers: usize) -> BTreeMap<usize, DeliveryState> {
    let ids: Vec<DeliveryId> = (0..customers).map(|place| delivery(run, place)).collect();
    let found = world.ledger.deliveries.get(&ids).await.unwrap();
    found.iter().map(|row| (place_of(row.id), row.state)).collect()
}
