//! Something that channels may reach although it is not public: a range of addresses, or a Service of the cluster.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;

/// What the chart allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EgressTarget {
    /// Every address of the range.
    Range(IpNet),
    /// The Service, by its whole name only.
    Service(ServiceName),
}

/// A Service of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The text is neither a range nor a Service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a range of addresses (10.20.0.0/16) nor a Service (namespace/name)")]
pub struct EgressTargetError(String);

impl FromStr for EgressTarget {
    type Err = EgressTargetError;

    fn from_str(text: &str) -> Result<Self, EgressTargetError> {
        if let Ok(net) = text.parse() {
            return Ok(EgressTarget::Range(net));
        }
        let (namespace, name) = text.split_once('/').ok_or_else(|| EgressTargetError(text.into()))?;
        let is_named = [namespace, name].into_iter().all(is_label);
        let service = || ServiceName { namespace: namespace.into(), name: name.into() };
        is_named.then(|| EgressTarget::Service(service())).ok_or_else(|| EgressTargetError(text.into()))
    }
}

impl fmt::Display for EgressTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EgressTarget::Range(net) => net.fmt(formatter),
            EgressTarget::Service(service) => write!(formatter, "{}/{}", service.namespace, service.name),
        }
    }
}

impl ServiceName {
    /// Whether a host is this Service: `<name>.<namespace>.svc`, with or without the cluster's domain.
    ///
    /// Shorter names are not: `relay.mail` is looked for in the asking namespace first, where an account that may create
    /// Services and Pods decides what it means.
    pub fn is(&self, host: &str, cluster_domain: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let within = host.strip_suffix(&format!(".{cluster_domain}")).unwrap_or(&host);
        within == format!("{}.{}.svc", self.name, self.namespace)
    }
}

/// A DNS label, as RFC 1123 has it; one of digits and dots alone is an address that cannot be read.
fn is_label(text: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let has_ends = text.starts_with(|c: char| c != '-') && text.ends_with(|c: char| c != '-');
    (1..=63).contains(&text.len()) && text.chars().all(is_inner) && has_ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_or_a_service_and_nothing_else() {
        for good in ["10.20.0.0/16", "fd00::/8", "mail/relay", "10-0-0-1/24"] {
            assert_eq!(good.parse::<EgressTarget>().unwrap().to_string(), good);
        }
        for wrong in ["", "mail", "mail/", "/relay", "Mail/relay", "mail/relay/25", "10.0.0/8", "mail/-relay"]
        {
            assert!(wrong.parse::<EgressTarget>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_service_is_known_by_its_whole_name() {
        let relay = ServiceName { namespace: "mail".into(), name: "relay".into() };
        for is in ["relay.mail.svc", "relay.mail.svc.cluster.local", "RELAY.mail.svc.cluster.local."] {
            assert!(relay.is(is, "cluster.local"), "{is}");
        }
        for other in [
            "relay.mail",
            "relay",
            "relay.mail.svc.example.com",
            "x.relay.mail.svc",
            "relay.mail.svc.shop.svc.cluster.local",
        ] {
            assert!(!relay.is(other, "cluster.local"), "{other}");
        }
    }
}
