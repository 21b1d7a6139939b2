//! HTML: what Jinja2 escapes, and its filters that write HTML.

use std::fmt::Write as _;

use minijinja::value::ValueKind;
use minijinja::{State, Value as Jinja};

use super::arguments::{bind, count, flag, invalid, text};
use super::spelling::spelled;
use super::text_filters::needed;
use super::{Given, Result};

/// A text in HTML: `& < > " '` as MarkupSafe writes them. A `/` needs no escaping, and links stay readable.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// `xmlattr`: attributes of an element from an object; `none` leaves one out.
pub(super) fn xmlattr(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [object, autospace] = bind("xmlattr", ["d", "autospace"], given)?;
    let object = needed("xmlattr", object)?;
    if object.kind() != ValueKind::Map {
        return Err(invalid("`xmlattr` is for an object".to_owned()));
    }
    let mut attributes = Vec::new();
    for key in object.try_iter()? {
        let value = object.get_item(&key)?;
        if value.is_none() || value.is_undefined() {
            continue;
        }
        let name = spelled(state, &key)?.into_owned();
        if name.contains(|c: char| c.is_whitespace() || "/>=".contains(c)) {
            return Err(invalid(format!("`{name}` is no name of an attribute")));
        }
        let written = spelled(state, &value)?;
        let value = if value.is_safe() { written.into_owned() } else { escaped(&written) };
        attributes.push(format!("{}=\"{value}\"", escaped(&name)));
    }
    let joined = attributes.join(" ");
    let space = if flag(autospace.as_ref(), true) && !joined.is_empty() { " " } else { "" };
    Ok(Jinja::from_safe_string(format!("{space}{joined}")))
}

/// `urlize`: links around what is one.
pub(super) fn urlize(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let names = ["value", "trim_url_limit", "nofollow", "target", "rel", "extra_schemes"];
    let [value, limit, nofollow, target, rel, schemes] = bind("urlize", names, given)?;
    if schemes.is_some_and(|schemes| !schemes.is_none()) {
        return Err(invalid("`urlize` knows http, https, www and mail addresses only".to_owned()));
    }
    let value = needed("urlize", value)?;
    let source = spelled(state, &value)?;
    let limit = count("trim_url_limit", limit.as_ref(), usize::MAX)?;
    let mut relations: Vec<String> =
        text("rel", rel.as_ref(), "")?.split_whitespace().map(str::to_owned).collect();
    if flag(nofollow.as_ref(), false) {
        relations.push("nofollow".to_owned());
    }
    relations.push("noopener".to_owned());
    relations.sort();
    relations.dedup();
    let target = text("target", target.as_ref(), "")?;
    let mut attributes = format!(" rel=\"{}\"", escaped(&relations.join(" ")));
    if !target.is_empty() {
        let _ = write!(attributes, " target=\"{}\"", escaped(&target));
    }
    let source = if value.is_safe() { source.into_owned() } else { escaped(&source) };
    let mut linked = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while !rest.is_empty() {
        let is_space = rest.starts_with(char::is_whitespace);
        let end = rest.find(|c: char| c.is_whitespace() != is_space).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        linked.push_str(&if is_space { part.to_owned() } else { word(part, limit, &attributes) });
        rest = behind;
    }
    Ok(Jinja::from_safe_string(linked))
}

/// One word, with what is no part of a link in front and behind kept outside, as Jinja2 does.
fn word(word: &str, limit: usize, attributes: &str) -> String {
    let mut middle = word;
    let mut head = 0;
    while let Some(rest) = ["(", "[", "<", "&lt;"].iter().find_map(|open| middle.strip_prefix(open)) {
        head += middle.len() - rest.len();
        middle = rest;
    }
    let mut tail = String::new();
    while let Some((rest, close)) = [")", "]", ">", ".", ",", "\n", "&gt;"]
        .iter()
        .find_map(|close| Some((middle.strip_suffix(close)?, *close)))
    {
        // A bracket that opens inside of the link closes there.
        let opens = [("(", ")"), ("[", "]"), ("<", ">"), ("&lt;", "&gt;")];
        let balanced = opens.iter().any(|(open, closing)| {
            *closing == close && middle.matches(open).count() >= middle.matches(closing).count()
        });
        if balanced {
            break;
        }
        tail.insert_str(0, close);
        middle = rest;
    }
    let shown = match middle.char_indices().nth(limit) {
        Some((at, _)) => format!("{}...", &middle[..at]),
        None => middle.to_owned(),
    };
    let address = |middle: &str| format!("<a href=\"mailto:{middle}\">{middle}</a>");
    let bare = middle.starts_with("www.")
        || [".net", ".org", ".com"].iter().any(|end| middle.ends_with(end)) && !middle.contains('@');
    let linked = match middle {
        _ if is_link(middle) => format!("<a href=\"{middle}\"{attributes}>{shown}</a>"),
        _ if bare && is_link(&format!("https://{middle}")) => {
            format!("<a href=\"https://{middle}\"{attributes}>{shown}</a>")
        }
        _ if middle.starts_with("mailto:") && is_address(&middle[7..]) => {
            format!("<a href=\"{middle}\">{}</a>", &middle[7..])
        }
        _ if is_address(middle) => address(middle),
        _ => middle.to_owned(),
    };
    format!("{}{linked}{tail}", &word[..head])
}

fn is_link(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| host.starts_with(|first: char| first.is_alphanumeric()) && host.len() > 1)
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let last = domain.rsplit('.').next().unwrap_or_default();
    let is_name = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "-._".contains(c));
    !local.is_empty()
        && !text.contains("://")
        && !text.starts_with("www.")
        && !local.contains(':')
        && domain.contains('.')
        && is_name(domain)
        && last.len() >= 2
        && last.chars().all(char::is_alphabetic)
}
