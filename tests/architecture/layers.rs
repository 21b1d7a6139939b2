//! Which module may know which: the table of ARCHITECTURE.md, enforced.

use syn::visit::{self, Visit};

use crate::mentions;
use crate::source::Source;

/// What one layer, or a folder within one, must not mention outside its tests, and what to do instead.
struct Layer {
    name: &'static str,
    forbidden: &'static [&'static str],
    instead: &'static str,
}

const LAYERS: &[Layer] = &[
    Layer {
        name: "api",
        forbidden: &[
            "axum",
            "hyper",
            "rusqlite",
            "tokio_postgres",
            "tokio",
            "minijinja",
            "std::fs",
            "std::net",
            "std::env",
            "crate::channels",
            "crate::cli",
            "crate::compile",
            "crate::domain",
            "crate::manifests",
            "crate::runtime",
            "crate::sandbox",
            "crate::store",
            "crate::telemetry",
            "crate::track",
        ],
        instead: "the kinds are plain data that anyone may read: put behaviour into compile or domain",
    },
    Layer {
        name: "domain",
        forbidden: &[
            "axum",
            "hyper",
            "k8s_openapi",
            "kube",
            "rusqlite",
            "schemars",
            "tokio_postgres",
            "tokio",
            "std::env",
            "std::fs",
            "std::net",
            "std::process",
            "std::thread",
            "std::time::SystemTime",
            "std::time::Instant",
            "crate::api",
            "crate::channels",
            "crate::cli",
            "crate::compile",
            "crate::manifests",
            "crate::runtime",
            "crate::sandbox",
            "crate::store",
            "crate::telemetry",
            "crate::track",
        ],
        instead: "the domain decides from its arguments: let the caller read, wait or look at the clock and pass the value in",
    },
    Layer {
        name: "manifests",
        forbidden: &[
            "axum",
            "hyper",
            "rusqlite",
            "tokio_postgres",
            "tokio",
            "crate::channels",
            "crate::cli",
            "crate::runtime",
            "crate::sandbox",
            "crate::store",
            "crate::track",
        ],
        instead: "manifests turns text into kinds; what they mean is compile's, what is done with them the runtime's",
    },
    Layer {
        name: "compile",
        forbidden: &[
            "axum",
            "hyper",
            "rusqlite",
            "tokio_postgres",
            "tokio",
            "std::env",
            "std::fs",
            "std::net",
            "std::process",
            "std::thread",
            "std::time::SystemTime",
            "std::time::Instant",
            "crate::channels",
            "crate::cli",
            "crate::runtime",
            "crate::sandbox",
            "crate::store",
            "crate::telemetry",
            "crate::track",
        ],
        instead: "compile makes a snapshot of what it is given: let the caller read files and pass their content in",
    },
    Layer {
        name: "store",
        forbidden: &[
            "axum",
            "hyper",
            "k8s_openapi",
            "kube",
            "minijinja",
            "crate::api",
            "crate::channels",
            "crate::cli",
            "crate::compile",
            "crate::manifests",
            "crate::runtime",
            "crate::sandbox",
            "crate::track",
        ],
        instead: "a store keeps and finds: give it the domain's types and let its caller decide",
    },
    Layer {
        name: "channels",
        forbidden: &[
            "axum",
            "rusqlite",
            "tokio_postgres",
            "crate::cli",
            "crate::runtime",
            "crate::sandbox",
            "crate::store",
            "crate::track",
        ],
        instead: "a channel makes one attempt and says what came of it; keeping and repeating are dispatch's",
    },
    Layer {
        name: "track",
        forbidden: &["rusqlite", "tokio_postgres", "crate::cli", "crate::channels", "crate::sandbox"],
        instead: "SQL belongs into store, what a person types into cli",
    },
    Layer {
        name: "runtime",
        forbidden: &[
            "rusqlite",
            "tokio_postgres",
            "clap",
            "comfy_table",
            "indicatif",
            "crate::cli",
            "crate::sandbox",
        ],
        instead: "SQL belongs into store, what a person types or sees in a terminal into cli",
    },
    Layer {
        name: "runtime/engine/live",
        forbidden: &[
            "crate::runtime::engine::dispatch",
            "crate::runtime::engine::run",
            "crate::runtime::engine::versions",
        ],
        instead: "run and dispatch share what is under way: it knows neither",
    },
    Layer {
        name: "runtime/engine/dispatch",
        forbidden: &["crate::runtime::engine::run", "crate::runtime::engine::versions"],
        instead: "a dispatcher reports to the chunk (engine/live) and never to the scheduler",
    },
    Layer {
        name: "runtime/engine/versions",
        forbidden: &["crate::runtime::engine::dispatch", "crate::runtime::engine::run"],
        instead: "a version binds scenarios to calls; what is done with them is the run's",
    },
    Layer {
        name: "runtime/engine",
        forbidden: &[
            "axum",
            "hyper",
            "kube",
            "crate::runtime::cluster",
            "crate::runtime::configuration",
            "crate::runtime::http",
            "crate::runtime::process",
        ],
        instead: "the engine is started by runtime/process and asked through its Control: it knows no caller",
    },
    Layer {
        name: "runtime/http",
        forbidden: &["kube", "crate::runtime::cluster", "crate::runtime::process"],
        instead: "requests are answered from what is in force and from the store, in a cluster as anywhere",
    },
    Layer {
        name: "runtime/cluster",
        forbidden: &[
            "crate::runtime::engine::run",
            "crate::runtime::http::ingest",
            "crate::runtime::http::server",
        ],
        instead: "it brings configuration from the API server and reports; it serves and sends nothing",
    },
    Layer {
        name: "operator",
        forbidden: &[
            "rusqlite",
            "tokio_postgres",
            "clap",
            "crate::channels",
            "crate::cli",
            "crate::manifests",
            "crate::runtime",
            "crate::sandbox",
            "crate::store",
            "crate::track",
        ],
        instead: "the operator knows replicas by what they report and the store not at all: share words through domain or compile",
    },
    Layer {
        name: "sandbox",
        forbidden: &[
            "rusqlite",
            "tokio_postgres",
            "crate::api",
            "crate::channels",
            "crate::cli",
            "crate::compile",
            "crate::manifests",
            "crate::runtime",
            "crate::store",
            "crate::track",
        ],
        instead: "the sandbox is the witness against the runtime: it must share no code with what it judges",
    },
    Layer {
        name: "telemetry",
        forbidden: &[
            "rusqlite",
            "tokio_postgres",
            "crate::channels",
            "crate::cli",
            "crate::runtime",
            "crate::sandbox",
            "crate::track",
        ],
        instead: "telemetry is told what to count and to log; it looks at nobody",
    },
    Layer {
        name: "listen",
        forbidden: &["axum", "hyper", "k8s_openapi", "kube", "rusqlite", "tokio_postgres", "clap", "crate"],
        instead: "it makes a listener of an address and knows nobody: what is served there is its caller's",
    },
    Layer {
        name: "problem_details",
        forbidden: &["axum", "hyper", "k8s_openapi", "kube", "rusqlite", "tokio_postgres", "clap", "crate"],
        instead: "it writes an answer: which request is refused, and why, is its caller's to say",
    },
    Layer {
        name: "causes",
        forbidden: &["axum", "hyper", "rusqlite", "tokio_postgres", "clap", "crate"],
        instead: "it puts errors of libraries into words and knows nobody: what to do about one is its caller's to say",
    },
    Layer {
        name: "cluster_watch",
        forbidden: &[
            "axum",
            "hyper",
            "k8s_openapi",
            "rusqlite",
            "tokio_postgres",
            "clap",
            "crate::api",
            "crate::channels",
            "crate::cli",
            "crate::compile",
            "crate::manifests",
            "crate::operator",
            "crate::runtime",
            "crate::sandbox",
            "crate::store",
            "crate::track",
        ],
        instead: "it watches any kind of object; which kind, and what follows from a change, is its caller's",
    },
    Layer {
        name: "cli",
        forbidden: &["rusqlite", "tokio_postgres", "minijinja"],
        instead: "a command parses, calls the library and prints: put the work into the library",
    },
];

/// Reading the clock by any of its names.
const CLOCKS: &[&str] = &["Timestamp::now", "Zoned::now", "SystemTime::now", "Instant::now"];
const WITHOUT_CLOCK: &[&str] = &["api", "domain", "compile"];

/// What a file mentions and its layer, or a part of one that it is in, must not know.
pub fn check(source: &Source) -> Vec<String> {
    let layers = LAYERS.iter().filter(|layer| is_in(source, layer.name));
    let mentions = mentions::of(source);
    let mut found: Vec<String> = layers
        .flat_map(|layer| {
            let forbidden = mentions.iter().filter(|mention| is_forbidden(layer, &mention.path));
            forbidden.map(|m| format!("{}:{} mentions {}: {}", source.path, m.line, m.path, layer.instead))
        })
        .collect();
    found.dedup();
    found
}

/// Whether a file is the module of this name, or within it.
fn is_in(source: &Source, module: &str) -> bool {
    source.path == format!("src/{module}.rs") || source.path.starts_with(&format!("src/{module}/"))
}

fn is_forbidden(layer: &Layer, path: &str) -> bool {
    let below = |forbidden: &&str| path == *forbidden || path.starts_with(&format!("{forbidden}::"));
    let clock = |clock: &&str| path == *clock || path.ends_with(&format!("::{clock}"));
    layer.forbidden.iter().any(below) || (WITHOUT_CLOCK.contains(&layer.name) && CLOCKS.iter().any(clock))
}

/// Modules of the library that the table does not know.
pub fn unlisted(sources: &[Source]) -> Vec<String> {
    let mut found: Vec<String> = sources
        .iter()
        .filter_map(Source::layer)
        .filter(|name| LAYERS.iter().all(|layer| layer.name != name))
        .map(|name| {
            format!("src/{name}: add a row to tests/architecture/layers.rs saying what it must not know")
        })
        .collect();
    found.dedup();
    found
}

/// Files of the kinds that do more than hold data, and why they may.
const KINDS_WITH_BEHAVIOUR: &[(&str, &str)] =
    &[("src/api/definitions.rs", "assembles the definitions that `fanfare crds` prints")];

/// Functions among the kinds that are more than one plain expression, such as a default.
pub fn check_kinds(source: &Source) -> Vec<String> {
    let excepted = KINDS_WITH_BEHAVIOUR.iter().any(|(path, _)| *path == source.path);
    if source.layer().as_deref() != Some("api") || source.is_test() || excepted {
        return Vec::new();
    }
    let mut bodies = Bodies { path: &source.path, found: Vec::new() };
    bodies.visit_file(&source.syntax);
    bodies.found
}

struct Bodies<'a> {
    path: &'a str,
    found: Vec<String>,
}

impl<'ast> Visit<'ast> for Bodies<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !crate::source::only_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.judge(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.judge(&item.sig, &item.block);
    }
}

impl Bodies<'_> {
    fn judge(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let plain = match body.stmts.as_slice() {
            [syn::Stmt::Expr(expression, None)] => !matches!(
                expression,
                syn::Expr::If(_) | syn::Expr::Match(_) | syn::Expr::ForLoop(_) | syn::Expr::While(_)
            ),
            [syn::Stmt::Macro(_)] => true,
            _ => false,
        };
        if !plain {
            let (line, name) = (signature.ident.span().start().line, &signature.ident);
            self.found.push(format!(
                "{}:{line} {name}() decides something: move it to compile or domain",
                self.path
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caught(path: &str, text: &str) -> bool {
        !check(&Source::parse(path, text)).is_empty()
    }

    #[test]
    fn a_planted_import_is_caught() {
        assert!(caught("src/domain/x.rs", "use tokio::sync::mpsc;"));
        assert!(caught("src/runtime/engine/dispatch/x.rs", "use crate::runtime::engine::run::RunScheduler;"));
        assert!(caught("src/runtime/engine/run/x.rs", "use crate::runtime::http::app::App;"));
        assert!(caught("src/domain/x.rs", "fn f() -> jiff::Timestamp { jiff::Timestamp::now() }"));
        assert!(caught("src/domain/x.rs", "use jiff::Timestamp; fn f() { Timestamp::now(); }"));
        assert!(caught("src/compile/x.rs", "fn f() { std::fs::read(\"x\"); }"));
        assert!(caught("src/runtime/x/y.rs", "use super::super::super::cli::run;"));
        assert!(caught("src/store/mod.rs", "use axum::Router;"));
    }

    #[test]
    fn what_is_allowed_passes() {
        assert!(!caught("src/runtime/x.rs", "use tokio::sync::mpsc; use crate::store::calls;"));
        assert!(!caught("src/domain/x.rs", "use crate::domain::name::CallId; use std::time::Duration;"));
        assert!(!caught("src/domain/x.rs", "use tokio_like::x;"));
    }

    #[test]
    fn a_kind_that_decides_is_caught() {
        let caught = |text| !check_kinds(&Source::parse("src/api/x.rs", text)).is_empty();
        assert!(caught("impl X { fn f(&self) -> u8 { if self.a { 1 } else { 2 } } }"));
        assert!(caught("fn f() -> u8 { let a = 1; a }"));
        assert!(!caught("fn yes() -> bool { true }"));
    }

    #[test]
    fn a_module_without_a_row_is_caught() {
        assert_eq!(unlisted(&[Source::parse("src/nowhere/mod.rs", "")]).len(), 1);
    }
}
