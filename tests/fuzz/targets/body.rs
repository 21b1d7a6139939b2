//! Bodies of requests: content type and coding in the first two lines, then the body as it came.

#![no_main]

use fanfare::domain::body::{Coding, ContentType, is_json_as_form, to_utf8};
use fanfare::domain::params::form_fields;
use fanfare::track::batch::lines_of;
use libfuzzer_sys::fuzz_target;

/// The largest body that is unpacked here.
const BYTES_MAX: usize = 1024 * 1024;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let (Some(kind), Some(coding), Some(body)) = (parts.next(), parts.next(), parts.next()) else { return };
    let kind = std::str::from_utf8(kind).ok();
    let unpacked = match Coding::read([coding]) {
        Ok(Some(coding)) => coding.unpack(body, BYTES_MAX),
        Ok(None) | Err(_) => Ok(body.to_vec()),
    };
    let Ok(body) = unpacked else { return };
    assert!(body.len() <= BYTES_MAX || body.len() <= data.len(), "more than may be was unpacked");
    let charset = ContentType::read(kind).ok().and_then(|kind| kind.charset);
    if let Ok(text) = to_utf8(&body, charset) {
        let _fields = form_fields(&text);
    }
    let _is_form = is_json_as_form(&body);
    let _lines = lines_of(kind, &body);
});
