//! Files of customers and events, good and bad.

use std::path::Path;

use fanfare::track::import::{ImportError, ImportLines, read_customers, read_events};
use fanfare::track::line::{customer_to_json, event_to_json};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// Each line's number and what it says, or what is wrong with it.
fn read<T>(lines: ImportLines<T>, say: impl Fn(&T) -> Json) -> Vec<(u64, Result<Json, String>)> {
    let line = |line: fanfare::track::import::ImportLine<T>| {
        (line.number, line.write.map(|write| say(&write)).map_err(|error| error.to_string()))
    };
    lines.map(|it| line(it.unwrap())).collect()
}

fn customers(name: &str, content: &[u8]) -> Vec<(u64, Result<Json, String>)> {
    let (_folder, path) = file(name, content);
    read(read_customers(&path).unwrap(), customer_to_json)
}

#[test]
fn csv_cells_are_text_unless_the_header_says_otherwise() {
    let csv = "registered,postcode,age:number,vip:boolean,address.city,consents.sms,ids.cookie\n\
               ann,01234,41,true,\"Brno, CZ\",true,c1\n\
               bob,60200,,,,,\n\
               cid,1,x,true,,,\n\
               dan,1\n\
               ,1,2,true,,,\n\
               eve,1,2,yes,,maybe,\n";
    let lines = customers("c.csv", csv.as_bytes());
    let ann = json!({"ids": {"registered": "ann", "cookie": "c1"}, "consents": {"sms": true},
        "attributes": {"postcode": "01234", "age": 41, "vip": true, "address": {"city": "Brno, CZ"}}});
    assert_eq!(lines[0], (2, Ok(ann)));
    let bob = json!({"ids": {"registered": "bob"}, "attributes": {"postcode": "60200"}, "consents": {}});
    assert_eq!(lines[1], (3, Ok(bob)));
    assert_eq!(lines[2], (4, Err("age:number is \"x\", which is no number".into())));
    assert_eq!(lines[3], (5, Err("not a line of this CSV file: it has 2 cells, the header 7".into())));
    assert!(lines[4].1.as_ref().unwrap_err().starts_with("ids.registered is missing"));
    assert_eq!((lines[5].0, lines[5].1.is_err(), lines.len()), (7, true, 6));
}

#[test]
fn a_csv_without_a_usable_header_is_refused() {
    for header in ["name,city", "registered,age:int", "registered,age,age:number", ""] {
        let (_folder, path) = file("c.csv", format!("{header}\nann,1\n").as_bytes());
        assert!(matches!(read_customers(&path), Err(ImportError::Header { .. })), "{header}");
    }
}

/// What is read before a file is given up, and why it is.
fn given_up(content: &[u8]) -> (Vec<u64>, String) {
    let (_folder, path) = file("c.csv", content);
    let (mut read, mut error) = (Vec::new(), None);
    for line in read_customers(&path).unwrap() {
        match line {
            Ok(line) => read.push(line.number),
            Err(why) => error = Some(why.to_string()),
        }
    }
    let folder = path.parent().unwrap().display().to_string() + "/";
    (read, error.unwrap_or_default().replace(&folder, ""))
}

#[test]
fn a_quote_that_is_never_closed_loses_nobody_silently() {
    let (read, error) = given_up(b"registered,name\nu0,Zoe\n\"u1\",\"Ann\nu2,Bob\nu3,Cy\n");
    assert!(read.is_empty() || read == [2], "{read:?}");
    assert!(error.starts_with("c.csv:3: a quote opens here and is never closed"), "{error}");
    let closed = b"\xef\xbb\xbf\"registered\",name\r\nu1,\"An\"\"n\nB\"\r\nu2,5\" disk\r\n\r\nu3,\"Cy\"";
    let lines = customers("c.csv", closed);
    let names: Vec<_> =
        lines.iter().map(|(_, line)| line.as_ref().unwrap()["attributes"]["name"].clone()).collect();
    assert_eq!(names, [json!("An\"n\nB"), json!("5\" disk"), json!("Cy")]);
    let numbers: Vec<_> = lines.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [2, 4, 6], "as an editor counts them");
    let (_folder, path) = file("c.csv", b"registered,\"name\nu1,Ann\n");
    let error = read_customers(&path).err().unwrap().to_string();
    assert!(error.contains("c.csv:1: a quote opens here"), "{error}");
}

#[test]
fn a_record_of_a_csv_is_bounded() {
    let mut content = b"registered,name\nu1,Ann\nu2,\"".to_vec();
    content.extend("x\n".repeat(1024 * 1024).into_bytes());
    content.extend(b"\"\nu3,Cy\n");
    let (read, error) = given_up(&content);
    assert_eq!(read, [2]);
    assert!(
        error.starts_with("c.csv:3: the record that begins here is longer than 1048576 bytes"),
        "{error}"
    );
}

#[test]
fn a_column_and_its_parts_cannot_both_be_there() {
    for header in ["address,address.city", "address.city,address:json", "a.b.c:number,x,a.b"] {
        let (_folder, path) = file("c.csv", format!("registered,{header}\n").as_bytes());
        let Err(ImportError::Header { problem, .. }) = read_customers(&path) else { panic!("{header}") };
        let named = header
            .split(',')
            .filter(|name| *name != "x")
            .all(|name| problem.contains(&format!("{:?}", name.split(':').next().unwrap())));
        assert!(named, "{header}: {problem}");
    }
    let (_folder, path) = file("c.csv", b"registered,address.city,address.zip,add,addresses\n");
    assert!(read_customers(&path).is_ok());
}

#[test]
fn a_byte_order_mark_of_ndjson_says_nothing() {
    let lines = customers("c.ndjson", "\u{feff}{\"ids\": {\"registered\": \"ann\"}}\n".as_bytes());
    assert!(lines.len() == 1 && lines[0].1.is_ok(), "{lines:?}");
}

#[test]
fn bad_lines_of_ndjson_are_numbered_and_passed() {
    let mut content =
        b"{\"ids\": {\"registered\": \"ann\"}}\n\n{\"ids\": {\"registered\": 1}}\n\xff\n".to_vec();
    content.extend(vec![b'x'; 2 * 1024 * 1024]);
    content.extend(b"\n{\"ids\": {\"registered\": \"bob\"}}");
    let lines = customers("c.jsonl", &content);
    let verdicts: Vec<_> = lines.iter().map(|(number, line)| (*number, line.is_ok())).collect();
    assert_eq!(verdicts, [(1, true), (3, false), (4, false), (5, false), (6, true)]);
    assert!(lines[3].1.as_ref().unwrap_err().contains("longer than"));
}

#[test]
fn files_of_other_kinds_are_named() {
    let now = Timestamp::UNIX_EPOCH;
    assert!(matches!(read_customers(Path::new("c.xlsx")), Err(ImportError::Format(_))));
    assert!(matches!(read_events(Path::new("e.csv"), now), Err(ImportError::EventsInCsv(_))));
    assert!(matches!(read_customers(Path::new("no-such.csv")), Err(ImportError::Io { .. })));
}

#[test]
fn the_example_is_read_whole_and_its_progress_reaches_the_end() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/weather-alert/data");
    let customers = read_customers(&data.join("customers.csv")).unwrap().map(Result::unwrap);
    let customers: Vec<_> = customers.map(|line| (line.bytes_read, line.write.unwrap())).collect();
    assert_eq!(customers.last().unwrap().0, std::fs::metadata(data.join("customers.csv")).unwrap().len());
    let events = read_events(&data.join("events.ndjson"), Timestamp::UNIX_EPOCH).unwrap();
    let events = read(events, event_to_json);
    assert!(customers.len() > 50 && events.len() > 50 && events.iter().all(|(_, line)| line.is_ok()));
}
