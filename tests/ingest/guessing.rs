//! Wrong credentials in numbers: whoever guesses is slowed, and whoever has the right ones never is.

use serde_json::json;

use crate::harness::Place;
use crate::world::{Answer, World, bearer};

async fn world(place: Place) -> World {
    let keys = json!({"crm": {"permissions": ["Track", "ReadLog"]}});
    World::with(place, json!({"triggers": {"t": {}, "u": {}}, "apiKeys": keys})).await
}

async fn call(world: &World, authorization: &str) -> Answer {
    world.send("POST", "/in/default/t", &[("authorization", authorization)], b"").await
}

/// So many guesses that nobody waits for: what is allowed in a second more hardly counts.
async fn all_at_once(guesses: usize, guess: impl AsyncFn(usize) -> Answer) -> Vec<Answer> {
    futures_util::future::join_all((0..guesses).map(|n| guess(n))).await
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

pub async fn a_name_that_is_guessed_at_is_slowed_and_its_password_passes(place: Place) {
    let world = world(place).await;
    let answers = all_at_once(100, async |n| call(&world, &format!("Bearer t:guess-{n}")).await).await;
    assert!(count(&answers, 401) >= 20 && count(&answers, 429) >= 20, "{answers:?}");
    let slowed = answers.iter().find(|answer| answer.status == 429).unwrap();
    let seconds: u64 = slowed.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(slowed.header("content-type"), Some("application/problem+json"));
    assert!(slowed.body["detail"].as_str().unwrap().contains("right ones are taken at any time"));
    assert_eq!(call(&world, &world.basic("t")).await.status, 202);
    assert_eq!(call(&world, &bearer("owner")).await.status, 202);
    assert_eq!(call(&world, "Bearer other:guess").await.status, 401);
    world.stop().await;
}

pub async fn a_peer_that_makes_up_names_is_slowed_and_its_neighbours_pass(place: Place) {
    let world = world(place).await;
    let answers = all_at_once(400, async |n| {
        // Half by names that nobody has, half by tokens, at triggers and at the API.
        let authorization =
            if n % 2 == 0 { format!("Bearer user-{n}:guess") } else { format!("Token guess-{n}") };
        let path = ["/in/default/t", "/in/default/u", "/api/v1/calls"][n % 3];
        let method = if path.starts_with("/in") { "POST" } else { "GET" };
        world.send(method, path, &[("authorization", authorization.as_str())], b"").await
    });
    let answers = answers.await;
    assert!(count(&answers, 401) >= 200, "{} were wrong", count(&answers, 401));
    assert!(count(&answers, 429) >= 50, "{} were slowed", count(&answers, 429));
    // All come from one address, as through a proxy; who is who he says passes.
    assert_eq!(call(&world, &world.basic("t")).await.status, 202);
    assert_eq!(world.get("/api/v1/calls").await.status, 200);
    let crm = bearer("crm");
    let kept = world
        .send("POST", "/api/v1/customers", &[("authorization", &crm)], br#"{"ids": {"registered": "ann"}}"#)
        .await;
    assert_eq!(kept.status, 200);
    world.stop().await;
}

pub async fn guesses_are_counted_and_in_no_flood_of_entries(place: Place) {
    let world = world(place).await;
    let answers = all_at_once(100, async |n| call(&world, &format!("Bearer t:guess-{n}")).await).await;
    assert_eq!(count(&answers, 401) + count(&answers, 429), 100);
    assert!(count(&answers, 429) >= 20);
    let text = world.app.metrics.text();
    assert!(text.contains("fanfare_refusals_total{reason=\"guessing\"}"), "{text}");
    let place = world.stop_and_keep().await;
    let in_full = place.count("SELECT count(*) FROM call");
    let counted = place.count("SELECT coalesce(sum(refusals), 0) FROM refusal_count");
    assert_eq!(in_full + counted, 100);
}
