//! Where a channel may connect to: the guard between what a manifest names and what this process can reach.
//!
//! Invariant: a name is resolved once for each new connection, every address is checked, and the address that was
//! checked is the one connected to; a name whose answer changes in between gains nothing.

mod host_map;
mod resolver;
mod rules;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::TcpStream;

use crate::domain::address_range;

pub use crate::domain::address_range::Range;
pub use host_map::{HostMap, HostMapError};
pub use resolver::{Resolve, SystemResolver};
pub use rules::{ClusterServices, Rules};

/// How many of a name's addresses are tried.
const ADDRESSES_MAX: usize = 16;

/// Why no connection was made. Nothing has been sent in any of these cases.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The name could not be resolved.
    #[error("cannot resolve {host}: {source}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// The name has no address.
    #[error("{host} has no address")]
    NoAddress {
        /// The name.
        host: String,
    },
    /// Every address of the name is one that channels may not reach.
    #[error(
        "{host} is at {address}, {range}; channels may not connect there unless the egress rules allow it"
    )]
    Refused {
        /// The name.
        host: String,
        /// The first address that was refused.
        address: IpAddr,
        /// What kind of address it is.
        range: Range,
    },
    /// Every address of the name is refused, and one of them by name.
    #[error("{host} is at {address}, where channels may never connect to")]
    Denied {
        /// The name.
        host: String,
        /// The address that is denied.
        address: IpAddr,
    },
    /// None of the addresses answered.
    #[error("cannot connect to {host} at {address}: {source}")]
    Unreachable {
        /// The name.
        host: String,
        /// The last address tried.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// None of the addresses answered in time.
    #[error("no connection to {host}:{port} within {after:?}")]
    TimedOut {
        /// The name.
        host: String,
        /// The port.
        port: u16,
        /// The time that was allowed.
        after: Duration,
    },
}

/// The guard. One is shared by all channels of a process.
pub struct Egress {
    allow: Vec<IpNet>,
    rules: Rules,
    hosts: HostMap,
    resolver: Arc<dyn Resolve>,
    connect_timeout: Duration,
}

impl Egress {
    /// Public addresses only, those in `allow`, and whatever `hosts` maps: a mapping is made by the person who starts the
    /// process and is itself the permission.
    pub fn new(allow: Vec<IpNet>, hosts: HostMap) -> Self {
        Egress {
            allow,
            rules: Rules::default(),
            hosts,
            resolver: Arc::new(SystemResolver),
            connect_timeout: Duration::from_secs(10),
        }
    }

    /// What `fanfare dev` uses: loopback is allowed as well.
    pub fn for_dev(hosts: HostMap) -> Self {
        let loopback = [IpAddr::from([127, 0, 0, 0]), std::net::Ipv6Addr::LOCALHOST.into()];
        let prefixes = [8, 128];
        let nets = loopback.into_iter().zip(prefixes);
        Egress::new(nets.map(|(ip, bits)| IpNet::new_assert(ip, bits)).collect(), hosts)
    }

    /// Never connects to what the rules deny, and to what they add.
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Resolves names by something other than the system.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = resolver;
        self
    }

    /// How long one connection may take to be made; 10 s at first.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Makes a connection, with Nagle's algorithm off: a message is written whole and must leave at once.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, EgressError> {
        let attempt = async {
            let addresses = self.addresses(host, port).await?;
            first_that_answers(host, &addresses).await
        };
        tokio::time::timeout(self.connect_timeout, attempt).await.unwrap_or_else(|_| {
            Err(EgressError::TimedOut { host: host.into(), port, after: self.connect_timeout })
        })
    }

    /// The addresses of the name that may be connected to; never none.
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, EgressError> {
        if let Some(mapped) = self.hosts.get(host, port) {
            return match self.rules.deny(mapped) {
                true => Err(EgressError::Denied { host: host.into(), address: mapped.ip() }),
                false => Ok(vec![mapped]),
            };
        }
        let found = match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self
                .resolver
                .resolve(host)
                .await
                .map_err(|source| EgressError::Unresolved { host: host.into(), source })?,
        };
        let (mut allowed, mut refused) = (Vec::new(), None);
        let is_named = self.rules.name(host);
        for address in found.into_iter().take(ADDRESSES_MAX) {
            let (place, host) = (SocketAddr::new(address, port), host.to_owned());
            if self.rules.deny(place) {
                refused = Some(EgressError::Denied { host, address });
                continue;
            }
            match self.refusal(address).filter(|range| !(is_named && range.is_private())) {
                None => allowed.push(place),
                Some(range) => refused = refused.or(Some(EgressError::Refused { host, address, range })),
            }
        }
        match (allowed.is_empty(), refused) {
            (false, _) => Ok(allowed),
            (true, Some(refused)) => Err(refused),
            (true, None) => Err(EgressError::NoAddress { host: host.into() }),
        }
    }

    /// The range for which the address may not be connected to; `None` if it may.
    fn refusal(&self, address: IpAddr) -> Option<Range> {
        let plain = address_range::unwrapped(address);
        let allowed = |net: &IpNet| net.contains(&address) || net.contains(&plain);
        let is_allowed = self.allow.iter().any(allowed) || self.rules.services.contain(plain);
        address_range::refused(address).filter(|_| !is_allowed)
    }
}

async fn first_that_answers(host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, EgressError> {
    let mut last = EgressError::NoAddress { host: host.into() };
    for &address in addresses {
        let connected = TcpStream::connect(address).await;
        match connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => return Ok(stream),
            Err(source) => last = EgressError::Unreachable { host: host.into(), address, source },
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests;
