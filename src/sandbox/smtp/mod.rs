//! The SMTP server: reads and writes a connection, and brings mails to the desk.
//!
//! What the protocol says is decided in `session`; replies to pipelined commands leave in one write.

mod auth;
mod command;
mod data;
mod session;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use self::session::{Envelope, FaultStep, Session};
use super::message::{Protocol, ReceivedContent};
use super::mime::Mail;
use super::settings::SandboxCredentials;
use super::state::{Reply, Said, SandboxState};

/// One read; a usual mail with its commands fits.
const READ_BYTES: usize = 16 * 1024;

/// Serves SMTP connections.
#[derive(Debug, Clone)]
pub(super) struct Service {
    state: Arc<SandboxState>,
    credentials: Option<Arc<SandboxCredentials>>,
    stop: CancellationToken,
    queued: Arc<AtomicU64>,
}

/// How a connection ends that did not fail.
enum End {
    Closed,
    Reset,
}

impl Service {
    pub(super) fn new(
        state: Arc<SandboxState>,
        credentials: Option<SandboxCredentials>,
        stop: CancellationToken,
    ) -> Self {
        Self { state, credentials: credentials.map(Arc::new), stop, queued: Arc::default() }
    }

    pub(super) async fn serve(self, mut stream: TcpStream) {
        self.state.counters.smtp_connections.fetch_add(1, Relaxed);
        let ended = tokio::select! {
            () = self.stop.cancelled() => return,
            ended = self.converse(&mut stream) => ended,
        };
        match ended {
            Ok(End::Reset) => {
                if let Err(error) = stream.set_zero_linger() {
                    tracing::warn!(%error, "a connection could not be reset and is closed instead");
                }
            }
            Ok(End::Closed) => {}
            Err(error) => tracing::debug!(%error, "an SMTP connection ended"),
        }
    }

    async fn converse(&self, stream: &mut TcpStream) -> io::Result<End> {
        stream.set_nodelay(true)?;
        let mut session = Session::new(self.credentials.clone());
        let (mut input, mut output) = (BytesMut::with_capacity(READ_BYTES), Vec::with_capacity(1_024));
        let at_step = |step, to: &[String]| self.state.at_step(Protocol::Smtp, step, to);
        session.greet(&at_step, &mut output);
        loop {
            match session.advance(&at_step, &mut input, &mut output) {
                FaultStep::More => {
                    flush(stream, &mut output).await?;
                    input.reserve(READ_BYTES);
                    if stream.read_buf(&mut input).await? == 0 {
                        return Ok(End::Closed);
                    }
                }
                FaultStep::Mail(envelope) => match self.receive(envelope).await {
                    Reply::Ok => {
                        let number = self.queued.fetch_add(1, Relaxed);
                        session.taken(number, &mut output);
                    }
                    Reply::Throttle { code, said, .. } | Reply::Fail { code, said } => {
                        session.refused(code, said, &mut output);
                    }
                    Reply::Broken => session.refused(451, Said::default(), &mut output),
                    Reply::Hang => return hang(stream, &mut input).await,
                    Reply::Close => return Ok(End::Closed),
                    Reply::Reset => return Ok(End::Reset),
                },
                FaultStep::Close => {
                    flush(stream, &mut output).await?;
                    return Ok(End::Closed);
                }
            }
        }
    }

    async fn receive(&self, envelope: Envelope) -> Reply {
        let to = envelope.to.clone();
        self.state.receive(Protocol::Smtp, &to, move || content(envelope)).await
    }
}

fn content(envelope: Envelope) -> ReceivedContent {
    let mail = Mail::parse(&envelope.data);
    ReceivedContent {
        endpoint: envelope.user,
        from: envelope.from,
        to: envelope.to,
        message_id: mail.headers.get("message-id").cloned(),
        subject: mail.subject,
        text: mail.text,
        html: mail.html,
        headers: mail.headers,
    }
}

async fn flush(stream: &mut TcpStream, output: &mut Vec<u8>) -> io::Result<()> {
    if !output.is_empty() {
        stream.write_all(output).await?;
        output.clear();
    }
    Ok(())
}

/// Reads on without ever answering, until the sender gives up.
async fn hang(stream: &mut TcpStream, input: &mut BytesMut) -> io::Result<End> {
    loop {
        input.clear();
        input.reserve(READ_BYTES);
        if stream.read_buf(input).await? == 0 {
            return Ok(End::Closed);
        }
    }
}
