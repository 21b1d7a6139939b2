//! What is removed on PostgreSQL only: days of deliveries that go whole, while others read and write, by one of several
//! replicas.

use std::time::Duration;

use fanfare::domain::state::DeliveryState;
use fanfare::store::retention::RowKind;
use jiff::{Timestamp, ToSpan};

use crate::harness::{Place, Postgres};
use crate::retention_world::World;

const DAY_US: i64 = 86_400_000_000;

/// A world with partitions for some days that are over.
async fn with_days(days: std::ops::Range<i64>) -> World {
    let world = World::in_place(Place::postgres()).await;
    let session = world.place.session().await;
    for day in days {
        let at = world.now - (24 * day).hours();
        let from = at.as_microsecond().div_euclid(DAY_US) * DAY_US;
        let (name, to) = (name(at), from + DAY_US);
        let make = format!("CREATE TABLE {name} PARTITION OF delivery FOR VALUES FROM ({from}) TO ({to})");
        session.batch_execute(&make).await.unwrap();
    }
    world
}

fn name(at: Timestamp) -> String {
    format!("delivery_{}", at.strftime("%Y%m%d"))
}

impl World {
    fn days_ago(&self, days: i64) -> Timestamp {
        self.hours_ago(24 * days)
    }

    fn has_day(&self, days: i64) -> bool {
        let name = name(self.days_ago(days));
        self.count(&format!("SELECT count(*) FROM pg_inherits WHERE inhrelid = to_regclass('{name}')")) == 1
    }

    fn deliveries(&self) -> i64 {
        self.count("SELECT count(*) FROM delivery")
    }
}

#[tokio::test]
async fn a_day_goes_whole_once_it_is_old_and_no_call_of_it_is_left() {
    let world = with_days(1..6).await;
    let gone = world.done(world.days_ago(5), "v", &[1, 2, 3, 4]).await;
    let held = world.run(world.days_ago(4), "v", &[1]).await;
    world.end(&held, DeliveryState::Held).await;
    let beside = world.done(world.days_ago(3), "v", &[1, 2, 3, 4, 5]).await;
    let under_way = world.run(world.days_ago(3), "v", &[6]).await;
    let young = world.done(world.days_ago(1), "v", &[1]).await;

    // Noon of the second day ago: that day is old in part.
    let partly = world.done(world.hours_ago(48 + 6), "v", &[1, 2]).await;
    let removed = world.remove(world.older_than(48)).await;
    assert!(removed.contains(&(RowKind::Partitions, 2)), "{removed:?}");
    assert!(removed.contains(&(RowKind::Deliveries, 5)), "one by one beside a run that goes on: {removed:?}");
    let days: Vec<bool> = (1..6).map(|day| world.has_day(day)).collect();
    assert_eq!(days, [true, true, true, false, false]);
    for call in [&gone, &held, &beside, &partly] {
        assert!(!world.knows(&call.call).await, "nobody finds it, whatever is left of it");
    }
    assert_eq!(world.deliveries(), 4, "two wait for the end of their day");
    assert_eq!(world.count("SELECT count(*) FROM pending_delivery"), 0);
    assert_eq!(world.count("SELECT count(*) FROM removed_run"), 1);
    world.assert_whole(&[under_way.clone(), young.clone()]).await;

    // A day later the rest of that day is gone, and so is the other's, whose run has come to its end.
    world.end(&under_way, DeliveryState::Sent).await;
    let removed = world.remove(world.older_than(30)).await;
    assert!(removed.contains(&(RowKind::Partitions, 2)), "{removed:?}");
    assert!(!world.has_day(3) && !world.has_day(2) && world.has_day(1));
    assert_eq!((world.deliveries(), world.count("SELECT count(*) FROM removed_run")), (1, 0));
    assert!(world.knows(&young.call).await);
    world.close().await;
}

#[tokio::test]
async fn what_came_to_the_default_goes_one_by_one() {
    let world = with_days(1..2).await;
    world.done(world.days_ago(5), "v", &(1..=20).collect::<Vec<_>>()).await;
    let kept = world.done(world.days_ago(1), "v", &[1]).await;
    let removed = world.remove(world.older_than(48)).await;
    assert!(removed.contains(&(RowKind::Deliveries, 20)), "{removed:?}");
    assert_eq!((world.deliveries(), world.count("SELECT count(*) FROM removed_run")), (1, 0));
    world.assert_whole(&[kept]).await;
    world.close().await;
}

/// To drop a partition PostgreSQL wants the whole table for itself. Whoever reads it for long must not keep those who come
/// behind the one who drops.
#[tokio::test]
async fn a_long_reader_keeps_the_day_and_holds_up_nobody() {
    let world = with_days(4..6).await;
    world.done(world.days_ago(5), "v", &[1, 2, 3]).await;
    let reader = world.place.session().await;
    reader.batch_execute("BEGIN; SELECT count(*) FROM delivery").await.unwrap();
    let writing = async {
        // Each waits for a twentieth of a second at most, and fails after two.
        for n in 1..=10 {
            world.done(world.hours_ago(1), "v", &[n, n + 1]).await;
        }
    };
    let (removed, ()) = tokio::join!(world.remove(world.older_than(48)), writing);
    assert!(removed.contains(&(RowKind::Calls, 1)) && world.has_day(5), "{removed:?}");
    assert_eq!(world.count("SELECT count(*) FROM removed_run"), 1);
    reader.batch_execute("COMMIT").await.unwrap();
    let removed = world.remove(world.older_than(48)).await;
    assert_eq!(removed, [(RowKind::Partitions, 2)]);
    assert_eq!((world.deliveries(), world.count("SELECT count(*) FROM removed_run")), (20, 0));
    world.close().await;
}

#[tokio::test]
async fn one_of_several_replicas_removes_and_another_goes_on_where_it_ended() {
    let world = with_days(0..0).await;
    let (other, customers) = world.place.open_both().await;
    let calls = [1, 2, 3].map(|_| world.days_ago(5));
    let mut begun = Vec::new();
    for at in calls {
        begun.push(world.done(at, "v", &[1, 2, 3]).await);
    }
    let bounds = world.older_than(48);
    let mut first = world.ledger.retention.begin_removal(bounds).await.unwrap().unwrap();
    assert!(first.next_batch(false).await.unwrap().rows.contains(&(RowKind::Calls, 3)));
    assert!(other.retention.begin_removal(bounds).await.unwrap().is_none(), "one does it");
    // It is killed: its connection ends, and its lock with it.
    drop(first);
    let mut second = None;
    for _ in 0..500 {
        second = other.retention.begin_removal(bounds).await.unwrap();
        if second.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut second = second.expect("the lock ends with the connection");
    while second.next_batch(false).await.unwrap().is_more {}
    second.end().await;
    assert_eq!((world.deliveries(), world.count("SELECT count(*) FROM removed_run")), (0, 0));
    assert!(world.ledger.retention.begin_removal(bounds).await.unwrap().is_some(), "it was given back");
    other.close().await;
    customers.close().await;
    world.close().await;
}

/// Letting a delivery be sent again holds the call from its first statement on.
#[tokio::test]
async fn a_call_that_somebody_holds_is_passed_over() {
    let world = with_days(0..0).await;
    let begun = world.done(world.days_ago(5), "v", &[1, 2, 3]).await;
    let other = world.done(world.days_ago(5), "v", &[1]).await;
    let session = world.place.session().await;
    let hold = format!("BEGIN; SELECT FROM call WHERE seq = {} FOR UPDATE", begun.seq);
    session.batch_execute(&hold).await.unwrap();
    world.remove(world.older_than(48)).await;
    assert!(world.knows(&begun.call).await && !world.knows(&other.call).await);
    // It opens a run again, as `resend` does, and lets go.
    let open = format!("UPDATE run SET state = 1 WHERE id = {}; COMMIT", begun.run.0);
    session.batch_execute(&open).await.unwrap();
    world.remove(world.older_than(48)).await;
    assert!(world.knows(&begun.call).await, "a call with an open run stays, whatever its own state is");
    assert_eq!(world.deliveries(), 3);
    world.close().await;
}

/// The function looks itself at what it is told to remove.
#[tokio::test]
async fn what_is_told_to_go_and_may_not_stays() {
    let world = with_days(0..0).await;
    let young = world.done(world.hours_ago(1), "v", &[1]).await;
    let under_way = world.run(world.days_ago(5), "v", &[1]).await;
    let (accepted, seq) = world.call(world.days_ago(5), "v").await;
    let session = world.place.session().await;
    let calls = vec![young.seq, under_way.seq, seq];
    let before = world.days_ago(2).as_microsecond();
    let row = session.query_one("SELECT remove_calls_1($1, $2)", &[&calls, &before]).await.unwrap();
    assert_eq!(row.get::<_, Vec<i64>>(0), [0, 0]);
    for call in [&young.call, &under_way.call, &accepted] {
        assert!(world.knows(call).await);
    }
    // Nor does a day go that has a call, whoever asks for it.
    let day = world.days_ago(5).as_microsecond().div_euclid(DAY_US) * DAY_US;
    let asked = "SELECT drop_deliveries_1('delivery_default', $1, $2)";
    let row = session.query_one(asked, &[&day, &(day + DAY_US)]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 0);
    assert!(Postgres::shared().url().starts_with("postgres"));
    world.close().await;
}
