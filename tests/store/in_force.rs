//! What was in force last and whose a tenant is, on both databases.

use std::sync::Arc;

use fanfare::domain::name::VersionId;
use fanfare::store::in_force::{Holder, InForce, InForceRecord};
use fanfare::store::postgres::{PostgresDatabase, PostgresLedger};
use fanfare::store::sqlite::Ledger;
use jiff::Timestamp;

use crate::harness::Postgres;

async fn the_last_record_is_kept_and_a_tenant_has_one_holder(store: &dyn InForce) {
    let now = Timestamp::now();
    assert_eq!(store.get_in_force().await, Ok(None));
    for version in ["one", "two"] {
        let record =
            InForceRecord { version: VersionId::new(version), credentials: format!("{{\"{version}\":[]}}") };
        store.put_in_force(&record, now).await.unwrap();
        assert_eq!(store.get_in_force().await, Ok(Some(record)));
    }
    let holder = |cluster: &str| Holder { cluster: cluster.into(), namespace: "shop".into() };
    let (a, b, c) = (holder("a"), holder("b"), holder("c"));
    assert_eq!(store.hold(&a, None, now).await, Ok(a.clone()));
    assert_eq!(store.hold(&a, None, now).await, Ok(a.clone()), "again");
    assert_eq!(store.hold(&b, None, now).await, Ok(a.clone()), "a second one is told who holds it");
    assert_eq!(store.hold(&b, Some(&c), now).await, Ok(a.clone()), "nobody hands over what is another's");
    assert_eq!(store.hold(&b, Some(&a), now).await, Ok(b.clone()));
    assert_eq!(store.hold(&a, None, now).await, Ok(b.clone()), "it was handed over");
}

#[tokio::test]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).unwrap();
    the_last_record_is_kept_and_a_tenant_has_one_holder(&ledger).await;
    ledger.close().await;
}

#[tokio::test]
async fn on_postgres() {
    let address = Postgres::shared().url().parse().unwrap();
    let database = Arc::new(PostgresDatabase::open(&address, &Postgres::tenant()).await.unwrap());
    let ledger = PostgresLedger::open(Arc::clone(&database)).await.unwrap();
    the_last_record_is_kept_and_a_tenant_has_one_holder(&ledger).await;
    ledger.close().await;
    database.close();
}
