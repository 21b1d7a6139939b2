//! What comes twice counts once: a delivery that is brought twice in a step, an outcome that is brought again.

use std::sync::Arc;

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::{DeliveryId, MessageDigest};
use fanfare::domain::name::{ChannelName, NodeIndex};
use fanfare::domain::state::DeliveryState;
use fanfare::store::deliveries::{Committed, Decided, Opened, Outcome, SendIntent, Step};
use fanfare::store::runs::{Fence, Taken};
use jiff::Timestamp;

use crate::harness::Place;
use crate::operations::{Answer, Operation};
use crate::real::{Begun, Real};

/// A run of one customer, whose chunk `first` has.
struct World {
    real: Real,
    begun: Begun,
    id: DeliveryId,
}

impl World {
    async fn new(place: Place) -> World {
        let real = Real::open(place).await;
        let begun = real.begin("first").await;
        let id = DeliveryId::to_only_target(begun.run, CustomerKey(1), NodeIndex(0));
        let world = World { real, begun, id };
        world.ask(Operation::SetAudience { owner: "first".into() }).await;
        world
    }

    async fn ask(&self, operation: Operation) -> Answer {
        self.real.apply(self.begun.run, &[vec![CustomerKey(1)]], &operation).await
    }

    async fn commit(&self, step: Step) -> Committed {
        match self.ask(Operation::Commit(Arc::new(step))).await {
            Answer::Committed(committed) => committed,
            other => panic!("{other:?}"),
        }
    }

    async fn open(&self, openings: Vec<SendIntent>) -> Vec<Opened> {
        self.commit(Step { at: Timestamp::now(), openings, ..Step::default() }).await.opened
    }

    async fn settle(&self, outcome: Outcome) {
        self.commit(Step { at: Timestamp::now(), outcomes: vec![outcome], ..Step::default() }).await;
    }

    async fn state(&self) -> DeliveryState {
        self.real.picture(self.begun).await.deliveries[0].state
    }

    fn opening(&self, fence: Fence, again: bool) -> SendIntent {
        SendIntent {
            id: self.id,
            channel: ChannelName::new("sms"),
            chunk: 0,
            fence,
            attempt: 1,
            is_retry: again,
            address: "+43".into(),
            digest: MessageDigest([7; 16]),
            predecessor: None,
            segments: None,
        }
    }

    fn outcome(&self, fence: Fence, state: DeliveryState) -> Outcome {
        Outcome {
            id: self.id,
            attempt: 1,
            fence,
            attempts_counted: u32::from(state != DeliveryState::Queued),
            state,
            maybe_sent: false,
            provider_id: None,
            reason: None,
            retry_at: None,
            advanced: false,
        }
    }
}

async fn is_sent_once(place: Place) {
    let world = World::new(place).await;
    let waits = Decided {
        id: world.id,
        channel: ChannelName::new("sms"),
        chunk: 0,
        fence: Fence(1),
        state: DeliveryState::Queued,
        maybe_sent: false,
        reason: None,
        retry_at: None,
        advanced: false,
        predecessor: None,
    };
    let decided = vec![waits.clone(), waits];
    let step = Step { at: Timestamp::now(), decided, ..Step::default() };
    assert_eq!(world.commit(step).await, Committed::default());
    let again = world.opening(Fence(1), true);
    assert_eq!(world.open(vec![again.clone(), again]).await, [Opened::Yes, Opened::Lost]);
    let first = world.opening(Fence(1), false);
    assert_eq!(world.open(vec![first.clone(), first]).await, [Opened::Lost, Opened::Lost]);
    world.real.close().await;
}

#[tokio::test]
async fn what_is_brought_twice_in_a_step_is_sent_once_by_a_file() {
    is_sent_once(Place::sqlite()).await;
}

#[tokio::test]
async fn what_is_brought_twice_in_a_step_is_sent_once_by_postgres() {
    is_sent_once(Place::postgres()).await;
}

/// The provider was down, the attempt did not count, and its owner did not learn that this was kept. Until it brings it
/// again, another has taken the chunk and is sending, by the same number.
#[tokio::test]
async fn an_outcome_that_is_brought_again_leaves_the_next_owners_attempt_alone() {
    let world = World::new(Place::postgres()).await;
    assert_eq!(world.open(vec![world.opening(Fence(1), false)]).await, [Opened::Yes]);
    let did_not_count = world.outcome(Fence(1), DeliveryState::Queued);
    world.settle(did_not_count.clone()).await;
    let taken = world.ask(Operation::Take { n: 0, owner: "second".into() }).await;
    assert!(matches!(&taken, Answer::Taken(Taken::Here(taken)) if taken.fence == Fence(2)), "{taken:?}");
    assert_eq!(world.open(vec![world.opening(Fence(2), true)]).await, [Opened::Yes]);
    world.settle(did_not_count).await;
    assert_eq!(world.state().await, DeliveryState::Sending);
    world.settle(world.outcome(Fence(2), DeliveryState::Sent)).await;
    assert_eq!(world.state().await, DeliveryState::Sent);
    world.real.close().await;
}
