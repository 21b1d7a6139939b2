//! When Secrets are asked for, and what an answer or its absence leaves known.

use super::*;

fn cache(names: &[&str], now: Instant) -> SecretCache {
    let cache = SecretCache::default();
    let uses = BTreeSet::from([SecretUse::Channel]);
    cache.need(names.iter().map(|name| ((*name).to_owned(), uses.clone())).collect(), now);
    cache
}

fn content(revision: &str) -> Outcome {
    let json = serde_json::json!({"metadata": {"name": "a", "resourceVersion": revision}});
    Outcome::Read(Content::of(&serde_json::from_value(json).unwrap()))
}

fn wait(cache: &SecretCache, now: Instant) -> Duration {
    cache.next_due().unwrap().duration_since(now)
}

#[test]
fn one_that_was_never_read_is_asked_for_again_soon_and_then_less_often() {
    let now = Instant::now();
    let cache = cache(&["a"], now);
    for rest in [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000] {
        assert_eq!(cache.take_due(now + Duration::from_secs(9), 8), ["a"]);
        assert!(cache.take_due(now + Duration::from_secs(9), 8).is_empty(), "it is asked for already");
        cache.note("a", Outcome::Failed("403".into()), now, 0.0);
        assert_eq!(wait(&cache, now), Duration::from_millis(rest));
    }
    cache.touch(&["a".into()], now);
    assert_eq!(wait(&cache, now), BETWEEN_READS);
}

#[test]
fn what_was_read_stays_while_it_cannot_be_read_and_goes_only_when_it_is_missing_for_long() {
    let now = Instant::now();
    let cache = cache(&["a"], now);
    assert!(cache.note("a", content("1"), now, 0.0));
    assert_eq!(wait(&cache, now), STANDS_FOR);
    assert!(!cache.note("a", content("1"), now, 0.0), "the same again is no news");
    assert!(!cache.note("a", Outcome::Failed("500".into()), now, 0.0));
    assert!(!cache.note("a", Outcome::Missing, now, 0.0));
    assert!(matches!(cache.view().known("a"), Some(Known::Read(_))));
    assert!(cache.note("a", Outcome::Missing, now + MISSING_FOR, 0.0));
    assert!(matches!(cache.view().known("a"), Some(Known::Gone)));
    assert!(cache.note("a", content("2"), now, 0.0));
}

#[test]
fn what_may_not_be_read_any_more_is_not_used_for_long() {
    let now = Instant::now();
    let cache = cache(&["a"], now);
    assert!(cache.note("a", content("1"), now, 0.0));
    assert_eq!(cache.asked("a").whole, Some("1".into()));
    assert!(!cache.note("a", Outcome::Unchanged, now, 0.0));
    assert_eq!(wait(&cache, now), STANDS_FOR);
    let forbidden = || Outcome::Forbidden("403".into());
    assert!(!cache.note("a", forbidden(), now, 0.0));
    assert!(!cache.note("a", forbidden(), now + FORBIDDEN_FOR / 2, 0.0));
    assert!(matches!(cache.view().known("a"), Some(Known::Read(_))), "a Role may be wrong for a moment");
    assert!(cache.note("a", forbidden(), now + FORBIDDEN_FOR, 0.0));
    assert!(matches!(cache.view().known("a"), Some(Known::Refused)));
    assert!(cache.note("a", content("2"), now, 0.0));
    cache.need(BTreeMap::from([("a".into(), BTreeSet::from([SecretUse::Generated]))]), now);
    assert!(!cache.note("a", forbidden(), now, 0.0));
    assert!(!cache.note("a", forbidden(), now + FORBIDDEN_FOR, 0.0), "no label was taken away");
}

#[test]
fn one_that_fails_again_and_again_waits_behind_those_due_before_it() {
    let now = Instant::now();
    let cache = cache(&["a", "b"], now);
    assert_eq!(cache.take_due(now, 1), ["a"]);
    cache.note("a", Outcome::Failed("no answer".into()), now, 0.0);
    assert_eq!(cache.take_due(now + LONGEST_WAIT, 1), ["b"]);
    assert_eq!(cache.take_due(now + LONGEST_WAIT, 1), ["a"]);
}

#[test]
fn a_change_during_a_read_means_another_read() {
    let now = Instant::now();
    let cache = cache(&["a"], now);
    cache.take_due(now, 8);
    cache.touch(&["a".into()], now);
    cache.note("a", content("1"), now, 0.0);
    assert_eq!(wait(&cache, now), BETWEEN_READS);
}

#[test]
fn what_nobody_needs_any_more_is_forgotten() {
    let now = Instant::now();
    let cache = cache(&["a", "b"], now);
    cache.note("a", content("1"), now, 0.0);
    cache.need(BTreeMap::new(), now);
    assert!(cache.next_due().is_none() && cache.view().known("a").is_none());
}
