//! Expressions: each is read as a whole, and compiling or evaluating one never panics.

#![no_main]

mod whole_text;

use std::collections::BTreeMap;

use fanfare::domain::expression::{Condition, Declared, Expression, Form, Place, Scope, TriggerScope};
use fanfare::domain::value::Kind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    whole_text::check(text, Form::Expression);
    let declared = |kind, word| Declared { kind, word };
    let parameters = BTreeMap::from([
        ("line".to_owned(), declared(Kind::Text, "string")),
        ("delay".to_owned(), declared(Kind::Number, "integer")),
        ("until".to_owned(), declared(Kind::Timestamp, "timestamp")),
        ("stations".to_owned(), declared(Kind::List, "list")),
        ("valid-until".to_owned(), declared(Kind::Text, "string")),
    ]);
    let trigger = TriggerScope { name: "trains".into(), parameters, is_missing: false };
    for place in [Place::Trigger, Place::Customer, Place::Request, Place::Element, Place::Admission] {
        let scope = Scope { place, triggers: vec![trigger.clone()], local: Default::default() };
        let _read_or_refused = Condition::compile(text, &scope);
        let _read_or_refused = Expression::compile(text, &scope);
    }
});
