//! A database that takes something away for a while: what was accepted waits, and goes on once it is back.

use std::sync::Arc;
use std::time::Duration;

use fanfare::domain::state::DeliveryState as State;
use tokio_postgres::Client;

use crate::harness::{Place, Postgres, until_true};
use crate::pauses::adds_up;
use crate::provider::{Manner, sent, willing};
use crate::world::World;

/// Longer than a call waits before it is told to come back.
const SOON: Duration = Duration::from_secs(60);
const CUSTOMERS: i64 = 400;

/// A role without the rights of a superuser on a database of its own, and a session that gives and takes its rights.
struct Taken {
    world: World,
    superuser: Client,
    role: String,
}

impl Taken {
    async fn new() -> Taken {
        let database = Postgres::shared().database();
        let role = Postgres::tenant_name().replace('-', "_");
        let (superuser, connection) =
            tokio_postgres::connect(&database, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let name = database.rsplit('/').next().unwrap();
        let make = format!("CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {name} TO {role}");
        superuser.batch_execute(&make).await.unwrap();
        let place = Place::postgres_at(&database.replace("fanfare@", &format!("{role}@")));
        let Place::Postgres(_, tenant) = &place else { unreachable!("it is one") };
        let schema = tenant.schema();
        let world = World::new(place).await;
        superuser.batch_execute(&format!("SET search_path = {schema}")).await.unwrap();
        world.populate(CUSTOMERS, |n| n * 2).await;
        world.connect(willing(), willing());
        Taken { world, superuser, role }
    }

    fn schema(&self) -> String {
        let Place::Postgres(_, tenant) = &self.world.place else { unreachable!("it is one") };
        tenant.schema()
    }

    async fn run(&self, sql: &str) {
        let sql = sql.replace("ROLE", &self.role).replace("SCHEMA_NAME", &self.schema());
        self.superuser.batch_execute(&sql).await.unwrap();
    }

    async fn failed_statements(&self) -> i64 {
        let asked = "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()";
        self.superuser.query_one(asked, &[]).await.unwrap().get(0)
    }

    /// Waits until so many more statements have failed, whoever asked them.
    async fn until_failed(&self, more: i64) {
        let before = self.failed_statements().await;
        until_true("statements that fail", async || self.failed_statements().await >= before + more).await;
    }
}

/// Each of these is taken away while a call waits, and given back when the engine has met it often.
async fn is_waited_for(take: &str, give: &str, named: &[&str]) {
    let taken = Taken::new().await;
    let calls = [taken.world.call("narrow", None).await, taken.world.call("narrow+wide", None).await];
    taken.run(take).await;
    let engine = taken.world.start();
    taken.until_failed(8).await;
    let told = taken.world.ledger.calls.check().await.unwrap_err().to_string();
    assert!(named.iter().all(|word| told.contains(word)), "{take}: {told}");
    taken.run(give).await;
    for call in &calls {
        assert_eq!(taken.world.until_ended(call, SOON).await, "done", "{take}");
    }
    engine.stop(Duration::from_secs(1)).await;
    let rows = taken.world.rows();
    assert!(
        rows.iter()
            .all(|(_, _, _, state, _)| *state == State::Sent.code() || *state == State::Skipped.code())
    );
    let sent = rows.iter().filter(|(_, _, _, state, _)| *state == State::Sent.code()).count();
    assert!(sent > 0);
    assert_eq!(sent, taken.world.record.lock().unwrap().len(), "{take}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_on_deliveries_that_is_taken_away_is_waited_for() {
    is_waited_for(
        "REVOKE ALL ON delivery FROM ROLE",
        "GRANT ALL ON delivery TO ROLE",
        &["SELECT on delivery", "GRANT"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_on_runs_that_is_taken_away_is_waited_for() {
    is_waited_for(
        "REVOKE INSERT, UPDATE ON run FROM ROLE",
        "GRANT ALL ON run TO ROLE",
        &["INSERT on run", "UPDATE on run"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_on_customers_that_is_taken_away_is_waited_for() {
    is_waited_for(
        "REVOKE ALL ON customer FROM ROLE",
        "GRANT ALL ON customer TO ROLE",
        &["SELECT on customer"],
    )
    .await;
}

/// What waits for longer than what was read of its customers is good for does not leave before they can be read again.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_customer_cannot_be_read_again_waits() {
    let taken = Taken::new().await;
    let world = &taken.world;
    let slow: Manner = Arc::new(|n, _| match n < 16 {
        true => (true, sent(), Duration::from_secs(7)),
        false => (true, sent(), Duration::ZERO),
    });
    world.connect(slow, willing());
    let call = world.call("consented", None).await;
    let engine = world.start();
    let asked = || world.record.lock().unwrap().len();
    until_true("as many as may be under way", async || asked() == 16).await;
    taken.run("REVOKE ALL ON customer FROM ROLE").await;
    taken.until_failed(4).await;
    assert_eq!(asked(), 16, "nothing leaves");
    taken.run("GRANT ALL ON customer TO ROLE").await;
    assert_eq!(world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    adds_up(world, 1, CUSTOMERS);
    let sent = world.rows().iter().filter(|row| row.3 == State::Sent.code()).count();
    assert_eq!((sent, sent > 16), (asked(), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_there_is_waited_for() {
    is_waited_for(
        "ALTER TABLE delivery RENAME TO gone",
        "ALTER TABLE gone RENAME TO delivery",
        &["delivery"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_not_there_is_waited_for() {
    is_waited_for(
        "ALTER SCHEMA SCHEMA_NAME RENAME TO away_SCHEMA_NAME; SET search_path = away_SCHEMA_NAME",
        "ALTER SCHEMA away_SCHEMA_NAME RENAME TO SCHEMA_NAME; SET search_path = SCHEMA_NAME",
        &["does not exist"],
    )
    .await;
}

/// A right that goes while messages are under way leaves none of them as if it were still being sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_goes_in_the_midst_of_a_run_leaves_nothing_under_way() {
    let taken = Taken::new().await;
    let engine = taken.world.start();
    let call = taken.world.call("wide", None).await;
    until_true("the first message", async || !taken.world.record.lock().unwrap().is_empty()).await;
    taken.run("REVOKE ALL ON ALL TABLES IN SCHEMA SCHEMA_NAME FROM ROLE").await;
    taken.until_failed(8).await;
    taken.run("GRANT ALL ON ALL TABLES IN SCHEMA SCHEMA_NAME TO ROLE").await;
    assert_eq!(taken.world.until_ended(&call, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    let final_states = [State::Sent, State::Skipped, State::Held].map(State::code);
    assert!(taken.world.rows().iter().all(|(_, _, _, state, _)| final_states.contains(state)));
}

/// Without it an old primary that comes back is not known as one, which somebody must be told.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_tell_its_timeline_is_warned_of() {
    let taken = Taken::new().await;
    assert_eq!(taken.world.ledger.calls.caution(), None);
    for (run, named) in [
        ("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC", Some("timeline")),
        ("GRANT EXECUTE ON FUNCTION pg_control_system() TO ROLE", None),
        ("REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC", Some("GRANT EXECUTE")),
        ("GRANT EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) TO ROLE", None),
    ] {
        taken.run(run).await;
        let (ledger, customers) = taken.world.place.open_both().await;
        let caution = ledger.calls.caution();
        assert_eq!(caution.is_some(), named.is_some(), "{run}: {caution:?}");
        assert!(named.is_none_or(|word| caution.is_some_and(|it| it.contains(word))), "{run}");
        ledger.calls.check().await.unwrap();
        ledger.close().await;
        customers.close().await;
    }
}

/// A rule that an administrator added decides about nothing: the row that it refuses waits, and no other with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_a_rule_of_the_database_refuses_waits_alone() {
    let taken = Taken::new().await;
    taken.run("ALTER TABLE delivery ADD CONSTRAINT no_eights CHECK (address IS DISTINCT FROM '@c8')").await;
    let engine = taken.world.start();
    let call = taken.world.call("narrow", None).await;
    let sent = || taken.world.record.lock().unwrap().len() as i64;
    // Moods are twice the number; those of 13 get no message, those of 7 have no address.
    let all = (0..CUSTOMERS).filter(|n| (n * 2) % 13 != 12 && (n * 2) % 7 != 0).count() as i64;
    until_true("all messages but one", async || sent() == all - 1).await;
    let told = taken.world.ledger.calls.check().await.unwrap_err().to_string();
    assert!(told.contains("no_eights"), "{told}");
    let other = taken.world.call("wide", None).await;
    until_true("messages of another run", async || sent() > all).await;
    taken.run("ALTER TABLE delivery DROP CONSTRAINT no_eights").await;
    for call in [&call, &other] {
        assert_eq!(taken.world.until_ended(call, SOON).await, "done");
    }
    engine.stop(Duration::from_secs(1)).await;
    let final_states = [State::Sent, State::Skipped].map(State::code);
    assert!(taken.world.rows().iter().all(|(_, _, _, state, _)| final_states.contains(state)));
    assert!(taken.world.record.lock().unwrap().iter().any(|seen| seen.address == "@c8"));
}

/// The same of what a call needs before it has messages, and of a call itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_a_rule_of_the_database_refuses_waits_alone() {
    let taken = Taken::new().await;
    let engine = taken.world.start();
    taken.run("ALTER TABLE run ADD CONSTRAINT no_narrow CHECK (scenario <> 'narrow') NOT VALID").await;
    let waits = taken.world.call("narrow", None).await;
    let goes = taken.world.call("wide", None).await;
    assert_eq!(taken.world.until_ended(&goes, SOON).await, "done");
    assert!(taken.world.ledger.calls.get(&waits).await.unwrap().unwrap().finished_at.is_none());
    taken.run("ALTER TABLE run DROP CONSTRAINT no_narrow").await;
    assert_eq!(taken.world.until_ended(&waits, SOON).await, "done");
    engine.stop(Duration::from_secs(1)).await;
    assert!(taken.world.rows().iter().all(|(_, _, _, state, _)| *state != State::Failed.code()));
}
