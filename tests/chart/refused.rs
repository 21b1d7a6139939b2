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

#[test]
fn the_chart_has_no_complaints_of_its_own() {
    let linted = helm(&["lint", "--strict", &crate::cluster::file("charts/fanfare")]);
    assert!(linted.is_ok(), "{linted:?}");
}
