//! The real ledger of one run, asked the same things, and a look into its tables.

use std::sync::Arc;

use fanfare::domain::customer::CustomerKey;
use fanfare::domain::delivery::{DeliveryId, TargetId};
use fanfare::domain::name::{CallId, NodeIndex, RunId, ScenarioName, TriggerName, VersionId};
use fanfare::store::calls::{NewCall, NewRequest};
use fanfare::store::runs::{ChunkId, Matched};
use jiff::Timestamp;

use crate::harness::{Ledger, Place};
use crate::operations::{Answer, Operation};
use crate::picture::{ChunkPicture, Picture};

/// How many chunks a run has at most.
pub const CHUNKS: u32 = 3;

/// A ledger that is open, with a look past its traits.
pub struct Real {
    place: Place,
    ledger: Ledger,
    eye: Eye,
}

/// Looks into the tables.
enum Eye {
    File(rusqlite::Connection),
    Session(tokio_postgres::Client),
}

/// A run that was begun.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    pub run: RunId,
    call: i64,
}

impl Real {
    pub async fn open(place: Place) -> Real {
        let (ledger, customers) = place.open_both().await;
        customers.close().await;
        let eye = match &place {
            Place::Sqlite(folder) => {
                Eye::File(rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap())
            }
            Place::Postgres(..) => Eye::Session(place.session().await),
        };
        Real { place, ledger, eye }
    }

    pub async fn close(self) {
        self.ledger.close().await;
        drop(self.place);
    }

    /// Whether there are several holders.
    pub fn has_replicas(&self) -> bool {
        matches!(self.eye, Eye::Session(_))
    }

    /// A run of a call of its own, whose audience is the owner's to read.
    pub async fn begin(&self, owner: &str) -> Begun {
        let id = CallId::new(uuid::Uuid::now_v7().to_string());
        let call = NewCall { id: id.clone(), expires_at: None, params: "{}".into(), deduplication: None };
        let request = NewRequest {
            trigger: TriggerName::new("hook"),
            credential: "test".into(),
            received_at: Timestamp::now(),
            version: VersionId::new("v"),
            body_digest: [0; 32],
            request: None,
            idempotency: None,
            calls: vec![call],
            gate: None,
            rate: None,
            trace: None,
        };
        self.ledger.calls.accept(request).await.unwrap();
        let call = self.ledger.calls.get(&id).await.unwrap().unwrap().seq;
        let matched = Matched { fired: vec![ScenarioName::new("alert")], not_fired: Vec::new() };
        let runs = self.ledger.runs.begin_runs(call, matched, owner, Timestamp::now()).await.unwrap();
        Begun { run: runs[0], call }
    }

    pub async fn apply(&self, run: RunId, audience: &[Vec<CustomerKey>], operation: &Operation) -> Answer {
        let Ledger { runs, deliveries, log, replicas, .. } = &self.ledger;
        match operation.clone() {
            Operation::Renew { owner } => {
                let mut lost = replicas.renew(&owner).await.unwrap().lost;
                // It must not run out by itself while the test looks on.
                self.write(
                    "UPDATE replica SET lease_until = now() + interval '1 hour' WHERE owner =",
                    &owner,
                )
                .await;
                lost.iter_mut().for_each(|owned| owned.sort());
                Answer::Lease(lost)
            }
            Operation::RunOut { owner } => {
                self.write("UPDATE replica SET lease_until = now() - interval '1 s' WHERE owner =", &owner)
                    .await;
                Answer::Nothing
            }
            Operation::GiveBack { owner } => {
                replicas.give_back(&owner).await.unwrap();
                Answer::Nothing
            }
            Operation::LeaseSelection { owner } => {
                Answer::Selection(runs.lease_selection(run, &owner).await.unwrap())
            }
            Operation::SetAudience { owner } => {
                let chunks = Arc::new(audience.to_vec());
                Answer::Fence(runs.set_audience(run, chunks, "by hand".into(), &owner).await.unwrap())
            }
            Operation::OpenChunks { owner } => Answer::Open(runs.open_chunks(run, &owner).await.unwrap()),
            Operation::Take { n, owner } => {
                Answer::Taken(runs.take_chunk(ChunkId { run, n }, &owner).await.unwrap())
            }
            Operation::Commit(step) => Answer::Committed(deliveries.commit(step).await.unwrap()),
            Operation::Finish { n, fence, position, counts } => {
                let chunk = ChunkId { run, n };
                Answer::Yes(runs.finish_chunk(chunk, fence, position, &counts).await.unwrap())
            }
            Operation::FinishUntouched { end } => {
                Answer::Count(runs.finish_untouched(run, end).await.unwrap())
            }
            Operation::Totals => Answer::Totals(runs.run_totals(run).await.unwrap()),
            Operation::End { state, at } => Answer::Yes(runs.end_run(run, state, None, at).await.unwrap()),
            Operation::Stop => Answer::Yes(runs.stop_run(run).await.unwrap()),
            Operation::Resend { id, at } => {
                Answer::Reopened(log.resend(id, at).await.unwrap().map(|reopened| reopened.chunk))
            }
            Operation::Close { id, at } => Answer::Yes(log.close_held(id, at).await.unwrap()),
        }
    }

    /// Time passes only where a lease can run out.
    async fn write(&self, update: &str, owner: &str) {
        if let Eye::Session(session) = &self.eye {
            session.batch_execute(&format!("{update} '{owner}'")).await.unwrap();
        }
    }

    /// The run's rows: deliveries by the store's own reading, the others from their tables.
    pub async fn picture(&self, begun: Begun) -> Picture {
        let id = begun.run.0;
        let run = format!(
            "SELECT r.state, CASE WHEN r.stopping THEN 1 ELSE 0 END, CASE WHEN c.finished_at IS NULL THEN 0 ELSE 1 END
             FROM run r JOIN call c ON c.seq = r.call WHERE r.id = {id} AND c.seq = {}",
            begun.call
        );
        let chunk =
            format!("SELECT state, owner, fence, position, counts FROM chunk WHERE run = {id} ORDER BY n");
        let pending = format!(
            "SELECT customer, node, state, target FROM pending_delivery WHERE run = {id}
             ORDER BY customer, node, target"
        );
        let of_chunk = |n| self.ledger.deliveries.of_chunk(ChunkId { run: begun.run, n });
        let (mut head, chunks, pending, deliveries) = tokio::join!(
            self.look(&run),
            self.look(&chunk),
            async {
                match &self.eye {
                    Eye::File(_) => None,
                    Eye::Session(_) => Some(self.look(&pending).await),
                }
            },
            futures_util::future::try_join_all((0..CHUNKS).map(of_chunk))
        );
        let (head, deliveries) = (head.remove(0), deliveries.unwrap().concat());
        let chunks = chunks.iter().map(|row| chunk_picture(row)).collect();
        let waiting = |row: &Vec<Option<String>>| {
            let node = NodeIndex(u16::try_from(number(row, 1)).unwrap());
            let target = TargetId::from_number(number(row, 3).try_into().unwrap()).unwrap();
            let customer = CustomerKey(number(row, 0));
            (DeliveryId { run: begun.run, customer, node, target }, number(row, 2))
        };
        let pending = pending.map(|rows| rows.iter().map(waiting).collect());
        Picture {
            state: number(&head, 0),
            stopping: number(&head, 1) == 1,
            call_ended: number(&head, 2) == 1,
            chunks,
            deliveries,
            pending,
        }
    }

    async fn look(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        use tokio_postgres::SimpleQueryMessage::Row;
        match &self.eye {
            Eye::File(file) => crate::harness::rows_of(file, sql),
            Eye::Session(session) => {
                let messages = session.simple_query(sql).await.unwrap().into_iter();
                let rows = messages.filter_map(|message| match message {
                    Row(row) => {
                        Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
                    }
                    _ => None,
                });
                rows.collect()
            }
        }
    }
}

fn number(row: &[Option<String>], column: usize) -> i64 {
    row[column].as_ref().unwrap().parse().unwrap()
}

fn chunk_picture(row: &[Option<String>]) -> ChunkPicture {
    ChunkPicture {
        done: number(row, 0) == 1,
        owner: row[1].clone(),
        fence: number(row, 2),
        position: usize::try_from(number(row, 3)).unwrap(),
        counts: row[4].as_ref().map(|counts| serde_json::from_str(counts).unwrap()),
    }
}
