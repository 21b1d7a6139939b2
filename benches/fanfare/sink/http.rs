//! An HTTP provider: answers 201 with a sid to everything.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Arrivals, Sink};

/// Starts one.
pub fn start() -> Sink {
    Sink::start(|stream, arrivals| serve(stream, arrivals, Duration::ZERO))
}

/// Starts one that takes so long for each answer.
pub fn start_slow(pause: Duration) -> Sink {
    Sink::start(move |stream, arrivals| serve(stream, arrivals, pause))
}

/// Starts one that takes so long for each answer, and answers 429 to more than so many in a second of its clock.
pub fn start_throttling(pause: Duration, per_second: u32) -> Sink {
    let taken = Arc::new(Mutex::new((0, 0)));
    Sink::start(move |stream, arrivals| serve_some(stream, arrivals, pause, per_second, Arc::clone(&taken)))
}

async fn serve_some(
    stream: TcpStream,
    arrivals: Arc<Arrivals>,
    pause: Duration,
    per_second: u32,
    taken: Arc<Mutex<(u64, u32)>>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (arrivals, taken) = (arrivals.clone(), taken.clone());
        async move {
            let whole = request.into_body().collect().await.is_ok();
            let is_allowed = arrivals.is_allowed(per_second, &taken);
            if whole && is_allowed {
                arrivals.arrived();
            }
            tokio::time::sleep(pause).await;
            let mut response = Response::new(Full::new(Bytes::new()));
            if !is_allowed {
                *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                response.headers_mut().insert("retry-after", http::HeaderValue::from_static("1"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    // A connection that the other side ends is no news here.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn serve(stream: TcpStream, arrivals: Arc<Arrivals>, pause: Duration) {
    let service = service_fn(move |request: Request<Incoming>| {
        let arrivals = arrivals.clone();
        async move {
            let whole = request.into_body().collect().await.is_ok();
            if whole {
                arrivals.arrived();
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let mut response =
                Response::new(Full::new(Bytes::from_static(br#"{"sid":"SM1","status":"queued"}"#)));
            *response.status_mut() = StatusCode::CREATED;
            Ok::<_, Infallible>(response)
        }
    });
    // A connection that the other side ends is no news here.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
