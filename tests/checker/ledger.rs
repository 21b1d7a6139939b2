//! The database files, read with plain SQL and a decoder of its own.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

/// The final states of a delivery by their number in the ledger; 0 to 2 are open.
pub const SENT: i64 = 3;
pub const FAILED: i64 = 4;
pub const UNKNOWN: i64 = 5;
pub const HELD: i64 = 6;
pub const SKIPPED: i64 = 7;

/// A call that was accepted.
#[derive(Debug, Clone)]
pub struct Call {
    pub state: i64,
    /// The source texts of its version, while they are kept.
    pub sources: Option<String>,
}

/// One scenario executing for one call.
#[derive(Debug, Clone)]
pub struct Run {
    pub call: String,
    pub scenario: String,
    pub state: i64,
    pub audience: Option<i64>,
    pub error: Option<String>,
    /// The `registered` ids in the chunks of its audience, in their order. Those of journeys that were woken hold some of them
    /// again.
    pub members: Vec<String>,
    pub open_chunks: i64,
    /// Journeys by outcome, summed over the chunks' counts.
    pub journeys: i64,
    /// Deliveries in final states by node, summed over the chunks' counts.
    pub counted: BTreeMap<u16, i64>,
    pub deliveries: Vec<Delivery>,
}

/// One message to one customer.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub customer: String,
    pub node: u16,
    pub channel: String,
    pub state: i64,
    pub reason: Option<String>,
}

/// What the database says.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub calls: BTreeMap<String, Call>,
    pub runs: Vec<Run>,
}

impl Ledger {
    /// Reads `ledger.db` and `customers.db` of a data folder nobody is writing to.
    pub fn read(data: &Path) -> Self {
        let customers = registered_ids(&open(&data.join("customers.db")));
        let ledger = open(&data.join("ledger.db"));
        let runs = runs(&ledger).into_iter().map(|(id, run)| fill(&ledger, id, run, &customers)).collect();
        Self { calls: calls(&ledger), runs }
    }
}

/// A damaged file proves nothing, so its integrity is asserted first.
fn open(path: &Path) -> Connection {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let intact: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(intact, "ok", "{}", path.display());
    connection
}

fn registered_ids(connection: &Connection) -> BTreeMap<i64, String> {
    let mut statement = connection.prepare("SELECT key, registered FROM customer").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Accepted calls: the trigger log also holds refused ones, which have state 6.
fn calls(connection: &Connection) -> BTreeMap<String, Call> {
    let mut statement = connection
        .prepare(
            "SELECT c.id, c.state, v.content FROM call c LEFT JOIN version v ON v.id = c.version
             WHERE c.state <> 6",
        )
        .unwrap();
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, Call { state: row.get(1)?, sources: row.get(2)? })));
    rows.unwrap().map(Result::unwrap).collect()
}

fn runs(connection: &Connection) -> Vec<(i64, Run)> {
    let mut statement = connection
        .prepare(
            "SELECT r.id, c.id, r.scenario, r.state, r.audience, r.error
             FROM run r JOIN call c ON c.seq = r.call ORDER BY r.id",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        let run = Run {
            call: row.get(1)?,
            scenario: row.get(2)?,
            state: row.get(3)?,
            audience: row.get(4)?,
            error: row.get(5)?,
            members: Vec::new(),
            open_chunks: 0,
            journeys: 0,
            counted: BTreeMap::new(),
            deliveries: Vec::new(),
        };
        Ok((row.get(0)?, run))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn fill(connection: &Connection, id: i64, mut run: Run, customers: &BTreeMap<i64, String>) -> Run {
    let registered = |key: i64| customers.get(&key).cloned().unwrap_or_else(|| format!("key {key}"));
    let mut statement = connection
        .prepare(
            "SELECT CASE WHEN c.from_chunk IS NULL THEN k.customers ELSE x'' END, c.state, c.counts
             FROM chunk c JOIN chunk_customers k USING (run, n)
             WHERE c.run = ?1 ORDER BY c.n",
        )
        .unwrap();
    let mut rows = statement.query(params![id]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let keys: Vec<u8> = row.get(0).unwrap();
        run.members.extend(distances(&keys).into_iter().map(registered));
        run.open_chunks += i64::from(row.get::<_, i64>(1).unwrap() == 0);
        if let Some(counts) = row.get::<_, Option<String>>(2).unwrap() {
            add_counts(&mut run, &serde_json::from_str(&counts).unwrap());
        }
    }
    let mut statement = connection
        .prepare("SELECT customer, node, channel, state, reason FROM delivery WHERE run = ?1")
        .unwrap();
    let deliveries = statement.query_map(params![id], |row| {
        let customer = registered(row.get(0)?);
        let (node, channel) = (row.get(1)?, row.get(2)?);
        Ok(Delivery { customer, node, channel, state: row.get(3)?, reason: row.get(4)? })
    });
    run.deliveries = deliveries.unwrap().map(Result::unwrap).collect();
    run
}

/// `{"journeys": {"messaged": 3, …}, "deliveries": {"1": {"sent": 3, …}, …}}`
pub(super) fn add_counts(run: &mut Run, counts: &serde_json::Value) {
    const OPEN: [&str; 3] = ["queued", "sending", "retrying"];
    run.journeys +=
        counts["journeys"].as_object().unwrap().values().filter_map(serde_json::Value::as_i64).sum::<i64>();
    for (node, states) in counts["deliveries"].as_object().unwrap() {
        let ended = states.as_object().unwrap().iter().filter(|(state, _)| !OPEN.contains(&state.as_str()));
        let ended: i64 = ended.filter_map(|(_, n)| n.as_i64()).sum();
        *run.counted.entry(node.parse().unwrap()).or_default() += ended;
    }
}

/// Ascending keys as distances from the one before, each in LEB128.
pub(super) fn distances(bytes: &[u8]) -> Vec<i64> {
    let (mut keys, mut key, mut distance, mut shift) = (Vec::new(), 0_i64, 0_u64, 0);
    for byte in bytes {
        distance |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            key = key.wrapping_add(distance.cast_signed());
            keys.push(key);
            (distance, shift) = (0, 0);
        }
    }
    keys
}
