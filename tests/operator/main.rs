//! The operator and runtimes as processes of their own, under their own accounts, on a real API server with its
//! controllers. What a node would do, starting what Pods ask for, a small kubelet of these tests does with processes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acto;
mod argocd;
#[path = "../store/certificate.rs"]
mod certificate;
mod coherence;
#[allow(dead_code, reason = "the chaos of replicas closes halves of connections too")]
#[path = "../chaos/proxy.rs"]
mod database_proxy;
mod exposure;
mod faults;
mod former;
mod forward_proxy;
mod forwards;
mod gateway;
#[path = "../harness/mod.rs"]
mod harness;
mod installation;
mod interplay;
mod kubelet;
mod leadership;
mod left_out;
mod meddling;
mod numbers;
mod oddities;
mod own_image;
mod paused;
mod plugin;
mod proxy;
#[path = "../telemetry/reference.rs"]
mod reference;
mod restart;
mod rollout;
mod scaling;
mod scene;
mod secrets;
mod serving;
mod stage;
mod stories;
mod tenants;
