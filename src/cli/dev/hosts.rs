//! Where channels' hosts are: what `--host` says, and the sandbox for channels that name it.

use super::sandbox_process::Addresses;
use crate::api::ChannelSpec;
use crate::channels::egress::{HostMap, HostMapError};
use crate::compile::Sources;

/// The host that channels of examples and tests name.
pub const SANDBOX: &str = "sandbox";

/// Whether a sandbox must be started: a channel names it, and its address was not given.
pub fn needs_sandbox(sources: &Sources, given: &[String]) -> bool {
    let is_given = |entry: &String| {
        let name = entry.split('=').next().unwrap_or_default();
        name.split(':').next() == Some(SANDBOX)
    };
    !given.iter().any(is_given) && sources.channels.values().any(names_sandbox)
}

/// The map of hosts; with a sandbox, its SMTP side on the ports of mail and its HTTP side on all others.
///
/// # Errors
/// An entry is not one.
pub fn map(sources: &Sources, given: &[String], sandbox: Option<Addresses>) -> Result<HostMap, HostMapError> {
    let mut map = HostMap::parse(given.iter().map(String::as_str))?;
    let Some(addresses) = sandbox else { return Ok(map) };
    map.add(&format!("{SANDBOX}={}", addresses.http))?;
    let declared = sources.channels.values().filter_map(|channel| channel.smtp.as_ref()?.port);
    let usual = [25, 465, 587, 1025, 2525];
    for port in declared.chain(usual) {
        map.add(&format!("{SANDBOX}:{port}={}", addresses.smtp))?;
    }
    Ok(map)
}

fn names_sandbox(channel: &ChannelSpec) -> bool {
    let at_sandbox = |url: &str| {
        url::Url::parse(url).ok().and_then(|url| url.host_str().map(|host| host == SANDBOX)).unwrap_or(false)
    };
    channel.smtp.as_ref().is_some_and(|smtp| smtp.host == SANDBOX)
        || channel.twilio.as_ref().and_then(|twilio| twilio.base_url.as_deref()).is_some_and(at_sandbox)
        || channel.webhook.as_ref().is_some_and(|webhook| at_sandbox(&webhook.url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(channel: serde_json::Value) -> Sources {
        let mut sources = Sources::default();
        sources.channels.insert("c".into(), serde_json::from_value(channel).unwrap());
        sources
    }

    #[test]
    fn a_sandbox_is_started_where_a_channel_names_one_and_none_is_given() {
        let mail = sources(serde_json::json!({"smtp": {"host": "sandbox", "from": "a@b"}}));
        assert!(needs_sandbox(&mail, &[]));
        assert!(!needs_sandbox(&mail, &["sandbox=127.0.0.1:1".into()]));
        assert!(!needs_sandbox(&mail, &["sandbox:25=127.0.0.1:1".into()]));
        let hook = sources(serde_json::json!({"webhook": {"url": "http://sandbox/hooks/a"}}));
        assert!(needs_sandbox(&hook, &["other=127.0.0.1:1".into()]));
        assert!(!needs_sandbox(&sources(serde_json::json!({"log": {}})), &[]));
    }

    #[test]
    fn mail_goes_to_one_side_of_the_sandbox_and_http_to_the_other() {
        let mail = sources(serde_json::json!({"smtp": {"host": "sandbox", "port": 2526, "from": "a@b"}}));
        let addresses =
            Addresses { smtp: "127.0.0.1:11".parse().unwrap(), http: "127.0.0.1:12".parse().unwrap() };
        let map = map(&mail, &[], Some(addresses)).unwrap();
        assert_eq!(map.get("sandbox", 2526), Some(addresses.smtp));
        assert_eq!(map.get("sandbox", 25), Some(addresses.smtp));
        assert_eq!(map.get("sandbox", 80), Some(addresses.http));
    }
}
