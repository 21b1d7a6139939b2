//! How calls from outside come in: one HTTPRoute or Ingress for `/in/<namespace>/` and what pages may write to, and whether
//! others accept it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::exposed::{EXPOSED, Exposed, ROUTE_VERSION};
use super::route;
use super::shape::Shape;
use crate::api::{IngressExposure, RouteExposure};
use crate::operator::apply::belongs_to;
use crate::operator::conditions::Finding;
use crate::operator::context::Context;
use crate::operator::error::{ReconcileError, is_absent};

const INGRESS_VERSION: &str = "networking.k8s.io/v1";

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

/// What Public keys may write to, of which nothing else is published.
fn written_by_pages(shape: &Shape<'_>) -> impl Iterator<Item = &'static str> {
    let paths = [(shape.pages.customers, "/api/v1/customers"), (shape.pages.events, "/api/v1/events")];
    paths.into_iter().filter(|(is_written, _)| *is_written).map(|(_, path)| path)
}

fn http_route(shape: &Shape<'_>, route: &RouteExposure) -> Value {
    let mut matches = vec![json!({ "path": { "type": "PathPrefix", "value": path(shape) } })];
    for path in written_by_pages(shape) {
        // A browser asks by OPTIONS whether a page may.
        let of_method = |method| json!({ "path": { "type": "Exact", "value": path }, "method": method });
        matches.extend(["POST", "OPTIONS"].map(of_method));
    }
    let rule = json!({
        "matches": matches,
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
    let mut paths = vec![json!({ "path": path(shape), "pathType": "Prefix", "backend": backend })];
    let exact = |path| json!({ "path": path, "pathType": "Exact", "backend": backend });
    paths.extend(written_by_pages(shape).map(exact));
    let mut spec = json!({ "rules": [{ "host": ingress.host, "http": { "paths": paths } }] });
    if let Some(class) = &ingress.class_name {
        spec["ingressClassName"] = json!(class);
    }
    if let Some(tls) = &ingress.tls {
        spec["tls"] = json!([{ "hosts": [ingress.host], "secretName": tls.secret_ref.name }]);
    }
    shape.object(INGRESS_VERSION, "Ingress", json!({ "spec": spec }))
}

fn by_ingress(ingress: &IngressExposure) -> Exposed {
    let scheme = if ingress.tls.is_some() { "https" } else { "http" };
    let message = "the Ingress is there; whether a controller serves it, an Ingress does not say";
    Exposed { finding: Finding::good(EXPOSED, message), url: Some(format!("{scheme}://{}", ingress.host)) }
}

/// The object by which it is exposed, if it is there and ours; else why calls cannot come in by it.
async fn find(
    context: &Context,
    shape: &Shape<'_>,
    owner: &OwnerReference,
    version: &str,
    kind: &'static str,
) -> Result<Result<DynamicObject, Exposed>, ReconcileError> {
    let name = shape.child();
    let found = match context.dynamic(version, kind, shape.namespace).get_opt(&name).await {
        Ok(found) => found,
        Err(error) if is_absent(&error) => None,
        Err(error) => return Err(ReconcileError::api(format!("get {kind} {name}"))(error)),
    };
    let finding = match found {
        Some(found) if belongs_to(&found, owner) => return Ok(Ok(found)),
        Some(_) => {
            let message = format!("{kind} {name} is not Fanfare's; rename or delete it");
            Finding::retrying(EXPOSED, "NotOurs", message)
        }
        None if kind == "Ingress" => {
            let message = "there is no Ingress: it could not be made, and an Event of this Runtime says why";
            Finding::retrying(EXPOSED, "IngressMissing", message)
        }
        None => {
            let message = "there is no HTTPRoute; if the cluster has no Gateway API, install it or use exposure.ingress";
            Finding::retrying(EXPOSED, "RouteMissing", message)
        }
    };
    Ok(Err(Exposed { finding, url: None }))
}

/// Whether calls can come in, and where. `last` is where they could when it was looked at before.
pub(super) async fn look(
    context: &Context,
    shape: &Shape<'_>,
    owner: &OwnerReference,
    last: Option<&str>,
) -> Result<Exposed, ReconcileError> {
    let exposure = shape.spec.exposure.as_ref();
    if let Some(exposure) = exposure.and_then(|exposure| exposure.route.as_ref()) {
        return match find(context, shape, owner, ROUTE_VERSION, "HTTPRoute").await? {
            Ok(found) => route::judge(context, shape, exposure, &found, last).await,
            Err(unexposed) => Ok(unexposed),
        };
    }
    if let Some(ingress) = exposure.and_then(|exposure| exposure.ingress.as_ref()) {
        return Ok(match find(context, shape, owner, INGRESS_VERSION, "Ingress").await? {
            Ok(_) => by_ingress(ingress),
            Err(unexposed) => unexposed,
        });
    }
    let url = format!("http://{}.{}.svc.{}", shape.child(), shape.namespace, shape.settings.cluster_domain);
    let finding = Finding::good(EXPOSED, "inside the cluster only, as no exposure is declared");
    Ok(Exposed { finding, url: Some(url) })
}
