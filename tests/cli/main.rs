//! The client commands as a person and a script use them: the real binary against a running `fanfare dev`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod accepted;
mod backup;
mod command;
mod greedy;
mod import;
mod pages;
mod phone_numbers;
mod refusals;
mod reload;
mod retention;
mod stop;
mod typed;
mod weather;
mod weather_alerts;
