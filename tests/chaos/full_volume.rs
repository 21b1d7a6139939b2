//! A volume without room under the embedded store: a refused write is told of, although all can be read.

use std::process::Command;
use std::time::Duration;

use fanfare::domain::name::{CallId, TriggerName, VersionId};
use fanfare::store::StoreError;
use fanfare::store::calls::{Calls, NewCall, NewRequest};
use fanfare::store::sqlite::Ledger;
use jiff::Timestamp;

use crate::harness::until;
use crate::server::new_folder;
use crate::small_disk;

const SOON: Duration = Duration::from_secs(60);

fn request(length: usize) -> NewRequest {
    let call = NewCall {
        id: CallId::new(uuid::Uuid::now_v7().to_string()),
        expires_at: None,
        params: format!("{{\"text\":\"{}\"}}", "x".repeat(length)),
        deduplication: None,
    };
    NewRequest {
        trigger: TriggerName::new("hook"),
        credential: "test".into(),
        received_at: Timestamp::now(),
        version: VersionId::new("v"),
        body_digest: [0; 32],
        request: None,
        idempotency: None,
        calls: vec![call],
        gate: None,
        rate: None,
        trace: None,
    }
}

#[test]
fn a_write_that_a_full_volume_refuses_is_told_of_until_there_is_room() {
    let folder = new_folder();
    small_disk::make(&folder, 8);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ledger = Ledger::open(&folder).unwrap();
    runtime.block_on(ledger.accept(request(1))).unwrap();
    assert_eq!(runtime.block_on(ledger.check()), Ok(()));
    small_disk::fill(&folder);
    let refused = until("a refused call", SOON, || runtime.block_on(ledger.accept(request(200_000))).err());
    assert!(refused.is_transient(), "{refused}");
    let told = runtime.block_on(ledger.check()).unwrap_err();
    assert!(matches!(&told, StoreError::Unavailable(words) if words.contains("full")), "{told}");
    small_disk::free(&folder);
    until("a call that is kept", SOON, || runtime.block_on(ledger.accept(request(200_000))).ok());
    until("a store without trouble", SOON, || runtime.block_on(ledger.check()).ok());
    runtime.block_on(ledger.close());
    drop(ledger);
    // Where it is a folder on another disk there is nothing to unmount.
    let _ = Command::new("umount").arg("-l").arg(&folder).status();
    let _ = std::fs::remove_dir_all(&folder);
}
