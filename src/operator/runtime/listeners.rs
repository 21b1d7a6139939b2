//! Where calls to a route go: the host name that it and a listener of its Gateway share, by the listener's protocol.

use serde::Deserialize;
use serde_json::Value;

use crate::api::ParentRef;

/// A Gateway's listener: what is looked at of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Listener {
    name: String,
    hostname: Option<String>,
    port: i32,
    protocol: String,
    allowed_routes: Value,
}

/// Why there is no address although the route is accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unaddressed {
    /// No listener serves what the route asks for.
    NoListener,
    /// Any host name, or one of many, leads there: none that could be told.
    NoHostname,
}

/// A route at one of its parents.
pub(super) struct Place<'a> {
    pub parent: &'a ParentRef,
    /// The namespace of the route.
    pub namespace: &'a str,
    /// The host names of the route; none means those of the listeners.
    pub hostnames: &'a [String],
}

/// What the host names of a route and of a listener have in common.
enum Shared<'a> {
    Host(&'a str),
    Many,
    Nothing,
}

impl Place<'_> {
    /// Where calls go, without a path. Of several listeners the one that protects calls is taken, and of several host
    /// names the route's first.
    pub(super) fn address(&self, listeners: &[Listener]) -> Result<String, Unaddressed> {
        let mut missing = Unaddressed::NoListener;
        let serving: Vec<&Listener> = listeners.iter().filter(|it| self.may_serve(it)).collect();
        for protocol in ["HTTPS", "HTTP"] {
            for hostname in self.hostnames() {
                for listener in serving.iter().filter(|it| it.protocol == protocol) {
                    match shared(hostname, listener.hostname.as_deref().filter(|name| !name.is_empty())) {
                        Shared::Host(host) => return Ok(address(host, Some(listener))),
                        Shared::Many => missing = Unaddressed::NoHostname,
                        Shared::Nothing => {}
                    }
                }
            }
        }
        Err(missing)
    }

    /// Where calls go if nothing is known of the listeners.
    pub(super) fn assumed(&self) -> Option<String> {
        let host = self.hostnames.iter().find(|name| wild(name).is_none())?;
        let listener = self.parent.port.map(|port| Listener {
            port,
            protocol: if port == 80 { "HTTP" } else { "HTTPS" }.into(),
            ..Listener::default()
        });
        Some(address(host, listener.as_ref()))
    }

    fn hostnames(&self) -> impl Iterator<Item = Option<&str>> {
        let any = self.hostnames.is_empty().then_some(None);
        any.into_iter().chain(self.hostnames.iter().map(|name| Some(name.as_str())))
    }

    /// Whether a listener takes the route, but for its host name. A namespace's labels are not looked at: the Gateway
    /// has accepted the route already.
    fn may_serve(&self, listener: &Listener) -> bool {
        let is_local = self.parent.namespace.as_deref().is_none_or(|namespace| namespace == self.namespace);
        let from = listener.allowed_routes["namespaces"]["from"].as_str().unwrap_or("Same");
        self.parent.section_name.as_ref().is_none_or(|section| *section == listener.name)
            && self.parent.port.is_none_or(|port| port == listener.port)
            && (is_local && from != "None" || matches!(from, "All" | "Selector"))
    }
}

fn address(host: &str, listener: Option<&Listener>) -> String {
    let (scheme, usual) = match listener {
        Some(listener) if listener.protocol == "HTTP" => ("http", 80),
        _ => ("https", 443),
    };
    let port = listener.map(|listener| listener.port).filter(|port| *port != usual);
    port.map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}"))
}

/// The Gateway API's rule: `*.example.com` stands for every name below example.com, and not for that itself.
fn shared<'a>(route: Option<&'a str>, listener: Option<&'a str>) -> Shared<'a> {
    let (Some(route), Some(listener)) = (route, listener) else {
        return match route.or(listener) {
            Some(only) if wild(only).is_none() => Shared::Host(only),
            _ => Shared::Many,
        };
    };
    let is_below = |name: &str, suffix: &str| name.len() > suffix.len() && name.ends_with(suffix);
    match (wild(route), wild(listener)) {
        (None, None) if route == listener => Shared::Host(route),
        (None, Some(suffix)) if is_below(route, suffix) => Shared::Host(route),
        (Some(suffix), None) if is_below(listener, suffix) => Shared::Host(listener),
        (Some(one), Some(other)) if one.ends_with(other) || other.ends_with(one) => Shared::Many,
        _ => Shared::Nothing,
    }
}

/// What names end with that a wildcard stands for.
fn wild(name: &str) -> Option<&str> {
    name.strip_prefix('*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(parent: Value, hostnames: &[&str], listeners: Value) -> Result<String, Unaddressed> {
        let parent: ParentRef = serde_json::from_value(parent).unwrap();
        let hostnames: Vec<String> = hostnames.iter().map(|name| (*name).to_owned()).collect();
        let listeners: Vec<Listener> = serde_json::from_value(listeners).unwrap();
        Place { parent: &parent, namespace: "shop", hostnames: &hostnames }.address(&listeners)
    }

    #[test]
    fn a_listener_serves_the_names_it_shares_with_the_route() {
        let listeners = json!([{"name": "http", "protocol": "HTTP", "port": 80},
            {"name": "https", "protocol": "HTTPS", "port": 443, "hostname": "internal.example"}]);
        let at = |hostnames: &[&str]| found(json!({"name": "public"}), hostnames, listeners.clone());
        assert_eq!(at(&["hooks.example.com"]), Ok("http://hooks.example.com".into()));
        assert_eq!(at(&["hooks.example.com", "internal.example"]), Ok("https://internal.example".into()));
        assert_eq!(at(&[]), Ok("https://internal.example".into()));
        assert_eq!(at(&["*.example.com"]), Err(Unaddressed::NoHostname));
    }

    #[test]
    fn a_wildcard_stands_for_names_below_it() {
        let listeners = |hostname: &str| json!([{"name": "https", "protocol": "HTTPS", "port": 8443, "hostname": hostname}]);
        let at = |hostnames: &[&str], listener: &str| {
            found(json!({"name": "public"}), hostnames, listeners(listener))
        };
        assert_eq!(at(&["a.b.example.com"], "*.example.com"), Ok("https://a.b.example.com:8443".into()));
        assert_eq!(at(&["example.com"], "*.example.com"), Err(Unaddressed::NoListener));
        assert_eq!(at(&["badexample.com"], "*.example.com"), Err(Unaddressed::NoListener));
        assert_eq!(at(&["*.example.com"], "hooks.example.com"), Ok("https://hooks.example.com:8443".into()));
        assert_eq!(at(&["*.a.example.com"], "*.example.com"), Err(Unaddressed::NoHostname));
        assert_eq!(at(&["*.other.com"], "*.example.com"), Err(Unaddressed::NoListener));
        assert_eq!(at(&[], "*.example.com"), Err(Unaddressed::NoHostname));
        assert_eq!(at(&[], ""), Err(Unaddressed::NoHostname));
    }

    #[test]
    fn only_the_listener_that_is_named_and_takes_the_namespace_counts() {
        let listeners = json!([
            {"name": "https", "protocol": "HTTPS", "port": 443, "hostname": "a.example.com"},
            {"name": "open", "protocol": "HTTP", "port": 8080, "hostname": "b.example.com",
                "allowedRoutes": {"namespaces": {"from": "All"}}},
            {"name": "raw", "protocol": "TCP", "port": 9000, "allowedRoutes": {"namespaces": {"from": "All"}}}]);
        let at = |parent: Value| found(parent, &[], listeners.clone());
        assert_eq!(
            at(json!({"name": "public", "sectionName": "open"})),
            Ok("http://b.example.com:8080".into())
        );
        assert_eq!(at(json!({"name": "public", "port": 8080})), Ok("http://b.example.com:8080".into()));
        assert_eq!(
            at(json!({"name": "public", "namespace": "infra"})),
            Ok("http://b.example.com:8080".into())
        );
        assert_eq!(at(json!({"name": "public", "namespace": "shop"})), Ok("https://a.example.com".into()));
        assert_eq!(at(json!({"name": "public", "port": 9000})), Err(Unaddressed::NoListener));
    }
}
