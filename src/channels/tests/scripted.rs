//! A server for tests that plays its part from a script, one connection a part, and keeps what it heard.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does next on a connection.
#[derive(Clone, Debug)]
pub(in crate::channels) enum Step {
    /// Reads until what came since the last step ends with this.
    Hear(&'static str),
    /// Writes this.
    Say(String),
    /// Closes with a reset instead of an end.
    Reset,
    /// Keeps silent until the other side goes.
    Hang,
    /// Reads a little of what comes and then closes with a reset.
    Stall,
}

pub(in crate::channels) use Step::{Hang, Hear, Reset};

pub(in crate::channels) fn say(text: &str) -> Step {
    Step::Say(text.into())
}

/// A running server; its task ends with it.
pub(in crate::channels) struct Scripted {
    pub(in crate::channels) port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// Plays one script a connection, at the same time; further connections are closed at once.
    pub(in crate::channels) async fn play(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(vec![String::new(); scripts.len()]));
        let record = heard.clone();
        let task = tokio::spawn(async move {
            let mut playing = tokio::task::JoinSet::new();
            for (part, script) in scripts.into_iter().enumerate() {
                let (stream, _) = listener.accept().await.unwrap();
                playing.spawn(perform(stream, script, part, record.clone()));
            }
            drop(listener);
            playing.join_all().await;
        });
        Scripted { port, heard, task }
    }

    /// What was heard on one connection so far.
    pub(in crate::channels) fn heard(&self, connection: usize) -> String {
        self.heard.lock().unwrap()[connection].clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn perform(mut stream: TcpStream, script: Vec<Step>, part: usize, heard: Arc<Mutex<Vec<String>>>) {
    stream.set_nodelay(true).unwrap();
    for step in script {
        match step {
            Step::Hear(end) => {
                let mut since = Vec::new();
                while !since.ends_with(end.as_bytes()) {
                    let mut buffer = [0; 4096];
                    let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
                    since.extend_from_slice(&buffer[..read]);
                    heard.lock().unwrap()[part].push_str(&String::from_utf8_lossy(&buffer[..read]));
                }
            }
            Step::Say(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Step::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Step::Stall => {
                stream.read_exact(&mut [0; 4096]).await.unwrap();
                stream.set_zero_linger().unwrap();
                return;
            }
            Step::Hang => tokio::time::sleep(Duration::from_secs(60)).await,
        }
    }
}
