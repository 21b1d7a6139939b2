//! Pure decisions: what a value means, whether a condition holds, where a journey goes, what a message says.
//!
//! Invariant: no I/O, no clock but an argument; nothing here imports kube, axum, SQL or tokio.

pub mod acceptance;
pub mod address_range;
pub mod admission;
pub mod backoff;
pub mod body;
pub mod concurrency;
pub mod content;
pub mod crashes;
pub mod credentials;
pub mod customer;
pub mod database_ports;
pub mod delivery;
pub mod duration;
pub mod egress_target;
pub mod ends;
pub mod expression;
pub mod flow;
pub mod guessing;
pub mod hindrance;
pub mod index_filling;
pub mod jinja;
pub mod left_out;
pub mod local_defaults;
pub mod mail_address;
pub mod name;
pub mod params;
pub mod pause;
pub mod permit;
pub mod phone;
pub mod quantity;
pub mod rate_window;
pub mod refusal;
pub mod render;
pub mod replica_report;
pub mod retention;
pub mod run_counts;
pub mod secret;
pub mod selection;
pub mod sms;
pub mod state;
pub mod time_budget;
pub mod trace;
pub mod transition;
pub mod value;
