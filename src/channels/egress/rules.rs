//! What the chart and the cluster say about where channels may connect to: denied before anything else is looked at,
//! and the addresses of the namespace's own Services.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use ipnet::IpNet;

use crate::domain::address_range::unwrapped;
use crate::domain::egress_target::ServiceName;

/// The addresses of a namespace's Services: set by the watch of Services, read before each connection.
#[derive(Debug, Clone, Default)]
pub struct ClusterServices(Arc<ArcSwap<HashSet<IpAddr>>>);

impl ClusterServices {
    /// These are all there are now.
    pub fn set(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.0.store(Arc::new(addresses.into_iter().collect()));
    }

    /// Whether the address is one of them.
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        self.0.load().contains(&address)
    }
}

/// Rules beside what is public and what is allowed.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Never connected to, whatever else says so.
    pub deny: Vec<IpNet>,
    /// Where the API server is: its address on every port; on this machine, where others may listen too, this port.
    pub api_server: Vec<SocketAddr>,
    /// Services that may be reached by their whole names, and the domain of the cluster.
    pub named: Vec<ServiceName>,
    /// The domain of the cluster's Services: `cluster.local`.
    pub cluster_domain: String,
    /// Services that may be reached, though their addresses are private; none unless the chart allows it.
    pub services: ClusterServices,
}

impl Rules {
    /// Whether the host is a Service that is allowed by name: its addresses may be private then, and nothing else.
    pub(super) fn name(&self, host: &str) -> bool {
        self.named.iter().any(|service| service.is(host, &self.cluster_domain))
    }

    /// Whether nothing may ever connect there. An IPv6 address that carries an IPv4 one is judged by both.
    pub(super) fn deny(&self, place: SocketAddr) -> bool {
        let (address, plain) = (place.ip(), unwrapped(place.ip()));
        let is_denied = self.deny.iter().any(|net| net.contains(&address) || net.contains(&plain));
        let is_api_server = |server: &SocketAddr| {
            let is_there = server.ip() == address || unwrapped(server.ip()) == plain;
            is_there && (!plain.is_loopback() || server.port() == place.port())
        };
        is_denied || self.api_server.iter().any(is_api_server)
    }
}
