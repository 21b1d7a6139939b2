//! A real PgBouncer in between: where it keeps sessions all goes as without it, and where it does not, it is refused.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use fanfare::store::customers::Customers;
use fanfare::store::postgres::{PostgresCustomers, PostgresDatabase, PostgresLedger, PostgresOpenError};
use fanfare::store::replicas::Replicas;
use serde_json::json;

use crate::customers::customer;
use crate::harness::{Postgres, as_owner, owner_of_servers, run, until_true};

/// A running PgBouncer before the shared server, ended when it is dropped.
struct Bouncer {
    port: u16,
    folder: tempfile::TempDir,
    process: Child,
}

impl Bouncer {
    fn start(settings: &str) -> Bouncer {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let owner = owner_of_servers();
        let file = Self::write(&folder, port, settings);
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        if let Some(owner) = &owner {
            run(Command::new("chown").arg("-R").arg(owner).arg(folder.path()));
        }
        let process = as_owner(owner.as_deref(), &program())
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        crate::harness::wait_for("PgBouncer", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Bouncer { port, folder, process }
    }

    fn write(folder: &tempfile::TempDir, port: u16, settings: &str) -> PathBuf {
        let server: tokio_postgres::Config = Postgres::shared().url().parse().unwrap();
        let users = folder.path().join("users");
        std::fs::write(&users, "\"fanfare\" \"\"\n").unwrap();
        let file = folder.path().join("pgbouncer.ini");
        let written = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\nauth_file = {}\nadmin_users = fanfare\n\
             logfile = {}\n{settings}\n",
            server.get_ports()[0],
            users.display(),
            folder.path().join("log").display(),
        );
        let written = written.replace("* = host=127.0.0.1", "* = host=127.0.0.1 user=fanfare");
        std::fs::write(&file, written).unwrap();
        file
    }

    fn url(&self) -> String {
        format!("postgres://fanfare@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn program() -> PathBuf {
    let found = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].map(PathBuf::from);
    found
        .into_iter()
        .find(|path| path.exists())
        .expect("PgBouncer is not installed: `make packages` installs it")
}

const SESSION: &str = "pool_mode = session\ndefault_pool_size = 60";

/// Writes customers, takes a lease and reads what is there.
async fn is_of_use(url: &str) {
    let tenant = Postgres::tenant();
    let database = Arc::new(PostgresDatabase::open(&url.parse().unwrap(), &tenant).await.unwrap());
    let ledger = PostgresLedger::open(Arc::clone(&database)).await.unwrap();
    let store = PostgresCustomers::open(database);
    ledger.renew("me").await.unwrap();
    let lines = (0..50).map(|n| customer(&format!("c{n}"), &json!({"n": n}))).collect();
    assert!(store.upsert_customers(lines).await.unwrap().iter().all(Result::is_ok));
    let counts = futures_util::future::join_all((0..8).map(|_| store.count_customers())).await;
    assert!(counts.into_iter().all(|count| count.unwrap() == 50));
    let session = crate::schema::session(&tenant).await;
    let public = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(session.query_one(public, &[]).await.unwrap().get::<_, i64>(0), 0);
    store.close().await;
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_keeps_sessions_is_like_none() {
    let bouncer = Bouncer::start(SESSION);
    is_of_use(&bouncer.url()).await;
    // Another tenant, on sessions that were used before.
    is_of_use(&bouncer.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_swallows_options_and_cleans_up_nothing_is_like_none() {
    let settings =
        format!("{SESSION}\nignore_startup_parameters = options,extra_float_digits\nserver_reset_query =");
    let bouncer = Bouncer::start(&settings);
    is_of_use(&bouncer.url()).await;
    is_of_use(&bouncer.url()).await;
}

async fn is_refused(settings: &str) {
    let bouncer = Bouncer::start(settings);
    let tenant = Postgres::tenant();
    // Also where the schema is there already.
    drop(PostgresDatabase::open(&Postgres::shared().url().parse().unwrap(), &tenant).await.unwrap());
    for tenant in [tenant, Postgres::tenant()] {
        let refused = PostgresDatabase::open(&bouncer.url().parse().unwrap(), &tenant).await.unwrap_err();
        assert!(matches!(refused, PostgresOpenError::Pooled { .. }), "{settings}: {refused}");
        assert!(refused.to_string().contains("pool_mode = session"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_keeps_no_sessions_is_refused() {
    for more in
        ["", "\nserver_round_robin = 1", "\ndefault_pool_size = 1", "\nignore_startup_parameters = options"]
    {
        is_refused(&format!("pool_mode = transaction{more}")).await;
    }
    is_refused("pool_mode = statement").await;
}

/// The pooler is set up anew under a process that is at work.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_keeps_sessions_no_longer_is_refused_by_each_new_connection() {
    let mut bouncer = Bouncer::start(SESSION);
    let tenant = Postgres::tenant();
    let database = Arc::new(PostgresDatabase::open(&bouncer.url().parse().unwrap(), &tenant).await.unwrap());
    let store = PostgresCustomers::open(database);
    assert_eq!(store.count_customers().await.unwrap(), 0);
    bouncer.process.kill().unwrap();
    bouncer.process.wait().unwrap();
    let file = Bouncer::write(&bouncer.folder, bouncer.port, "pool_mode = transaction");
    bouncer.process = as_owner(owner_of_servers().as_deref(), &program()).arg(file).spawn().unwrap();
    until_true("a refusal", async || match store.count_customers().await {
        Ok(_) => panic!("a session was taken that is none"),
        Err(error) => error.to_string().contains("pool_mode = session"),
    })
    .await;
    store.close().await;
}
