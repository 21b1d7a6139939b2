//! Times inside Jinja, with what Python's `datetime` and `timedelta` offer.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use minijinja::value::{DynObject, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value as Jinja};

use super::arguments::{bind, invalid};

/// The methods of a moment and of a length of time.
pub(crate) const TIME_METHODS: &[&str] =
    &["date", "isoformat", "isoweekday", "strftime", "time", "timestamp", "total_seconds", "weekday"];

/// A moment in UTC: prints as RFC 3339 and compares with other moments only.
#[derive(Debug)]
pub(crate) struct Moment(pub Timestamp);

impl Moment {
    fn utc(&self) -> Zoned {
        self.0.to_zoned(TimeZone::UTC)
    }

    fn formatted(&self, format: &str) -> Result<Jinja, Error> {
        strtime::format(format, &self.utc())
            .map(Jinja::from)
            .map_err(|error| invalid(format!("`{format}` is no format of times: {error}")))
    }
}

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        other.downcast_ref::<Moment>().map(|other| self.0.cmp(&other.0))
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let it = self.utc();
        Some(Jinja::from(match key.as_str()? {
            "year" => i64::from(it.year()),
            "month" => i64::from(it.month()),
            "day" => i64::from(it.day()),
            "hour" => i64::from(it.hour()),
            "minute" => i64::from(it.minute()),
            "second" => i64::from(it.second()),
            "microsecond" => i64::from(it.subsec_nanosecond() / 1000),
            _ => return None,
        }))
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Jinja],
    ) -> Result<Jinja, Error> {
        if method == "strftime" {
            let [format] = bind("strftime", ["format"], args)?;
            let format = format.ok_or_else(|| invalid("`strftime` takes a format".to_owned()))?;
            let format = format.as_str().ok_or_else(|| invalid("a format is a text".to_owned()))?;
            return self.formatted(format);
        }
        if !TIME_METHODS.contains(&method) {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let () = from_args(args)?;
        let it = self.utc();
        match method {
            "date" => self.formatted("%Y-%m-%d"),
            "time" => self.formatted("%H:%M:%S"),
            "isoformat" => self.formatted("%Y-%m-%dT%H:%M:%S%.f+00:00"),
            "weekday" => Ok(Jinja::from(i64::from(it.weekday().to_monday_zero_offset()))),
            "isoweekday" => Ok(Jinja::from(i64::from(it.weekday().to_monday_one_offset()))),
            "timestamp" => Ok(Jinja::from(self.0.as_microsecond() as f64 / 1e6)),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// A length of time, as one moment less another gives it; prints as Python does: `1 day, 2:03:04`.
#[derive(Debug)]
pub(super) struct TimeDelta(pub SignedDuration);

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

impl TimeDelta {
    /// Whole days, rounded down, and the seconds of the day that is left.
    fn parts(&self) -> (i64, i64, i64) {
        let mut seconds = self.0.as_secs();
        let mut nanoseconds = i64::from(self.0.subsec_nanos());
        if nanoseconds < 0 {
            seconds -= 1;
            nanoseconds += 1_000_000_000;
        }
        (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY), nanoseconds / 1000)
    }
}

impl Object for TimeDelta {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        other.downcast_ref::<TimeDelta>().map(|other| self.0.cmp(&other.0))
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let (days, seconds, microseconds) = self.parts();
        Some(Jinja::from(match key.as_str()? {
            "days" => days,
            "seconds" => seconds,
            "microseconds" => microseconds,
            _ => return None,
        }))
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Jinja],
    ) -> Result<Jinja, Error> {
        if method != "total_seconds" {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let () = from_args(args)?;
        Ok(Jinja::from(self.0.as_secs_f64()))
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds, microseconds) = self.parts();
        match days {
            0 => {}
            1 | -1 => write!(formatter, "{days} day, ")?,
            _ => write!(formatter, "{days} days, ")?,
        }
        write!(formatter, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        if microseconds != 0 {
            write!(formatter, ".{microseconds:06}")?;
        }
        Ok(())
    }
}

/// `timedelta(days=1, hours=2)`, as in Python.
pub(super) fn timedelta(_: &mut State<'_, '_>, given: &[Jinja]) -> Result<Jinja, Error> {
    const LENGTHS: [f64; 7] = [86_400.0, 1.0, 1e-6, 1e-3, 60.0, 3600.0, 604_800.0];
    let names = ["days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"];
    let bound = bind("timedelta", names, given)?;
    let mut total = 0.0;
    for (value, length) in bound.into_iter().zip(LENGTHS).filter_map(|(value, length)| Some((value?, length)))
    {
        total += f64::try_from(value)? * length;
    }
    let length = SignedDuration::try_from_secs_f64(total);
    length
        .map(|length| Jinja::from_object(TimeDelta(length)))
        .map_err(|_| invalid("the length of time is out of range".to_owned()))
}
