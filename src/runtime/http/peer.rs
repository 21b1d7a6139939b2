//! Who is at the other end of a connection, and whether it guesses credentials.

use std::hash::RandomState;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::domain::credentials::Presented;
use crate::domain::guessing::{FailedGuess, Guesses, Slowed};

/// The network at the other end: an address of IPv4, or the 64 bits of IPv6 that one customer of a provider has at least.
/// Behind one there may be many: a proxy, a gateway, an office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer([u8; 16]);

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Peer(address.to_ipv6_mapped().octets()),
            IpAddr::V6(address) => Peer((address.to_bits() & !u128::from(u64::MAX)).to_be_bytes()),
        }
    }
}

/// Failures of everyone who asks this process.
#[derive(Debug)]
pub struct GuessGuard(Mutex<Guesses>);

impl Default for GuessGuard {
    fn default() -> Self {
        GuessGuard(Mutex::new(Guesses::new(RandomState::new())))
    }
}

impl GuessGuard {
    /// Notes that a request was turned away for its credentials. Returns whether, and how, its sender is slowed down.
    pub fn failed(
        &self,
        presented: Option<&Presented>,
        peer: Option<Peer>,
        now: Timestamp,
    ) -> Option<Slowed> {
        let failure = match presented {
            None => FailedGuess::Missing,
            Some(Presented::Pair { id, .. }) => FailedGuess::Wrong { name: Some(id) },
            Some(Presented::Token(_)) => FailedGuess::Wrong { name: None },
        };
        let mut guesses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guesses.failed(failure, peer.map(|peer| peer.0), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_an_address_of_ipv4_or_a_network_of_ipv6() {
        let peer = |text: &str| Peer::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(peer("192.0.2.1"), peer("::ffff:192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
        assert_eq!(peer("2001:db8:0:1::1"), peer("2001:db8:0:1:ffff::2"));
        assert_ne!(peer("2001:db8:0:1::1"), peer("2001:db8:0:2::1"));
    }
}
