//! YAML as kubectl reads it: the same text becomes the same JSON, scalar by scalar and structure by structure.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cluster::Cluster;
use crate::manifests::each;

/// Scalars whose meaning differs between readers of YAML, or that nearly are something else.
const SCALARS: &[&str] = &[
    "NO",
    "no",
    "nO",
    "No",
    "N",
    "n",
    "yes",
    "Yes",
    "YES",
    "yEs",
    "y",
    "Y",
    "on",
    "On",
    "ON",
    "oN",
    "off",
    "Off",
    "OFF",
    "true",
    "True",
    "TRUE",
    "tRue",
    "false",
    "~",
    "null",
    "Null",
    "NULL",
    "nULL",
    "none",
    "None",
    "01234",
    "012",
    "08",
    "09.5",
    "0o17",
    "0O17",
    "0x1F",
    "0X1f",
    "0xg",
    "0b101",
    "0B11",
    "0b2",
    "-0b11",
    "+0b11",
    "-0x1F",
    "+0x1F",
    "-017",
    "1e3",
    "1E3",
    "1e+3",
    "1e-3",
    "1e",
    "e1",
    "1.e3",
    "1.5e300",
    "1e400",
    "-1e400",
    "1e19",
    "1e20",
    "1e21",
    "1e22",
    "123456789012345678",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "0.1",
    ".1",
    "1.",
    "-.5",
    "+.5",
    "+1.5",
    "-0",
    "-0.0",
    "0",
    "00",
    "000",
    "1_000",
    "_1",
    "1_",
    "1__0",
    "0x_1",
    "1_0.5",
    "._5",
    "1.5_0",
    "1,000",
    "0.30000000000000004",
    "1.0",
    "100.0",
    "+1",
    "++1",
    "+-1",
    "-",
    "+",
    ".",
    "..",
    "1.2.3",
    "1:30",
    "190:20:30",
    "12:30:45",
    "2026-11-23",
    "2026-1-2",
    "2026-11-23T10:00:00Z",
    "2026-11-23 10:00:00",
    "2026-13-45",
    "2026",
    "12e03",
    "0e0",
    "0x1p3",
    "Infinity",
    "inf",
    "nan",
    "NaN",
    ".Infinity",
    ".in",
    "<<",
    "=",
    "a b",
    "a: b",
    "a:b",
    "a#b",
    "a # b",
    "'NO'",
    "\"NO\"",
    "'it''s'",
    "\"a\\tb\\u00e9\\x41\"",
    "\"\"",
    "''",
    "!!str NO",
    "!!str 1e3",
    "!!int \"5\"",
    "!!int '0x10'",
    "!!float 1",
    "!!float 1.5",
    "!!bool yes",
    "!mine 5",
    "! 5",
    "!!null ''",
    "[]",
    "{}",
    "[NO, 1e3]",
    "{a: NO, b: [~]}",
    "? a",
    "@",
    "1 2",
    "0.0",
];

/// Structures, each the value of a field that is indented by four spaces.
const STRUCTURES: &[&str] = &[
    "|\n      one\n        two\n\n      three\n",
    "|-\n      one\n",
    "|+\n      one\n\n\n",
    ">\n      one\n      two\n\n      three\n        four\n      five\n",
    ">-\n      one\n      two\n",
    "|2\n       one\n      two\n",
    "plain\n      goes on\n\n      here",
    "\"one\n      two \\\n      three\"",
    "'one\n\n      two'",
    "&x {a: 1}\n",
    "{base: &b {a: 1, b: 2}, more: {<<: *b, b: 3}}",
    "{base: &b {a: 1, b: 2}, more: {b: 3, <<: *b}}",
    "{one: &o {a: 1, c: 1}, two: &t {a: 2, b: 2}, more: {<<: [*o, *t], c: 3}}",
    "{list: &l [1, 2], again: *l}",
    "{on: 1, 1: 2, 0x10: 3, off: 4, 2026-11-23: 5, 'no': 6}",
    "{a b: c, \"d\": e, ? f : g, h}",
    "\n      a: 1 # why\n      b:\n      - 1\n      -\n      - c: 2\n        d: 3\n",
    "{1.5: a, -2: b}",
    "[a, [b, c], {d: e}]",
    "[a: b, c: d]",
    "*anchored",
];

#[test]
fn the_same_text_becomes_the_same_json() {
    let cluster = Cluster::shared();
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> =
        SCALARS.iter().chain(STRUCTURES).map(|value| write(value, folder.path())).collect();
    let differences = each(files, |file| {
        let (ours, theirs) = (ours(file), theirs(&cluster, file));
        let text = std::fs::read_to_string(file).unwrap();
        (!same(ours.as_ref(), theirs.as_ref()))
            .then(|| format!("{text}ours: {ours:?}\nkubectl's: {theirs:?}"))
    });
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

/// Equal; of a number beyond 63 bits kubectl holds a float and prints it as a whole number.
fn same(ours: Option<&Value>, theirs: Option<&Value>) -> bool {
    match (ours, theirs) {
        (Some(Value::Number(ours)), Some(Value::Number(theirs))) if ours.is_f64() => {
            ours.as_f64() == theirs.as_f64()
        }
        _ => ours == theirs,
    }
}

/// A file with the value as a parameter's example.
fn write(value: &str, folder: &Path) -> PathBuf {
    let text = format!(
        "apiVersion: fanfare.dev/v1alpha1\nkind: ApiTrigger\nmetadata: {{name: a, annotations: {{x: &anchored text}}}}\n\
         spec:\n  parameters:\n  - name: p\n    type: string\n    example: {value}\n"
    );
    let file = folder.join(format!("{}.yaml", folder.read_dir().unwrap().count()));
    std::fs::write(&file, text).unwrap();
    file
}

/// The example as we read it; none if we refuse the text.
fn ours(file: &Path) -> Option<Value> {
    let manifests = fanfare::manifests::read_folder(file).unwrap();
    Some(manifests.objects.first()?.object["spec"]["parameters"][0]["example"].clone())
}

/// The example as kubectl would send it; none if it refuses the text.
fn theirs(cluster: &Cluster, file: &Path) -> Option<Value> {
    let file = file.display().to_string();
    let output =
        cluster.kubectl(&["create", "--dry-run=client", "--validate=false", "-o", "json", "-f", &file]);
    let object: Value = serde_json::from_slice(&output.stdout).ok()?;
    Some(object["spec"]["parameters"][0]["example"].clone())
}
