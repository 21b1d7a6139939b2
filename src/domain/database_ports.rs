//! Which ports a database's address leads to, for the NetworkPolicy that lets connections to it through.

use std::collections::BTreeSet;

/// What a host without a port is connected to.
const USUAL: u16 = 5432;
/// More than any list of hosts has.
const PORTS_MAX: usize = 32;

/// The ports of all hosts of a `postgres://` address; none, if it cannot be read.
pub fn database_ports(address: &str) -> BTreeSet<u16> {
    ports(address.trim()).filter(|ports| ports.len() <= PORTS_MAX).unwrap_or_default()
}

fn ports(address: &str) -> Option<BTreeSet<u16>> {
    let (scheme, rest) = address.split_once("://")?;
    if !["postgres", "postgresql"].contains(&scheme) {
        return None;
    }
    let (front, query) = rest.split_once('?').unwrap_or((rest, ""));
    let place = front.rsplit_once('@').map_or(front, |(_, place)| place);
    let hosts = place.split_once('/').map_or(place, |(hosts, _)| hosts);
    let named = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "port");
    let named: Vec<String> = named.map(|(_, value)| value.into_owned()).collect();
    if hosts.is_empty() && !named.is_empty() {
        return named.iter().flat_map(|ports| ports.split(',')).map(port).collect();
    }
    let named = named.iter().flat_map(|ports| ports.split(',')).map(port);
    hosts.split(',').map(port_of).chain(named).collect()
}

/// The port of `host`, `host:port` or `[::1]:port`.
fn port_of(host: &str) -> Option<u16> {
    let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
    behind.rsplit_once(':').map_or(Some(USUAL), |(_, text)| port(text))
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_counts_with_the_port_it_is_reached_at() {
        for (address, wanted) in [
            ("postgres://fanfare:s3cret@db.example.com:25060/fanfare?sslmode=verify-full", &[25060][..]),
            ("postgresql://fanfare@db/fanfare", &[5432]),
            ("postgres://fanfare:a%40b:c@h1:5433,h2,[fd00::1]:6432,[fd00::2]/x\n", &[5432, 5433, 6432]),
            ("postgres:///fanfare?host=h1,h2&port=7000,7001", &[7000, 7001]),
            ("postgres://h1/fanfare?host=h2&port=7000", &[5432, 7000]),
            ("postgres:///fanfare?host=/run/postgresql", &[5432]),
        ] {
            assert_eq!(database_ports(address), wanted.iter().copied().collect(), "{address}");
        }
    }

    #[test]
    fn what_is_no_address_has_none() {
        for address in [
            "",
            "db:5432",
            "mysql://db:3306/x",
            "postgres://db:port/x",
            "postgres://db:0/x",
            "postgres://h:1,h:",
        ] {
            assert_eq!(database_ports(address), BTreeSet::new(), "{address}");
        }
    }
}
