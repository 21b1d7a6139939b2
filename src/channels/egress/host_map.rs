//! Names that are somewhere else: what `--host` says.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// How many names may be mapped.
const ENTRIES_MAX: usize = 256;

/// Where some names are, whatever a resolver would say. Each entry is one of
///
/// - `sandbox=127.0.0.1:2525`: the name, whatever the port, is at this address and port;
/// - `sandbox:25=127.0.0.1:2525`: the name's port 25 is at this address and port; it outranks the first form, so a
///   provider with an SMTP and an HTTP side takes two entries;
/// - `sandbox=127.0.0.1`: the name is at this address, on the port that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostMap(HashMap<(String, Option<u16>), Place>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Exactly(SocketAddr),
    AnyPort(IpAddr),
}

/// Why an entry of a host map is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostMapError {
    /// It does not have the form of an entry.
    #[error("`{0}` is not a mapping; write name=address:port, name:port=address:port or name=address")]
    Malformed(String),
    /// The map is full.
    #[error("more than {ENTRIES_MAX} hosts are mapped")]
    TooMany,
}

impl HostMap {
    /// Reads entries; a later one replaces an earlier one of the same name and port.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, HostMapError> {
        let mut map = HostMap::default();
        for entry in entries {
            map.add(entry)?;
        }
        Ok(map)
    }

    /// Adds one entry.
    pub fn add(&mut self, entry: &str) -> Result<(), HostMapError> {
        let malformed = || HostMapError::Malformed(entry.into());
        let (name, place) = entry.split_once('=').ok_or_else(malformed)?;
        let place = place.parse::<Place>().map_err(|()| malformed())?;
        let (name, port) = match name.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse::<u16>().map_err(|_| malformed())?)),
            None => (name, None),
        };
        if name.is_empty() || name.contains([':', '/']) {
            return Err(malformed());
        }
        if self.0.len() >= ENTRIES_MAX {
            return Err(HostMapError::TooMany);
        }
        self.0.insert((name.to_ascii_lowercase(), port), place);
        Ok(())
    }

    /// Where a name and port are, if they are mapped.
    pub fn get(&self, host: &str, port: u16) -> Option<SocketAddr> {
        if self.0.is_empty() {
            return None;
        }
        let host = host.to_ascii_lowercase();
        let place = self.0.get(&(host.clone(), Some(port))).or_else(|| self.0.get(&(host, None)))?;
        Some(match *place {
            Place::Exactly(address) => address,
            Place::AnyPort(address) => SocketAddr::new(address, port),
        })
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let exact = text.parse().map(Place::Exactly);
        exact.or_else(|_| text.parse().map(Place::AnyPort)).map_err(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_with_a_port_outranks_one_without() {
        let map = HostMap::parse(["sandbox=127.0.0.1:1", "sandbox:25=127.0.0.1:2", "sms=10.0.0.1"]).unwrap();
        assert_eq!(map.get("sandbox", 8080), Some(([127, 0, 0, 1], 1).into()));
        assert_eq!(map.get("Sandbox", 25), Some(([127, 0, 0, 1], 2).into()));
        assert_eq!(map.get("sms", 443), Some(([10, 0, 0, 1], 443).into()));
        assert_eq!(map.get("elsewhere", 25), None);
    }

    #[test]
    fn an_entry_that_is_none_says_what_one_looks_like() {
        for wrong in
            ["sandbox", "=127.0.0.1:1", "sandbox=elsewhere:25", "sandbox:x=127.0.0.1:1", "a:b:1=[::1]:2"]
        {
            assert_eq!(HostMap::parse([wrong]), Err(HostMapError::Malformed(wrong.into())), "{wrong}");
        }
    }
}
