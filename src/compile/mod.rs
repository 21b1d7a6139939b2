//! Turns manifests into an immutable snapshot that can run, or says precisely why it cannot.
//!
//! Invariant: pure; the operator, the runtime, `dev` and `validate` all call this same code.
