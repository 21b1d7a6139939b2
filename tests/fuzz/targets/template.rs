//! Templates: each is read as a whole, and compiling one never panics.

#![no_main]

mod whole_text;

use std::collections::BTreeMap;

use fanfare::domain::expression::{Form, Place, Scope};
use fanfare::domain::render::{Escaping, Template};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    whole_text::check(text, Form::Template);
    let scope = Scope::bare(Place::Customer);
    for escaping in [Escaping::None, Escaping::Html, Escaping::Json] {
        let _read_or_refused = Template::compile(text, escaping, &scope, &BTreeMap::new());
    }
});
