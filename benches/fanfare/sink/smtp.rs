//! A mail provider with PIPELINING: takes every mail and forgets it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Arrivals, Sink};

/// Starts one.
pub fn start() -> Sink {
    Sink::start(|stream, arrivals| async move {
        // A connection that the other side ends is no news here.
        let _ = serve(stream, &arrivals).await;
    })
}

async fn serve(mut stream: TcpStream, arrivals: &Arrivals) -> std::io::Result<()> {
    stream.write_all(b"220 sink.example ESMTP\r\n").await?;
    let (mut received, mut answers, mut in_mail) = (Vec::with_capacity(64 * 1024), Vec::new(), false);
    loop {
        let end: &[u8] = if in_mail { b"\r\n.\r\n" } else { b"\r\n" };
        let Some(at) = memchr::memmem::find(&received, end) else {
            if !answers.is_empty() {
                stream.write_all(&answers).await?;
                answers.clear();
            }
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
            continue;
        };
        if in_mail {
            arrivals.arrived();
        }
        let command = if in_mail { b"." } else { received.first_chunk::<1>().unwrap_or(b" ") };
        in_mail = command == b"D";
        answers.extend_from_slice(match command {
            b"D" => b"354 go on\r\n",
            b"E" => b"250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n".as_slice(),
            b"Q" => b"221 bye\r\n",
            _ => b"250 2.0.0 Ok: queued as 1\r\n",
        });
        received.drain(..at + end.len());
    }
}
