//! What a channel's manifest comes to, and what is said about a wrong one.

use super::*;

fn compiled(manifest: &str) -> Result<Arc<CompiledChannel>, Vec<(String, String)>> {
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
    assert_eq!((log.kind, log.window, log.concurrency, log.per_second), (ChannelKind::Log, None, None, None));
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
    assert_eq!((channel.window, channel.concurrency, channel.per_second), (Some(9), Some(4), Some(50)));
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

/// What is said of a manifest that cannot be used.
fn said(manifest: &str) -> String {
    let wrong = compiled(manifest).unwrap_err();
    wrong.into_iter().map(|(path, message)| format!("{path}: {message}\n")).collect()
}

#[test]
fn what_belongs_elsewhere_is_told_where() {
    let url = said("webhook: {url: 'https://ann:secret@example.com/in'}");
    assert!(url.contains("a Secret that spec.webhook.authorizationRef names"), "{url}");
    let url = said("webhook: {url: 'https://example.com/{{ customer.id }}'}");
    assert!(url.contains("spec.webhook.url: takes no template"), "{url}");
}

#[test]
fn a_place_that_can_never_be_reached_is_no_channels() {
    for host in ["169.254.169.254", "2852039166", "[::ffff:169.254.169.254]", "metadata.google.internal"] {
        let found = said(&format!("webhook: {{url: 'http://{host}/latest'}}"));
        assert!(found.contains("a metadata service; channels never connect there"), "{found}");
    }
    let found = said("smtp: {host: 169.254.1.1, from: a@example.com}");
    assert!(found.contains("spec.smtp.host: `169.254.1.1` is a link-local address"), "{found}");
    let twilio =
        "twilio: {accountSid: AC0, from: '1', authToken: {secretKeyRef: {name: s, key: k}}, baseUrl: ";
    assert!(said(&format!("{twilio}'http://0.0.0.0:80'}}")).contains("spec.twilio.baseUrl"));
}

#[test]
fn headers_that_fanfare_or_the_connection_writes_are_refused() {
    let webhook =
        |name: &str| format!("webhook: {{url: 'https://a.example', headers: [{{name: {name}, value: x}}]}}");
    for name in
        ["Authorization", "host", "Transfer-Encoding", "webhook-SIGNATURE", "Proxy-Authorization", "te"]
    {
        let found = said(&webhook(name));
        assert!(found.contains("spec.webhook.headers[0]: is written by Fanfare"), "{name}: {found}");
    }
    for name in ["X-Api-Version", "Content-Type", "User-Agent", "Cookie"] {
        assert!(compiled(&webhook(name)).is_ok(), "{name}");
    }
    let mail = |name: &str, value: &str| {
        format!("smtp: {{host: m, from: a@b.example, headers: [{{name: {name}, value: \"{value}\"}}]}}")
    };
    for name in ["Bcc", "from", "Content-Type", "Resent-To", "DKIM-Signature", "Reply-To", "message-id"] {
        let found = said(&mail(name, "x"));
        assert!(found.contains("spec.smtp.headers[0]: is written by Fanfare"), "{name}: {found}");
    }
    assert!(compiled(&mail("List-Unsubscribe", "<mailto:stop@b.example>")).is_ok());
}

#[test]
fn nothing_in_a_header_begins_another() {
    for value in ["a\\r\\nBcc: all@b.example", "a\\nb", " a", "a ", "", "a\\u00e9", "a\\0"] {
        let manifest =
            format!("smtp: {{host: m, from: a@b.example, headers: [{{name: X-A, value: \"{value}\"}}]}}");
        assert!(said(&manifest).contains("spec.smtp.headers[0].value"), "{value}");
    }
    let name = said("webhook: {url: 'https://a.example', headers: [{name: \"a: b\", value: x}]}");
    assert!(name.contains("is not a header's name"), "{name}");
    let twice =
        "webhook: {url: 'https://a.example', headers: [{name: X-A, value: x}, {name: x-a, value: y}]}";
    assert!(said(twice).contains("the header x-a is there twice"));
    assert!(said("smtp: {host: m, from: a@b.example, replyTo: nobody}").contains("spec.smtp.replyTo"));
}
