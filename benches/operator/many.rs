//! A thousand triggers and a thousand scenarios, applied at once.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use kube::api::{DynamicObject, ListParams};

use crate::report::Report;
use crate::stage::Stage;
use crate::town::{Town, api, memory, scenario, trigger};

const COUNT: usize = 1000;
const AT_ONCE: usize = 32;
const TIME_MAX: Duration = Duration::from_secs(600);

pub async fn run(report: &mut Report, town: &Town) {
    let (begun, before) = (Instant::now(), seen(town));
    let names = (0..COUNT).map(|number| format!("many-{number}"));
    futures_util::stream::iter(names)
        .for_each_concurrent(AT_ONCE, async |name| {
            town.apply("ApiTrigger", &name, &trigger()).await;
            town.apply("Scenario", &name, &scenario(&name)).await;
        })
        .await;
    report.add("applying 1,000 triggers and 1,000 scenarios", begun.elapsed().as_secs_f64(), "s");
    loop {
        let unready = unready(&town.stage, "ApiTrigger").await + unready(&town.stage, "Scenario").await;
        if unready == 0 {
            break;
        }
        assert!(begun.elapsed() < TIME_MAX, "{unready} are not ready");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    report.add("from the first apply until all are Ready", begun.elapsed().as_secs_f64(), "s");
    let after = seen(town);
    report.add("same, the operator's writes", after.0 - before.0, "writes");
    report.add("same, its reads", after.1 - before.1, "reads");
    report.add("same, peak memory of the operator", memory(town.operator.id()), "MiB");
    report.add("same, peak memory of the runtime", town.runtime_memory(), "MiB");
}

fn seen(town: &Town) -> (f64, f64) {
    (town.before_operator.writes().len() as f64, town.before_operator.reads() as f64)
}

/// How many objects of a kind are not ready.
pub async fn unready(stage: &Stage, kind: &str) -> usize {
    let all = api(stage, kind).list(&ListParams::default()).await.unwrap();
    all.items.iter().filter(|object| !is_ready(object)).count()
}

fn is_ready(object: &DynamicObject) -> bool {
    let status = &object.data["status"];
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let is_true = conditions.into_iter().any(|it| it["type"] == "Ready" && it["status"] == "True");
    is_true && status["observedGeneration"].as_i64() == object.metadata.generation
}
