//! Reads folders and streams of manifests the way kubectl does, keeping the place of every value.
//!
//! Invariant: reading and checking only; what a manifest means is decided in `compile`.
//!
//! [`read_folder`] and [`read_stream`] give [`Manifests`]; [`check`] gives the verdict the API server would give.

mod alignment;
mod cel;
mod core_kinds;
mod diagnostic;
mod documents;
mod edges;
mod folder;
mod in_force;
mod list_types;
mod manifest;
mod metadata;
pub mod path;
mod places;
mod prepare;
mod scalar;
mod schema;
mod source;
mod syntax_hint;
mod tree;
mod unknown;
mod value;
mod verdict;

#[cfg(test)]
mod tests;

pub use diagnostic::{Diagnostic, DiagnosticSeverity};
pub use folder::{ReadError, is_read_from, read_folder, read_stream};
pub use manifest::{Manifest, Manifests};
pub use places::Places;
pub use source::{Source, SourcePlace, Style};
pub use verdict::check;
