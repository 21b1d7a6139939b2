//! What a channel's manifest comes to, and what is said about a wrong one.

use super::*;

fn compiled(manifest: &str) -> Result<Arc<Channel>, Vec<(String, String)>> {
    let spec = serde_yaml_ng::from_str(manifest).unwrap();
    let sources = Sources { channels: [("c".to_owned(), spec)].into(), ..Sources::default() };
    let mut problems = Problems::default();
    let mut channels = compile_all(&sources, &mut problems);
    let found = problems.into_vec().into_iter().map(|problem| (problem.path, problem.message));
    channels.pop_first().map(|(_, channel)| channel).ok_or(found.collect())
}

#[test]
fn what_is_left_out_has_the_kinds_default() {
    let log = compiled("log: {}").unwrap();
    assert_eq!((log.kind, log.window, log.concurrency, log.per_second), (ChannelKind::Log, 256, 16, None));
    assert_eq!((log.timeout, log.attempts_max, log.retry_for), (TIMEOUT, ATTEMPTS_UNCOUNTED, RETRY_FOR));
    assert_eq!(log.on_unknown, OnUnknown::Resend);
    let sms = "twilio: {accountSid: AC0, from: '+431', authToken: {secretKeyRef: {name: sms, key: token}}}";
    assert_eq!(compiled(sms).unwrap().on_unknown, OnUnknown::Hold);
    assert_eq!(compiled(&format!("{sms}\nonUnknown: Resend")).unwrap().on_unknown, OnUnknown::Resend);
}

#[test]
fn what_is_said_is_taken() {
    let settings =
        "window: 9\ntimeout: 5s\nrate: {perSecond: 50, concurrency: 4}\nretry: {attempts: 2, for: 1m}";
    let channel = compiled(&format!("webhook: {{url: 'https://example.com/in'}}\n{settings}")).unwrap();
    assert_eq!((channel.window, channel.concurrency, channel.per_second), (9, 4, Some(50)));
    assert_eq!((channel.attempts_max, channel.retry_for), (2, Duration::from_secs(60)));
    assert_eq!(channel.timeout, Duration::from_secs(5));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let paths = |manifest: &str| -> Vec<String> {
        compiled(manifest).unwrap_err().into_iter().map(|(path, _)| path).collect()
    };
    assert_eq!(paths("{}"), ["spec"]);
    assert_eq!(paths("log: {}\nwebhook: {url: 'https://example.com'}"), ["spec"]);
    assert_eq!(paths("webhook: {url: 'ftp://example.com'}"), ["spec.webhook.url"]);
    assert_eq!(paths("webhook: {url: 'https://a:b@example.com'}"), ["spec.webhook.url"]);
    assert_eq!(paths("smtp: {host: m, from: 'a@', port: 0}"), ["spec.smtp.from", "spec.smtp.port"]);
    let many =
        "log: {}\nwindow: 0\nrate: {perSecond: 0, concurrency: 0}\ntimeout: 0s\nretry: {attempts: 0, for: x}";
    let fields = [
        "spec.window",
        "spec.rate.concurrency",
        "spec.rate.perSecond",
        "spec.timeout",
        "spec.retry.attempts",
        "spec.retry.for",
    ];
    assert_eq!(paths(many), fields);
}
