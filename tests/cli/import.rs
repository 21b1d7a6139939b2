//! Files with bad lines, and large ones.

use std::fmt::Write as _;

use serde_json::json;

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
    let file = example.file("customers.xlsx", "ann\n");
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
    let [customers, part, events] = &shown("json")[..] else { panic!("three files of JSON") };
    let lines = example.file("customers.ndjson", customers);
    assert_eq!(example.run(&["import", "customers", &lines]).code(0).out, "2 customers imported\n");
    assert_eq!((&customer("C-1")["age"], customer("C-1").get("vip")), (&42.into(), None));
    let lines = example.file("part.ndjson", part);
    assert_eq!(example.run(&["import", "customers", &lines]).code(0).out, "1 customer imported\n");
    assert_eq!(customer("C-3")["address"], json!({"city": "Olean", "zip": "14760"}));
    let lines = example.file("events.ndjson", events);
    assert_eq!(example.run(&["import", "events", &lines]).code(0).out, "2 events imported\n");
}

#[test]
fn a_dotted_column_and_merge_change_a_part_and_an_object_replaces_the_whole() {
    changes_parts(&Example::start());
}

#[test]
fn a_dotted_column_and_merge_change_a_part_on_postgres() {
    changes_parts(&Example::start_on_postgres());
}

fn changes_parts(example: &Example) {
    let address = || {
        example.run(&["customers", "get", "C-1", "-o", "json"]).code(0).json()["attributes"]["address"]
            .clone()
    };
    let import = |name: &str, text: &str| {
        let file = example.file(name, text);
        example.run(&["import", "customers", &file]).code(0)
    };
    import(
        "new.ndjson",
        r#"{"ids": {"registered": "C-1"}, "attributes": {"address": {"city": "Brno", "zip": "60200"}}}"#,
    );
    import("city.csv", "registered,address.city\nC-1,Olean\n");
    assert_eq!(address(), json!({"city": "Olean", "zip": "60200"}));
    import(
        "part.ndjson",
        r#"{"ids": {"registered": "C-1"}, "merge": {"address": {"zip": null, "at": {"x": 1}}}}"#,
    );
    assert_eq!(address(), json!({"city": "Olean", "at": {"x": 1}}));
    import("whole.ndjson", r#"{"ids": {"registered": "C-1"}, "attributes": {"address": {"zip": "1"}}}"#);
    assert_eq!(address(), json!({"zip": "1"}));
}

#[test]
fn a_customer_whom_several_lines_are_about_is_counted_once() {
    let example = Example::start();
    let file = example.file("twice.csv", "registered,city\nC-1,Olean\n C-1 ,Albion\nC-2,Warsaw\n");
    assert_eq!(example.run(&["import", "customers", &file]).code(0).out, "2 customers of 3 lines imported\n");
    let told = example.run(&["import", "customers", &file, "-o", "json"]).code(0).json();
    assert_eq!((&told["imported"], &told["lines"]), (&json!(2), &json!(3)));
    let one = example.run(&["customers", "get", "C-1", "-o", "json"]).code(0).json();
    assert_eq!(one["attributes"]["city"], "Albion");
}

#[test]
fn a_file_says_what_it_is_or_its_importer_does() {
    let example = Example::start();
    let path = example.file("bars.csv", "");
    std::fs::write(&path, b"registered^name^consents.sms\nC-1^Zo\xeb^YES\n").unwrap();
    let refused = example.run(&["import", "customers", &path]).code(1).err;
    assert!(refused.contains("--delimiter"), "{refused}");
    let import = ["import", "customers", &path, "--delimiter", "^", "--encoding", "windows-1252"];
    assert_eq!(example.run(&import).code(0).out, "1 customer imported\n");
    let shown = example.run(&["customers", "get", "C-1", "-o", "json"]).code(0).json();
    assert_eq!((&shown["attributes"]["name"], &shown["consents"]["sms"]), (&json!("Zoë"), &json!(true)));
    example.run(&["import", "customers", &path, "--encoding", "klingon"]).code(2);
    example.run(&["import", "customers", &path, "--delimiter", ";;"]).code(2);
}
