//! What users of SQL, JavaScript, Liquid, Python and text processors write, and what says the same here.

/// Characters and pairs that are no tokens: as written, what is wrong, and what to write.
pub(super) const SYMBOLS: &[(&str, &str, &str)] = &[
    ("&&", "`&&` is no operator", "write `and`"),
    ("&", "`&` is no operator", "write `and`"),
    ("!==", "`!==` is no operator", "write `!=`"),
    ("!", "`!` is no operator", "write `not`"),
    (";", "`;` has no meaning here", "write one expression, its parts joined by `and` or `or`"),
    ("#", "a comment cannot stand here", "put the comment into YAML, on a line outside of the text"),
    ("${", "`${` has no meaning here", "write the name alone, without `$` and braces"),
    (
        "$.",
        "`$` has no meaning here",
        "write `params.line` for what was called with, and `body.line` in `from`",
    ),
    ("$", "`$` has no meaning here", "write the name without `$`"),
    ("??", "`??` is no operator", "write `customer.a | default(\"b\")`"),
    ("?.", "`?.` is not needed", "write `.`: what is not there is missing"),
    ("?", "`?` is no operator", "a choice is written `b if a else c`"),
    ("`", "a backtick has no meaning here", "put a text in quotes: `\"`"),
    ("\\", "a backslash has no meaning outside of a text", "take it out"),
    (
        "@",
        "`@` has no meaning here",
        "take it out, or put the text in quotes; `@` alone never stands before a name",
    ),
    ("^", "`^` is no operator", "a power is written `**`"),
];

/// White space that is no plain space, by the name people know.
pub(super) const SPACES: &[(char, &str)] = &[
    ('\u{a0}', "a no-break space, as text processors write it"),
    ('\u{202f}', "a narrow no-break space, as text processors write it"),
    ('\u{2007}', "a figure space, as text processors write it"),
    ('\u{2002}', "an en space, as text processors write it"),
    ('\u{2003}', "an em space, as text processors write it"),
    ('\u{2009}', "a thin space, as text processors write it"),
    ('\u{200a}', "a hair space, as text processors write it"),
    ('\u{2008}', "a punctuation space, as text processors write it"),
    ('\u{2004}', "a three-per-em space, as text processors write it"),
    ('\u{2005}', "a four-per-em space, as text processors write it"),
    ('\u{2006}', "a six-per-em space, as text processors write it"),
    ('\u{3000}', "an ideographic space"),
    ('\u{1680}', "an ogham space"),
    ('\u{205f}', "a mathematical space"),
    ('\u{200b}', "a zero width space, which nobody sees"),
    ('\u{200c}', "a zero width non-joiner, which nobody sees"),
    ('\u{200d}', "a zero width joiner, which nobody sees"),
    ('\u{2060}', "a word joiner, which nobody sees"),
    ('\u{feff}', "a byte order mark, which nobody sees"),
    ('\u{ad}', "a soft hyphen, which nobody sees"),
    ('\u{200e}', "a left-to-right mark, which nobody sees"),
    ('\u{200f}', "a right-to-left mark, which nobody sees"),
    ('\u{2028}', "a line separator"),
    ('\u{2029}', "a paragraph separator"),
    ('\u{85}', "a next-line character"),
    ('\u{b}', "a vertical tab"),
];

/// Quotes that text processors write in place of plain ones.
pub(super) const QUOTES: &[char] = &[
    '\u{201c}', '\u{201d}', '\u{201e}', '\u{201f}', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}', '\u{ab}',
    '\u{bb}', '\u{2039}', '\u{203a}', '\u{2032}', '\u{2033}', '\u{b4}', '\u{ff02}', '\u{ff07}',
];

/// Signs that look like operators, with the operator.
pub(super) const SIGNS: &[(char, &str)] = &[
    ('\u{2010}', "-"),
    ('\u{2011}', "-"),
    ('\u{2012}', "-"),
    ('\u{2013}', "-"),
    ('\u{2014}', "-"),
    ('\u{2212}', "-"),
    ('\u{2264}', "<="),
    ('\u{2265}', ">="),
    ('\u{2260}', "!="),
    ('\u{2261}', "=="),
    ('\u{d7}', "*"),
    ('\u{f7}', "/"),
    ('\u{2227}', "and"),
    ('\u{2228}', "or"),
    ('\u{ac}', "not"),
    ('\u{2208}', "in"),
    ('\u{2209}', "not in"),
    ('\u{ff1d}', "=="),
    ('\u{ff08}', "("),
    ('\u{ff09}', ")"),
    ('\u{ff0c}', ","),
    ('\u{2026}', "..."),
];

/// Words that stand between values in other languages, in lower case.
const WORDS: &[(&str, &str)] = &[
    ("like", "write `customer.name is startingwith(\"A\")` or `\"a\" in customer.name`"),
    ("ilike", "write `\"a\" in customer.name | lower`"),
    ("rlike", "write `customer.name is startingwith(\"A\")` or `\"a\" in customer.name`"),
    ("between", "write `18 <= customer.age <= 30`"),
    ("contains", "write `\"a\" in customer.tags`"),
    ("includes", "write `\"a\" in customer.tags`"),
    ("has", "write `\"a\" in customer.tags`"),
    ("contain", "write `\"a\" in customer.tags`"),
    ("matches", "write `is startingwith(\"A\")`, `is endingwith(\"A\")` or `\"a\" in customer.name`"),
    ("regexp", "write `is startingwith(\"A\")`, `is endingwith(\"A\")` or `\"a\" in customer.name`"),
    ("startswith", "write `customer.name is startingwith(\"A\")`"),
    ("starts", "write `customer.name is startingwith(\"A\")`"),
    ("endswith", "write `customer.name is endingwith(\"A\")`"),
    ("ends", "write `customer.name is endingwith(\"A\")`"),
    ("equals", "write `==`"),
    ("equal", "write `==`"),
    ("eq", "write `==`"),
    ("ne", "write `!=`"),
    ("gt", "write `>`"),
    ("gte", "write `>=`"),
    ("ge", "write `>=`"),
    ("lt", "write `<`"),
    ("lte", "write `<=`"),
    ("le", "write `<=`"),
    ("as", "a value is converted by `number(customer.age)`, `text(…)` or `timestamp(…)`"),
    ("of", "write `in`"),
    ("xor", "write `(a and not b) or (b and not a)`"),
    ("exists", "write `customer.name is defined`"),
    ("isnt", "write `!=`"),
    ("then", "a choice is written `b if a else c`"),
    ("when", "a choice is written `b if a else c`"),
    ("case", "a choice is written `b if a else c`"),
    ("endif", "a choice is written `b if a else c`"),
    ("end", "a choice is written `b if a else c`"),
    ("select", "write the condition alone, as `customer.city == \"Paris\"`"),
    ("from", "write the condition alone, as `customer.city == \"Paris\"`"),
    ("where", "write the condition alone, as `customer.city == \"Paris\"`"),
    ("order", "write the condition alone, as `customer.city == \"Paris\"`"),
    ("limit", "write the condition alone, as `customer.city == \"Paris\"`"),
    ("return", "write the condition alone, as `customer.city == \"Paris\"`"),
    ("function", "write the condition alone, as `customer.city == \"Paris\"`"),
    ("lambda", "write the condition alone, as `customer.city == \"Paris\"`"),
    ("new", "a moment is written `timestamp(\"2026-01-31T18:00:00Z\")`, the present one `now`"),
    ("interval", "write `events(\"buy\").within(\"30d\")`"),
    ("typeof", "write `customer.age is number`, `is string` or `is defined`"),
    ("instanceof", "write `customer.age is number`, `is string` or `is defined`"),
    ("collate", "write `customer.name | lower == \"ann\"`"),
    ("for", "each customer is looked at by itself; write what must hold of one"),
    ("any", "write `\"a\" in customer.tags`"),
    ("all", "write what must hold of each part, joined by `and`"),
    ("empty", "write `customer.name == \"\"`, or `customer.name is undefined` for what is not there"),
    ("blank", "write `customer.name == \"\"`, or `customer.name is undefined` for what is not there"),
    ("nil", "write `customer.name is undefined`"),
    ("null", "write `customer.name is undefined`"),
];

/// Operators that Jinja writes in lower case.
/// Jinja's own words within an expression.
pub(super) const KEYWORDS: &[&str] = &["and", "or", "not", "in", "is", "if", "else"];

/// What says the same as a word of another language.
pub(super) fn remedy_for_word(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    if lower != word && KEYWORDS.contains(&lower.as_str()) {
        return Some(format!("write `{lower}`"));
    }
    WORDS.iter().find(|(known, _)| *known == lower).map(|(_, remedy)| (*remedy).to_owned())
}

/// Names that stand alone in other languages, in lower case.
const ROOTS: &[(&str, &str)] = &[
    ("user", "write `customer`"),
    ("contact", "write `customer`"),
    ("profile", "write `customer`"),
    ("person", "write `customer`"),
    ("recipient", "write `customer`"),
    ("subscriber", "write `customer`"),
    ("member", "write `customer`"),
    ("client", "write `customer`"),
    ("attributes", "write `customer`"),
    ("properties", "write `customer`"),
    ("customer_ids", "a customer's own ids are `ids.registered` and the like"),
    ("customer_id", "a customer's own ids are `ids.registered` and the like"),
    ("id", "a customer's own ids are `ids.registered` and the like"),
    ("event", "what a call brought is `params`, and a customer's history `events(\"buy\")`"),
    ("trigger", "what a call brought is `params`, and the trigger's name `call.trigger`"),
    ("payload", "what a call brought is `params`"),
    ("data", "what a call brought is `params`"),
    ("request", "what a call brought is `params`; in `from` it is `body`"),
    ("input", "what a call brought is `params`"),
    ("context", "what a call brought is `params`"),
    ("param", "what a call brought is `params`"),
    ("consent", "write `consents.newsletter`"),
    ("today", "the present moment is `now`"),
    ("current_date", "the present moment is `now`"),
    ("current_timestamp", "the present moment is `now`"),
    ("sysdate", "the present moment is `now`"),
    ("date", "the present moment is `now`"),
    ("time", "the present moment is `now`"),
    ("yes", "write `true`"),
    ("no", "write `false`"),
    ("on", "write `true`"),
    ("off", "write `false`"),
    ("empty", "write `== \"\"`, or `is undefined` for what is not there"),
    ("blank", "write `== \"\"`, or `is undefined` for what is not there"),
    ("undefined", "write `… is undefined`"),
    ("nan", "what is not there is missing: write `… is undefined`"),
    ("this", "write `customer`"),
    ("self", "write `customer`"),
];

/// What says the same as a name of another language.
pub(super) fn remedy_for_root(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if lower != name
        && (["true", "false", "now"].contains(&lower.as_str()) || KEYWORDS.contains(&lower.as_str()))
    {
        return Some(format!("write `{lower}`"));
    }
    let root = ROOTS.iter().find(|(known, _)| *known == lower).map(|(_, remedy)| (*remedy).to_owned());
    root.or_else(|| remedy_for_word(name))
}

/// Functions and methods of other languages, in lower case.
const FUNCTIONS: &[(&str, &str)] = &[
    ("exists", "write `customer.name is defined`"),
    ("defined", "write `customer.name is defined`"),
    ("isset", "write `customer.name is defined`"),
    ("has", "write `customer.name is defined`"),
    ("isdefined", "write `customer.name is defined`"),
    ("isnull", "write `customer.name is undefined`"),
    ("is_null", "write `customer.name is undefined`"),
    ("isempty", "write `customer.name is undefined`, or `== \"\"`"),
    ("isblank", "write `customer.name is undefined`, or `== \"\"`"),
    ("empty", "write `customer.name is undefined`, or `== \"\"`"),
    ("coalesce", "write `customer.name | default(\"x\")`"),
    ("ifnull", "write `customer.name | default(\"x\")`"),
    ("nvl", "write `customer.name | default(\"x\")`"),
    ("default", "write `customer.name | default(\"x\")`"),
    ("get", "write `customer.name | default(\"x\")`"),
    ("getordefault", "write `customer.name | default(\"x\")`"),
    ("len", "write `customer.tags | length`"),
    ("length", "write `customer.tags | length`"),
    ("size", "write `customer.tags | length`"),
    ("count", "write `events(\"buy\").count()`, or `customer.tags | length`"),
    ("lcase", "write `customer.name | lower`"),
    ("ucase", "write `customer.name | upper`"),
    ("tolowercase", "write `customer.name | lower`"),
    ("touppercase", "write `customer.name | upper`"),
    ("downcase", "write `customer.name | lower`"),
    ("upcase", "write `customer.name | upper`"),
    ("strip", "write `customer.name | trim`"),
    ("concat", "texts are joined by `~`"),
    ("contains", "write `\"a\" in customer.tags`"),
    ("includes", "write `\"a\" in customer.tags`"),
    ("include", "write `\"a\" in customer.tags`"),
    ("indexof", "write `\"a\" in customer.tags`"),
    ("some", "write `\"a\" in customer.tags`"),
    ("startswith", "write `customer.name is startingwith(\"A\")`"),
    ("starts_with", "write `customer.name is startingwith(\"A\")`"),
    ("endswith", "write `customer.name is endingwith(\"A\")`"),
    ("ends_with", "write `customer.name is endingwith(\"A\")`"),
    ("equals", "write `==`"),
    ("equalsignorecase", "write `customer.name | lower == \"ann\"`"),
    ("match", "write `is startingwith(\"A\")`, `is endingwith(\"A\")` or `\"a\" in customer.name`"),
    ("matches", "write `is startingwith(\"A\")`, `is endingwith(\"A\")` or `\"a\" in customer.name`"),
    ("test", "write `is startingwith(\"A\")`, `is endingwith(\"A\")` or `\"a\" in customer.name`"),
    ("regex_match", "write `is startingwith(\"A\")`, `is endingwith(\"A\")` or `\"a\" in customer.name`"),
    ("regexp_like", "write `is startingwith(\"A\")`, `is endingwith(\"A\")` or `\"a\" in customer.name`"),
    ("now", "the present moment is `now`, without brackets"),
    ("today", "the present moment is `now`"),
    ("getdate", "the present moment is `now`"),
    ("current_timestamp", "the present moment is `now`"),
    ("date", "a moment is read by `timestamp(\"2026-01-31\")`"),
    ("todate", "a moment is read by `timestamp(\"2026-01-31\")`"),
    ("to_date", "a moment is read by `timestamp(\"2026-01-31\")`"),
    ("datetime", "a moment is read by `timestamp(\"2026-01-31\")`"),
    ("to_timestamp", "a moment is read by `timestamp(\"2026-01-31\")`"),
    ("parse_date", "a moment is read by `timestamp(\"2026-01-31\")`"),
    ("strptime", "a moment is read by `timestamp(\"2026-01-31\")`"),
    ("datediff", "a window is asked of events: `events(\"buy\").within(\"30d\").count() > 0`"),
    ("dateadd", "a window is asked of events: `events(\"buy\").within(\"30d\").count() > 0`"),
    ("timedelta", "a window is asked of events: `events(\"buy\").within(\"30d\").count() > 0`"),
    ("within", "a window is asked of events: `events(\"buy\").within(\"30d\").count() > 0`"),
    ("since", "a window is asked of events: `events(\"buy\").since(\"2026-01-31T00:00:00Z\").count() > 0`"),
    ("int", "write `number(customer.age)`"),
    ("float", "write `number(customer.age)`"),
    ("integer", "write `number(customer.age)`"),
    ("parseint", "write `number(customer.age)`"),
    ("parsefloat", "write `number(customer.age)`"),
    ("tonumber", "write `number(customer.age)`"),
    ("to_number", "write `number(customer.age)`"),
    ("cast", "write `number(…)`, `text(…)` or `timestamp(…)`"),
    ("convert", "write `number(…)`, `text(…)` or `timestamp(…)`"),
    ("str", "write `text(customer.age)`"),
    ("string", "write `text(customer.age)`"),
    ("tostring", "write `text(customer.age)`"),
    ("to_string", "write `text(customer.age)`"),
    ("bool", "write `customer.vip == true`"),
    ("boolean", "write `customer.vip == true`"),
    ("if", "a choice is written `b if a else c`"),
    ("iif", "a choice is written `b if a else c`"),
    ("case", "a choice is written `b if a else c`"),
    ("not", "write `not customer.vip`"),
    ("and", "write `a and b`"),
    ("or", "write `a or b`"),
    ("in", "write `customer.city in [\"a\", \"b\"]`"),
    ("any", "write `\"a\" in customer.tags`"),
    ("all", "write what must hold of each part, joined by `and`"),
    ("max", "write `events(\"buy\").max(\"price\")`"),
    ("min", "write `events(\"buy\").min(\"price\")`"),
    ("sum", "write `events(\"buy\").sum(\"price\")`"),
    ("avg", "write `events(\"buy\").avg(\"price\")`"),
    ("filter", "ask `events(…)` with properties, or use `in`"),
];

/// What says the same as a function or a method of another language.
pub(super) fn remedy_for_function(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    FUNCTIONS.iter().find(|(known, _)| *known == lower).map(|(_, remedy)| *remedy)
}

/// Filters of Liquid, Twig, Django and Bloomreach, in lower case.
const FILTERS: &[(&str, &str)] = &[
    ("downcase", "write `lower`"),
    ("upcase", "write `upper`"),
    ("lowercase", "write `lower`"),
    ("uppercase", "write `upper`"),
    ("tolower", "write `lower`"),
    ("toupper", "write `upper`"),
    ("strip", "write `trim`"),
    ("size", "write `length`"),
    ("len", "write `length`"),
    ("append", "texts are joined by `~`"),
    ("prepend", "texts are joined by `~`"),
    ("concat", "texts are joined by `~`, lists by `+`"),
    ("plus", "write `+`"),
    ("minus", "write `-`"),
    ("times", "write `*`"),
    ("divided_by", "write `/`"),
    ("modulo", "write `%`"),
    ("where", "write `selectattr(\"name\", \"equalto\", \"x\")`"),
    ("json", "write `tojson`"),
    ("to_json", "write `tojson`"),
    ("json_encode", "write `tojson`"),
    ("url_encode", "write `urlencode`"),
    ("escape_once", "write `escape`"),
    ("raw", "write `safe`"),
    ("number", "write `number(…)`"),
    ("to_number", "write `number(…)`"),
    ("str", "write `string`"),
    ("to_s", "write `string`"),
    ("to_i", "write `int`"),
    ("compact", "write `select | list`"),
    ("uniq", "write `unique`"),
    ("contains", "write `\"a\" in …`"),
    ("startswith", "write `… is startingwith(\"A\")`"),
    ("endswith", "write `… is endingwith(\"A\")`"),
    ("timestamp", "write `timestamp(…)`"),
    ("to_datetime", "write `timestamp(…)`"),
    ("text", "write `text(…)`"),
    ("coalesce", "write `default(\"x\")`"),
    ("ifnull", "write `default(\"x\")`"),
    ("default_if_none", "write `default(\"x\")`"),
];

/// What says the same as a filter of another language.
pub(super) fn remedy_for_filter(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    FILTERS.iter().find(|(known, _)| *known == lower).map(|(_, remedy)| *remedy)
}

/// Tests of other languages, in lower case.
const TESTS: &[(&str, &str)] = &[
    ("empty", "write `customer.name is undefined`, or `== \"\"`"),
    ("blank", "write `customer.name is undefined`, or `== \"\"`"),
    ("present", "write `is defined`"),
    ("set", "write `is defined`"),
    ("exists", "write `is defined`"),
    ("missing", "write `is undefined`"),
    ("unset", "write `is undefined`"),
    ("text", "write `is string`"),
    ("str", "write `is string`"),
    ("numeric", "write `is number`"),
    ("bool", "write `is boolean`"),
    ("list", "write `is sequence`"),
    ("array", "write `is sequence`"),
    ("dict", "write `is mapping`"),
    ("object", "write `is mapping`"),
    ("containing", "write `\"a\" in customer.tags`"),
    ("contains", "write `\"a\" in customer.tags`"),
    ("matching", "write `is startingwith(\"A\")`, `is endingwith(\"A\")` or `\"a\" in customer.name`"),
    ("match", "write `is startingwith(\"A\")`, `is endingwith(\"A\")` or `\"a\" in customer.name`"),
    ("like", "write `is startingwith(\"A\")`, `is endingwith(\"A\")` or `\"a\" in customer.name`"),
    ("startswith", "write `is startingwith(\"A\")`"),
    ("starts_with", "write `is startingwith(\"A\")`"),
    ("endswith", "write `is endingwith(\"A\")`"),
    ("equal", "write `==`"),
    ("greater", "write `>`"),
    ("less", "write `<`"),
    ("between", "write `18 <= customer.age <= 30`"),
];

/// What says the same as a test of another language.
pub(super) fn remedy_for_test(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    TESTS.iter().find(|(known, _)| *known == lower).map(|(_, remedy)| *remedy)
}

/// Tags of Liquid, Twig, Handlebars and Django.
const TAGS: &[(&str, &str)] = &[
    ("elseif", "write `{% elif … %}`"),
    ("elsif", "write `{% elif … %}`"),
    ("unless", "write `{% if not … %}`"),
    ("endunless", "write `{% endif %}`"),
    ("end", "write `{% endif %}` or `{% endfor %}`"),
    ("fi", "write `{% endif %}`"),
    ("assign", "write `{% set x = … %}`"),
    ("capture", "write `{% set x %}…{% endset %}`"),
    ("endcapture", "write `{% endset %}`"),
    ("case", "write `{% if … %}{% elif … %}{% endif %}`"),
    ("when", "write `{% elif … %}`"),
    ("switch", "write `{% if … %}{% elif … %}{% endif %}`"),
    ("comment", "write `{# … #}`"),
    ("foreach", "write `{% for x in … %}`"),
    ("each", "write `{% for x in … %}`"),
    ("let", "write `{% set x = … %}`"),
    ("var", "write `{% set x = … %}`"),
    ("print", "write `{{ … }}`"),
    ("echo", "write `{{ … }}`"),
    ("render", "write `{% include \"name\" %}`"),
    ("trans", "translations are texts of a ConfigMap: write `{% include \"name\" %}`"),
    ("load", "nothing has to be loaded; take it out"),
    ("break", "leave elements out by `{% for x in … if … %}`"),
    ("continue", "leave elements out by `{% for x in … if … %}`"),
    ("abort", "write `{{ abort(\"why\") }}`"),
];

/// What says the same as a tag of another language.
pub(super) fn remedy_for_tag(tag: &str) -> Option<&'static str> {
    let lower = tag.to_ascii_lowercase();
    TAGS.iter().find(|(known, _)| *known == lower).map(|(_, remedy)| *remedy)
}
