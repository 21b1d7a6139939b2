//! Calls triggers, as a provider does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::stage::Stage;

/// A provider with connections of its own.
#[derive(Clone)]
pub struct Caller(Client<HttpConnector, Full<bytes::Bytes>>);

impl Caller {
    pub fn new() -> Self {
        Caller(Client::builder(TokioExecutor::new()).build_http())
    }

    /// The status of a call; 0 if there was no answer.
    pub async fn call(&self, url: &str, credentials: &str) -> u16 {
        let request = http::Request::post(url)
            .header("authorization", format!("Basic {}", STANDARD.encode(credentials)))
            .header("content-type", "application/json")
            .body(Full::from(r#"{"city":"Vienna"}"#))
            .unwrap();
        match self.0.request(request).await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let _read = answer.into_body().collect().await;
                status
            }
            Err(_) => 0,
        }
    }
}

/// The credentials of a trigger, once there are any.
pub async fn credentials(stage: &Stage, trigger: &str) -> Option<String> {
    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let data = secrets.get_opt(&format!("{trigger}-trigger")).await.unwrap()?.data?;
    let text = |key: &str| String::from_utf8(data[key].0.clone()).unwrap();
    Some(format!("{}:{}", text("username"), text("password")))
}
