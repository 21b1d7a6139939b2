//! Which addresses are not on the public Internet, by the special-purpose registries of IANA (RFC 6890 and its
//! successors). An IPv6 address that carries an IPv4 one is judged by both.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

/// A kind of address that a channel may not reach by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// This machine.
    Loopback,
    /// The local segment.
    LinkLocal,
    /// A cloud provider's metadata service, which hands out credentials.
    Metadata,
    /// A private network (RFC 1918).
    Private,
    /// A private network (unique local, or the deprecated site-local).
    UniqueLocal,
    /// The space between a provider and its customers (100.64.0.0/10).
    CarrierNat,
    /// A group.
    Multicast,
    /// No address.
    Unspecified,
    /// Every address.
    Broadcast,
    /// For examples in documents.
    Documentation,
    /// Set aside: benchmarks, protocols, the future.
    Reserved,
}

impl Range {
    /// Whether a cluster may give such addresses to its Services.
    pub fn is_private(&self) -> bool {
        matches!(self, Range::Private | Range::UniqueLocal | Range::CarrierNat)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Range::Loopback => "a loopback address",
            Range::LinkLocal => "a link-local address",
            Range::Metadata => "a metadata service",
            Range::Private => "a private address",
            Range::UniqueLocal => "a unique local address",
            Range::CarrierNat => "a carrier-grade NAT address",
            Range::Multicast => "a multicast address",
            Range::Unspecified => "the unspecified address",
            Range::Broadcast => "the broadcast address",
            Range::Documentation => "an address for documentation",
            Range::Reserved => "a reserved address",
        })
    }
}

/// The range an address is in, or the IPv4 address within it; `None` for a public one.
pub fn refused(address: IpAddr) -> Option<Range> {
    match unwrapped(address) {
        IpAddr::V4(inner) => refused_v4(inner),
        IpAddr::V6(plain) => refused_v6(plain),
    }
}

/// The IPv4 address that an IPv6 one carries, else the address itself.
pub fn unwrapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => carried_v4(v6).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Names by which clouds give out their metadata service, wherever it is.
const METADATA_NAMES: [&str; 3] = ["metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"];

/// Why no channel may ever connect to this host, as far as its text says it, in whatever form the address is written; no
/// rule of a cluster makes sense for these. What a name resolves to is found out when it is connected to.
pub fn never_allowed(host: &str) -> Option<Range> {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let address = match url::Host::parse(host).or_else(|_| url::Host::parse(&format!("[{plain}]"))).ok()? {
        url::Host::Ipv4(address) => IpAddr::V4(address),
        url::Host::Ipv6(address) => IpAddr::V6(address),
        url::Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            return METADATA_NAMES.contains(&name.as_str()).then_some(Range::Metadata);
        }
    };
    refused(address).filter(|range| {
        matches!(
            range,
            Range::Metadata | Range::LinkLocal | Range::Multicast | Range::Unspecified | Range::Broadcast
        )
    })
}

fn refused_v4(address: Ipv4Addr) -> Option<Range> {
    let range = match address.octets() {
        [169, 254, 169, 254] | [169, 254, 170, 2 | 23] | [100, 100, 100, 200] | [168, 63, 129, 16] => {
            Range::Metadata
        }
        [192, 0, 0, 192] => Range::Metadata,
        [0, 0, 0, 0] => Range::Unspecified,
        [0, ..] => Range::Reserved,
        [127, ..] => Range::Loopback,
        [169, 254, ..] => Range::LinkLocal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Range::Private,
        [100, 64..=127, ..] => Range::CarrierNat,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Range::Documentation,
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] => Range::Reserved,
        [224..=239, ..] => Range::Multicast,
        [255, 255, 255, 255] => Range::Broadcast,
        [240..=255, ..] => Range::Reserved,
        _ => return None,
    };
    Some(range)
}

fn refused_v6(address: Ipv6Addr) -> Option<Range> {
    let segments = address.segments();
    let range = match segments {
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, _] | [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254] => Range::Metadata,
        [0, 0, 0, 0, 0, 0, 0, 0] => Range::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Range::Loopback,
        [0xff00..=0xffff, ..] => Range::Multicast,
        [0xfe80..=0xfebf, ..] => Range::LinkLocal,
        [0xfec0..=0xfeff, ..] | [0xfc00..=0xfdff, ..] => Range::UniqueLocal,
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Range::Documentation,
        // Teredo, ORCHID, benchmarks and what else 2001::/23 holds; 100::/64 discards.
        [0x2001, 0..=0x01ff, ..] | [0x0100, 0, 0, 0, ..] | [0x5f00, ..] => Range::Reserved,
        // NAT64 of a network's own (64:ff9b:1::/48): what is behind it cannot be known from here.
        [0x0064, 0xff9b, 1, ..] => Range::Reserved,
        // Only 2000::/3 is given out to anyone.
        [0x2000..=0x3fff, ..] => return None,
        _ => Range::Reserved,
    };
    Some(range)
}

/// The IPv4 address within a mapped (`::ffff:a.b.c.d`), translated (`::ffff:0:a.b.c.d`), compatible (`::a.b.c.d`),
/// 6to4 (`2002::/16`) or NAT64 (`64:ff9b::/96`) address.
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0, 0, 0, 0, 0, 0, high, low]
        | [0x0064, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_be_reached_is_known_however_it_is_written() {
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "[::ffff:169.254.169.254]",
            "::ffff:a9fe:a9fe",
            "fd00:ec2::254",
            "metadata.google.internal",
            "Metadata.Google.Internal.",
            "100.100.100.200",
        ] {
            assert_eq!(never_allowed(host), Some(Range::Metadata), "{host}");
        }
        for (host, range) in [
            ("169.254.1.1", Range::LinkLocal),
            ("fe80::1", Range::LinkLocal),
            ("0.0.0.0", Range::Unspecified),
            ("[::]", Range::Unspecified),
            ("224.0.0.1", Range::Multicast),
            ("255.255.255.255", Range::Broadcast),
        ] {
            assert_eq!(never_allowed(host), Some(range), "{host}");
        }
        for host in
            ["127.0.0.1", "10.0.0.1", "fd00::1", "192.0.2.1", "mail.example.com", "sandbox", "8.8.8.8"]
        {
            assert_eq!(never_allowed(host), None, "{host}");
        }
    }
}
