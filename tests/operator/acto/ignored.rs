//! The fields of which nothing can be seen in a cluster without replicas, and why that is right.

/// Whether nothing needs to come of a mutation, as the list says.
pub fn is_listed(known: &str, field: &str, what: &str) -> bool {
    match known.split_once(": ") {
        Some((name, done)) => name == field && done == what,
        None => field == known || field.strip_prefix(known).is_some_and(|below| below.starts_with('.')),
    }
}

/// A field, with all below it, or a field and what was done to it; and why nothing of it can be seen.
pub const IGNORED: &[(&str, &str)] = &[
    ("ApiKey.rotation", "it says when the key changes: `operator::credentials::plan` shows that"),
    (
        "ApiTrigger.auth.basic.rotation",
        "it says when credentials change: `operator::credentials::plan` shows that",
    ),
    ("ApiTrigger.auth.basic: emptied", "as `rotation`; credentials are generated all the same"),
    ("ApiTrigger.auth.basic.generate: removed", "left out, it is true"),
    ("ApiTrigger.parameters[].required: removed", "left out, it is true"),
    ("Channel.smtp", "`channels::connect` reads it as it was declared, and tests/channels show what is sent"),
    (
        "Channel.twilio",
        "`channels::connect` reads it as it was declared, and tests/channels show what is sent",
    ),
    (
        "Channel.webhook",
        "`channels::connect` reads it as it was declared, and tests/channels show what is sent",
    ),
    (
        "Runtime.locale",
        "the runtime puts it in force by itself: tests/cli/phone_numbers shows what comes of it",
    ),
    ("Runtime.policies", "not applied yet; the condition Accepted warns of it"),
    (
        "Runtime.retention",
        "the runtime puts it in force by itself: tests/cli/retention shows what comes of it",
    ),
    ("Runtime.storage.sqlite.size: longest", "with zeros before it, it is the same size"),
    (
        "Runtime.timeZone",
        "the runtime puts it in force by itself: tests/cli/phone_numbers shows what comes of it",
    ),
];
