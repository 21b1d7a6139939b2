//! Wrong values are refused before anything is changed, in words that name the value.

use crate::helm::{helm, template_text};

#[test]
fn wrong_values_are_named() {
    for (values, words) in [
        ("{replica: 2}", "additional properties 'replica' not allowed"),
        ("{replicas: two}", "at '/replicas': got string, want integer"),
        ("{replicas: 11}", "at '/replicas': maximum: got 11, want 10"),
        ("{image: {tagg: x}}", "at '/image': additional properties 'tagg' not allowed"),
        ("{image: {digest: 0123}}", "at '/image/digest'"),
        ("{image: {pullPolicy: Sometimes}}", "at '/image/pullPolicy': value must be one of"),
        ("{watchNamespaces: shop}", "at '/watchNamespaces': got string, want array"),
        ("{watchNamespaces: [Shop]}", "at '/watchNamespaces/0': 'Shop' does not match pattern"),
        ("{runtime: {memory: 512MB}}", "at '/runtime/memory': '512MB' does not match pattern"),
        ("{watchNamespaces: [a.b]}", "at '/watchNamespaces/0': 'a.b' does not match pattern"),
        ("{fullnameOverride: a.b}", "at '/fullnameOverride': 'a.b' does not match pattern"),
        ("{fullnameOverride: 2b}", "at '/fullnameOverride': '2b' does not match pattern"),
        ("{serviceAccount: {name: a..b}}", "at '/serviceAccount/name': 'a..b' does not match pattern"),
        ("{runtime: {adminPort: 8080}}", "at '/runtime/adminPort': 'not' failed"),
        ("{runtime: {adminPort: 8081}}", "at '/runtime/adminPort': 'not' failed"),
        ("{adminPort: 80}", "at '/adminPort': minimum: got 80, want 1,024"),
        ("{monitoring: {interval: often}}", "at '/monitoring/interval'"),
        ("{resources: {limits: {memory: lots}}}", "at '/resources/limits/memory'"),
        (
            "{egress: {allow: [10.20.0.0]}}",
            "egress.allow: \"10.20.0.0\" is not a network; write it as 10.20.0.0/16",
        ),
        ("{egress: {deny: [mail/relay]}}", "egress.deny: \"mail/relay\" is not a network"),
        ("{egress: {deny: [everything]}}", "egress.deny: \"everything\" is not a network"),
        (
            "{networkPolicy: {enabled: true, apiServerCidrs: [x]}}",
            "networkPolicy.apiServerCidrs: \"x\" is not",
        ),
        ("{replicas: 2, leaderElection: false}", "replicas is more than 1, which needs leaderElection: true"),
    ] {
        let refused = template_text(values).expect_err(values);
        assert!(refused.contains(words), "{values}: {refused}");
    }
}

/// What the operator would not read never gets to it, and what it reads does.
#[test]
fn networks_are_those_that_the_operator_reads() {
    let reads = |text: &str| text.parse::<ipnet::IpNet>().is_ok();
    let good = [
        "0.0.0.0/0",
        "10.20.0.0/16",
        "255.250.199.9/32",
        "::/0",
        "fd00:20::/64",
        "fd00::1:2/128",
        "1:2:3:4:5:6:7:8/99",
        "1:2:3:4:5:6:7::/119",
        "::2:3:4:5:6:7:8/100",
        "a:b::C:d:e:f:1/127",
    ];
    assert!(good.into_iter().all(reads));
    let services = ["mail/relay", "10/relay", "10-0-0-1/relay-2"];
    let allow = [&good[..], &services].concat();
    template_text(&format!("{{egress: {{allow: {allow:?}, deny: {good:?}}}}}")).unwrap();
    for wrong in [
        "300.0.0.0/8",
        "10.0.0.256/8",
        "10.0.0/8",
        "10.0.0.0/33",
        "::/999",
        "::/129",
        "fd00:::/8",
        "1::2::3/64",
        "1:2:3:4:5:6:7/64",
        "1:2:3:4:5:6:7:8:9/64",
        "fd00::12345/64",
        "10.0.0.0/8 ",
    ] {
        assert!(!reads(wrong), "{wrong}");
        is_refused(wrong);
    }
    // Read by some, and by some as octal numbers.
    is_refused("010.0.0.0/8");
    is_refused("10.0.0.0/08");
}

#[track_caller]
fn is_refused(network: &str) {
    let refused = template_text(&format!("{{egress: {{allow: [{network:?}]}}}}")).expect_err(network);
    assert!(refused.contains(&format!("egress.allow: {network:?} is not a network")), "{refused}");
}

#[test]
fn the_chart_has_no_complaints_of_its_own() {
    let linted = helm(&["lint", "--strict", &crate::cluster::file("charts/fanfare")]);
    assert!(linted.is_ok(), "{linted:?}");
}
