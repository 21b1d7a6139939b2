//! The operator's numbers are the documented ones, and say how objects stand.

use crate::reference::{compare, documented, shown};
use crate::stage::Stage;
use crate::stories::{CHANNEL, SCENARIO, TRIGGER};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_shows_what_is_documented_and_how_many_objects_are_ready() {
    let stage = Stage::new("numbers").await;
    let operator = stage.operator(&["--no-leader-election"]).await;
    stage.apply(&[TRIGGER, CHANNEL, &SCENARIO.replace("params.city }}", "params.town }}")].join("---"));
    stage.until_reason("scenario", "warning", "Ready", "Invalid").await;
    let series = r#"fanfare_operator_objects{kind="Scenario",ready="False"} 1"#;
    stage.until("it is counted", async || operator.metrics().await.contains(series)).await;
    let text = operator.metrics().await;
    assert!(text.contains(r#"fanfare_operator_objects{kind="Runtime",ready="True"} 0"#), "{text}");
    compare(&documented("Operator"), &shown(&text));
}
