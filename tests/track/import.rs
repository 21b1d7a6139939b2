//! Files of customers and events, good and bad.

use std::path::Path;

use fanfare::track::import::{FileOptions, ImportError, ImportLines, read_customers, read_events};
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
    read(read_customers(&path, FileOptions::default()).unwrap(), customer_to_json)
}

#[test]
fn csv_cells_are_text_unless_the_header_says_otherwise() {
    let csv = "registered,postcode,age:number,vip:boolean,address.city,consents.sms,ids.cookie\n\
               ann,01234,41,true,\"Brno, CZ\",true,c1\n\
               bob,60200,,,,,\n\
               cid,1,x,true,,,\n\
               dan,1\n\
               ,1,2,true,,,\n\
               eve,1,2,perhaps,,maybe,\n";
    let lines = customers("c.csv", csv.as_bytes());
    let ann = json!({"ids": {"registered": "ann", "cookie": "c1"}, "consents": {"sms": true},
        "attributes": {"postcode": "01234", "age": 41, "vip": true}, "merge": {"address": {"city": "Brno, CZ"}}});
    assert_eq!(lines[0], (2, Ok(ann)));
    let bob = json!({"ids": {"registered": "bob"}, "attributes": {"postcode": "60200"}, "consents": {}});
    assert_eq!(lines[1], (3, Ok(bob)));
    assert_eq!(
        lines[2],
        (
            4,
            Err("age:number is `x`; expected a number such as 41, -3 or 0.5, without anything around it"
                .into())
        )
    );
    assert_eq!(lines[3], (5, Err("not a line of this CSV file: it has 2 cells, the header 7".into())));
    assert!(lines[4].1.as_ref().unwrap_err().starts_with("ids.registered is missing"));
    assert_eq!((lines[5].0, lines[5].1.is_err(), lines.len()), (7, true, 6));
}

#[test]
fn a_csv_without_a_usable_header_is_refused() {
    for header in ["name,city", "registered,age:int", "registered,age,age:number", "registered,:number", ""] {
        let (_folder, path) = file("c.csv", format!("{header}\nann,1\n").as_bytes());
        assert!(
            matches!(read_customers(&path, FileOptions::default()), Err(ImportError::Header { .. })),
            "{header}"
        );
    }
}

/// What is read before a file is given up, and why it is.
fn given_up(content: &[u8]) -> (Vec<u64>, String) {
    let (_folder, path) = file("c.csv", content);
    let (mut read, mut error) = (Vec::new(), None);
    for line in read_customers(&path, FileOptions::default()).unwrap() {
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
    let error = read_customers(&path, FileOptions::default()).err().unwrap().to_string();
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
        let Err(ImportError::Header { problem, .. }) = read_customers(&path, FileOptions::default()) else {
            panic!("{header}")
        };
        let named = header
            .split(',')
            .filter(|name| *name != "x")
            .all(|name| problem.contains(&format!("`{}`", name.split(':').next().unwrap())));
        assert!(named, "{header}: {problem}");
    }
    let (_folder, path) = file("c.csv", b"registered,address.city,address.zip,add,addresses\n");
    assert!(read_customers(&path, FileOptions::default()).is_ok());
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
    assert!(matches!(
        read_customers(Path::new("c.xlsx"), FileOptions::default()),
        Err(ImportError::Format(_))
    ));
    assert!(matches!(
        read_events(Path::new("e.csv"), FileOptions::default(), now),
        Err(ImportError::EventsInCsv(_))
    ));
    assert!(matches!(
        read_customers(Path::new("no-such.csv"), FileOptions::default()),
        Err(ImportError::Io { .. })
    ));
}

#[test]
fn the_example_is_read_whole_and_its_progress_reaches_the_end() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/weather-alert/data");
    let customers =
        read_customers(&data.join("customers.csv"), FileOptions::default()).unwrap().map(Result::unwrap);
    let customers: Vec<_> = customers.map(|line| (line.bytes_read, line.write.unwrap())).collect();
    assert_eq!(customers.last().unwrap().0, std::fs::metadata(data.join("customers.csv")).unwrap().len());
    let events =
        read_events(&data.join("events.ndjson"), FileOptions::default(), Timestamp::UNIX_EPOCH).unwrap();
    let events = read(events, event_to_json);
    assert!(customers.len() > 50 && events.len() > 50 && events.iter().all(|(_, line)| line.is_ok()));
}

fn named(name: &str, content: &[u8], options: FileOptions) -> Vec<(u64, Result<Json, String>)> {
    let (_folder, path) = file(name, content);
    read(read_customers(&path, options).unwrap(), customer_to_json)
}

fn utf16(text: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn what_spreadsheets_save_is_read() {
    let expected = json!({"ids": {"registered": "C-1"}, "consents": {"sms": true},
        "attributes": {"first_name": "Zoë", "score": 3.5}});
    let text = |separator: &str, number: &str| {
        format!("registered,first_name,score:number,consents.sms\r\nC-1,Zoë,{number},TRUE\r\n")
            .replace(',', separator)
    };
    let semicolons = text(";", "3~5").replace('~', ",");
    let mut latin = semicolons.clone().into_bytes();
    let at = latin.windows(2).position(|pair| pair == "ë".as_bytes()).unwrap();
    latin.splice(at..at + 2, [0xeb]);
    let windows = FileOptions { encoding: Some("windows-1252".parse().unwrap()), ..FileOptions::default() };
    for (what, lines) in [
        ("Excel, CSV UTF-8", customers("c.csv", format!("\u{feff}{}", text(",", "3.5")).as_bytes())),
        ("Excel, CSV UTF-8, Germany", customers("c.csv", format!("\u{feff}{semicolons}").as_bytes())),
        ("Excel, with its own line", customers("c.csv", format!("sep=;\r\n{semicolons}").as_bytes())),
        ("Excel, Unicode text", customers("c.txt", &utf16(&text("\t", "3.5")))),
        ("Excel, CSV, Germany", named("c.csv", &latin, windows)),
        ("Numbers, TSV", customers("c.tsv", text("\t", "3.5").replace('\r', "").as_bytes())),
        ("Sheets, CSV", customers("c.csv", text(",", "3.5").trim_end().as_bytes())),
        ("an old Macintosh", customers("c.csv", text(",", "3.5").replace("\r\n", "\r").as_bytes())),
    ] {
        let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, [Ok(expected.clone())], "{what}");
    }
    let named_bar = FileOptions { delimiter: Some("~".parse().unwrap()), ..FileOptions::default() };
    assert_eq!(named("c.csv", text("~", "3.5").as_bytes(), named_bar)[0].1, Ok(expected));
}

#[test]
fn what_is_in_another_encoding_is_said_with_what_to_do() {
    let lines = customers("c.csv", b"registered,name\nC-1,Zo\xeb\nC-2,Ann\n");
    let error = lines[0].1.as_ref().unwrap_err();
    assert!(error.contains("not UTF-8") && error.contains("--encoding windows-1252"), "{error}");
    assert!(lines[1].1.is_ok());
    let (_folder, path) = file("c.csv", b"registered,Stra\xdfe\nC-1,x\n");
    let error = read_customers(&path, FileOptions::default()).err().unwrap().to_string();
    assert!(error.contains("not UTF-8") && !error.contains("Utf8"), "{error}");
}

#[test]
fn columns_without_a_name_and_lines_without_a_value_are_passed_over() {
    let csv =
        "registered,name,,\nC-1,Ann,,\n,,,\n ,\u{a0},,\n;;;\nC-2,Ben,,x\nC-3,Cy\nC-4,Di,,,,\nC-5,Eve,,,,y\n";
    let lines = customers("c.csv", csv.as_bytes());
    let verdicts: Vec<_> = lines.iter().map(|(number, line)| (*number, line.is_ok())).collect();
    assert_eq!(verdicts, [(2, true), (5, false), (6, false), (7, true), (8, true), (9, false)]);
    let error = |index: usize| lines[index].1.as_ref().unwrap_err().clone();
    assert!(
        error(2).ends_with("column 4 has no name in the header, and something stands in it"),
        "{}",
        error(2)
    );
    assert!(error(5).ends_with("it has 6 cells, the header 4"), "{}", error(5));
}

#[test]
fn white_space_around_headers_ids_and_cells_says_nothing() {
    let csv =
        " registered , email,consents.mail ,address . city\n C-1 ,\tann@example.org , true ,\u{a0}Olean \n";
    let ann = json!({"ids": {"registered": "C-1"}, "attributes": {"email": "ann@example.org"},
        "merge": {"address": {"city": "Olean"}}, "consents": {"mail": true}});
    assert_eq!(customers("c.csv", csv.as_bytes()), [(2, Ok(ann))]);
    let (_folder, path) = file("c.csv", b"registered,email, email\n");
    let error = read_customers(&path, FileOptions::default()).err().unwrap().to_string();
    assert!(error.contains("column `email` is there twice"), "{error}");
    let quoted = customers("c.csv", b"registered,name\nC-1, \"Ann\"\n");
    assert!(quoted[0].1.as_ref().unwrap_err().contains("a quote stands behind white space"), "{quoted:?}");
    let lines =
        customers("c.ndjson", br#"{"ids": {"registered": " C-1\t"}, "attributes": {" email": "a@b.c "}}"#);
    let line = lines[0].1.as_ref().unwrap();
    assert_eq!(
        (&line["ids"]["registered"], &line["attributes"]),
        (&json!("C-1"), &json!({"email": "a@b.c"}))
    );
}

#[test]
fn a_header_that_names_nobody_says_how_it_was_read() {
    for (header, said) in [
        ("Registered;name", "write `registered` for `Registered`; read with `;` between the cells, it has 2"),
        ("id^name", "read with `,` between the cells, it has 1"),
        ("id\tname", "read with a tab between the cells, it has 2"),
    ] {
        let (_folder, path) = file("c.csv", header.as_bytes());
        let error = read_customers(&path, FileOptions::default()).err().unwrap().to_string();
        assert!(error.contains(said), "{error}");
    }
}
