//! What a Runtime says of time zone, language and region, for texts that do not say it themselves.

use icu_datetime::DateTimeFormatter;
use icu_datetime::fieldsets::M;
use icu_datetime::input::Date;
use icu_locale_core::{Locale, locale};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::phone::Region;

/// What holds where a filter is not told anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDefaults {
    /// The region of telephone numbers without a country code, if there is one.
    pub region: Option<Region>,
    /// The zone of times.
    pub zone: TimeZone,
    /// The language of dates and the signs in numbers.
    pub locale: Locale,
}

impl Default for LocalDefaults {
    fn default() -> Self {
        LocalDefaults { region: None, zone: TimeZone::UTC, locale: locale!("en") }
    }
}

/// Why a name is no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{0}`; write one as `Europe/Vienna`")]
pub struct UnknownZone(String);

/// A time zone by its name in the IANA database.
///
/// # Errors
/// There is none of that name.
pub fn zone_of(name: &str) -> Result<TimeZone, UnknownZone> {
    TimeZoneDatabase::bundled().get(name).map_err(|_| UnknownZone(name.chars().take(70).collect()))
}

/// Why a name is no locale.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownLocale {
    /// It is not written as one.
    #[error("`{0}` is no locale; write one as `de` or `pt-BR`")]
    Unreadable(String),
    /// It is no language, or its rules are not known.
    #[error("nothing is known of the language of the locale `{0}`; write one as `de` or `pt-BR`")]
    NoData(String),
}

/// A locale by its tag of BCP 47; `_` stands for `-`.
///
/// # Errors
/// It is not written as one, or there is no data for its language.
pub fn locale_of(name: &str) -> Result<Locale, UnknownLocale> {
    let shown = || name.chars().take(70).collect();
    let locale: Locale = name.replace('_', "-").parse().map_err(|_| UnknownLocale::Unreadable(shown()))?;
    match is_known(&locale) {
        true => Ok(locale),
        false => Err(UnknownLocale::NoData(shown())),
    }
}

/// Without data for a language, months are numbers: `M03`.
fn is_known(locale: &Locale) -> bool {
    let month = |locale: &Locale| {
        let formatter = DateTimeFormatter::try_new(locale.into(), M::long()).ok()?;
        Some(formatter.format(&Date::try_new_iso(2026, 3, 1).ok()?).to_string())
    };
    let found = month(locale);
    found.is_some() && found != month(&locale!("und"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_locale_or_zone_says_so() {
        for known in ["de", "de-AT", "pt_BR", "en", "cs", "zh-Hant-TW", "sr-Latn", "ar", "he", "ja"] {
            assert!(locale_of(known).is_ok(), "{known}");
        }
        for unknown in ["", "german", "xx", "de-", "Deutsch (AT)", "und", "austria"] {
            assert!(locale_of(unknown).is_err(), "{unknown}");
        }
        assert!(zone_of("Europe/Vienna").is_ok());
        for unknown in ["", "Europe/Viena", "CEST", "+02:00"] {
            assert!(zone_of(unknown).is_err(), "{unknown}");
        }
    }
}
