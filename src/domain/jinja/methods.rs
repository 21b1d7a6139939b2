//! Python's methods of texts, lists and objects, as Jinja's users call them: `customer.name.strip()`.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value as Jinja};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::Result;
use super::arguments::{bind, invalid, refuse_missing};
use super::spelling::as_text;
use super::text_filters::{formatted_as, marked_safe};
use super::{call_built_in, text_filters};

/// Every method of a text, a list or an object.
pub(crate) const VALUE_METHODS: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "copy",
    "count",
    "endswith",
    "find",
    "format",
    "get",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "islower",
    "isnumeric",
    "isspace",
    "istitle",
    "isupper",
    "items",
    "join",
    "keys",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "values",
    "zfill",
];

/// Calls a method that the value itself does not have.
pub(super) fn call(state: &mut State<'_, '_>, value: &Jinja, method: &str, given: &[Jinja]) -> Result {
    refuse_missing(given)?;
    let result = match (value.kind(), method) {
        (ValueKind::String, "format") => format(state, value, given)?,
        (ValueKind::String, "join") => {
            let [items] = bind("join", ["iterable"], given)?;
            let items = text_filters::needed("join", items)?;
            super::list_filters::join(state, &[items, value.clone()])?
        }
        (ValueKind::String, "center") => {
            let arguments: Vec<Jinja> = [value.clone()].into_iter().chain(given.iter().cloned()).collect();
            text_filters::center(state, &arguments)?
        }
        (ValueKind::String, "replace") => {
            let arguments: Vec<Jinja> = [value.clone()].into_iter().chain(given.iter().cloned()).collect();
            text_filters::replace(state, &arguments)?
        }
        (ValueKind::String, _) => match of_text(value.as_str().unwrap_or_default(), method, given)? {
            Some(result) => {
                let bytes = result.as_str().map_or(0, str::len);
                state.consume_fuel((bytes / 64) as u64)?;
                result
            }
            None => unknown_method_callback(state, value, method, given)?,
        },
        (ValueKind::Seq, "index") => {
            let [wanted] = bind("index", ["value"], given)?;
            let wanted = text_filters::needed("index", wanted)?;
            let length = value.len().unwrap_or(0);
            state.consume_fuel(length as u64)?;
            let at = value.try_iter()?.position(|item| item == wanted);
            at.map(Jinja::from).ok_or_else(|| invalid("`.index(…)`: it is not in the list".to_owned()))?
        }
        (ValueKind::Seq | ValueKind::Map, "copy") if given.is_empty() => value.clone(),
        (ValueKind::Map, "items") if given.is_empty() => {
            call_built_in(state, "items", std::slice::from_ref(value))?
        }
        _ => unknown_method_callback(state, value, method, given)?,
    };
    let stays_safe = value.is_safe() && result.kind() == ValueKind::String;
    Ok(if stays_safe { marked_safe(&result) } else { result })
}

/// `'{} {name}'.format(…)`: numbers stay numbers, so that `{:.2f}` works.
fn format(state: &mut State<'_, '_>, value: &Jinja, given: &[Jinja]) -> Result {
    let widths = format_widths(value.as_str().unwrap_or_default())?;
    state.consume_fuel((widths / 64) as u64)?;
    let mut arguments = Vec::with_capacity(given.len());
    for argument in given {
        arguments.push(match argument.kind() {
            _ if argument.is_kwargs() => argument.clone(),
            ValueKind::Bool => as_text(state, argument)?,
            ValueKind::Map | ValueKind::Seq if argument.downcast_object_ref::<Tuple>().is_none() => {
                argument.clone()
            }
            _ => formatted_as(state, argument, false)?,
        });
    }
    unknown_method_callback(state, value, "format", &arguments)
}

/// The sum of the numbers that a text for `.format` names between braces, widths above all: minijinja makes texts of
/// any width.
fn format_widths(pattern: &str) -> std::result::Result<usize, Error> {
    /// More than any message shows.
    const WIDTH_MAX: usize = 10_000;
    let (mut inside, mut before, mut number, mut widths) = (false, ' ', 0_usize, 0_usize);
    for character in pattern.chars() {
        match (character, before) {
            // Two braces stand for one.
            ('{', '{') if inside => inside = false,
            ('{', _) if inside => return Err(invalid("a width of `.format` is written out".to_owned())),
            ('{', _) => inside = true,
            ('}', _) => inside = false,
            _ => {}
        }
        before = if character == '{' && !inside { ' ' } else { character };
        number = match character.to_digit(10) {
            Some(digit) if inside => number.saturating_mul(10).saturating_add(digit as usize),
            _ => 0,
        };
        if number > WIDTH_MAX {
            return Err(invalid(format!("`.format` fills up to {WIDTH_MAX} characters at most")));
        }
        // Counted at each digit, which is no more than a tenth too much.
        widths = widths.saturating_add(number);
    }
    Ok(widths)
}

/// The methods of texts that minijinja-contrib lacks.
fn of_text(text: &str, method: &str, given: &[Jinja]) -> std::result::Result<Option<Jinja>, Error> {
    let string = |index: usize| -> std::result::Result<&str, Error> {
        let argument = given.get(index).and_then(Jinja::as_str);
        argument.ok_or_else(|| invalid(format!("`.{method}(…)` takes a text")))
    };
    let none = || match given {
        [] => Ok(()),
        _ => Err(Error::new(ErrorKind::TooManyArguments, format!("`.{method}()` takes nothing"))),
    };
    let tuple = |parts: [&str; 3]| Jinja::from(Tuple::from(parts.map(Jinja::from).to_vec()));
    Ok(Some(match method {
        "casefold" => none().map(|()| Jinja::from(text.to_lowercase().replace('ß', "ss")))?,
        "swapcase" => none().map(|()| Jinja::from(swapped(text)))?,
        "isdecimal" => {
            none().map(|()| Jinja::from(!text.is_empty() && text.chars().all(|c| c.is_ascii_digit())))?
        }
        "istitle" => none().map(|()| {
            let titled = minijinja::filters::title(text.into());
            Jinja::from(titled == text && text.chars().any(char::is_alphabetic))
        })?,
        "removeprefix" => Jinja::from(text.strip_prefix(string(0)?).unwrap_or(text)),
        "removesuffix" => Jinja::from(text.strip_suffix(string(0)?).unwrap_or(text)),
        "partition" => match text.split_once(string(0)?) {
            Some((before, behind)) => tuple([before, string(0)?, behind]),
            None => tuple([text, "", ""]),
        },
        "rpartition" => match text.rsplit_once(string(0)?) {
            Some((before, behind)) => tuple([before, string(0)?, behind]),
            None => tuple(["", "", text]),
        },
        "index" => match text.find(string(0)?) {
            Some(at) => Jinja::from(text[..at].chars().count()),
            None => return Err(invalid("`.index(…)`: it is not in the text".to_owned())),
        },
        "rsplit" => rsplit(text, given)?,
        "zfill" | "ljust" | "rjust" => padded(text, method, given)?,
        _ => return Ok(None),
    }))
}

fn swapped(text: &str) -> String {
    text.chars()
        .flat_map(|c| -> Vec<char> {
            if c.is_uppercase() { c.to_lowercase().collect() } else { c.to_uppercase().collect() }
        })
        .collect()
}

fn rsplit(text: &str, given: &[Jinja]) -> Result {
    let [separator, most] = bind("rsplit", ["sep", "maxsplit"], given)?;
    let most = most.and_then(|most| most.as_i64()).and_then(|most| usize::try_from(most).ok());
    let most = most.map_or(usize::MAX, |most| most.saturating_add(1));
    let mut parts: Vec<Jinja> = match separator.as_ref().and_then(Jinja::as_str) {
        Some("") => return Err(invalid("`.rsplit(…)` takes a separator that is not empty".to_owned())),
        Some(separator) => text.rsplitn(most, separator).map(Jinja::from).collect(),
        None => {
            let mut parts = Vec::new();
            let mut rest = text.trim_end();
            while !rest.is_empty() {
                match rest.rfind(char::is_whitespace).filter(|_| parts.len() + 1 < most) {
                    Some(at) => {
                        let space = rest[at..].chars().next().map_or(1, char::len_utf8);
                        parts.push(Jinja::from(&rest[at + space..]));
                        rest = rest[..at].trim_end();
                    }
                    None => {
                        parts.push(Jinja::from(rest.trim_start()));
                        break;
                    }
                }
            }
            parts
        }
    };
    parts.reverse();
    Ok(Jinja::from(parts))
}

fn padded(text: &str, method: &str, given: &[Jinja]) -> Result {
    /// More than any message shows.
    const WIDTH_MAX: usize = 10_000;
    let [width, fill] = bind(method, ["width", "fillchar"], given)?;
    let width = super::arguments::count("width", width.as_ref(), 0)?;
    if width > WIDTH_MAX {
        return Err(invalid(format!("a text is padded to {WIDTH_MAX} characters at most")));
    }
    let fill = super::arguments::text("fillchar", fill.as_ref(), if method == "zfill" { "0" } else { " " })?;
    if fill.chars().count() != 1 {
        return Err(invalid(format!("`.{method}(…)` fills with one character")));
    }
    let padding = fill.repeat(width.saturating_sub(text.chars().count()));
    Ok(Jinja::from(match method {
        "ljust" => format!("{text}{padding}"),
        "rjust" => format!("{padding}{text}"),
        _ => match text.strip_prefix(['-', '+']) {
            Some(digits) => format!("{}{padding}{digits}", &text[..1]),
            None => format!("{padding}{text}"),
        },
    }))
}
