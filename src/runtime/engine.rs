//! The heart: calls to runs to messages, started with what it works on and stopped with a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::dispatch::{ChannelHandles, Post};
use super::run::{Board, Control, Desk, Playbooks, take_calls, watch_stops, work};
use crate::store::audiences::Audiences;
use crate::store::calls::Calls;
use crate::store::customers::Customers;
use crate::store::deliveries::Deliveries;
use crate::store::run_log::RunLog;
use crate::store::runs::Runs;

/// What the engine works on.
pub struct Deps {
    /// Accepted calls.
    pub calls: Arc<dyn Calls>,
    /// Runs and chunks.
    pub runs: Arc<dyn Runs>,
    /// Runs and deliveries as people see them.
    pub log: Arc<dyn RunLog>,
    /// Deliveries.
    pub deliveries: Arc<dyn Deliveries>,
    /// Customers by key.
    pub customers: Arc<dyn Customers>,
    /// Audiences by selection.
    pub audiences: Arc<dyn Audiences>,
    /// Versions, compiled.
    pub playbooks: Arc<dyn Playbooks>,
    /// The channels that can be used now.
    pub channels: ChannelHandles,
}

/// Starts runs and sends messages.
pub struct Engine;

/// The engine at work.
pub struct Running {
    board: Arc<Board>,
    log: Arc<dyn RunLog>,
    post: Arc<Post>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Engine {
    /// Takes up what an earlier process left, then works until stopped. Must be called within a tokio runtime.
    pub fn start(deps: Deps) -> Running {
        let post = Arc::new(Post::new(deps.channels, Arc::clone(&deps.deliveries)));
        let board = Board::new(Desk {
            runs: deps.runs,
            deliveries: deps.deliveries,
            customers: deps.customers,
            audiences: deps.audiences,
            playbooks: deps.playbooks,
            post: Arc::clone(&post),
            owner: uuid::Uuid::now_v7().to_string().into(),
        });
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(take_calls(Arc::clone(&board), deps.calls, stop.subscribe()));
        tasks.spawn(work(Arc::clone(&board), stop.subscribe()));
        tasks.spawn(watch_stops(Arc::clone(&board), stop.subscribe()));
        Running { board, log: deps.log, post, stop, tasks }
    }
}

impl Running {
    /// Begins nothing more, waits for the answers of what is under way until the deadline, and writes them. What
    /// has no answer by then is in doubt, as after a crash.
    pub async fn stop(mut self, deadline: Duration) {
        self.stop.send_replace(true);
        let deadline = Instant::now() + deadline;
        self.post.close(deadline).await;
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a part of the engine ended by a panic");
            }
        }
    }

    /// What people may do to runs under way.
    pub fn control(&self) -> Control {
        Control { board: Arc::clone(&self.board), log: Arc::clone(&self.log) }
    }

    /// How many runs are under way.
    pub fn runs_under_way(&self) -> usize {
        self.board.runs().len()
    }
}
