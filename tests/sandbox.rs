//! `fanfare sandbox` as a process: it says where it serves, takes a message, and ends cleanly on SIGTERM.

mod harness;

use std::net::TcpStream;

use harness::{Request, Sandbox};

#[test]
fn it_serves_from_the_ready_file_on_and_appends_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=2 {
        let mut sandbox = Sandbox::start(folder.path(), &[]);
        Request::post(format!("http://{}/hooks/orders", sandbox.http)).body("{}").must().expect(200);
        TcpStream::connect(&sandbox.smtp).unwrap();
        assert_eq!(sandbox.stats()["webhook"]["taken"], 1);
        assert_eq!(sandbox.process.terminate().code(), Some(0));
        let seqs: Vec<u64> = sandbox.messages().iter().map(|message| message.seq).collect();
        assert_eq!(seqs, (1..=round).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_wrong_on_the_command_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut process =
        harness::Process::start(&mut harness::Process::command(["sandbox", "--fault", "smtp:explode"]), &log);
    let status = harness::wait_for("its end", || process.ended());
    assert_eq!(status.code(), Some(2));
    assert!(process.printed().contains("`explode` is no answer"), "{}", process.printed());
}
