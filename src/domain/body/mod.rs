//! A request's body before anybody knows what it says: unpacked, in UTF-8, and of which media type.
//!
//! The same for triggers, for customers and events, for the rest of the API and for files that are posted.

mod coding;
mod media;
mod text;

pub use coding::{Coding, CodingError, TAKEN_CODINGS, UnpackError};
pub use media::{ContentType, ContentTypeError, Media, is_json_as_form, looks_like_json};
pub use text::{Charset, CharsetError, to_utf8};
