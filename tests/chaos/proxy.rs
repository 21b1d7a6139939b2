//! What stands between a replica and its database: passes everything on, until it is told to behave as networks do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Pieces that are passed on at once.
const PIECE: usize = 64 * 1024;
/// How often a direction that must be silent looks whether it still must.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A listener of its own before one port.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    way: Arc<Way>,
}

/// Which way of a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The client is told that no more comes.
    ToClient,
    /// The server is told so.
    ToServer,
}

struct Way {
    target: u16,
    behaviour: Mutex<Behaviour>,
    open: Mutex<Vec<(TcpStream, TcpStream)>>,
}

#[derive(Default, Clone, Copy)]
struct Behaviour {
    delay: Duration,
    silent_until: Option<Instant>,
}

impl Proxy {
    /// One before this port.
    pub fn before(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = Arc::new(Way { target, behaviour: Mutex::default(), open: Mutex::default() });
        let taking = Arc::clone(&way);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                taking.take(client);
            }
        });
        Self { port, way }
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        for (client, server) in self.way.open.lock().unwrap().drain(..) {
            // One that has ended cannot be cut, which is as well.
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }

    /// Closes one way of every connection.
    pub fn half_close(&self, half: Half) {
        for (client, server) in &*self.way.open.lock().unwrap() {
            let told = if half == Half::ToClient { client } else { server };
            let _ = told.shutdown(Shutdown::Write);
        }
    }

    /// Lets every piece wait from now on.
    pub fn delay(&self, delay: Duration) {
        self.way.behaviour.lock().unwrap().delay = delay;
    }

    /// Takes everything and passes nothing on until then.
    pub fn silence(&self, duration: Duration) {
        self.way.behaviour.lock().unwrap().silent_until = Some(Instant::now() + duration);
    }
}

impl Way {
    fn take(self: &Arc<Self>, client: TcpStream) {
        // Without a server there is no connection, as without a proxy.
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.target)) else { return };
        let pair = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
        let (Some(kept), Some(there), Some(back)) = (pair(), pair(), pair()) else { return };
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let mut open = self.open.lock().unwrap();
        open.retain(|(client, _)| client.peer_addr().is_ok());
        open.push(kept);
        drop(open);
        let (first, second) = (Arc::clone(self), Arc::clone(self));
        std::thread::spawn(move || first.pass(there.0, there.1));
        std::thread::spawn(move || second.pass(back.1, back.0));
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = vec![0; PIECE];
        while let Ok(length) = from.read(&mut piece) {
            self.wait();
            if length == 0 || to.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }

    fn wait(&self) {
        let behaviour = || *self.behaviour.lock().unwrap();
        std::thread::sleep(behaviour().delay);
        while behaviour().silent_until.is_some_and(|until| until > Instant::now()) {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
