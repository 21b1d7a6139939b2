//! An edit of the folder while `fanfare dev` serves it.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Dev, Request, Sandbox, wait_for};

fn trigger(name: &str) -> String {
    format!(
        "apiVersion: fanfare.dev/v1alpha1\nkind: ApiTrigger\nmetadata: {{name: {name}}}\nspec: {{parameters: []}}\n"
    )
}

#[test]
fn a_new_trigger_is_in_the_ready_file_with_credentials_that_work() {
    let folder = tempfile::tempdir().unwrap();
    let (manifests, data) = (folder.path().join("manifests"), folder.path().join("data"));
    fs::create_dir(&manifests).unwrap();
    fs::write(manifests.join("first.yaml"), trigger("first")).unwrap();
    let sandbox = Sandbox::start(folder.path(), &[]);
    let dev = Dev::start(&manifests, &data, &sandbox);
    let first = dev.trigger("first").password.clone();

    fs::write(manifests.join("second.yaml"), trigger("second")).unwrap();
    let ready = data.with_file_name("data.ready.json");
    let triggers = wait_for("the second trigger in the ready file", || {
        let ready: Value = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
        ready["triggers"].as_array().filter(|triggers| triggers.len() == 2).cloned()
    });
    assert_eq!(triggers[0]["password"], first);
    let of = |field| triggers[1][field].as_str().unwrap();
    let call = Request::post(of("url")).basic(of("username"), of("password")).json(&json!({}));
    call.must().expect(202);
}
