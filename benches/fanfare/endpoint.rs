//! A trigger's endpoint by itself, on threads of its own: the server as it is in the binary, on a ledger of choice.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use fanfare::compile::{Sources, compile};
use fanfare::domain::credentials::{Digest, Keyring, TriggerAccess, generate_secret};
use fanfare::domain::name::TriggerName;
use fanfare::runtime::http::RefusalLog;
use fanfare::runtime::http::app::App;
use fanfare::runtime::http::server::{self, Listen, Surface};
use fanfare::store::calls::Calls;
use fanfare::store::customers::Customers;
use http::Request;
use http_body_util::Full;
use jiff::Timestamp;
use serde_json::json;

use crate::traffic::Make;

/// A running endpoint. It ends with its handle.
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    authorization: String,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Endpoint {
    /// Serves the trigger `alert`, with credentials of its own. The stores must have been opened on `runtime`.
    pub fn start(
        runtime: tokio::runtime::Runtime,
        calls: Arc<dyn Calls>,
        customers: Arc<dyn Customers>,
    ) -> Self {
        let serving = runtime.block_on(serve(calls, customers));
        let (address, authorization) = serving;
        Endpoint { address, authorization, runtime: Some(runtime) }
    }

    /// Calls that the endpoint accepts, every one different.
    pub fn calls(&self) -> Make {
        let (host, authorization) = (self.address.to_string(), self.authorization.clone());
        Arc::new(move |number| {
            let body = format!(
                r#"{{"alert":"snowstorm","postcodes":["60200","60300","60301","60302"],"until":"2030-01-31T19:00:00+01:00","severity":3,"number":{number},"headline":"Heavy snow is expected; don't travel unless you must."}}"#
            );
            let request = Request::post("/in/default/alert")
                .header("host", &host)
                .header("authorization", &authorization)
                .header("content-type", "application/json");
            request.body(Full::new(Bytes::from(body))).expect("a request")
        })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(calls: Arc<dyn Calls>, customers: Arc<dyn Customers>) -> (SocketAddr, String) {
    let (log, writer) = RefusalLog::new(calls.clone());
    tokio::spawn(writer.run(tokio_util::sync::CancellationToken::new()));
    let app = Arc::new(App::new("default", calls, customers, log));
    let parameters = json!([
        {"name": "alert", "type": "string", "enum": ["snowstorm", "flood", "heat"]},
        {"name": "postcodes", "type": "list"},
        {"name": "until", "type": "timestamp"},
        {"name": "severity", "type": "integer", "minimum": 1, "maximum": 5},
        {"name": "number", "type": "integer"},
    ]);
    let sources = json!({"namespace": "default", "triggers": {"alert": {"parameters": parameters}}});
    let sources: Sources = serde_json::from_value(sources).expect("the declarations are right");
    let compiled = compile(&sources);
    assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
    let snapshot = Arc::new(compiled.snapshot);
    let password = generate_secret().expect("the system gives random numbers");
    let mut ring = Keyring::default();
    let basic = vec![("alert".into(), Digest::of(password.expose()))];
    ring.add_trigger(
        TriggerName::new("alert"),
        TriggerAccess { basic, api_keys: true, ..TriggerAccess::default() },
    );
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("alert:{}", password.expose()));
    app.put_in_force(&sources, snapshot, ring, Timestamp::now()).await.expect("the ledger takes it");
    let listen = Listen { address: ([127, 0, 0, 1], 0).into(), surface: Surface::Calls };
    let running = server::start(&[listen], &app, &axum::Router::new()).expect("a free port");
    let address = running.addresses[0];
    // It serves until the threads it runs on end.
    std::mem::forget(running);
    (address, format!("Basic {encoded}"))
}
