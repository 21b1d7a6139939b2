//! Generated credentials and the keyring made of them.
//!
//! In `dev` they are kept in the data folder; in a cluster the operator keeps them in Secrets. Both are turned into
//! the same keyring of digests, which is all that requests are held against.

mod file;
mod keyring;

pub use file::{CredentialFile, CredentialFileError, Pair};
pub use keyring::{Known, keyring};
