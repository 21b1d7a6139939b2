//! Whose turn it is: stories that keep to their namespaces go at once, those that move what all stand on go alone, last.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::node::Node;

struct Turns {
    /// Stories among others, running or waiting.
    among: usize,
    is_one_alone: bool,
}

static TURNS: Mutex<Turns> = Mutex::new(Turns { among: 0, is_one_alone: false });
static CHANGED: Condvar = Condvar::new();

/// Held while a story is told. The node is held too, so that it stays for those who wait.
pub struct Turn {
    is_alone: bool,
    _node: Arc<Node>,
}

/// For a story that keeps to its namespace. It is counted before the node is there, so that those who go alone wait.
pub fn among_others() -> Turn {
    turns().among += 1;
    let left = Leaves;
    let node = Node::shared();
    let waited = CHANGED.wait_while(turns(), |turns| turns.is_one_alone);
    drop(waited.unwrap_or_else(PoisonError::into_inner));
    std::mem::forget(left);
    Turn { is_alone: false, _node: node }
}

/// For a story that moves what others stand on.
pub fn alone() -> Turn {
    let node = Node::shared();
    let waited = CHANGED.wait_while(turns(), |turns| turns.is_one_alone || turns.among > 0);
    waited.unwrap_or_else(PoisonError::into_inner).is_one_alone = true;
    Turn { is_alone: true, _node: node }
}

fn turns() -> MutexGuard<'static, Turns> {
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a story out again, also if there was no node for it.
struct Leaves;

impl Drop for Leaves {
    fn drop(&mut self) {
        turns().among -= 1;
        CHANGED.notify_all();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        match self.is_alone {
            true => turns().is_one_alone = false,
            false => turns().among -= 1,
        }
        CHANGED.notify_all();
    }
}
