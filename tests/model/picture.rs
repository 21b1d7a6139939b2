//! The rows of one run, as a store holds them and as the model says they are.

use fanfare::domain::delivery::DeliveryId;
use fanfare::domain::run_counts::RunCounts;
use fanfare::store::deliveries::Delivery;

/// A chunk's row.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkPicture {
    pub done: bool,
    pub owner: Option<String>,
    pub fence: i64,
    pub position: usize,
    pub counts: Option<RunCounts>,
}

/// All that there is of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub state: i64,
    pub stopping: bool,
    pub call_ended: bool,
    pub chunks: Vec<ChunkPicture>,
    pub deliveries: Vec<Delivery>,
    /// Those that wait or are held, where they are kept in a table of their own.
    pub pending: Option<Vec<(DeliveryId, i64)>>,
}

impl Picture {
    /// What differs, row by row.
    pub fn differences(&self, other: &Picture) -> String {
        let mut said = String::new();
        let head = |one: &Picture| (one.state, one.stopping, one.call_ended);
        if head(self) != head(other) {
            said += &format!("run: {:?} for {:?}\n", head(self), head(other));
        }
        for n in 0..self.chunks.len().max(other.chunks.len()) {
            let (mine, theirs) = (self.chunks.get(n), other.chunks.get(n));
            if mine != theirs {
                said += &format!("chunk {n}: {mine:?}\n    for {theirs:?}\n");
            }
        }
        let of = |one: &Picture, id| one.deliveries.iter().find(|row| row.id == id).cloned();
        for row in self.deliveries.iter().chain(&other.deliveries) {
            let (mine, theirs) = (of(self, row.id), of(other, row.id));
            if mine != theirs {
                said += &format!("delivery: {mine:?}\n     for {theirs:?}\n");
            }
        }
        if self.pending != other.pending {
            said += &format!("pending: {:?}\n    for {:?}\n", self.pending, other.pending);
        }
        said
    }
}
