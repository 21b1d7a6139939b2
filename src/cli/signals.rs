//! The signals that tell a serving command to end.
//!
//! Received from the start on, so that one that comes early is not lost: the first process of a container is not ended by
//! a signal that it does not receive.

use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What was received before the command began.
static EARLY: Mutex<Option<Signals>> = Mutex::new(None);

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Receives them before anything else is done, for the command that will ask for them. Where the system gives none,
    /// that command says so.
    pub(super) fn receive_early() {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        let _entered = runtime.enter();
        *EARLY.lock().unwrap_or_else(PoisonError::into_inner) = Signals::register().ok();
    }

    /// Receives them from now on, or from the start on, instead of being ended by them.
    ///
    /// # Errors
    /// The system gives no such signals.
    pub(super) fn receive() -> io::Result<Self> {
        let early = EARLY.lock().unwrap_or_else(PoisonError::into_inner).take();
        early.map_or_else(Signals::register, Ok)
    }

    fn register() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the first of them.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_comes_before_the_command_begins_is_not_lost() {
        Signals::receive_early();
        let own = std::process::id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &own]).status().unwrap().success());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let ended = runtime.block_on(async {
            let mut signals = Signals::receive().unwrap();
            tokio::time::timeout(std::time::Duration::from_secs(30), signals.stop()).await
        });
        assert!(ended.is_ok(), "it was told to end before it asked");
    }
}
