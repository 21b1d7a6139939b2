//! Who may do what: credentials as they are presented, and the digests they are held against.
//!
//! Invariant: nothing here can print a secret, and every comparison of one takes the same time.

mod digest;
mod generate;
mod kept;
mod permission;
mod presented;
mod ring;
mod slow;
mod track_scope;

pub use digest::Digest;
pub use generate::{GenerateError, generate_secret, generate_username};
pub use kept::{KeptCredentials, KeptError, Pair};
pub use permission::{KeyPermission, Permissions};
pub use presented::{Presented, PresentedError};
pub use ring::{
    ApiKeyEntry, Caller, CredentialName, Keyring, OpenTo, Rejected, TriggerAccess, normal_origin,
};
pub use slow::SlowDigest;
pub use track_scope::{ProofError, TrackScope};
