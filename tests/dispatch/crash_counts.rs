//! Runs that end the processes which write for their customers: real processes, and a fault planted for one customer.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fanfare::runtime::engine::run::{CrashMarkers, RenderPool};
use fanfare::runtime::engine::{Clock, Deps, Engine};
use fanfare::runtime::stores::Stores;
use fanfare::store::postgres::PostgresAddress;

use crate::books::Books;
use crate::harness::Place;
use crate::provider::willing;
use crate::world::World;

/// SIGABRT.
const ABORTED: i32 = 6;
const SOON: Duration = Duration::from_secs(60);
/// What tells the process of this test where to work: the marks' folder, then a folder, or an address and a tenant.
const WORKS_IN: &str = "FANFARE_TEST_WORKS_IN";

/// A process that works until something ends it.
struct Process(Child);

impl Process {
    fn start(place: &Place, crash_markers: &Path) -> Process {
        let place = match place {
            Place::Sqlite(folder) => folder.path().display().to_string(),
            Place::Postgres(url, tenant) => {
                format!("{url}\n{}", tenant.schema().trim_start_matches("fanfare_").replace('_', "-"))
            }
        };
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash_counts::works_until_something_ends_it", "--nocapture"])
            .env(WORKS_IN, format!("{}\n{place}", crash_markers.display()))
            .stdout(Stdio::null())
            .spawn();
        Process(child.unwrap())
    }

    async fn until_aborted(&mut self) {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                assert_eq!(status.signal(), Some(ABORTED), "it ended otherwise than planted");
                return;
            }
            assert!(Instant::now() < deadline, "the process did not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn works_until_something_ends_it() {
    let Ok(told) = std::env::var(WORKS_IN) else { return };
    let told: Vec<&str> = told.lines().collect();
    let stores = match told[1..] {
        [folder] => Stores::in_folder(Path::new(folder)).unwrap(),
        [url, tenant] => Stores::on_postgres(&url.parse::<PostgresAddress>().unwrap(), tenant).await.unwrap(),
        _ => panic!("{told:?}"),
    };
    let channels = World::new(Place::sqlite()).await;
    channels.connect(willing(), willing());
    let _engine = Engine::start(Deps {
        calls: stores.calls.clone(),
        runs: stores.runs.clone(),
        deliveries: stores.deliveries.clone(),
        log: stores.log.clone(),
        replicas: stores.replicas.clone(),
        pauses: stores.pauses.clone(),
        rates: stores.rates.clone(),
        customers: stores.customers.clone(),
        audiences: stores.audiences.clone(),
        versions: Arc::new(Books::default()),
        channels: channels.channels.clone(),
        metrics: Arc::default(),
        crash_markers: Arc::new(CrashMarkers::in_folder(Path::new(told[0])).unwrap()),
        render_pool: RenderPool::default(),
        owner: uuid::Uuid::now_v7().to_string().into(),
        clock: Clock::system(),
    });
    std::future::pending::<()>().await;
}

/// Nobody has to wait for leases of processes that are gone.
async fn end_leases(world: &World) {
    if matches!(world.place, Place::Postgres(..)) {
        let session = world.place.session().await;
        session.execute("UPDATE replica SET lease_until = clock_timestamp()", &[]).await.unwrap();
    }
}

fn error_of_the_failed_run(world: &World) -> String {
    world.place.look("SELECT error FROM run WHERE state = 3").remove(0).remove(0).unwrap()
}

pub async fn a_run_that_ends_its_process_three_times_is_failed_and_the_others_go_on(place: Place) {
    let world = World::new(place).await;
    world.populate(5, |n| n + 1).await;
    let crash_markers = tempfile::tempdir().unwrap();
    let bad = world.call("ends", None).await;
    let good = world.call("narrow", None).await;
    for _ in 0..3 {
        Process::start(&world.place, crash_markers.path()).until_aborted().await;
        end_leases(&world).await;
    }
    let _works = Process::start(&world.place, crash_markers.path());
    assert_eq!(world.until_ended(&bad, SOON).await, "failed");
    let error = error_of_the_failed_run(&world);
    assert!(error.starts_with("3 processes ended while they wrote for customer c2;"), "{error}");
    assert_eq!(world.until_ended(&good, SOON).await, "done");
    let later = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&later, SOON).await, "done");
}

pub async fn a_run_whose_writing_stands_still_is_failed_and_the_others_go_on(place: Place) {
    let world = World::new(place).await;
    world.populate(5, |n| n + 1).await;
    world.connect(willing(), willing());
    let engine = world.start();
    let bad = world.call("still", None).await;
    let good = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&good, SOON).await, "done");
    assert_eq!(world.until_ended(&bad, SOON).await, "failed");
    let error = error_of_the_failed_run(&world);
    assert!(error.starts_with("writing for customer c2 does not come to an end;"), "{error}");
    // The process ends, as nothing else can end the thread, and the next one goes on with the others.
    engine.ended().await;
    engine.stop(Duration::ZERO).await;
    end_leases(&world).await;
    let engine = world.start();
    let later = world.call("narrow", None).await;
    assert_eq!(world.until_ended(&later, SOON).await, "done");
    engine.stop(Duration::ZERO).await;
    world.books.let_go.store(true, Ordering::Release);
}
