//! Times and numbers as people of a place write them: by the time zone database and by Unicode's CLDR, both inside of
//! the binary, so that every process writes the same.

use std::sync::Arc;

use icu_datetime::fieldsets::{T, YMD};
use icu_datetime::input::{Date, DateTime, Time};
use icu_datetime::{DateTimeFormatter, NoCalendarFormatter};
use icu_decimal::DecimalFormatter;
use icu_decimal::input::Decimal;
use icu_locale_core::Locale;
use jiff::civil::Date as Day;
use jiff::fmt::strtime;
use jiff::{Timestamp, Zoned};
use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{State, Value as Jinja};

use super::arguments::{bind, count, invalid, text};
use super::moment::Moment;
use super::text_filters::needed;
use super::{Given, Result};
use crate::domain::expression::{convert, from_jinja};
use crate::domain::local_defaults::{LocalDefaults, locale_of, zone_of};
use crate::domain::phone::{Region, e164};
use crate::domain::value::{Kind, Value};

/// The name by which filters find what the Runtime says; no source may use it.
pub(crate) const LOCAL: &str = "__local";

/// What the Runtime says, inside of Jinja.
#[derive(Debug)]
struct Local(Arc<LocalDefaults>);

impl Object for Local {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// The value that is given to Jinja as [`LOCAL`].
pub(crate) fn local_value(defaults: &Arc<LocalDefaults>) -> Jinja {
    Jinja::from_object(Local(Arc::clone(defaults)))
}

/// What the Runtime says; UTC and English where it says nothing.
fn defaults(state: &State<'_, '_>) -> Arc<LocalDefaults> {
    let known = state.lookup(LOCAL);
    let known = known.as_ref().and_then(|known| known.downcast_object_ref::<Local>());
    known.map_or_else(Arc::default, |local| Arc::clone(&local.0))
}

/// Loading a locale's data costs about as much as so many instructions.
const LOCALE_FUEL: u64 = 300;

/// The most digits behind the point.
const DECIMALS_MAX: usize = 20;

/// Which parts of a time are written.
#[derive(Clone, Copy)]
enum Parts {
    Date,
    Time,
    Both,
}

/// `datetime`: `{{ now | datetime("long", zone="Europe/Vienna", locale="de") }}`.
pub(super) fn datetime(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    localized(state, "datetime", Parts::Both, given)
}

/// `date`: the day alone.
pub(super) fn date(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    localized(state, "date", Parts::Date, given)
}

/// `time`: hour and minute alone.
pub(super) fn time(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    localized(state, "time", Parts::Time, given)
}

fn localized(state: &mut State<'_, '_>, filter: &str, parts: Parts, given: Given<'_>) -> Result {
    let [value, format, zone, locale] = bind(filter, ["value", "format", "zone", "locale"], given)?;
    let defaults = defaults(state);
    let zoned = zoned(&needed(filter, value)?, zone.as_ref(), &defaults)?;
    let format = text("format", format.as_ref(), "medium")?;
    if format.contains('%') {
        return formatted(&format, &zoned);
    }
    state.consume_fuel(LOCALE_FUEL)?;
    let locale = chosen_locale(locale.as_ref(), &defaults)?;
    let fields = match format.as_str() {
        "short" => YMD::short(),
        "medium" => YMD::medium(),
        "long" => YMD::long(),
        _ => {
            let known = "`short`, `medium`, `long`, or a format such as `%d.%m.%Y`";
            return Err(invalid(format!("`{filter}` knows no `{format}`; there are {known}")));
        }
    };
    let part = |part: i8| u8::try_from(part).unwrap_or(0);
    let date = Date::try_new_iso(i32::from(zoned.year()), part(zoned.month()), part(zoned.day()))
        .map_err(|_| invalid("the date is out of range".to_owned()))?;
    let input = DateTime { date, time: iso_time(&zoned)? };
    let unknown = |_| invalid(format!("there is no data for the locale `{locale}`"));
    Ok(Jinja::from(match parts {
        Parts::Date => {
            let formatter = DateTimeFormatter::try_new((&locale).into(), fields).map_err(unknown)?;
            formatter.format(&input).to_string()
        }
        Parts::Both => {
            let formatter =
                DateTimeFormatter::try_new((&locale).into(), fields.with_time_hm()).map_err(unknown)?;
            formatter.format(&input).to_string()
        }
        Parts::Time => {
            let formatter = NoCalendarFormatter::try_new((&locale).into(), T::hm()).map_err(unknown)?;
            formatter.format(&input.time).to_string()
        }
    }))
}

fn iso_time(zoned: &Zoned) -> Result<Time> {
    let part = |part: i8| u8::try_from(part).unwrap_or(0);
    let time = Time::try_new(part(zoned.hour()), part(zoned.minute()), part(zoned.second()), 0);
    time.map_err(|_| invalid("the time is out of range".to_owned()))
}

/// `from_timestamp` and `format_time`, as Bloomreach's users write them: a format of Python's, and a zone.
pub(super) fn from_timestamp(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    by_format(state, "from_timestamp", given)
}

/// See [`from_timestamp`].
pub(super) fn format_time(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    by_format(state, "format_time", given)
}

fn by_format(state: &State<'_, '_>, filter: &str, given: Given<'_>) -> Result {
    let [value, format, zone] = bind(filter, ["value", "format", "tz"], given)?;
    let zoned = zoned(&needed(filter, value)?, zone.as_ref(), &defaults(state))?;
    formatted(&text("format", format.as_ref(), "%Y-%m-%d %H:%M:%S")?, &zoned)
}

fn formatted(format: &str, zoned: &Zoned) -> Result {
    strtime::format(format, zoned)
        .map(Jinja::from)
        .map_err(|error| invalid(format!("`{format}` is no format of times: {error}")))
}

/// A time, a text or seconds since 1970, in a zone.
fn zoned(value: &Jinja, zone: Option<&Jinja>, defaults: &LocalDefaults) -> Result<Zoned> {
    let zone = match text("zone", zone, "")?.as_str() {
        "" => defaults.zone.clone(),
        name => zone_of(name).map_err(|unknown| invalid(unknown.to_string()))?,
    };
    // A day is that day in every zone.
    let day = value.as_str().map(str::trim).filter(|text| text.len() == 10);
    if let Some(day) = day.and_then(|day| day.parse::<Day>().ok()) {
        return day.to_zoned(zone).map_err(|_| invalid(format!("`{value}` is out of range")));
    }
    Ok(moment(value)?.to_zoned(zone))
}

fn moment(value: &Jinja) -> Result<Timestamp> {
    if let Some(moment) = value.downcast_object_ref::<Moment>() {
        return Ok(moment.0);
    }
    let read = from_jinja(value).ok().flatten().and_then(|value| convert(Kind::Timestamp, &value));
    match read {
        Some(Value::Timestamp(moment)) => Ok(moment),
        _ => Err(invalid(format!("`{value}` is no time; write it as `2026-11-01T12:00:00Z`"))),
    }
}

/// `number`: `{{ customer.balance | number(2, locale="de") }}`.
pub(super) fn number(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, decimals, locale] = bind("number", ["value", "decimals", "locale"], given)?;
    let decimals = match decimals.filter(|decimals| !decimals.is_none()) {
        Some(decimals) => Some(count("decimals", Some(&decimals), 0)?),
        None => None,
    };
    let written = grouped(state, &needed("number", value)?, decimals, locale.as_ref())?;
    Ok(Jinja::from(written))
}

/// `currency`: the number with the digits of its currency, and its code: `12,50 EUR`. The code stands behind it
/// everywhere, so that no reader takes one dollar for another.
pub(super) fn currency(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, code, locale] = bind("currency", ["value", "code", "locale"], given)?;
    let code = text("code", code.as_ref(), "")?;
    if code.len() != 3 || !code.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return Err(invalid(format!("`currency` takes a code such as `EUR`, not `{code}`")));
    }
    let written = grouped(state, &needed("currency", value)?, Some(minor_digits(&code)), locale.as_ref())?;
    Ok(Jinja::from(format!("{written}\u{a0}{code}")))
}

/// How many digits a currency has behind the point: ISO 4217's minor unit, two but for these.
fn minor_digits(code: &str) -> usize {
    match code {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

fn grouped(
    state: &State<'_, '_>,
    value: &Jinja,
    decimals: Option<usize>,
    locale: Option<&Jinja>,
) -> Result<String> {
    state.consume_fuel(LOCALE_FUEL)?;
    let plain = match (value.kind(), from_jinja(value).ok().flatten()) {
        (ValueKind::Bool, _) => None,
        (_, Some(value)) => convert(Kind::Number, &value),
        _ => None,
    };
    let Some(Value::Number(number)) = plain else {
        return Err(invalid(format!("`{value}` is no number")));
    };
    let decimals = decimals.map(|decimals| decimals.min(DECIMALS_MAX));
    // Rounded as `round` and `'%.2f'` do: to the nearest, from the digits that the number really has.
    let written = match (number, decimals) {
        (crate::domain::value::Number::Double(double), Some(decimals)) => format!("{double:.decimals$}"),
        (number, _) => number.to_string(),
    };
    let mut decimal: Decimal = written.parse().map_err(|_| invalid(format!("`{written}` is no number")))?;
    if let Some(decimals) = decimals {
        decimal.pad_end(-i16::try_from(decimals).unwrap_or(0));
    }
    let locale = chosen_locale(locale, &defaults(state))?;
    let formatter = DecimalFormatter::try_new((&locale).into(), Default::default())
        .map_err(|_| invalid(format!("there is no data for the locale `{locale}`")))?;
    Ok(formatter.format(&decimal).to_string())
}

fn chosen_locale(locale: Option<&Jinja>, defaults: &LocalDefaults) -> Result<Locale> {
    match text("locale", locale, "")?.as_str() {
        "" => Ok(defaults.locale.clone()),
        name => locale_of(name).map_err(|unknown| invalid(unknown.to_string())),
    }
}

/// `phone`: a telephone number as E.164; without a country code it belongs to the region that is given, or to the
/// Runtime's: `{{ customer.phone | phone("AT") }}`.
pub(super) fn phone(state: &mut State<'_, '_>, given: Given<'_>) -> Result {
    let [value, region] = bind("phone", ["value", "region"], given)?;
    let value = needed("phone", value)?;
    let region = match text("region", region.as_ref(), "")?.as_str() {
        "" => defaults(state).region,
        code => Some(code.parse::<Region>().map_err(|unknown| invalid(unknown.to_string()))?),
    };
    state.consume_fuel(LOCALE_FUEL)?;
    let written = match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        // A number that a CRM keeps as one.
        ValueKind::Number if value.is_integer() => value.to_string(),
        _ => return Err(invalid(format!("`{value}` is no phone number: it is no text"))),
    };
    let number = e164(&written, region);
    number.map(Jinja::from).map_err(|reason| invalid(format!("`{written}` is no phone number: {reason}")))
}
