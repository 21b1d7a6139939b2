//! Telephone numbers as people write them, as providers want them: E.164, `+436641234567`.
//!
//! What each country's numbers look like is known from libphonenumber's data (https://github.com/google/libphonenumber).
//! A number that may be somebody else's is worse than none: what is no possible number is refused, with the reason.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use phonenumber::country::Id;
use phonenumber::metadata::{DATABASE, Database};
use phonenumber::{Metadata, Mode};

/// The most digits of a number with its country code (ITU-T E.164, 6.2.1).
const DIGITS_MAX: usize = 15;

/// The least digits with the country code: the shortest that are in use have four behind a code of three.
const DIGITS_MIN: usize = 7;

/// How long a text may be that a number is looked for in.
const WRITTEN_CHARS_MAX: usize = 100;

/// How many patterns of numbers are kept ready. A country has about ten, and one takes 100 KB; with fewer, an audience
/// from all over the world would have each made anew for each customer.
const PATTERNS_MAX: usize = 400;

/// The data about all countries: a few megabytes, made when the first number is read.
static COUNTRIES: LazyLock<&'static Database> = LazyLock::new(|| {
    let database: &'static Database = &DATABASE;
    if let Ok(mut patterns) = database.cache().lock() {
        patterns.set_capacity(PATTERNS_MAX);
    }
    database
});

/// A region that has telephone numbers, by its code of ISO 3166-1: `AT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region(Id);

/// Why a text is no region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no region `{0}`; write its two letters of ISO 3166, such as `AT`")]
pub struct UnknownRegion(String);

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(code: &str) -> Result<Self, UnknownRegion> {
        let unknown = || UnknownRegion(code.chars().take(20).collect());
        let id = code.parse::<Id>().map_err(|_| unknown())?;
        COUNTRIES.by_id(id.as_ref()).map(|_| Region(id)).ok_or_else(unknown)
    }
}

impl Region {
    fn metadata(self) -> Option<&'static Metadata> {
        COUNTRIES.by_id(self.0.as_ref())
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_ref())
    }
}

/// Why a text cannot be read as a telephone number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPhoneNumber {
    /// There is not a single digit.
    #[error("it has no digits")]
    NoDigits,
    /// A letter or a sign that numbers do not have.
    #[error("`{0}` does not belong into one")]
    Character(char),
    /// A plus that does not stand in front, so that there may be two numbers.
    #[error("a `+` stands inside of it")]
    PlusInside,
    /// A number inside of a company, which no message reaches.
    #[error("it has an extension")]
    Extension,
    /// It has no country code, and no country is declared.
    #[error(
        "it has no country code, and no region is known; write it as +43…, or set spec.region of the Runtime"
    )]
    NoRegion,
    /// No country has the code.
    #[error("no country has the code that it begins with")]
    UnknownCountryCode,
    /// Too few digits.
    #[error("it is too short")]
    TooShort,
    /// Too many digits.
    #[error("it is too long")]
    TooLong,
    /// No number of that country looks so.
    #[error("+{0} has no such numbers")]
    Impossible(u16),
}

/// A number as E.164. Without a country code it belongs to the region.
///
/// # Errors
/// Why it is none.
pub fn e164(written: &str, region: Option<Region>) -> Result<String, NotAPhoneNumber> {
    let Digits { digits, is_international } = digits_of(written)?;
    let abroad = match (is_international, region) {
        (true, _) => Some(digits.as_str()),
        (false, region) => behind_international_prefix(&digits, region),
    };
    match (abroad, region) {
        // Without the region: it would take its own trunk prefix off a number of another country.
        (Some(abroad), _) => checked(&parsed(None, &format!("+{abroad}"))?),
        (None, Some(region)) => of_region(&digits, region),
        (None, None) => Err(NotAPhoneNumber::NoRegion),
    }
}

/// A number without a prefix that leads abroad. It may begin with the digits of the country code and be none without
/// them: +590 590 20 12 34.
fn of_region(digits: &str, region: Region) -> Result<String, NotAPhoneNumber> {
    let read = parsed(Some(region.0), digits).and_then(|read| checked(&read));
    let code = region.metadata().map(Metadata::country_code);
    let whole = || checked(&parsed(None, &format!("+{}{digits}", code?)).ok()?).ok();
    read.or_else(|reason| whole().ok_or(reason))
}

/// As E.164, if there are such numbers.
fn checked(read: &phonenumber::PhoneNumber) -> Result<String, NotAPhoneNumber> {
    let code = read.country().code();
    let number = read.format().mode(Mode::E164).to_string();
    match number.len().saturating_sub(1) {
        ..DIGITS_MIN => return Err(NotAPhoneNumber::TooShort),
        length if length > DIGITS_MAX => return Err(NotAPhoneNumber::TooLong),
        _ => {}
    }
    match phonenumber::is_valid_with(*COUNTRIES, read) {
        true => Ok(number),
        false => Err(misfit(code, number.len() - 1 - code.to_string().len())),
    }
}

fn parsed(region: Option<Id>, digits: &str) -> Result<phonenumber::PhoneNumber, NotAPhoneNumber> {
    use phonenumber::ParseError;
    phonenumber::parse_with(*COUNTRIES, region, digits).map_err(|error| match error {
        ParseError::InvalidCountryCode => NotAPhoneNumber::UnknownCountryCode,
        ParseError::TooLong => NotAPhoneNumber::TooLong,
        ParseError::NoNumber
        | ParseError::TooShortAfterIdd
        | ParseError::TooShortNsn
        | ParseError::MalformedInteger(_) => NotAPhoneNumber::TooShort,
    })
}

/// What is behind the prefix that leads out of the region. Where another one is dialled, many write `00` all the same,
/// which no region's own numbers begin with.
fn behind_international_prefix(digits: &str, region: Option<Region>) -> Option<&str> {
    let prefix = region.and_then(Region::metadata).and_then(Metadata::international_prefix);
    let length = prefix.and_then(|prefix| prefix.find(digits)).filter(|found| found.start() == 0);
    let behind = match length {
        Some(found) => digits.get(found.end()..),
        None => digits.strip_prefix("00"),
    };
    behind.filter(|behind| !behind.starts_with('0'))
}

/// What is wrong with a number of which so many digits stand behind the country code.
fn misfit(code: u16, length: usize) -> NotAPhoneNumber {
    let countries = COUNTRIES.by_code(&code).unwrap_or_default();
    let lengths = || countries.iter().flat_map(|country| country.descriptors().general().possible_length());
    let is = |limit: Option<&u16>, outside: fn(usize, usize) -> bool| {
        limit.is_some_and(|limit| outside(length, usize::from(*limit)))
    };
    if is(lengths().min(), |length, least| length < least) {
        return NotAPhoneNumber::TooShort;
    }
    if is(lengths().max(), |length, most| length > most) {
        return NotAPhoneNumber::TooLong;
    }
    NotAPhoneNumber::Impossible(code)
}

/// The digits of what was written.
struct Digits {
    digits: String,
    /// Whether they begin with a country code.
    is_international: bool,
}

/// Takes out what only parts the digits, and what copying brings along unseen.
fn digits_of(written: &str) -> Result<Digits, NotAPhoneNumber> {
    let written = written.trim().strip_prefix("tel:").unwrap_or(written);
    if written.len() > WRITTEN_CHARS_MAX {
        return Err(NotAPhoneNumber::TooLong);
    }
    let mut found = Digits { digits: String::new(), is_international: false };
    for (at, character) in written.char_indices() {
        match character {
            _ if digit(character).is_some() => found.digits.extend(digit(character)),
            '+' | '\u{ff0b}' if !found.digits.is_empty() => return Err(NotAPhoneNumber::PlusInside),
            '+' | '\u{ff0b}' => found.is_international = true,
            _ if parts_digits(character) || is_unseen(character) => {}
            _ if is_extension(&written[at..]) && !found.digits.is_empty() => {
                return Err(NotAPhoneNumber::Extension);
            }
            _ => return Err(NotAPhoneNumber::Character(character)),
        }
    }
    match found.digits.len() {
        0 => Err(NotAPhoneNumber::NoDigits),
        // A prefix that leads abroad, and a zero that was left in, come on top.
        length if length > DIGITS_MAX + 8 => Err(NotAPhoneNumber::TooLong),
        _ => Ok(found),
    }
}

/// Digits of Western, Arabic, Persian and full-width writing.
fn digit(character: char) -> Option<char> {
    let zero = match character {
        '0'..='9' => return Some(character),
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        '\u{ff10}'..='\u{ff19}' => 0xff10,
        _ => return None,
    };
    char::from_digit(u32::from(character) - zero, 10)
}

fn parts_digits(character: char) -> bool {
    let is_dash = matches!(character, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0d}' | '~');
    let is_bracket = matches!(character, '(' | ')' | '[' | ']' | '\u{ff08}' | '\u{ff09}');
    is_dash || is_bracket || matches!(character, '.' | '/' | '\u{b7}') || character.is_whitespace()
}

/// Soft hyphens, joiners and marks of the direction of writing: address books put them around numbers.
fn is_unseen(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `ext. 12`, `x12`, `#12`, `;ext=12`: the way on inside of a company.
fn is_extension(rest: &str) -> bool {
    let rest = rest.trim_start_matches([';', ',', ' ']).to_ascii_lowercase();
    let marks = ["extension", "ext", "x", "#", "dw", "durchwahl", "poste", "int"];
    let behind = marks.iter().find_map(|mark| rest.strip_prefix(mark));
    let behind = behind.map(|behind| behind.trim_start_matches(['.', ':', '=', ' ', '-']));
    behind.is_some_and(|behind| !behind.is_empty() && behind.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::NotAPhoneNumber::*;
    use super::*;

    fn read(written: &str, region: &str) -> Result<String, NotAPhoneNumber> {
        e164(written, (!region.is_empty()).then(|| region.parse().unwrap()))
    }

    /// Each row is a region, what was written, and how it is read.
    fn read_as(rows: &[(&str, &str, &str)]) {
        for (region, written, expected) in rows {
            assert_eq!(read(written, region).as_deref(), Ok(*expected), "{region} {written}");
        }
    }

    #[test]
    fn a_number_is_read_however_it_is_written() {
        read_as(&[
            ("AT", "0664 1234567", "+436641234567"),
            ("AT", "0664/123 45 67", "+436641234567"),
            ("AT", "(0664) 1234567", "+436641234567"),
            ("AT", "+43 (0) 664 1234567", "+436641234567"),
            ("AT", "00436641234567", "+436641234567"),
            ("AT", "436641234567", "+436641234567"),
            ("AT", "6641234567", "+436641234567"),
            ("AT", "tel:+43-664-1234567", "+436641234567"),
            ("AT", "\u{202a}+43 664 1234567\u{202c}", "+436641234567"),
            ("AT", "+43\u{a0}664\u{202f}1234567", "+436641234567"),
            ("AT", "\u{ff0b}\u{ff14}\u{ff13}6641234567", "+436641234567"),
            ("", "+436641234567", "+436641234567"),
            ("", "0043 664 1234567", "+436641234567"),
            ("DE", "0151-23456789", "+4915123456789"),
            ("DE", "0043 664 1234567", "+436641234567"),
        ]);
    }

    #[test]
    fn numbers_of_many_countries_are_read_as_people_write_them() {
        read_as(&[
            ("US", "(650) 253-0000", "+16502530000"),
            ("US", "1-650-253-0000", "+16502530000"),
            ("US", "650.253.0000", "+16502530000"),
            ("US", "011 43 664 1234567", "+436641234567"),
            ("US", "00 43 664 1234567", "+436641234567"),
            // A trunk prefix of the region is no trunk prefix of another country.
            ("US", "+49 151 12345678", "+4915112345678"),
            ("US", "011 49 151 12345678", "+4915112345678"),
            ("RU", "+49 89 636 48018", "+498963648018"),
            ("AT", "+39 02 3661 8300", "+390236618300"),
            ("AT", "0039 02 3661 8300", "+390236618300"),
            ("HU", "+48 601 234 567", "+48601234567"),
            ("IT", "02 3661 8300", "+390236618300"),
            ("IT", "347 1234567", "+393471234567"),
            ("SM", "0549 886377", "+3780549886377"),
            ("GB", "07400 123456", "+447400123456"),
            ("GB", "+44 (0)7400 123456", "+447400123456"),
            ("FR", "06 12 34 56 78", "+33612345678"),
            ("CH", "078 123 45 67", "+41781234567"),
            ("CZ", "601 123 456", "+420601123456"),
            ("SK", "0912 123 456", "+421912123456"),
            ("HU", "06 20 123 4567", "+36201234567"),
            ("PL", "512 345 678", "+48512345678"),
            ("RU", "8 912 345-67-89", "+79123456789"),
            ("KZ", "8 771 000 9998", "+77710009998"),
            ("BR", "(11) 96123-4567", "+5511961234567"),
            ("AR", "011 15-2345-6789", "+5491123456789"),
            ("MX", "222 123 4567", "+522221234567"),
            ("IN", "098765 43210", "+919876543210"),
            ("JP", "090-1234-5678", "+819012345678"),
            ("JP", "010 1 650 253 0000", "+16502530000"),
            ("CN", "131 2345 6789", "+8613123456789"),
            ("AU", "0412 345 678", "+61412345678"),
            ("AU", "0011 43 664 1234567", "+436641234567"),
            ("ZA", "071 123 4567", "+27711234567"),
            ("CI", "07 07 12 34 56", "+2250707123456"),
            (
                "EG",
                "\u{660}\u{661}\u{660}\u{660} \u{661}\u{662}\u{663} \u{664}\u{665}\u{666}\u{667}",
                "+201001234567",
            ),
            ("AT", "+683 4000", "+6834000"),
            ("AT", "+800 1234 5678", "+80012345678"),
        ]);
    }

    #[test]
    fn what_is_no_number_says_why() {
        for (region, written, expected) in [
            ("AT", "", NoDigits),
            ("AT", " - ", NoDigits),
            ("AT", "+", NoDigits),
            ("AT", "unknown", Character('u')),
            ("AT", "0664 1234567 (home)", Character('h')),
            ("AT", "0664 12345é7", Character('é')),
            ("US", "1-800-FLOWERS", Character('F')),
            ("AT", "0664 1234567, 0664 7654321", Character(',')),
            ("AT", "+43 664 1234567 +43 1 5555555", PlusInside),
            ("AT", "0664 1234567 / 0664 7654321", TooLong),
            ("US", "650-253-0000 ext. 12", Extension),
            ("US", "(650) 253-0000 x12", Extension),
            ("AT", "+43 1 5555555;ext=12", Extension),
            ("AT", "01 5555555 DW 12", Extension),
            ("", "0664 1234567", NoRegion),
            ("", "436641234567", NoRegion),
            ("AT", "+999 123456", UnknownCountryCode),
            ("AT", "+0664 1234567", UnknownCountryCode),
            ("AT", "00", TooShort),
            ("AT", "112", TooShort),
            ("AT", "0664 12", Impossible(43)),
            ("AT", "+43", TooShort),
            ("DE", "+49 151 1", TooShort),
            ("AT", "0664 123456789012345", TooLong),
            ("FR", "06 12 34 56 78 90", Impossible(33)),
            ("US", "123 456 7890", Impossible(1)),
            ("FR", "+33 0 00 00 00 00", TooShort),
        ] {
            assert_eq!(read(written, region), Err(expected), "{region} {written}");
        }
        assert_eq!(read(&"1".repeat(10_000), "AT"), Err(TooLong));
    }

    /// The examples of all countries' mobile and fixed numbers that the data itself has.
    #[test]
    fn every_countrys_own_examples_are_read() {
        let mut read_wrongly = Vec::new();
        for country in COUNTRIES.iter() {
            let kinds = [country.descriptors().mobile(), country.descriptors().fixed_line()];
            for example in kinds.into_iter().flatten().filter_map(|kind| kind.example()) {
                let expected = format!("+{}{example}", country.country_code());
                let mut ways = vec![(expected.clone(), "US")];
                if country.id().parse::<Region>().is_ok() {
                    ways.push((example.to_owned(), country.id()));
                }
                for (written, region) in ways {
                    if read(&written, region).as_deref() != Ok(&expected) {
                        read_wrongly.push(format!("{region} {written}: {:?}", read(&written, region)));
                    }
                }
            }
        }
        assert_eq!(read_wrongly, [""; 0]);
    }

    proptest! {
        #[test]
        fn whatever_is_written_ends_well(written in "[+0-9 ()x٣]{0,30}", region in "AT|US|IT|BR|AU") {
            if let Ok(number) = read(&written, &region) {
                prop_assert!(number.len() <= 1 + DIGITS_MAX);
                prop_assert_eq!(read(&number, "US"), Ok(number.clone()));
                prop_assert_eq!(read(&number, ""), Ok(number));
            }
        }
    }
}
