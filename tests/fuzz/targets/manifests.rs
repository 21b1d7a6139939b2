//! Manifests: reading and checking a file of them never panics.

#![no_main]

use fanfare::manifests::{check, read_stream};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Ok(manifests) = read_stream("fuzzed.yaml", text) {
        let _found = check(&manifests);
    }
});
