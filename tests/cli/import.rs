//! Files with bad lines, and large ones.

use std::fmt::Write as _;

use crate::command::Example;

const BAD: &str =
    "registered,city,consents.sms\nann,Buffalo,true\n,Olean,true\nben,Albion,perhaps\ncarla,Warsaw,\n";

#[test]
fn a_bad_line_is_named_and_nothing_is_imported() {
    let example = Example::start();
    let file = example.file("bad.csv", BAD);
    let refused = example.run(&["import", "customers", &file]).code(1);
    assert!(refused.err.contains("bad.csv:3: ") && refused.err.contains("bad.csv:4: "), "{}", refused.err);
    assert!(refused.err.contains("--skip-invalid") && refused.out.is_empty(), "{refused:?}");
    example.run(&["customers", "get", "ann"]).code(1);
}

#[test]
fn bad_lines_are_left_out_on_request_and_still_named() {
    let example = Example::start();
    let file = example.file("bad.csv", BAD);
    let done = example.run(&["import", "customers", &file, "--skip-invalid", "-o", "json"]).code(0);
    assert_eq!((&done.json()["imported"], &done.json()["invalid"]), (&2.into(), &2.into()));
    assert_eq!(done.json()["badLines"][0]["line"], 3);
    example.run(&["customers", "get", "carla"]).code(0);
}

#[test]
fn a_file_of_many_batches_arrives_whole() {
    let example = Example::start();
    let mut lines = String::new();
    for n in 0..2_500 {
        writeln!(lines, r#"{{"ids": {{"registered": "c{n}"}}, "attributes": {{"n": {n}}}}}"#).unwrap();
    }
    let file = example.file("many.ndjson", &lines);
    assert_eq!(example.run(&["import", "customers", &file]).code(0).out, "2500 customers imported\n");
    let last = example.run(&["customers", "get", "c2499", "-o", "json"]).code(0).json();
    assert_eq!(last["attributes"]["n"], 2499);
}

#[test]
fn a_file_of_another_kind_is_named() {
    let example = Example::start();
    let file = example.file("customers.txt", "ann\n");
    let refused = example.run(&["import", "customers", &file]).code(1);
    assert!(refused.err.contains(".ndjson"), "{}", refused.err);
}

/// What docs/import-customers.md shows in blocks of this kind, in their order.
fn shown(kind: &str) -> Vec<String> {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/import-customers.md")).unwrap();
    let begin = format!("```{kind}\n");
    let blocks = page.split(&begin).skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_files_on_the_page_are_imported_as_it_says() {
    let example = Example::start();
    let csv = example.file("customers.csv", &shown("csv")[0]);
    assert_eq!(example.run(&["import", "customers", &csv]).code(0).out, "2 customers imported\n");
    let customer = |id: &str| {
        example.run(&["customers", "get", id, "--output", "json"]).code(0).json()["attributes"].clone()
    };
    let ann = customer("C-1");
    assert_eq!((&ann["age"], &ann["vip"], &ann["tags"][1]), (&41.into(), &true.into(), &"car".into()));
    assert_eq!(ann["address"]["city"], "Buffalo");
    let [customers, events] = &shown("json")[..] else { panic!("two files of JSON") };
    let lines = example.file("customers.ndjson", customers);
    assert_eq!(example.run(&["import", "customers", &lines]).code(0).out, "2 customers imported\n");
    assert_eq!((&customer("C-1")["age"], customer("C-1").get("vip")), (&42.into(), None));
    let lines = example.file("events.ndjson", events);
    assert_eq!(example.run(&["import", "events", &lines]).code(0).out, "2 events imported\n");
}
