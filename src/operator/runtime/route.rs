//! How an HTTPRoute stands: which of its Gateways serves it, and by which address.

use kube::api::DynamicObject;

use super::exposed::{EXPOSED, Exposed, ROUTE_VERSION};
use super::listeners::{Listener, Place, Unaddressed};
use super::parents::{RouteStatus, Verdict, name_of};
use super::shape::Shape;
use crate::api::{ParentRef, RouteExposure};
use crate::operator::conditions::Finding;
use crate::operator::context::Context;
use crate::operator::error::{ReconcileError, is_absent};

fn unexposed(finding: Finding) -> Exposed {
    Exposed { finding, url: None }
}

/// Whether a Gateway serves the route, and where. `last` is where calls could come in before.
///
/// The first parent that serves the route speaks for all. One before it that served it as it was before is waited for:
/// the address is pasted into other people's systems, and must not change twice because one Gateway is faster.
pub(super) async fn judge(
    context: &Context,
    shape: &Shape<'_>,
    route: &RouteExposure,
    found: &DynamicObject,
    last: Option<&str>,
) -> Result<Exposed, ReconcileError> {
    let status = RouteStatus::of(&found.data["status"]);
    let generation = found.metadata.generation;
    let (mut behind, mut refused, mut without_address) = (None, None, None);
    for parent in &route.parent_refs {
        match status.verdict(parent, shape.namespace, generation) {
            Verdict::Accepts => match address(context, shape, route, parent).await? {
                Ok(url) => {
                    let finding = Finding::good(EXPOSED, format!("{} accepts the route", name_of(parent)));
                    return Ok(Exposed { finding, url: Some(url) });
                }
                Err(finding) => without_address = without_address.or(Some(finding)),
            },
            Verdict::Behind { why, served: true } => return Ok(waiting(why, generation, last)),
            Verdict::Behind { why, .. } => behind = behind.or(Some(why)),
            Verdict::Refuses(why) => refused = refused.or(Some(why)),
            Verdict::Silent => {}
        }
    }
    let refused = refused.map(|why| Finding::retrying(EXPOSED, "RouteNotAccepted", why));
    match (without_address.or(refused), behind) {
        (Some(finding), None) => Ok(unexposed(finding)),
        (_, behind) => Ok(waiting(behind.unwrap_or_else(|| silent(route)), generation, last)),
    }
}

/// No Gateway has decided yet. What it decided of the route as it was before holds until it does.
fn waiting(why: String, generation: Option<i64>, last: Option<&str>) -> Exposed {
    // What was there before a route's first generation was reached by something else.
    let url = last.filter(|_| generation > Some(1)).map(str::to_owned);
    Exposed { finding: Finding::progressing(EXPOSED, "NotTakenUp", why), url }
}

fn silent(route: &RouteExposure) -> String {
    let named: Vec<&str> = route.parent_refs.iter().map(|parent| parent.name.as_str()).collect();
    format!(
        "no Gateway has taken the HTTPRoute up; look whether {} is there and has a controller",
        named.join(", ")
    )
}

/// Where calls go by a parent that accepts the route, or why that is not known.
async fn address(
    context: &Context,
    shape: &Shape<'_>,
    route: &RouteExposure,
    parent: &ParentRef,
) -> Result<Result<String, Finding>, ReconcileError> {
    let place = Place { parent, namespace: shape.namespace, hostnames: &route.hostnames };
    let gateway = name_of(parent);
    let remedy = "name one in spec.exposure.route.hostnames";
    let Some(listeners) = listeners(context, shape, parent).await? else {
        return Ok(place.assumed().ok_or_else(|| {
            let message = format!(
                "{gateway} accepts the route, but the operator may not read it, so its host name is not known; {remedy}"
            );
            Finding::retrying(EXPOSED, "NoHostname", message)
        }));
    };
    Ok(place.address(&listeners).map_err(|missing| match missing {
        Unaddressed::NoHostname => {
            let message = format!(
                "{gateway} accepts the route for any host name, or for many, so no URL can be told; {remedy}"
            );
            Finding::retrying(EXPOSED, "NoHostname", message)
        }
        Unaddressed::NoListener => {
            let message = format!(
                "{gateway} accepts the route, but has no HTTP or HTTPS listener for its host names; correct \
                 spec.exposure.route.hostnames, or the listener that is named"
            );
            Finding::retrying(EXPOSED, "NoListener", message)
        }
    }))
}

/// The Gateway's listeners; `None` if the operator may not read it, or it is not there.
async fn listeners(
    context: &Context,
    shape: &Shape<'_>,
    parent: &ParentRef,
) -> Result<Option<Vec<Listener>>, ReconcileError> {
    let namespace = parent.namespace.as_deref().unwrap_or(shape.namespace);
    let api = context.dynamic(ROUTE_VERSION, "Gateway", namespace);
    let gateway = match api.get_opt(&parent.name).await {
        Ok(gateway) => gateway,
        Err(kube::Error::Api(status)) if status.is_forbidden() => None,
        Err(error) if is_absent(&error) => None,
        Err(error) => return Err(ReconcileError::api(format!("get {}", name_of(parent)))(error)),
    };
    let listeners = gateway.map(|gateway| gateway.data["spec"]["listeners"].clone());
    Ok(listeners.map(|listeners| serde_json::from_value(listeners).unwrap_or_default()))
}
