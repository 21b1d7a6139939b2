//! What stands between a replica and its database: passes everything on, until it is told to behave as networks do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
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
    open: Mutex<Vec<Arc<Connection>>>,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// The server does not learn that the client has gone.
    is_lost: AtomicBool,
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
        for connection in self.way.open.lock().unwrap().drain(..) {
            // One that has ended cannot be cut, which is as well.
            let _ = connection.client.shutdown(Shutdown::Both);
            let _ = connection.server.shutdown(Shutdown::Both);
        }
    }

    /// Cuts every connection at the client's end only: to the server they are open.
    pub fn lose(&self) {
        for connection in &*self.way.open.lock().unwrap() {
            connection.is_lost.store(true, Ordering::SeqCst);
            let _ = connection.client.shutdown(Shutdown::Both);
        }
    }

    /// Closes one way of every connection.
    pub fn half_close(&self, half: Half) {
        for connection in &*self.way.open.lock().unwrap() {
            let told = if half == Half::ToClient { &connection.client } else { &connection.server };
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
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let connection = Arc::new(Connection { client, server, is_lost: AtomicBool::new(false) });
        let mut open = self.open.lock().unwrap();
        open.retain(|kept| kept.is_lost.load(Ordering::SeqCst) || kept.client.peer_addr().is_ok());
        open.push(Arc::clone(&connection));
        drop(open);
        let (way, asked) = (Arc::clone(self), Arc::clone(&connection));
        std::thread::spawn(move || {
            way.pass(&asked.client, &asked.server);
            if !asked.is_lost.load(Ordering::SeqCst) {
                let _ = asked.server.shutdown(Shutdown::Write);
            }
        });
        let way = Arc::clone(self);
        std::thread::spawn(move || {
            way.pass(&connection.server, &connection.client);
            let _ = connection.client.shutdown(Shutdown::Write);
        });
    }

    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut piece = vec![0; PIECE];
        while let Ok(length) = from.read(&mut piece) {
            self.wait();
            if length == 0 || to.write_all(&piece[..length]).is_err() {
                break;
            }
        }
    }

    fn wait(&self) {
        let behaviour = || *self.behaviour.lock().unwrap();
        std::thread::sleep(behaviour().delay);
        while behaviour().silent_until.is_some_and(|until| until > Instant::now()) {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
