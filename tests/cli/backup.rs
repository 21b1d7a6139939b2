//! A backup is taken while Fanfare works; what is restored knows all that was there and sends nothing by itself.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::command::{Example, example, example_file};
use crate::harness::{Dev, Postgres, Process, Sandbox, programs, run, wait_for};

#[test]
fn what_was_backed_up_is_restored_and_rests_until_a_person_looks() {
    let running = Example::start();
    let data = format!("@{}", example_file("calls/winter-storm.json"));
    let call = ["call", "weather-alert", "--data", &data, "--watch", "-o", "json"];
    let first = running.run(&call).code(0).json()["id"].as_str().unwrap().to_owned();
    let place = running.folder.path().join("data");
    let archive = running.folder.path().join("backup.tar");
    let mut backup = Process::command(["backup", "--data", &place.display().to_string()]);
    let backed_up = backup.stdout(std::fs::File::create(&archive).unwrap()).status().unwrap();
    assert!(backed_up.success());
    running.run(&call).code(0);

    let callers = running.dev.trigger("weather-alert").clone();
    let restored = tempfile::tempdir().unwrap();
    let other = restored.path().join("data");
    let restore = |archive: &std::path::Path| {
        let mut restore = Process::command(["restore", "--data", &other.display().to_string()]);
        restore.stdin(Stdio::from(std::fs::File::open(archive).unwrap())).output().unwrap()
    };
    let told = restore(&archive);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let again = restore(&archive);
    assert!(String::from_utf8_lossy(&again.stderr).contains("restore into an empty folder"));

    let sandbox = Sandbox::start(restored.path(), &[]);
    let dev = Dev::start_by(&mut Dev::command(&example(), &other, &sandbox), &other);
    let example = Example { dev, sandbox, folder: restored };
    let printed = example.dev.process.printed();
    assert!(printed.contains("everything is paused") && printed.contains("resume runtime"), "{printed}");
    let again = example.dev.trigger("weather-alert");
    assert_eq!((&again.username, &again.password), (&callers.username, &callers.password));
    let known: Value = example.run(&["log", "-o", "json"]).code(0).json();
    let known = known["items"].as_array().unwrap();
    assert_eq!(known.len(), 1, "what came after the backup is not in it");
    assert_eq!(known[0]["id"], *first);
    assert!(example.run(&["customers", "get", "C-10001"]).code(0).out.contains("Mateo"));
    let pauses = example.run(&["pauses"]).code(0).out;
    assert!(pauses.contains("restored as of"), "{pauses}");
    let id = example.run(&call[..4]).code(0).out;
    assert!(!id.is_empty());
    example.run(&["resume", "runtime"]).code(0);
    wait_for("messages once it is resumed", || (!example.sandbox.messages().is_empty()).then_some(()));
}

/// The SQL that docs/back-up-and-restore.md shows for pausing a restored tenant, for another one.
fn pausing(schema: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/back-up-and-restore.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = page.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    block.replace("fanfare_shop", schema)
}

#[test]
fn a_tenant_that_was_dumped_is_restored_beside_the_one_put_aside_and_callers_keep_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path(), &[]);
    let (data, database) = (folder.path().join("data"), Postgres::shared().database());
    let start =
        || Dev::start_by(Dev::command(&example(), &data, &sandbox).args(["--database", &database]), &data);
    let storm: Value =
        serde_json::from_slice(&std::fs::read(example_file("calls/winter-storm.json")).unwrap()).unwrap();
    let call = |dev: &Dev| {
        let answer = dev.call("weather-alert", &storm).must().expect(202).json();
        answer["id"].as_str().unwrap().to_owned()
    };
    let mut dev = start();
    let first = call(&dev);
    wait_for("the first call to be done", || dev.is_done(&first).then_some(()));
    let key = dev.trigger("weather-alert").password.clone();
    let dump = folder.path().join("shop.sql");
    let program = |name: &str| Command::new(programs().join(name));
    let ask = |sql: &str| run(program("psql").args([&database, "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]));
    run(program("pg_dump").args(["-n", "fanfare_default", "-f"]).arg(&dump).arg(&database));
    let second = call(&dev);
    assert!(dev.process.terminate().success());

    ask("ALTER SCHEMA fanfare_default RENAME TO fanfare_default_before");
    run(program("psql").args([&database, "-q", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", "-f"]).arg(&dump));
    ask(&pausing("fanfare_default"));
    let before = sandbox.messages().len();
    let dev = start();
    assert!(dev.process.printed().contains("everything is paused"), "{}", dev.process.printed());
    assert_eq!(dev.trigger("weather-alert").password, key);
    assert!(dev.is_done(&first));
    assert_eq!(dev.ask_about(&second).must().status, 404, "what came after the dump is not in it");
    let third = call(&dev);
    assert_eq!(sandbox.messages().len(), before, "a restored tenant rests");
    dev.post("/api/v1/runtime/resume", &Value::Null).expect(200);
    wait_for("the third call to be done", || dev.is_done(&third).then_some(()));
}
