//! An HTTP provider: answers 201 with a sid to everything.

use std::convert::Infallible;
use std::sync::Arc;
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
