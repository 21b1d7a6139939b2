//! From apply of a trigger and a scenario to the first accepted call, while the runtime runs.

use std::time::Instant;

use crate::caller::{Caller, credentials};
use crate::report::Report;
use crate::town::{LOOK, Town, scenario, trigger};

const REPEATS: usize = 40;

pub async fn run(report: &mut Report, town: &Town) {
    let (caller, calls) = (Caller::new(), town.calls());
    let mut took = Vec::new();
    for number in 0..REPEATS {
        let name = format!("soon-{number}");
        let url = format!("{calls}/in/{}/{name}", town.stage.namespace);
        let begun = Instant::now();
        town.apply("ApiTrigger", &name, &trigger()).await;
        town.apply("Scenario", &name, &scenario(&name)).await;
        let credentials = loop {
            match credentials(&town.stage, &name).await {
                Some(found) => break found,
                None => tokio::time::sleep(LOOK).await,
            }
        };
        while caller.call(&url, &credentials).await != 202 {
            tokio::time::sleep(LOOK).await;
        }
        took.push(begun.elapsed().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    report.add(
        "from apply of a trigger and a scenario to the first accepted call, median",
        took[REPEATS / 2],
        "s",
    );
    report.add("same, p95", took[REPEATS * 95 / 100], "s");
}
