//! The independent checker: proves promises 1 to 3 and both equations from what is on disk.
//!
//! Invariant: it reads the sandbox's record and the database with its own SQL, and takes the driver's word only for what the
//! driver was answered (`claims`). It uses none of the product's code but the record's format.
//!
//! Every message says by itself whose it is: the manifests of these tests put a [`Mark`] into every content.

#![allow(dead_code, unused_imports, reason = "each test uses its part of the checker")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod check;
mod claims;
mod deliveries;
mod ledger;
mod mark;
mod messages;
pub mod planted;
mod postgres;
mod record;
mod stake;

pub use check::{Kind, Violation, check};
pub use claims::{Claims, Story};
pub use ledger::{FAILED, HELD, Ledger, SENT};
pub use mark::Mark;
pub use record::{Record, Taken};
pub use stake::say_what_was_at_stake;
