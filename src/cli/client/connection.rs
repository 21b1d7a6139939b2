//! One connection a request: a person's commands are few, and nothing is left open behind them.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::ClientError;
use crate::cli::answer::read_answer;

/// A server that is there answers much sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends the request to the URL's server and reads the whole answer.
pub(super) async fn exchange(
    url: &url::Url,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), ClientError> {
    let tcp = connect(url).await?;
    match url.scheme() {
        "https" => over(url, protect(url, tcp).await?, request).await,
        _ => over(url, tcp, request).await,
    }
}

async fn connect(url: &url::Url) -> Result<TcpStream, ClientError> {
    let addresses = url.socket_addrs(|| None).map_err(|error| unreachable_server(url, &error))?;
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(addresses.as_slice())).await;
    match connected {
        Ok(connected) => connected.map_err(|error| unreachable_server(url, &error)),
        Err(_) => Err(ClientError::TimedOut { server: origin(url), after: CONNECT_TIMEOUT, is_sent: false }),
    }
}

async fn protect(
    url: &url::Url,
    tcp: TcpStream,
) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static, ClientError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unreachable_server(url, &error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let name =
        rustls::pki_types::ServerName::try_from(host).map_err(|error| unreachable_server(url, &error))?;
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    connector.connect(name, tcp).await.map_err(|error| unreachable_server(url, &error))
}

async fn over(
    url: &url::Url,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), ClientError> {
    let failed = |error: hyper::Error| unreachable_server(url, &error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // The connection ends with the answer; its error is the answer's.
    let driver = tokio::spawn(connection);
    let cut_off =
        |error: hyper::Error| ClientError::NoAnswer { server: origin(url), reason: in_full(&error) };
    let answer = sender.send_request(request).await.map_err(cut_off)?;
    let read = read_answer(answer).await;
    driver.abort();
    read.map_err(|reason| ClientError::NotUnderstood { reason })
}

fn origin(url: &url::Url) -> url::Url {
    let mut origin = url.clone();
    origin.set_path("");
    origin.set_query(None);
    origin
}

fn unreachable_server(url: &url::Url, error: &dyn std::error::Error) -> ClientError {
    ClientError::Unreachable { server: origin(url), reason: in_full(error) }
}

/// An error with its cause.
fn in_full(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
