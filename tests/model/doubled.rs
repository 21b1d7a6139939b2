//! Whoever is told twice of one delivery brings it twice in a step: it is sent once, and the step is kept.

use std::sync::Arc;

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::{DeliveryId, MessageDigest};
use fanfare::domain::name::{ChannelName, NodeIndex};
use fanfare::domain::state::DeliveryState;
use fanfare::store::deliveries::{Committed, Decided, Opened, Opening, Step};
use fanfare::store::runs::Fence;
use jiff::Timestamp;

use crate::harness::Place;
use crate::operations::{Answer, Operation};
use crate::real::Real;

async fn is_sent_once(place: Place) {
    let real = Real::open(place).await;
    let begun = real.begin("first").await;
    let audience = vec![vec![CustomerKey(1)]];
    real.apply(begun.run, &audience, &Operation::SetAudience { owner: "first".into() }).await;
    let (id, channel) = (
        DeliveryId { run: begun.run, customer: CustomerKey(1), node: NodeIndex(0) },
        ChannelName::new("sms"),
    );
    let waits = Decided {
        id,
        channel: channel.clone(),
        chunk: 0,
        fence: Fence(1),
        state: DeliveryState::Queued,
        doubtful: false,
        reason: None,
        retry_at: None,
        passed: false,
        behind: None,
    };
    let first = |attempt, again| Opening {
        id,
        channel: channel.clone(),
        chunk: 0,
        fence: Fence(1),
        attempt,
        again,
        address: "+43".into(),
        digest: MessageDigest([7; 16]),
        behind: None,
    };
    let commit =
        async |step: Step| match real.apply(begun.run, &audience, &Operation::Commit(Arc::new(step))).await {
            Answer::Committed(committed) => committed,
            other => panic!("{other:?}"),
        };
    let at = Timestamp::now();
    let decided = vec![waits.clone(), waits];
    assert_eq!(commit(Step { at, decided, ..Step::default() }).await, Committed::default());
    for openings in [vec![first(1, true), first(1, true)], vec![first(1, false), first(1, false)]] {
        let opened = commit(Step { at, openings: openings.clone(), ..Step::default() }).await.opened;
        let is_kept = openings[0].again;
        assert_eq!(opened, [if is_kept { Opened::Yes } else { Opened::Lost }, Opened::Lost]);
    }
    real.close().await;
}

#[tokio::test]
async fn what_is_brought_twice_in_a_step_is_sent_once_by_a_file() {
    is_sent_once(Place::sqlite()).await;
}

#[tokio::test]
async fn what_is_brought_twice_in_a_step_is_sent_once_by_postgres() {
    is_sent_once(Place::postgres()).await;
}
