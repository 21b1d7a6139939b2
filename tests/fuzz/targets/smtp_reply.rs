//! What an SMTP server answers: reading never panics, takes no more than it was given, and waits for nothing that came.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|received: &[u8]| {
    fanfare::channels::smtp::check_reply(received);
});
