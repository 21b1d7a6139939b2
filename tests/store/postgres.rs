//! What only PostgreSQL must do: a schema brought forward once by whoever comes first.

use std::sync::Arc;

use fanfare::store::postgres::{PostgresAddress, PostgresDatabase, PostgresLedger};
use jiff::{Timestamp, ToSpan};

use crate::harness::{Place, Postgres};

fn address() -> PostgresAddress {
    Postgres::shared().url().parse().unwrap()
}

#[tokio::test]
async fn replicas_that_start_together_bring_the_schema_forward_once() {
    let (address, tenant) = (address(), Postgres::tenant());
    let opened =
        futures_util::future::join_all((0..6).map(|_| PostgresDatabase::open(&address, &tenant))).await;
    for database in &opened {
        assert!(database.is_ok(), "{database:?}");
    }
    PostgresDatabase::open(&address, &tenant).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("postgres://someone:s3cret@127.0.0.1:{free}/nothing").parse().unwrap();
    let error = PostgresDatabase::open(&address, &Postgres::tenant()).await.unwrap_err().to_string();
    assert!(error.contains(&free.to_string()) && !error.contains("s3cret"), "{error}");
}

/// When the day began whose partition has this name.
fn midnight_of(partition: &str) -> Timestamp {
    let date = jiff::civil::Date::strptime("delivery_%Y%m%d", partition).unwrap();
    date.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
}

#[tokio::test]
async fn whole_days_of_deliveries_go_unless_an_unfinished_run_refers_to_them() {
    let place = Place::postgres();
    let Place::Postgres(_, tenant) = &place else { unreachable!("it is one") };
    let database = Arc::new(PostgresDatabase::open(&address(), tenant).await.unwrap());
    let ledger = PostgresLedger::open(database).await.unwrap();
    let partitions = || {
        let those = "SELECT relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE inhparent = 'delivery'::regclass ORDER BY 1";
        place.look(those).into_iter().map(|row| row[0].clone().unwrap()).collect::<Vec<_>>()
    };
    let made = partitions();
    assert_eq!(made.len(), 5, "today, three days and the default: {made:?}");
    // Whatever the hour is, and should a day begin meanwhile: all is counted from the first day that is there.
    let first = midnight_of(&made[0]);
    assert_eq!(ledger.drop_deliveries_before(first + 23.hours()).await.unwrap(), Vec::<String>::new());

    // Seen from the third day, the first two are over; a run of the second is not at its end.
    let session = place.session().await;
    let second = (first + 36.hours()).as_microsecond();
    session
        .batch_execute(&format!(
            "INSERT INTO call (id, trigger_name, received_at, state, http_status) VALUES ('c', 't', {second}, 1, 202);
             INSERT INTO run (call, accepted_at, scenario, state, started_at) VALUES (1, {second}, 's', 1, 0);
             INSERT INTO delivery (run, customer, node, accepted_at, channel, state, attempt)
                 VALUES (1, 1, 0, {second}, 'sms', 6, 1);
             INSERT INTO pending_delivery VALUES (1, 1, 0, {second}, 'sms', 6)"
        ))
        .await
        .unwrap();
    let later = first + 48.hours();
    assert_eq!(ledger.drop_deliveries_before(later).await.unwrap(), [made[0].clone()]);
    assert_eq!(place.count("SELECT count(*) FROM pending_delivery"), 1);
    session.batch_execute("UPDATE run SET state = 2").await.unwrap();
    assert_eq!(ledger.drop_deliveries_before(later).await.unwrap(), [made[1].clone()]);
    assert_eq!(partitions(), made[2..]);
    assert_eq!(place.count("SELECT count(*) FROM pending_delivery"), 0);
    ledger.close().await;
}
