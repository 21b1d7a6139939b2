//! The store for many replicas: one PostgreSQL database, one schema a tenant.
//!
//! Nothing that writes leaves a transaction open while it waits for this process: a stopped process holds no lock.

mod address;
mod connect;
mod customers;
mod database;
mod error;
mod exclusive;
mod hosts;
mod ledger;
mod migrate;
mod pace;
mod pool;
mod pooling;
mod session;
mod settings;
mod socket;
mod timeline;

pub use address::{DatabaseAddressError, PostgresAddress};
pub use customers::PostgresCustomers;
pub use database::{PostgresDatabase, PostgresOpenError, Tenant, TenantError};
pub use ledger::PostgresLedger;
