//! TLS to PostgreSQL: the server proves its name, or nothing is said to it.

use std::path::Path;
use std::sync::Arc;

use fanfare::store::customers::Customers;
use fanfare::store::postgres::{PostgresAddress, PostgresCustomers, PostgresDatabase};
use serde_json::json;

use crate::certificate::Certificate;
use crate::customers::customer;
use crate::harness::Postgres;

/// A server that has a certificate for `localhost`.
struct World {
    server: Postgres,
    certificate: Certificate,
    port: u16,
}

impl World {
    fn new() -> World {
        let certificate = Certificate::of("localhost");
        let settings = "ssl = on\nssl_cert_file = 'certificate.pem'\nssl_key_file = 'key.pem'\n";
        let files = [("certificate.pem", certificate.file()), ("key.pem", certificate.key())];
        let files = files.each_ref().map(|(name, path)| (*name, path.as_path()));
        let server = Postgres::own_with(settings, &files);
        let port = url::Url::parse(server.url()).unwrap().port().unwrap();
        World { server, certificate, port }
    }

    /// Opens the store at the host with these parameters; gives whether its sessions are encrypted, or why it cannot
    /// be used.
    async fn open(&self, host: &str, parameters: &str) -> Result<bool, String> {
        self.open_trusting(host, parameters, None).await
    }

    /// The same, with an authority that lies beside the address.
    async fn open_trusting(
        &self,
        host: &str,
        parameters: &str,
        authority: Option<&Path>,
    ) -> Result<bool, String> {
        let url = format!(
            "postgres://fanfare:s3cret@{host}:{}/postgres?application_name=asked&{parameters}",
            self.port
        );
        let address = PostgresAddress::read(&url, authority).map_err(|error| error.to_string())?;
        let opened =
            PostgresDatabase::open(&address, &Postgres::tenant()).await.map_err(|error| error.to_string());
        let store = PostgresCustomers::open(Arc::new(opened?));
        assert!(store.upsert_customers(vec![customer("ann", &json!({}))]).await.unwrap()[0].is_ok());
        let (session, connection) =
            tokio_postgres::connect(self.server.url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let asked = "SELECT bool_and(ssl), bool_or(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
            WHERE application_name = 'asked'";
        let row = session.query_one(asked, &[]).await.unwrap();
        let (all, any): (bool, bool) = (row.get(0), row.get(1));
        assert_eq!(all, any, "some sessions are encrypted and some are not");
        let end =
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'asked'";
        store.close().await;
        session.query_one(end, &[]).await.unwrap();
        Ok(all)
    }
}

#[tokio::test]
async fn a_server_proves_its_name_or_is_told_nothing() {
    let world = World::new();
    let root = format!("sslrootcert={}", world.certificate.file().display());
    let refused = |opened: Result<bool, String>, word: &str| {
        let words = opened.unwrap_err();
        assert!(words.contains(word) && !words.contains("s3cret"), "{words}");
    };
    assert_eq!(world.open("localhost", &format!("sslmode=verify-full&{root}")).await, Ok(true));
    refused(world.open("127.0.0.1", &format!("sslmode=verify-full&{root}")).await, "certificate");
    refused(world.open("localhost", "sslmode=verify-full").await, "certificate");
    let other = Certificate::of("localhost");
    let others = format!("sslmode=verify-full&sslrootcert={}", other.file().display());
    refused(world.open("localhost", &others).await, "certificate");
    for half in ["require", "prefer", "allow", "verify-ca"] {
        refused(world.open("localhost", &format!("sslmode={half}&{root}")).await, "verify-full");
    }
    assert_eq!(world.open("localhost", "sslmode=disable").await, Ok(false));
    assert_eq!(world.open("127.0.0.1", "sslmode=disable").await, Ok(false));
}

/// A Secret brings the authority of its database's server beside the address.
#[tokio::test]
async fn an_authority_beside_the_address_is_trusted_unless_the_address_names_one() {
    let world = World::new();
    let own = world.certificate.file();
    assert_eq!(world.open_trusting("localhost", "sslmode=verify-full", Some(&own)).await, Ok(true));
    assert_eq!(world.open_trusting("localhost", "sslmode=disable", Some(&own)).await, Ok(false));
    let (another, named) =
        (Certificate::of("localhost"), format!("sslmode=verify-full&sslrootcert={}", own.display()));
    let other = another.file();
    let refused = world.open_trusting("localhost", "sslmode=verify-full", Some(&other)).await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    assert_eq!(world.open_trusting("localhost", &named, Some(&other)).await, Ok(true));
}

/// A server without TLS is not spoken to where TLS is asked for.
#[tokio::test]
async fn a_server_that_has_no_certificate_is_refused() {
    let url = format!("{}?sslmode=verify-full", Postgres::shared().url());
    let refused =
        PostgresDatabase::open(&url.parse().unwrap(), &Postgres::tenant()).await.unwrap_err().to_string();
    assert!(refused.contains("TLS"), "{refused}");
}
