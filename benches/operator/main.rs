//! How soon what is applied is served, what a thousand of everything cost, and what the operator does when there is
//! nothing to do: `make bench-operator`. Release build, real API server, processes as in the tests.

#![allow(clippy::unwrap_used, reason = "a bench ends by panicking")]

#[path = "../../tests/store/certificate.rs"]
mod certificate;
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/operator/coherence.rs"]
mod coherence;
#[allow(dead_code, reason = "the bench cuts nothing")]
#[path = "../../tests/operator/forwards.rs"]
mod forwards;
#[path = "../../tests/harness/mod.rs"]
mod harness;
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/operator/kubelet.rs"]
mod kubelet;
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/operator/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "others use the rest of it")]
#[path = "../fanfare/report.rs"]
mod report;
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/operator/stage.rs"]
mod stage;

mod caller;
mod many;
mod rest;
mod soon;
mod town;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        // `cargo test --all-targets` runs this too; there it shows only that it can be built.
        println!("run it by `make bench-operator`");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut report = report::Report::new();
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|named| named == part);
    runtime.block_on(async {
        let town = town::Town::new().await;
        soon::run(&mut report, &town).await;
        if wanted("rest") {
            rest::run(&mut report, &town).await;
        }
        if wanted("many") {
            many::run(&mut report, &town).await;
        }
    });
    report.finish("operator.json");
}
