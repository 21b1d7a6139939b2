//! Valid objects that have every field of their kinds: several of a kind where one excludes another, and whatever they
//! refer to.

use serde_json::{Value, json};

/// A valid object of a kind.
pub struct Base {
    pub kind: &'static str,
    /// How many of it are mutated at the same time.
    pub lanes: usize,
    pub spec: Value,
}

fn base(kind: &'static str, lanes: usize, spec: Value) -> Base {
    Base { kind, lanes, spec }
}

/// All of them.
pub fn bases() -> Vec<Base> {
    [triggers(), api_keys(), channels(), scenarios(), runtimes()].into_iter().flatten().collect()
}

fn triggers() -> Vec<Base> {
    let parameters = json!([
        {"name": "city", "type": "string", "required": true, "enum": ["Vienna", "Graz"], "pattern": "^[A-Z]",
            "example": "Graz", "from": "item.city"},
        {"name": "wind", "type": "number", "required": false, "default": 50, "minimum": 1, "maximum": 200.5},
        {"name": "until", "type": "timestamp", "example": "2026-01-02T03:04:05Z"},
    ]);
    let rotation = json!({"every": "90d", "overlap": "12h", "whenStillInUse": "Wait"});
    let generated = json!({
        "parameters": parameters,
        "forEach": "body.city",
        "unknownFields": "Refuse",
        "auth": {"basic": {"generate": true, "rotation": rotation}, "apiKeys": "Refused"},
        "rateWindow": {"calls": 10, "per": "1m"},
        "deduplicate": {"by": "params.city", "within": "1h"},
        "expires": {"after": "2h"},
        "maxBodyBytes": 2048,
    });
    let of_user = json!({
        "parameters": [{"name": "city", "type": "timestamp"}, {"name": "town", "type": "timestamp"}],
        "auth": {"basic": {"secretRef": {"name": "callers"}}},
        "expires": {"at": "params.city"},
    });
    vec![base("ApiTrigger", 4, generated), base("ApiTrigger", 1, of_user)]
}

fn api_keys() -> Vec<Base> {
    let key = json!({
        "type": "Private", "permissions": ["Trigger", "Track"], "triggers": [{"name": "storm"}],
        "rotation": {"every": "90d", "overlap": "12h", "whenStillInUse": "Wait"},
    });
    let page = json!({
        "type": "Public", "permissions": ["Track"], "origins": ["https://shop.example"],
        "track": {"provenBy": {"name": "prover"}, "events": ["page_view"], "attributes": ["size"], "ids": ["cookie"],
            "consents": ["mail"]},
    });
    vec![base("ApiKey", 2, key), base("ApiKey", 1, page)]
}

fn channels() -> Vec<Base> {
    let secret = |key: &str| json!({"secretKeyRef": {"name": "provider", "key": key}});
    let twilio = json!({
        "twilio": {"accountSid": "AC0123456789abcdef0123456789abcdef", "from": "+4312345", "authToken": secret("token"),
            "baseUrl": "http://sandbox:8080"},
        "rate": {"perSecond": 5, "concurrency": 2},
        "retry": {"attempts": 3, "for": "1h30m"},
        "window": 16, "onUnknown": "Resend", "timeout": "10s",
    });
    let smtp = json!({"smtp": {"host": "mail.example", "port": 2525, "tls": "Tls", "from": "Storms <storms@example.com>",
        "replyTo": "Office <office@example.com>", "headers": [{"name": "X-Campaign", "value": "storms"}],
        "credentialsRef": {"name": "provider"}}});
    let webhook = json!({"webhook": {"url": "https://example.com/", "signingSecret": secret("key"),
        "headers": [{"name": "X-Tenant", "value": "shop"}], "authorizationRef": {"name": "provider", "scheme": "Basic"}}});
    vec![
        base("Channel", 2, twilio),
        base("Channel", 1, smtp),
        base("Channel", 1, webhook),
        base("Channel", 1, json!({"log": {}})),
    ]
}

fn message(channel: &str, content: &str, of: Value) -> Value {
    json!({"channelRef": {"name": channel}, "consent": "None", content: of})
}

fn scenarios() -> Vec<Base> {
    let mut text = message("sms", "sms", json!({"body": "A storm comes to {{ params.city }}."}));
    text["to"] = json!("{{ customer.city }}");
    text["consent"] = json!("weather");
    let mail = json!({"subject": "{{ params.city }}", "text": "{{ params.city }}", "html": "<p>{{ params.city }}</p>"});
    let written = json!({
        "triggers": [{"triggerRef": {"name": "storm"}, "where": "params.city == 'Vienna'"}],
        "audience": {"where": "customer.city == params.city"},
        "nodes": [
            {"name": "fork", "condition": {"if": "customer.city == 'Graz'", "else": "mail"}},
            {"name": "text", "message": text, "next": "line"},
            {"name": "mail", "message": message("mail", "email", mail)},
            {"name": "hook", "message": message("hook", "webhook", json!({"body": "{\"in\": {{ params.city | tojson }}}"}))},
            {"name": "pause", "wait": {"for": "2h"}},
            {"name": "until", "wait": {"until": "params.city", "before": "1h"}},
            {"name": "morning", "wait": {"untilTime": {"at": "09:00", "zone": "Europe/Vienna"}}},
            {"name": "line", "message": message("out", "log", json!({"text": "{{ params.city }}"}))},
        ],
        "state": "Draft", "onStop": "Cancel",
    });
    let from = |key: &str| json!({"configMapKeyRef": {"name": "texts", "key": key}});
    let mail = json!({"subject": "Storm", "textFrom": from("city"), "htmlFrom": from("city")});
    let kept = json!({
        "triggers": [{"triggerRef": {"name": "storm"}}],
        "audience": {"everyone": {}},
        "nodes": [
            {"name": "text", "message": message("sms", "sms", json!({"bodyFrom": from("city")}))},
            {"name": "mail", "message": message("mail", "email", mail)},
            {"name": "hook", "message": message("hook", "webhook", json!({"bodyFrom": from("city")}))},
            {"name": "line", "message": message("out", "log", json!({"textFrom": from("city")}))},
        ],
    });
    vec![base("Scenario", 4, written), base("Scenario", 2, kept)]
}

fn runtimes() -> Vec<Base> {
    let frequency = json!([{"name": "daily", "messages": 3, "per": "1d", "consent": "weather"}]);
    let ingress = json!({"host": "calls.example.com", "className": "public", "tls": {"secretRef": {"name": "certificate"}}});
    let files = json!({
        "storage": {"sqlite": {"size": "1Gi", "storageClassName": "fast", "whenDeleted": "Delete"}},
        "tenant": "shop",
        "exposure": {"ingress": ingress},
        "retention": {"calls": "90d", "events": "365d"},
        "timeZone": "Europe/Vienna",
        "locale": "de-AT",
        "region": "AT",
        "smsAddresses": "E164",
        "policies": {"frequency": frequency, "quietHours": {"from": "21:00", "to": "08:00", "then": "Skip"}},
        "consents": [{"category": "weather", "unlessSaid": "Given"}],
    });
    let database = json!({"postgres": {"secretRef": {"name": "database"}}});
    let parent = json!({"name": "public", "namespace": "infra", "sectionName": "https", "port": 443});
    let route = json!({"parentRefs": [parent], "hostnames": ["calls.example.com"]});
    let scaled = json!({
        "storage": database,
        "autoscaling": {"minReplicas": 2, "maxReplicas": 4, "cpuPercent": 60},
        "exposure": {"route": route},
    });
    vec![
        base("Runtime", 3, files),
        base("Runtime", 2, scaled),
        base("Runtime", 1, json!({"storage": database, "replicas": 2})),
    ]
}

/// What the others refer to.
pub const SUPPORT: &str = "
apiVersion: v1
kind: Secret
metadata: {name: provider, labels: {fanfare.dev/allow: channel}}
stringData: {username: u, password: p, token: t, key: k}
---
apiVersion: v1
kind: Secret
metadata: {name: callers, labels: {fanfare.dev/allow: trigger}}
stringData: {username: u, password: p}
---
apiVersion: v1
kind: Secret
metadata: {name: database, labels: {fanfare.dev/allow: storage}}
stringData: {uri: 'postgres://u:p@db/fanfare'}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: texts}
data: {city: '\"{{ params.city }}\"', town: '\"{{ params.town }}\"'}
";

/// The objects of our kinds that scenarios and keys refer to.
pub fn referred() -> Vec<(&'static str, &'static str, Value)> {
    let parameters = json!([{"name": "city", "type": "string"}, {"name": "town", "type": "string"}]);
    let of_channel = |index: usize| channels()[index].spec.clone();
    vec![
        ("ApiTrigger", "storm", json!({"parameters": parameters, "rateWindow": {"calls": 1, "per": "1s"}})),
        ("ApiKey", "prover", json!({"type": "Private", "permissions": ["Track"]})),
        ("Channel", "sms", of_channel(0)),
        ("Channel", "mail", of_channel(1)),
        ("Channel", "hook", of_channel(2)),
        ("Channel", "out", of_channel(3)),
    ]
}
