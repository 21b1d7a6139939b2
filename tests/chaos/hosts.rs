//! Several hosts behind one address: mute ones, one that is frozen while its standby is promoted, and an old primary that
//! comes back by itself.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::store::StoreError;
use fanfare::store::in_force::{Holder, InForce};
use fanfare::store::postgres::{PostgresDatabase, PostgresLedger, Tenant};
use jiff::Timestamp;
use tokio::runtime::Runtime;

use crate::admin::Admin;
use crate::alone;
use crate::harness::{Postgres, until};
use crate::server::{Server, Stop};

/// A host that was promoted is found within this; a busy machine is given twice the time.
const FOUND_WITHIN: Duration = Duration::from_secs(10);

struct Replica {
    runtime: Runtime,
    database: Arc<PostgresDatabase>,
    ledger: PostgresLedger,
}

impl Replica {
    fn open(ports: &[u16], tenant: &Tenant) -> Replica {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let address = format!("postgres://fanfare@{}/postgres", hosts.join(",")).parse().unwrap();
        let (database, ledger) = runtime.block_on(async {
            let database = Arc::new(PostgresDatabase::open(&address, tenant).await.unwrap());
            let ledger = PostgresLedger::open(Arc::clone(&database)).await.unwrap();
            (database, ledger)
        });
        Replica { runtime, database, ledger }
    }

    /// Writes something.
    fn write(&self) -> Result<Holder, StoreError> {
        let holder = Holder { cluster: "here".into(), namespace: "default".into() };
        self.runtime.block_on(self.ledger.hold(&holder, None, Timestamp::now()))
    }

    fn close(self) {
        self.runtime.block_on(self.ledger.close());
    }
}

/// Takes connections, as the kernel does for whoever listens, and says nothing.
fn mute() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn mute_hosts_in_front_hold_up_nobody() {
    let server = Server::start();
    let ((_first, first), (_second, second)) = (mute(), mute());
    let replica = Replica::open(&[first, second, server.port], &Postgres::tenant());
    replica.write().unwrap();
    replica.close();
}

#[test]
fn a_standby_that_is_promoted_while_the_primary_is_frozen_is_found() {
    let _alone = alone();
    let primary = Server::start();
    let standby = primary.with_standby();
    let (_mute, silent) = mute();
    let replica = Replica::open(&[silent, primary.port, standby.port], &Postgres::tenant());
    replica.write().unwrap();
    primary.signal("STOP");
    standby.promote();
    let promoted = Instant::now();
    until("a write on the promoted one", FOUND_WITHIN, || replica.write().ok());
    println!("  found after {:.1?}", promoted.elapsed());
    primary.signal("CONT");
    // Whoever knows the new one asks it, although the old one answers again.
    for _ in 0..20 {
        replica.write().unwrap();
    }
    replica.close();
}

#[test]
fn an_old_primary_that_comes_back_is_refused() {
    let _alone = alone();
    let primary = Server::start();
    let standby = primary.with_standby();
    let tenant = Postgres::tenant();
    let replica = Replica::open(&[primary.port, standby.port], &tenant);
    replica.write().unwrap();
    primary.down(Stop::Immediate);
    standby.promote();
    until("a write on the promoted one", FOUND_WITHIN, || replica.write().ok());
    // By itself, and waiting for nobody: it would take everything, and all of it would be lost.
    primary.up();
    Admin::of(&primary).batch("ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf()");
    standby.down(Stop::Fast);
    let refused = until("a refusal", FOUND_WITHIN, || match replica.write() {
        Ok(_) => panic!("the old primary took a write"),
        Err(error) => Some(error.to_string()).filter(|error| error.contains("timeline")),
    });
    assert!(refused.contains("old primary"), "{refused}");
    assert!(replica.database.refused_connections() > 0);
    standby.up();
    until("a write on the new one", FOUND_WITHIN, || replica.write().ok());
    replica.close();
    // Who comes anew sees both, and takes the newer.
    let other = Replica::open(&[primary.port, standby.port], &tenant);
    other.write().unwrap();
    let sessions = Admin::of(&standby).query(SESSIONS, &[])[0].get::<_, i64>(0);
    assert!(sessions > 0, "it works on the newer one");
    other.close();
}

/// Sessions of the processes that are known to the server.
const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fanfare'";
/// The pools of a process, and who listens.
const SESSIONS_MAX: i64 = 12 + 10 + 1;

#[test]
fn commits_that_hang_on_a_missing_standby_take_no_more_sessions_than_there_are() {
    let _alone = alone();
    let primary = Server::start();
    let standby = primary.with_standby();
    let replica = Replica::open(&[primary.port], &Postgres::tenant());
    replica.write().unwrap();
    let admin = Admin::of(&primary);
    standby.signal("STOP");
    let began = Instant::now();
    let holder = |n: u32| Holder { cluster: "here".into(), namespace: format!("n{n}") };
    let ledger = Arc::new(&replica.ledger);
    std::thread::scope(|scope| {
        for n in 0..40 {
            let (ledger, runtime) = (Arc::clone(&ledger), replica.runtime.handle().clone());
            scope.spawn(move || {
                while began.elapsed() < Duration::from_secs(20) {
                    let one = fanfare::store::in_force::InForceRecord {
                        version: fanfare::domain::name::VersionId::new(holder(n).namespace),
                        credentials: "{}".into(),
                    };
                    drop(runtime.block_on(ledger.put_in_force(&one, Timestamp::now())));
                }
            });
        }
        let mut most = 0;
        while began.elapsed() < Duration::from_secs(20) {
            most = most.max(admin.query(SESSIONS, &[])[0].get::<_, i64>(0));
            std::thread::sleep(Duration::from_millis(50));
        }
        println!("  at most {most} sessions");
        assert!(most <= SESSIONS_MAX, "{most}");
        standby.signal("CONT");
    });
    until("a write", FOUND_WITHIN, || replica.write().ok());
    replica.close();
}
