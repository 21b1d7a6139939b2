//! How calls from outside come in: one HTTPRoute or Ingress for `/in/<namespace>/`, and whether others accept it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::shape::Shape;
use crate::api::{IngressExposure, RouteExposure};
use crate::operator::conditions::Finding;
use crate::operator::context::Context;
use crate::operator::error::{ReconcileError, is_absent};

const EXPOSED: &str = "Exposed";
const ROUTE_VERSION: &str = "gateway.networking.k8s.io/v1";
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

/// Whether calls can come in, and where.
pub(super) async fn look(context: &Context, shape: &Shape<'_>) -> Result<Exposed, ReconcileError> {
    let exposure = shape.spec.exposure.as_ref();
    if let Some(route) = exposure.and_then(|exposure| exposure.route.as_ref()) {
        return look_at_route(context, shape, route).await;
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

/// What Gateways say of a route: the part of its status that counts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RouteStatus {
    parents: Vec<RouteParent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RouteParent {
    parent_ref: Value,
    conditions: Vec<RouteCondition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RouteCondition {
    r#type: String,
    status: String,
    reason: String,
    message: String,
    observed_generation: Option<i64>,
}

async fn look_at_route(
    context: &Context,
    shape: &Shape<'_>,
    route: &RouteExposure,
) -> Result<Exposed, ReconcileError> {
    let not = |finding| Ok(Exposed { finding, url: None });
    let api = context.dynamic(ROUTE_VERSION, "HTTPRoute", shape.namespace);
    let found = match api.get_opt(&shape.child()).await {
        Ok(found) => found,
        Err(error) if is_absent(&error) => None,
        Err(error) => return Err(ReconcileError::api("get the HTTPRoute")(error)),
    };
    let Some(found) = found else {
        let message =
            "there is no HTTPRoute; if the cluster has no Gateway API, install it or use exposure.ingress";
        return not(Finding::retrying(EXPOSED, "RouteMissing", message));
    };
    let status: RouteStatus = serde_json::from_value(found.data["status"].clone()).unwrap_or_default();
    let generation = found.metadata.generation;
    let mut refused = None;
    for parent in &status.parents {
        match verdict(parent, generation) {
            Ok(()) => {
                let url = base_of(context, shape, route, &parent.parent_ref).await;
                let message = format!("{} accepts the route", name_of(&parent.parent_ref));
                return Ok(Exposed { finding: Finding::good(EXPOSED, message), url });
            }
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    match refused {
        Some((reason, message)) => not(Finding::retrying(EXPOSED, reason, message)),
        None => {
            let named: Vec<&str> = route.parent_refs.iter().map(|parent| parent.name.as_str()).collect();
            let message = format!(
                "no Gateway has taken the HTTPRoute up; look whether {} is there and has a controller",
                named.join(", ")
            );
            not(Finding::progressing(EXPOSED, "NotTakenUp", message))
        }
    }
}

/// Whether a Gateway accepts the route as it is now; with its own words if it does not.
fn verdict(parent: &RouteParent, generation: Option<i64>) -> Result<(), (&'static str, String)> {
    let gateway = name_of(&parent.parent_ref);
    for wanted in ["Accepted", "ResolvedRefs"] {
        let Some(found) = parent.conditions.iter().find(|condition| condition.r#type == wanted) else {
            return Err(("NotTakenUp", format!("{gateway} says nothing of {wanted} yet")));
        };
        if found.observed_generation.is_some_and(|seen| Some(seen) < generation) {
            return Err(("NotTakenUp", format!("{gateway} has not looked at the route as it is now yet")));
        }
        if found.status != "True" {
            return Err(("RouteNotAccepted", format!("{gateway}: {}: {}", found.reason, words(found))));
        }
    }
    Ok(())
}

/// A Gateway's own words. Some controllers have none.
fn words(found: &RouteCondition) -> &str {
    match (found.message.as_str(), found.reason.as_str()) {
        ("", "NotAllowedByListeners") => {
            "no listener of it takes routes of this namespace; allow it under allowedRoutes"
        }
        ("", "NoMatchingListenerHostname") => "no listener of it has one of these host names",
        ("", "NoMatchingParent") => "it has no such listener or port",
        ("", _) => "the Gateway says no more; look at its controller's log",
        (message, _) => message,
    }
}

fn name_of(parent: &Value) -> String {
    let (name, namespace) = (parent["name"].as_str().unwrap_or_default(), parent["namespace"].as_str());
    namespace.map_or_else(|| format!("Gateway {name}"), |namespace| format!("Gateway {namespace}/{name}"))
}

/// Where calls go: the host of the route, or of the listener, by the listener's protocol.
async fn base_of(
    context: &Context,
    shape: &Shape<'_>,
    route: &RouteExposure,
    parent: &Value,
) -> Option<String> {
    let namespace = parent["namespace"].as_str().unwrap_or(shape.namespace);
    let api = context.dynamic(ROUTE_VERSION, "Gateway", namespace);
    let gateway = match api.get_opt(parent["name"].as_str().unwrap_or_default()).await {
        Ok(gateway) => gateway,
        Err(error) => {
            tracing::debug!(%error, "the Gateway cannot be read; https is assumed");
            None
        }
    };
    let listeners = gateway.map(|gateway| gateway.data["spec"]["listeners"].clone()).unwrap_or_default();
    let matching = |listener: &&Value| {
        let section = parent["sectionName"].as_str();
        let port = parent["port"].as_i64();
        section.is_none_or(|section| listener["name"] == section)
            && port.is_none_or(|port| listener["port"] == port)
    };
    let listeners: Vec<&Value> = listeners.as_array().into_iter().flatten().filter(matching).collect();
    // Of several, the one that protects calls.
    let listener = listeners.iter().find(|it| it["protocol"] == "HTTPS").or(listeners.first());
    let host = route.hostnames.iter().find(|host| !host.starts_with("*.")).map(String::as_str);
    let host = host
        .or_else(|| listener.and_then(|it| it["hostname"].as_str()).filter(|host| !host.starts_with("*.")))?;
    let (scheme, usual) = match listener {
        Some(listener) if listener["protocol"] == "HTTP" => ("http", 80),
        _ => ("https", 443),
    };
    let port = listener.and_then(|it| it["port"].as_i64()).filter(|port| *port != usual);
    Some(port.map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(conditions: Value) -> Result<(), (&'static str, String)> {
        let parent = json!({"parentRef": {"name": "public", "namespace": "infra"}, "conditions": conditions});
        verdict(&serde_json::from_value(parent).unwrap(), Some(2))
    }

    #[test]
    fn the_gateways_own_words_are_told() {
        let accepted = json!({"type": "Accepted", "status": "True", "observedGeneration": 2});
        let resolved = json!({"type": "ResolvedRefs", "status": "True", "observedGeneration": 2});
        assert_eq!(judged(json!([accepted, resolved])), Ok(()));
        let stale = json!({"type": "Accepted", "status": "True", "observedGeneration": 1});
        assert_eq!(judged(json!([stale, resolved])).unwrap_err().0, "NotTakenUp");
        let refused = json!({"type": "Accepted", "status": "False", "reason": "NotAllowedByListeners",
            "message": "listener https allows routes from Same namespace", "observedGeneration": 2});
        let (reason, message) = judged(json!([refused, resolved])).unwrap_err();
        assert_eq!(reason, "RouteNotAccepted");
        assert_eq!(
            message,
            "Gateway infra/public: NotAllowedByListeners: listener https allows routes from Same namespace"
        );
        assert_eq!(judged(json!([accepted])).unwrap_err().0, "NotTakenUp");
    }

    #[test]
    fn a_gateway_without_words_is_given_some() {
        let refused = json!({"type": "Accepted", "status": "False", "reason": "NotAllowedByListeners",
            "message": "", "observedGeneration": 2});
        let (reason, message) = judged(json!([refused])).unwrap_err();
        assert_eq!(reason, "RouteNotAccepted");
        assert_eq!(
            message,
            "Gateway infra/public: NotAllowedByListeners: no listener of it takes routes of this namespace; allow it \
             under allowedRoutes"
        );
    }
}
