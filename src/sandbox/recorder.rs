//! The record: one line of JSON a message, appended and fsynced by one thread before anyone is answered.
//!
//! Commits group by themselves: while one fsync runs the next messages gather, and the next one takes them all.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::inbox::Inbox;
use super::message::ReceivedMessage;

/// Messages waiting for the writer; a full queue holds back the senders' answers.
const QUEUE_MAX: usize = 4_096;
/// Messages in one commit.
const BATCH_MAX: usize = 1_024;
/// One line: the largest mail, its text and its HTML escaped.
const LINE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Hands messages to the writer thread, which ends when the last clone of this is gone.
#[derive(Debug, Clone)]
pub(super) struct Recorder(mpsc::Sender<Entry>);

#[derive(Debug)]
struct Entry {
    message: ReceivedMessage,
    committed: oneshot::Sender<bool>,
}

/// The file could not be written; what was received must not be answered well.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the record file could not be written")]
pub(super) struct NotRecorded;

impl Recorder {
    /// Opens the record (none: memory only) and starts its writer.
    pub(super) fn start(path: Option<&Path>, inbox: Arc<Inbox>) -> io::Result<(Self, JoinHandle<()>)> {
        let (file, seq) = match path {
            Some(path) => open(path).map(|(file, seq)| (Some(file), seq))?,
            None => (None, 0),
        };
        Self::with_file(file, seq, inbox)
    }

    fn with_file(file: Option<File>, seq: u64, inbox: Arc<Inbox>) -> io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let mut writer = Writer { file, seq, inbox, receiver };
        let thread = std::thread::Builder::new().name("sandbox-record".into()).spawn(move || writer.run())?;
        Ok((Self(sender), thread))
    }

    /// Returns once the message is on disk. Its sequence number is set here, in the order of the file.
    pub(super) async fn commit(&self, message: ReceivedMessage) -> Result<(), NotRecorded> {
        let (committed, outcome) = oneshot::channel();
        self.0.send(Entry { message, committed }).await.map_err(|_| NotRecorded)?;
        if outcome.await.unwrap_or(false) { Ok(()) } else { Err(NotRecorded) }
    }
}

struct Writer {
    file: Option<File>,
    seq: u64,
    inbox: Arc<Inbox>,
    receiver: mpsc::Receiver<Entry>,
}

impl Writer {
    fn run(&mut self) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut lines = Vec::new();
        while self.receiver.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
            lines.clear();
            for entry in &mut batch {
                self.seq += 1;
                entry.message.seq = self.seq;
                serde_json::to_writer(&mut lines, &entry.message).expect("a message is plain JSON");
                lines.push(b'\n');
            }
            let written = self.append(&lines);
            if let Err(error) = &written {
                tracing::error!(%error, "the record file could not be written");
            }
            for Entry { message, committed } in batch.drain(..) {
                if written.is_ok() {
                    self.inbox.push(Arc::new(message));
                }
                // A sender that hung up meanwhile needs no answer; its message is in the record all the same.
                let _ = committed.send(written.is_ok());
            }
            if written.is_err() {
                // The file may now end in half a line; from here on nothing is answered well.
                return;
            }
        }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(lines)?;
        file.sync_data()
    }
}

/// Opens a record for appending and returns the last sequence number in it. A last line without its end was
/// never answered, and is cut off.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut reader = BufReader::new(&file);
    let (mut line, mut last, mut whole_bytes) = (Vec::new(), Vec::new(), 0u64);
    while reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        whole_bytes += line.len() as u64;
        std::mem::swap(&mut line, &mut last);
        line.clear();
    }
    if line.len() as u64 == LINE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it has a line that no message makes"));
    }
    let seq = last_seq(&last, &line)?;
    file.set_len(whole_bytes)?;
    file.sync_all()?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok((file, seq))
}

/// The sequence number to go on from. Refuses a file that was not written by a sandbox, before it is touched.
fn last_seq(last: &[u8], torn: &[u8]) -> io::Result<u64> {
    let not_a_record = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let start = b"{\"seq\":";
    if !torn.iter().zip(start).all(|(is, should)| is == should) {
        return Err(not_a_record("its last line is no message".to_owned()));
    }
    match last {
        [] => Ok(0),
        line => serde_json::from_slice::<ReceivedMessage>(line)
            .map(|message| message.seq)
            .map_err(|error| not_a_record(format!("its last line is no message: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::message::{Protocol, ReceivedContent};

    fn message() -> ReceivedMessage {
        ReceivedMessage {
            seq: 0,
            received_at: jiff::Timestamp::UNIX_EPOCH,
            protocol: Protocol::Twilio,
            taken: true,
            answered: "ok".into(),
            content: ReceivedContent::default(),
        }
    }

    fn record(path: &Path, messages: usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (recorder, thread) = Recorder::start(Some(path), Arc::default()).unwrap();
        for _ in 0..messages {
            runtime.block_on(recorder.commit(message())).unwrap();
        }
        drop(recorder);
        thread.join().unwrap();
    }

    #[test]
    fn appends_after_a_restart_and_cuts_off_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.ndjson");
        record(&path, 3);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"seq\":4,\"rece").unwrap();
        record(&path, 2);
        let seqs: Vec<u64> = std::fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<ReceivedMessage>(line).unwrap().seq)
            .collect();
        assert_eq!(seqs, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_file_that_is_no_record_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.ndjson");
        for text in ["something else\n", "something else"] {
            std::fs::write(&path, text).unwrap();
            let error = Recorder::start(Some(&path), Arc::default()).unwrap_err();
            assert!(error.to_string().contains("is no message"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_not_committed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read_only = File::open(file.path()).unwrap();
        let (recorder, thread) = Recorder::with_file(Some(read_only), 0, Arc::default()).unwrap();
        for _ in 0..2 {
            assert!(recorder.commit(message()).await.is_err());
        }
        drop(recorder);
        thread.join().unwrap();
    }
}
