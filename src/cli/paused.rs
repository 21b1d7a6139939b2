//! What is paused, said when a process starts: a store that was restored from a backup may wait for a person to resume it.

use super::cluster::spoken;
use crate::domain::pause::{Pause, PauseScope};
use crate::store::pauses::PauseBook;

/// Says what is paused. A store that cannot tell just now is asked again by the engine.
pub(super) async fn say(pauses: &dyn PauseBook) {
    for pause in pauses.pauses().await.unwrap_or_default() {
        tracing::warn!("{}", in_words(&pause));
    }
}

fn in_words(pause: &Pause) -> String {
    let Pause { scope, who, reason, since } = pause;
    let named = format!("{} {}", scope.kind(), scope.name());
    let what = match scope {
        PauseScope::Runtime => "everything is paused: calls are accepted, and nothing is sent".to_owned(),
        scope => format!("{scope} is paused"),
    };
    let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let spoken = spoken();
    format!(
        "{what}, since {since:.0}, by {who}{reason}; `{spoken} resume {}` lets it go on",
        named.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_says_who_asked_for_it_and_how_it_ends() {
        let since = "2026-01-16T14:00:00Z".parse().unwrap();
        let pause = Pause { scope: PauseScope::Runtime, who: "restore".into(), reason: "look".into(), since };
        assert_eq!(
            in_words(&pause),
            "everything is paused: calls are accepted, and nothing is sent, since 2026-01-16T14:00:00Z, by restore \
             (look); `fanfare resume runtime` lets it go on"
        );
    }
}
