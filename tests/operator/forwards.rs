//! The port of the tests' kubelet to which the API server carries port-forwards: a websocket, two channels a port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use crate::certificate::Certificate;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Carries port-forwards to Pods. Dropping it closes the port and every connection.
pub struct Forwards {
    pub address: SocketAddr,
    cut_after: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Forwards {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Forwards {
    /// Begins to listen on a free port of loopback.
    pub fn start(client: Client) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let cut_after = Arc::new(AtomicU64::new(u64::MAX));
        let task =
            tokio::spawn(accept(TcpListener::from_std(listener).unwrap(), client, Arc::clone(&cut_after)));
        Forwards { address, cut_after, task }
    }

    /// Cuts, once, the connection that has brought so many bytes to Pods.
    pub fn cut_after(&self, bytes: u64) {
        self.cut_after.store(bytes, Ordering::SeqCst);
    }

    /// Whether the connection has been cut.
    pub fn was_cut(&self) -> bool {
        self.cut_after.load(Ordering::SeqCst) == u64::MAX
    }
}

async fn accept(listener: TcpListener, client: Client, cut_after: Arc<AtomicU64>) {
    let certificate = Certificate::of("kubelet.test");
    let key = PrivateKeyDer::from_pem_file(certificate.key()).unwrap();
    let chain = CertificateDer::pem_file_iter(certificate.file()).unwrap().map(Result::unwrap).collect();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    // Ends with the port: every connection is this task's own.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, client, cut_after) = (tls.clone(), client.clone(), Arc::clone(&cut_after));
        connections.spawn(async move {
            if let Err(error) = serve(tls, stream, client, &cut_after).await {
                eprintln!("port-forward: {error}");
            }
        });
    }
}

async fn serve(
    tls: TlsAcceptor,
    stream: TcpStream,
    client: Client,
    cut_after: &AtomicU64,
) -> Result<(), Failure> {
    let mut stream = tls.accept(stream).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 16_384 {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    let (namespace, pod, port) = target(&head).ok_or("not a port-forward")?;
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| derive_accept_key(value.as_bytes()))
    });
    let key = key.ok_or("not a websocket")?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: \
         v4.channel.k8s.io\r\nSec-WebSocket-Accept: {key}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let found = Api::<Pod>::namespaced(client, &namespace).get(&pod).await?;
    let address = found.status.and_then(|status| status.pod_ip).ok_or("the Pod has no address")?;
    carry(socket, &address, port, cut_after).await
}

/// `GET /portForward/<namespace>/<pod>?port=<port>`.
fn target(head: &str) -> Option<(String, String, u16)> {
    let (path, query) = head.split(' ').nth(1)?.split_once('?')?;
    let mut segments = path.strip_prefix("/portForward/")?.split('/');
    let (namespace, pod) = (segments.next()?.to_owned(), segments.next()?.to_owned());
    let port = query.split('&').find_map(|pair| pair.strip_prefix("port="))?;
    Some((namespace, pod, port.parse().ok()?))
}

/// Channel 0 is the port's data, channel 1 what went wrong with it; each begins with the port's number.
async fn carry<S>(
    mut socket: WebSocketStream<S>,
    address: &str,
    port: u16,
    cut_after: &AtomicU64,
) -> Result<(), Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let framed = |channel: u8, bytes: &[u8]| Message::binary([&[channel], bytes].concat());
    for channel in [0, 1] {
        socket.send(framed(channel, &port.to_le_bytes())).await?;
    }
    let mut pod = match TcpStream::connect((address, port)).await {
        Ok(pod) => pod,
        Err(error) => return Ok(socket.send(framed(1, error.to_string().as_bytes())).await?),
    };
    let (mut buffer, mut brought) = (vec![0; 16_384], 0);
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) if bytes.len() > 1 => {
                    pod.write_all(&bytes[1..]).await?;
                    brought += bytes.len() as u64 - 1;
                    let limit = cut_after.load(Ordering::SeqCst);
                    if brought > limit {
                        cut_after.store(u64::MAX, Ordering::SeqCst);
                        return Ok(());
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            },
            read = pod.read(&mut buffer) => match read? {
                0 => return Ok(socket.close(None).await?),
                length => socket.send(framed(0, &buffer[..length])).await?,
            },
        }
    }
}
