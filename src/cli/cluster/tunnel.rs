//! HTTP through a port-forward to a Pod: one connection, made anew when it is lost.
//!
//! What may be asked twice is; whatever else was lost on its way is told, with whether it had been sent.

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::client::UpgradeConnectionError;
use std::time::Duration;
use tokio::sync::Mutex;

use super::ClusterError;
use super::ask::Ask;
use super::pods::{Pods, ReadyPod};
use crate::cli::answer::read_answer;

/// How long a port-forward may take to begin.
const OPEN_MAX: Duration = Duration::from_secs(15);
/// How long to wait for the Pod's own word on why a connection was lost.
const REASON_WITHIN: Duration = Duration::from_millis(500);

/// Carries requests to a port of one of a Runtime's Pods.
#[derive(Debug)]
pub(in crate::cli) struct Tunnel {
    pods: Pods,
    port: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    /// The Pod to which the last connection went.
    last: Option<String>,
}

/// A connection that is up.
struct Open {
    pod: String,
    sender: http1::SendRequest<Full<Bytes>>,
    driver: tokio::task::JoinHandle<Result<(), hyper::Error>>,
    /// What the Pod's node says about why it ended.
    reason: BoxFuture<'static, Option<String>>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Open").field("pod", &self.pod).finish_non_exhaustive()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Its stream goes with it, and so does the port-forward.
        self.driver.abort();
    }
}

impl Tunnel {
    pub(super) fn new(pods: Pods, port: &'static str) -> Self {
        Tunnel { pods, port, state: Mutex::new(State::default()) }
    }

    /// Sends a request and reads the whole answer, or says why it cannot be read. A GET that was lost is asked once more.
    pub(in crate::cli) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Result<(StatusCode, Bytes), String>, ClusterError> {
        let mut state = self.state.lock().await;
        let again = (request.method() == Method::GET).then(|| request.clone());
        match (self.exchange_once(&mut state, request).await, again) {
            (Err(ClusterError::Broken { .. }), Some(again)) => self.exchange_once(&mut state, again).await,
            (answered, _) => answered,
        }
    }

    async fn exchange_once(
        &self,
        state: &mut State,
        request: Request<Full<Bytes>>,
    ) -> Result<Result<(StatusCode, Bytes), String>, ClusterError> {
        let mut open = self.connection(state).await?;
        let sent = open.sender.send_request(request).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => return Err(open.broken(&error).await),
        };
        let answer = read_answer(answer).await;
        if answer.is_ok() {
            state.open = Some(open);
        }
        Ok(answer)
    }

    /// The connection that is up, or a new one. It is taken out, so that a request that is given up leaves none behind.
    async fn connection(&self, state: &mut State) -> Result<Open, ClusterError> {
        if let Some(mut open) = state.open.take()
            && open.sender.ready().await.is_ok()
        {
            return Ok(open);
        }
        let pod = match &state.last {
            Some(last) => self.pods.next_ready(last).await?,
            None => self.pods.first_ready().await?,
        };
        state.last = Some(pod.name.clone());
        let opening = tokio::time::timeout(OPEN_MAX, self.open(&pod)).await;
        let silent = || lost(&pod, format!("it did not answer within {OPEN_MAX:?}"));
        opening.unwrap_or_else(|_| Err(silent()))
    }

    async fn open(&self, pod: &ReadyPod) -> Result<Open, ClusterError> {
        let port = pod.port(self.port);
        let port = port.ok_or_else(|| lost(pod, format!("it has no port {}", self.port)))?;
        let (api, ask) = self.pods.api();
        let (stream, reason) = forward(&api, ask, pod, port).await?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| lost(pod, error.to_string()))?;
        Ok(Open { pod: pod.name.clone(), sender, driver: tokio::spawn(connection), reason })
    }
}

type Reason = BoxFuture<'static, Option<String>>;

async fn forward(
    api: &Api<Pod>,
    ask: &Ask,
    pod: &ReadyPod,
    port: u16,
) -> Result<(impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + use<>, Reason), ClusterError>
{
    let mut forwarder = match api.portforward(&pod.name, &[port]).await {
        Ok(forwarder) => forwarder,
        Err(kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)))
            if status == 403 =>
        {
            let reason = "a port-forward is refused".to_owned();
            return Err(ask.forbidden("create", "pods/portforward".to_owned(), None, reason));
        }
        Err(error) => return Err(lost(pod, crate::causes::in_words(&error))),
    };
    let reason = forwarder.take_error(port).expect("the error of the one port is taken once").boxed();
    let stream = forwarder.take_stream(port).expect("the stream of the one port is taken once");
    Ok((stream, reason))
}

impl Open {
    async fn broken(mut self, error: &hyper::Error) -> ClusterError {
        let told = tokio::time::timeout(REASON_WITHIN, &mut self.reason).await.ok().flatten();
        ClusterError::Broken {
            pod: self.pod.clone(),
            reason: told.map_or_else(|| error.to_string(), |told| told.trim().to_owned()),
            is_sent: !error.is_canceled(),
        }
    }
}

/// A connection that was never up.
fn lost(pod: &ReadyPod, reason: String) -> ClusterError {
    ClusterError::Broken { pod: pod.name.clone(), reason, is_sent: false }
}
