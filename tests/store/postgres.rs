//! What only PostgreSQL must do: a schema brought forward once by whoever comes first.

use fanfare::store::postgres::{PostgresAddress, PostgresDatabase};

use crate::harness::Postgres;

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
