//! What the guard lets through, and what it refuses.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;

use super::*;

/// Gives the first answer once and the second from then on.
struct Changing(Vec<IpAddr>, Vec<IpAddr>, AtomicUsize);

#[async_trait::async_trait]
impl Resolve for Changing {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let first = self.2.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(if first { self.0.clone() } else { self.1.clone() })
    }
}

fn resolving(first: &[&str], then: &[&str]) -> Arc<Changing> {
    let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    Arc::new(Changing(parse(first), parse(then), AtomicUsize::new(0)))
}

fn range_of(address: &str) -> Option<Range> {
    Egress::new(vec![], HostMap::default()).refusal(address.parse().unwrap())
}

#[test]
fn what_is_not_public_is_refused() {
    let cases = [
        (Range::Loopback, &["127.0.0.1", "127.8.9.1", "::1"][..]),
        (Range::LinkLocal, &["169.254.1.1", "fe80::1", "febf::1"]),
        (
            Range::Metadata,
            &["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "fd20:ce::254"],
        ),
        (Range::Private, &["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"]),
        (Range::UniqueLocal, &["fc00::1", "fdff::1", "fec0::1"]),
        (Range::CarrierNat, &["100.64.0.1", "100.127.255.255"]),
        (Range::Multicast, &["224.0.0.1", "239.255.255.255", "ff02::1"]),
        (Range::Unspecified, &["0.0.0.0", "::"]),
        (Range::Broadcast, &["255.255.255.255"]),
        (Range::Documentation, &["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"]),
        (
            Range::Reserved,
            &["0.1.2.3", "240.0.0.1", "198.18.0.1", "192.0.0.1", "2001::1", "100::1", "4000::1"],
        ),
    ];
    for (range, addresses) in cases {
        for address in addresses {
            assert_eq!(range_of(address), Some(range), "{address}");
        }
    }
}

#[test]
fn an_ipv4_address_does_not_hide_in_an_ipv6_one() {
    let wrapped =
        ["::ffff:10.0.0.1", "::ffff:0:10.0.0.1", "::10.0.0.1", "2002:a00:1::1", "64:ff9b::10.0.0.1"];
    for address in wrapped {
        assert_eq!(range_of(address), Some(Range::Private), "{address}");
    }
    assert_eq!(range_of("::ffff:169.254.169.254"), Some(Range::Metadata));
    assert_eq!(range_of("64:ff9b:1::a00:1"), Some(Range::Reserved));
    assert_eq!(range_of("64:ff9b::1.1.1.1"), None);
}

#[test]
fn public_addresses_pass_and_so_does_what_is_allowed() {
    for address in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"] {
        assert_eq!(range_of(address), None, "{address}");
    }
    let allowing = Egress::new(vec!["10.1.0.0/16".parse().unwrap()], HostMap::default());
    assert_eq!(allowing.refusal("10.1.2.3".parse().unwrap()), None);
    assert_eq!(allowing.refusal("::ffff:10.1.2.3".parse().unwrap()), None);
    assert_eq!(allowing.refusal("10.2.0.1".parse().unwrap()), Some(Range::Private));
}

#[tokio::test]
async fn a_refused_name_is_not_dialled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "::1", "[::1]"] {
        let refused = Egress::new(vec![], HostMap::default()).connect(host, port).await.unwrap_err();
        assert!(matches!(refused, EgressError::Refused { range: Range::Loopback, .. }), "{host}: {refused}");
    }
    let waiting = tokio::time::timeout(Duration::from_millis(20), listener.accept());
    assert!(waiting.await.is_err(), "somebody connected");
}

#[tokio::test]
async fn addresses_that_may_not_be_reached_are_passed_over() {
    let mixed =
        Egress::new(vec![], HostMap::default()).with_resolver(resolving(&["10.0.0.1", "1.1.1.1"], &[]));
    assert_eq!(mixed.addresses("mixed.example", 443).await.unwrap(), [([1, 1, 1, 1], 443).into()]);
}

#[tokio::test]
async fn a_name_is_resolved_once_a_connection_and_checked_each_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let resolver = resolving(&["127.0.0.1"], &["10.0.0.1"]);
    let egress = Egress::for_dev(HostMap::default()).with_resolver(resolver.clone());
    egress.connect("rebinding.example", port).await.unwrap();
    assert_eq!(resolver.2.load(Ordering::SeqCst), 1);
    let second = egress.connect("rebinding.example", port).await.unwrap_err();
    assert!(matches!(second, EgressError::Refused { range: Range::Private, .. }), "{second}");
}

#[tokio::test]
async fn a_mapped_name_is_where_the_map_says() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let map = HostMap::parse([format!("sandbox={}", listener.local_addr().unwrap()).as_str()]).unwrap();
    let stream = Egress::new(vec![], map).connect("sandbox", 25).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
    assert!(stream.nodelay().unwrap());
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failed = Egress::for_dev(HostMap::default()).connect("127.0.0.1", free.port()).await.unwrap_err();
    assert!(failed.to_string().contains(&free.to_string()), "{failed}");
}

fn ruled(deny: &[&str], allow: &[&str], rules: Rules) -> Egress {
    let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
    Egress::new(nets(allow), HostMap::default()).with_rules(Rules { deny: nets(deny), ..rules })
}

async fn may(egress: &Egress, host: &str, port: u16) -> Result<(), String> {
    egress.addresses(host, port).await.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn what_is_denied_is_denied_whatever_allows_it_and_however_it_is_written() {
    let egress = ruled(&["10.1.0.0/16", "1.1.1.1/32"], &["10.0.0.0/8"], Rules::default());
    assert_eq!(may(&egress, "10.2.0.1", 443).await, Ok(()));
    for denied in
        ["10.1.2.3", "1.1.1.1", "::ffff:10.1.2.3", "[::ffff:a01:203]", "64:ff9b::1.1.1.1", "2002:a01:203::1"]
    {
        let why = may(&egress, denied, 443).await.unwrap_err();
        assert!(why.contains("never connect"), "{denied}: {why}");
    }
    let map = HostMap::parse(["sandbox=10.1.0.1:25"]).unwrap();
    let rules = Rules { deny: vec!["10.1.0.0/16".parse().unwrap()], ..Rules::default() };
    assert!(may(&Egress::new(vec![], map).with_rules(rules), "sandbox", 25).await.is_err());
}

#[tokio::test]
async fn the_api_server_is_denied_even_as_a_service_of_the_namespace() {
    let rules = Rules {
        api_server: vec!["10.96.0.1:443".parse().unwrap(), "127.0.0.1:6443".parse().unwrap()],
        ..Rules::default()
    };
    rules.services.set(["10.96.0.1".parse().unwrap(), "10.96.0.7".parse().unwrap()]);
    let egress = ruled(&[], &["127.0.0.0/8"], rules);
    assert_eq!(may(&egress, "10.96.0.7", 25).await, Ok(()));
    assert_eq!(may(&egress, "::ffff:10.96.0.7", 25).await, Ok(()));
    for (host, port) in
        [("10.96.0.1", 443), ("10.96.0.1", 80), ("::ffff:10.96.0.1", 443), ("127.0.0.1", 6443)]
    {
        assert!(may(&egress, host, port).await.is_err(), "{host}:{port}");
    }
    assert_eq!(may(&egress, "127.0.0.1", 6444).await, Ok(()), "another listener of this machine");
}

#[tokio::test]
async fn a_service_that_stands_for_a_name_elsewhere_gains_nothing() {
    let rules = Rules::default();
    rules.services.set(["10.96.0.7".parse().unwrap()]);
    let egress = ruled(&[], &[], rules).with_resolver(resolving(&["169.254.169.254"], &["10.96.0.8"]));
    let why = may(&egress, "mail.shop.svc", 80).await.unwrap_err();
    assert!(why.contains("a metadata service"), "{why}");
    let why = may(&egress, "mail.other.svc", 80).await.unwrap_err();
    assert!(why.contains("a private address"), "a Service of another namespace: {why}");
}

#[tokio::test]
async fn a_service_of_another_namespace_is_reached_by_its_full_name_only() {
    let guard = |addresses: &[&str]| {
        let names = vec!["relay.mail.svc.cluster.local".into(), "relay.mail.svc".into()];
        let rules = Rules { names, deny: vec!["10.96.0.1/32".parse().unwrap()], ..Rules::default() };
        let egress = Egress::new(vec![], HostMap::default()).with_rules(rules);
        egress.with_resolver(resolving(addresses, addresses))
    };
    let private = guard(&["10.96.7.7"]);
    for host in ["relay.mail.svc.cluster.local", "relay.mail.svc", "Relay.mail.svc."] {
        assert_eq!(
            private.addresses(host, 25).await.unwrap(),
            [SocketAddr::from(([10, 96, 7, 7], 25))],
            "{host}"
        );
    }
    for host in ["relay.mail", "relay", "other.mail.svc", "10.96.7.7", "relay.mail.svc.example.org"] {
        assert!(matches!(private.addresses(host, 25).await, Err(EgressError::Refused { .. })), "{host}");
    }
    // Whoever owns that Service cannot lead channels to what no Service has, or to what is denied.
    for address in ["127.0.0.1", "169.254.169.254", "169.254.1.1", "::1"] {
        let answer = guard(&[address]).addresses("relay.mail.svc", 25).await;
        assert!(matches!(answer, Err(EgressError::Refused { .. })), "{address}");
    }
    let denied = guard(&["10.96.0.1"]).addresses("relay.mail.svc", 25).await;
    assert!(matches!(denied, Err(EgressError::Denied { .. })));
}
