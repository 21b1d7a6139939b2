//! A node that waits: for how long, or until when.

use std::time::Duration;

use super::super::Sources;
use super::report::Report;
use crate::api::{DurationText, ScenarioSpec, TimeOfDay, WaitNode};
use crate::domain::duration::duration_from_text;
use crate::domain::expression::Scope;
use crate::domain::flow::{Wait, WaitZone};
use crate::domain::local_defaults::zone_of;

/// The longest wait that makes sense; what is longer is a mistake in a unit.
const WAIT_MAX: Duration = Duration::from_secs(5 * 366 * 86_400);
/// The word for the customer's own time zone.
const OF_CUSTOMER: &str = "Customer";

pub(super) fn compile(
    declared: &WaitNode,
    path: &str,
    scope: &Scope,
    report: &mut Report<'_>,
) -> Option<Wait> {
    let WaitNode { r#for: length, until, before, until_time } = declared;
    match (length, until, until_time) {
        (Some(length), None, None) if before.is_none() => {
            Some(Wait::For(duration(length, &format!("{path}.for"), report)?))
        }
        (None, Some(until), None) => {
            let before = before.as_ref().map(|length| duration(length, &format!("{path}.before"), report));
            let time = report.expression(&format!("{path}.until"), until, scope)?;
            Some(Wait::Until { time, before: before.unwrap_or(Some(Duration::ZERO))? })
        }
        (None, None, Some(time)) if before.is_none() => {
            time_of_day(time, &format!("{path}.untilTime"), scope, report)
        }
        _ if before.is_some() && until.is_none() => {
            report.refuse(format!("{path}.before"), "before goes with until")
        }
        _ => report.refuse(path, "exactly one of for, until and untilTime must be set"),
    }
}

/// Warns of waits that last as long as the calls of a trigger do: nothing is sent behind them.
pub(super) fn warn_of_expiry(spec: &ScenarioSpec, sources: &Sources, report: &mut Report<'_>) {
    for entry in &spec.triggers {
        let name = &entry.trigger_ref.name;
        let expires = sources.triggers.get(name).and_then(|trigger| trigger.expires.as_ref());
        let after = expires.and_then(|expires| expires.after.as_ref());
        let Some(after) = after.and_then(|after| duration_from_text(&after.0).ok()) else { continue };
        for (index, node) in spec.nodes.iter().enumerate() {
            let length = node.wait.as_ref().and_then(|wait| wait.r#for.as_ref());
            let Some(text) = length.filter(|text| duration_from_text(&text.0).is_ok_and(|it| it >= after))
            else {
                continue;
            };
            report.warn(
                format!("spec.nodes[{index}].wait.for"),
                format!(
                    "calls of {name} expire before {} are over (`expires.after`), and what has expired is not sent: \
                     wait for a shorter time, or let them expire later",
                    text.0
                ),
            );
        }
    }
}

fn duration(text: &DurationText, path: &str, report: &mut Report<'_>) -> Option<Duration> {
    match duration_from_text(&text.0) {
        Err(error) => report.refuse(path, error.to_string()),
        Ok(length) if length.is_zero() => {
            report.refuse(path, "it must be longer than nothing; leave the node out to go on at once")
        }
        Ok(length) if length > WAIT_MAX => report.refuse(path, "it is longer than 5 years; look at its unit"),
        Ok(length) => Some(length),
    }
}

fn time_of_day(
    TimeOfDay { at, zone }: &TimeOfDay,
    path: &str,
    scope: &Scope,
    report: &mut Report<'_>,
) -> Option<Wait> {
    let of_runtime = || scope.local.zone.clone();
    let zone = match zone.as_deref() {
        None => Some(WaitZone::Fixed(of_runtime())),
        Some(OF_CUSTOMER) => Some(WaitZone::Customer(of_runtime())),
        Some(name) => match zone_of(name) {
            Ok(zone) => Some(WaitZone::Fixed(zone)),
            Err(error) => report.refuse(
                format!("{path}.zone"),
                format!("{error}, or `{OF_CUSTOMER}` for the customer's own"),
            ),
        },
    };
    let time = at.parse().ok().filter(|_| at.len() == 5);
    let time = time.or_else(|| report.refuse(format!("{path}.at"), "expected a time of day such as 09:00"));
    Some(Wait::UntilTime { at: time?, zone: zone? })
}
