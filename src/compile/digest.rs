//! Digests by which two processes tell whether they hold the same object: what a replica has in force is compared
//! with what the API server holds by these alone.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

/// The digest of a spec as this version of Fanfare understands it: 22 characters of URL-safe base64 (128 bits of
/// SHA-256). A field that this version does not know does not count.
pub fn spec_digest<T: Serialize>(spec: &T) -> String {
    let text = serde_json::to_vec(spec).expect("specs hold only texts as keys and no failing serializers");
    of_bytes(&text)
}

/// The digest of a ConfigMap's texts.
pub fn texts_digest(texts: &BTreeMap<String, String>) -> String {
    of_bytes(&serde_json::to_vec(texts).expect("texts by texts are always JSON"))
}

/// The digest of any bytes, in the same form.
pub fn of_bytes(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ChannelSpec;

    #[test]
    fn the_same_spec_has_the_same_digest_however_it_is_written() {
        let digest = |text| spec_digest(&serde_yaml_ng::from_str::<ChannelSpec>(text).unwrap());
        let short = digest("smtp: {host: m, from: a@b.example}");
        assert_eq!(short, digest("{smtp: {from: a@b.example, tls: StartTls, host: m}}"));
        assert_eq!(short.len(), 22);
        assert_ne!(short, digest("{smtp: {from: a@b.example, tls: Tls, host: m}}"));
    }
}
