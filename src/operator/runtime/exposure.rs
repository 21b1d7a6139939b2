//! How calls from outside come in: one HTTPRoute or Ingress for `/in/<namespace>/`, and whether others accept it.

use serde_json::{Value, json};

use super::route;
use super::shape::Shape;
use crate::api::{IngressExposure, RouteExposure};
use crate::operator::conditions::Finding;
use crate::operator::context::Context;
use crate::operator::error::ReconcileError;

pub(super) const EXPOSED: &str = "Exposed";
pub(super) const ROUTE_VERSION: &str = "gateway.networking.k8s.io/v1";
const INGRESS_VERSION: &str = "networking.k8s.io/v1";

/// How it is reached from outside.
pub(super) struct Exposed {
    pub finding: Finding,
    /// Where triggers are, without `/in/...`; `None` while nobody can reach them.
    pub url: Option<String>,
}

/// The HTTPRoute or the Ingress, if one is declared.
pub(super) fn objects(shape: &Shape<'_>) -> Option<Value> {
    let exposure = shape.spec.exposure.as_ref()?;
    match (&exposure.route, &exposure.ingress) {
        (Some(route), _) => Some(http_route(shape, route)),
        (None, Some(ingress)) => Some(ingress_object(shape, ingress)),
        (None, None) => None,
    }
}

fn path(shape: &Shape<'_>) -> String {
    format!("/in/{}/", shape.namespace)
}

fn http_route(shape: &Shape<'_>, route: &RouteExposure) -> Value {
    let rule = json!({
        "matches": [{ "path": { "type": "PathPrefix", "value": path(shape) } }],
        "backendRefs": [{ "name": shape.child(), "port": 80 }],
    });
    let mut spec = json!({ "parentRefs": route.parent_refs, "rules": [rule] });
    if !route.hostnames.is_empty() {
        spec["hostnames"] = json!(route.hostnames);
    }
    shape.object(ROUTE_VERSION, "HTTPRoute", json!({ "spec": spec }))
}

fn ingress_object(shape: &Shape<'_>, ingress: &IngressExposure) -> Value {
    let backend = json!({ "service": { "name": shape.child(), "port": { "name": "calls" } } });
    let path = json!({ "path": path(shape), "pathType": "Prefix", "backend": backend });
    let mut spec = json!({ "rules": [{ "host": ingress.host, "http": { "paths": [path] } }] });
    if let Some(class) = &ingress.class_name {
        spec["ingressClassName"] = json!(class);
    }
    if let Some(tls) = &ingress.tls {
        spec["tls"] = json!([{ "hosts": [ingress.host], "secretName": tls.secret_ref.name }]);
    }
    shape.object(INGRESS_VERSION, "Ingress", json!({ "spec": spec }))
}

/// Whether calls can come in, and where. `last` is where they could when it was looked at before.
pub(super) async fn look(
    context: &Context,
    shape: &Shape<'_>,
    last: Option<&str>,
) -> Result<Exposed, ReconcileError> {
    let exposure = shape.spec.exposure.as_ref();
    if let Some(exposure) = exposure.and_then(|exposure| exposure.route.as_ref()) {
        return route::look(context, shape, exposure, last).await;
    }
    if let Some(ingress) = exposure.and_then(|exposure| exposure.ingress.as_ref()) {
        let scheme = if ingress.tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", ingress.host);
        let message = "the Ingress is there; whether a controller serves it, an Ingress does not say";
        return Ok(Exposed { finding: Finding::good(EXPOSED, message), url: Some(url) });
    }
    let url = format!("http://{}.{}.svc.{}", shape.child(), shape.namespace, shape.settings.cluster_domain);
    let finding = Finding::good(EXPOSED, "inside the cluster only, as no exposure is declared");
    Ok(Exposed { finding, url: Some(url) })
}
