//! Which connections are open, and which one ends when there are too many: the one that has kept us waiting the longest.
//!
//! A connection waits while its peer sends nothing, reads nothing, or is held back for guessing; while its request is
//! worked on it never ends for another's sake.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::runtime::http::peer::Peer;

/// What [`Connection::waits_since`] says while a request is worked on.
const WORKED_ON: u64 = u64::MAX;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Of everyone.
    pub all: usize,
    /// Of one peer. Behind one there may be many callers, such as all that come through a gateway.
    pub of_peer: usize,
}

/// All connections of a listener.
#[derive(Debug)]
pub(super) struct Connections {
    bounds: Bounds,
    began: Instant,
    open: Mutex<Open>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
    of_peers: HashMap<Peer, usize>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    id: u64,
    /// Who is at its other end.
    pub peer: Peer,
    /// Ends it.
    pub end: CancellationToken,
    began: Instant,
    /// Since when its peer keeps us waiting, in milliseconds.
    waits_since: AtomicU64,
    /// How many requests were begun since bytes were last read: so many were sent without waiting for an answer.
    ahead: AtomicU32,
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub connection: Arc<Connection>,
    among: Arc<Connections>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    All,
    Peer,
}

impl Connections {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        let (open, freed) = (Mutex::default(), Notify::new());
        Arc::new(Connections { bounds, began: Instant::now(), open, freed })
    }

    /// A place for a peer's connection, as soon as there is one. `None` if the peer has all it may have, and every one of
    /// them is worked on.
    pub(super) async fn place(self: &Arc<Self>, peer: Peer) -> Option<Place> {
        loop {
            let freed = self.freed.notified();
            match self.try_place(peer) {
                Ok(place) => return Some(place),
                Err(Full::Peer) => return None,
                Err(Full::All) => freed.await,
            }
        }
    }

    fn try_place(self: &Arc<Self>, peer: Peer) -> Result<Place, Full> {
        let mut open = self.lock();
        if open.of_peers.get(&peer).is_some_and(|count| *count >= self.bounds.of_peer)
            && !open.end_longest_waiting(|connection| connection.peer == peer)
        {
            return Err(Full::Peer);
        }
        if open.connections.len() >= self.bounds.all && !open.end_longest_waiting(|_| true) {
            return Err(Full::All);
        }
        let id = open.next;
        open.next += 1;
        *open.of_peers.entry(peer).or_insert(0) += 1;
        let connection = Arc::new(Connection {
            id,
            peer,
            end: CancellationToken::new(),
            began: self.began,
            waits_since: AtomicU64::new(0),
            ahead: AtomicU32::new(0),
        });
        connection.waits();
        open.connections.insert(id, Arc::clone(&connection));
        Ok(Place { connection, among: Arc::clone(self) })
    }

    /// Ends the connection that has kept us waiting the longest: the system has no more of what each needs.
    pub(super) fn end_longest_waiting(&self) {
        self.lock().end_longest_waiting(|_| true);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Answers whether one was ended.
    fn end_longest_waiting(&mut self, among: impl Fn(&Connection) -> bool) -> bool {
        let waiting = self.connections.values().filter(|connection| among(connection));
        let waiting =
            waiting.map(|connection| (connection.waits_since.load(Ordering::Relaxed), connection.id));
        let Some((_, id)) = waiting.filter(|(since, _)| *since != WORKED_ON).min() else { return false };
        self.remove(id).is_some_and(|connection| {
            connection.end.cancel();
            true
        })
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Connection>> {
        let connection = self.connections.remove(&id)?;
        if let Some(count) = self.of_peers.get_mut(&connection.peer) {
            *count -= 1;
            if *count == 0 {
                self.of_peers.remove(&connection.peer);
            }
        }
        Some(connection)
    }
}

impl Connection {
    /// Its peer keeps us waiting, from now on.
    pub(super) fn waits(&self) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(WORKED_ON - 1);
        self.waits_since.store(since, Ordering::Relaxed);
    }

    /// A request of it is worked on.
    pub(super) fn is_worked_on(&self) {
        self.waits_since.store(WORKED_ON, Ordering::Relaxed);
    }

    /// Bytes came in, or went out, while its peer keeps us waiting for more.
    pub(super) fn moves(&self) {
        if self.waits_since.load(Ordering::Relaxed) != WORKED_ON {
            self.waits();
        }
    }

    /// Bytes were read: what comes of them is counted anew.
    pub(super) fn was_read(&self) {
        self.ahead.store(0, Ordering::Relaxed);
        self.moves();
    }

    /// Another request begins. Answers how many did since bytes were last read.
    pub(super) fn begins(&self) -> u32 {
        self.ahead.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.among.lock().remove(self.connection.id);
        self.among.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn peer(n: u8) -> Peer {
        Peer::from(IpAddr::from([192, 0, 2, n]))
    }

    fn since(place: &Place, milliseconds: u64) {
        place.connection.waits_since.store(milliseconds, Ordering::Relaxed);
    }

    #[test]
    fn the_longest_waiting_ends_first_and_none_that_is_worked_on() {
        let all = Connections::new(Bounds { all: 3, of_peer: 3 });
        let places: Vec<Place> = (0..3).map(|n| all.try_place(peer(n)).unwrap()).collect();
        for (place, waits) in places.iter().zip([WORKED_ON, 7, 5]) {
            since(place, waits);
        }
        let ended = || places.iter().map(|place| place.connection.end.is_cancelled()).collect::<Vec<_>>();
        let fourth = all.try_place(peer(4)).unwrap();
        fourth.connection.is_worked_on();
        assert_eq!(ended(), [false, false, true]);
        let fifth = all.try_place(peer(5)).unwrap();
        fifth.connection.is_worked_on();
        assert_eq!(ended(), [false, true, true]);
        assert_eq!(all.try_place(peer(6)).unwrap_err(), Full::All);
        drop(fifth);
        assert!(all.try_place(peer(6)).is_ok());
    }

    #[test]
    fn a_peer_that_has_all_it_may_ends_one_of_its_own() {
        let all = Connections::new(Bounds { all: 10, of_peer: 2 });
        let other = all.try_place(peer(1)).unwrap();
        since(&other, 0);
        let own: Vec<Place> = (0..2).map(|_| all.try_place(peer(2)).unwrap()).collect();
        since(&own[0], 3);
        since(&own[1], 2);
        let third = all.try_place(peer(2)).unwrap();
        assert!(own[1].connection.end.is_cancelled() && !other.connection.end.is_cancelled());
        own[0].connection.is_worked_on();
        third.connection.is_worked_on();
        assert_eq!(all.try_place(peer(2)).unwrap_err(), Full::Peer);
        assert!(all.try_place(peer(3)).is_ok());
    }

    #[test]
    fn places_are_counted_once_whoever_ends_first() {
        let all = Connections::new(Bounds { all: 1, of_peer: 1 });
        for _ in 0..5 {
            let first = all.try_place(peer(1)).unwrap();
            let second = all.try_place(peer(2)).unwrap();
            assert!(first.connection.end.is_cancelled());
            drop((first, second));
        }
        let open = all.lock();
        assert!(open.connections.is_empty() && open.of_peers.is_empty());
    }

    #[tokio::test]
    async fn whoever_comes_when_all_is_worked_on_waits_for_a_place() {
        let all = Connections::new(Bounds { all: 1, of_peer: 1 });
        let first = all.place(peer(1)).await.unwrap();
        first.connection.is_worked_on();
        let waiting = tokio::spawn({
            let all = Arc::clone(&all);
            async move { all.place(peer(2)).await.is_some() }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiting.await.unwrap());
    }
}
