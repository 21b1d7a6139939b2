//! What replicas that accept at once must agree on: keys, windows and rates; and what a lost connection must not do.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fanfare::domain::admission::{Placed, Refusal};
use fanfare::domain::name::{CallId, ChannelName, TriggerName, VersionId};
use fanfare::domain::rate_window::RateLimit;
use fanfare::store::StoreError;
use fanfare::store::calls::{Admitted, NewCall, NewKey, NewRequest};
use jiff::Timestamp;

use crate::harness::{Ledger, Place, Postgres, Random};

/// How many come at once.
const AT_ONCE: usize = 40;
/// How many call while connections are cut, and how often each.
const CALLERS: usize = 32;
const CALLS_OF_ONE: usize = 12;

async fn replicas(place: &Place) -> [Ledger; 2] {
    [place.open_both().await.0, place.open_both().await.0]
}

fn new_id() -> CallId {
    CallId::new(uuid::Uuid::now_v7().to_string())
}

fn request() -> NewRequest {
    let call = NewCall { id: new_id(), expires_at: None, params: "{}".into(), deduplication: None };
    NewRequest {
        trigger: TriggerName::new("t"),
        credential: "test".into(),
        received_at: Timestamp::now(),
        version: VersionId::new("v"),
        body_digest: [7; 32],
        request: None,
        idempotency: None,
        calls: vec![call],
        gate: None,
        rate: None,
        trace: None,
    }
}

fn key(text: &str) -> NewKey {
    let expires_at = Timestamp::now() + Duration::from_secs(3_600);
    NewKey { scope: "t/test".into(), key: text.into(), expires_at }
}

/// Puts requests before both replicas at once.
async fn at_once(ledgers: &[Ledger; 2], new: impl Fn() -> NewRequest) -> Vec<Result<Admitted, StoreError>> {
    let accepts = (0..AT_ONCE).map(|n| {
        let (calls, request) = (Arc::clone(&ledgers[n % 2].calls), new());
        tokio::spawn(async move { calls.accept(request).await })
    });
    let ended = futures_util::future::join_all(accepts).await;
    ended.into_iter().map(Result::unwrap).collect()
}

fn accepted(admitted: &[Result<Admitted, StoreError>]) -> usize {
    admitted.iter().filter(|one| matches!(one, Ok(Admitted::Accepted(_)))).count()
}

fn ids(admitted: &[Result<Admitted, StoreError>]) -> HashSet<CallId> {
    let id = |one: &Result<Admitted, StoreError>| match one.as_ref().unwrap() {
        Admitted::Accepted(answer) | Admitted::Again(answer) => answer.id.clone(),
        other => panic!("{other:?}"),
    };
    admitted.iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_is_one_call_over_all_replicas() {
    let place = Place::postgres();
    let ledgers = replicas(&place).await;
    let admitted = at_once(&ledgers, || NewRequest { idempotency: Some(key("k")), ..request() }).await;
    assert_eq!((accepted(&admitted), ids(&admitted).len()), (1, 1), "{admitted:?}");
    let happening = || {
        let mut request = request();
        request.calls[0].deduplication = Some(key("happening"));
        request
    };
    let admitted = at_once(&ledgers, happening).await;
    assert_eq!((accepted(&admitted), ids(&admitted).len()), (1, 1), "{admitted:?}");
    assert_eq!(place.count("SELECT count(*) FROM call"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn elements_that_several_requests_bring_become_calls_once() {
    let place = Place::postgres();
    let ledgers = replicas(&place).await;
    let several = || {
        let call = |n: usize| NewCall {
            deduplication: Some(key(&format!("element {n}"))),
            ..request().calls.pop().unwrap()
        };
        NewRequest { request: Some(new_id()), calls: (0..20).map(call).collect(), ..request() }
    };
    let admitted = at_once(&ledgers, several).await;
    let mut firsts = HashSet::new();
    for one in &admitted {
        let Ok(Admitted::Accepted(answer)) = one else { panic!("{one:?}") };
        let new = answer.calls.as_ref().unwrap().iter().filter_map(|placed| match placed {
            Placed::Id(id) => Some(id.clone()),
            Placed::DuplicateOf(_) => None,
        });
        new.for_each(|id| assert!(firsts.insert(id)));
    }
    assert_eq!(firsts.len(), 20);
    assert_eq!(place.count("SELECT count(*) FROM call"), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_window_holds_over_all_replicas() {
    let place = Place::postgres();
    let ledgers = replicas(&place).await;
    let limit = RateLimit { calls: 7, per: Duration::from_secs(3_600) };
    let admitted = at_once(&ledgers, || NewRequest { rate: Some(limit), ..request() }).await;
    assert_eq!(accepted(&admitted), 7, "{admitted:?}");
    let is_refused = |one: &&Result<_, _>| matches!(one, Ok(Admitted::Refused(Refusal::RateWindow { .. })));
    assert_eq!(admitted.iter().filter(is_refused).count(), AT_ONCE - 7, "{admitted:?}");
    assert_eq!(place.count("SELECT count(*) FROM call"), 7);
    // Another trigger's window is another one.
    let trigger = || TriggerName::new("other");
    let admitted =
        at_once(&ledgers, || NewRequest { rate: Some(limit), trigger: trigger(), ..request() }).await;
    assert_eq!(accepted(&admitted), 7, "{admitted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_holds_over_all_replicas() {
    const EVERY: Duration = Duration::from_millis(10);
    let place = Place::postgres();
    let ledgers = replicas(&place).await;
    let channel = ChannelName::new("sms");
    let begun = Instant::now();
    let asked = ledgers.clone().map(|ledger| {
        let channel = channel.clone();
        tokio::spawn(async move {
            let rates = ledger.rates.unwrap();
            let mut starts = Vec::new();
            for _ in 0..10 {
                let given = rates.reserve(&channel, EVERY, 5).await.unwrap();
                assert_eq!((given.every, given.count), (EVERY, 5));
                starts.extend((0..given.count).map(|n| given.first + EVERY * n));
            }
            starts
        })
    });
    let mut starts = Vec::new();
    for replica in asked {
        starts.extend(replica.await.unwrap());
    }
    starts.sort_unstable();
    assert_eq!(starts.len(), 100);
    // No two of them share a place, whoever asked; what the way to the server takes is not known better than this.
    let slack = begun.elapsed() + EVERY;
    let last = *starts.last().unwrap();
    assert!(last + slack >= begun + EVERY * 99, "{:?}", last - begun);
}

/// Ends connections of Fanfare to the server at random until it is told to stop, and counts them.
async fn cut(
    place: &Place,
    mut random: Random,
    cuts: &AtomicU64,
    mut stop: tokio::sync::oneshot::Receiver<()>,
) {
    let session = place.session().await;
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
        WHERE application_name = 'fanfare-cut' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1) one";
    while stop.try_recv().is_err() {
        let ended = session.query_one(cut, &[]).await.unwrap().get::<_, i64>(0).unsigned_abs();
        cuts.fetch_add(ended, Relaxed);
        tokio::time::sleep(Duration::from_micros(u64::from(random.below(12_000)))).await;
    }
}

/// Fewer cuts prove nothing: callers go on until there were so many.
const CUTS: u64 = 25;

/// What was answered is there under the id that was answered, and nothing is there twice.
fn assert_kept_once(place: &Place, answered: &HashMap<String, CallId>) {
    let mut ids: HashMap<String, String> = HashMap::new();
    for row in place.look("SELECT params, id FROM call") {
        let params: serde_json::Value = serde_json::from_str(row[0].as_ref().unwrap()).unwrap();
        let mark = params["mark"].as_str().unwrap().to_owned();
        assert!(ids.insert(mark, row[1].clone().unwrap()).is_none(), "{params} is there twice");
    }
    for (mark, id) in answered {
        assert_eq!(ids.get(mark).map(String::as_str), Some(id.as_str()), "{mark} was answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_lose_no_call_and_double_none() {
    let (mut random, seed) = Random::of_seed_in("FANFARE_SEED");
    println!("FANFARE_SEED={seed}");
    let url = format!("{}?application_name=fanfare-cut", Postgres::shared().url());
    let place = Arc::new(Place::postgres_at(&url));
    let ledgers = replicas(&place).await;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let cuts = Arc::new(AtomicU64::new(0));
    let cutting = {
        let (place, random, cuts) = (Arc::clone(&place), random.fork(), Arc::clone(&cuts));
        tokio::spawn(async move { cut(&place, random, &cuts, stopped).await })
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    let callers = (0..CALLERS).map(|caller| {
        let calls = Arc::clone(&ledgers[caller % 2].calls);
        let (with_key, cuts) = (caller % 4 == 0, Arc::clone(&cuts));
        tokio::spawn(async move {
            let (mut answered, mut n) = (HashMap::new(), 0);
            while n < CALLS_OF_ONE || cuts.load(Relaxed) < CUTS && Instant::now() < deadline {
                n += 1;
                let mark = format!("{caller}-{n}");
                let mut request = request();
                request.calls[0].params = format!("{{\"mark\":\"{mark}\"}}");
                request.idempotency = with_key.then(|| key(&mark));
                let sent = request.calls[0].id.clone();
                match calls.accept(request).await {
                    Ok(Admitted::Accepted(answer) | Admitted::Again(answer)) => {
                        assert_eq!(answer.id, sent);
                        answered.insert(mark, answer.id);
                    }
                    Err(error) => assert!(error.is_transient(), "{error}"),
                    Ok(refused) => panic!("{refused:?}"),
                }
            }
            (answered, n)
        })
    });
    let (mut answered, mut all) = (HashMap::new(), 0);
    for caller in callers.collect::<Vec<_>>() {
        let (of_one, asked) = caller.await.unwrap();
        answered.extend(of_one);
        all += asked;
    }
    stop.send(()).unwrap();
    cutting.await.unwrap();
    let ended = cuts.load(Relaxed);
    assert!(ended >= CUTS, "{ended} connections were cut: this proves nothing");
    assert_kept_once(&place, &answered);
    assert!(
        answered.len() > all / 2,
        "{} of {all} were accepted, {ended} connections were cut",
        answered.len()
    );
}
