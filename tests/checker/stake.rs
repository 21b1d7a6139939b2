//! What a run put at stake.

use std::collections::BTreeSet;

use super::ledger::{HELD, Ledger};
use super::record::Record;

/// How much a run's faults left in doubt, and how many versions were under way; a run that met none proves little.
pub fn say_what_was_at_stake(record: &Record, ledger: &Ledger) {
    let messages: BTreeSet<_> = record.taken.iter().map(|taken| &taken.mark).collect();
    let versions: BTreeSet<_> = record.taken.iter().map(|taken| &taken.mark.version).collect();
    let deliveries = ledger.runs.iter().flat_map(|run| &run.deliveries);
    let held = deliveries.filter(|delivery| delivery.state == HELD).count();
    let repeated = record.taken.len() - messages.len();
    println!("{repeated} messages sent again, {held} held, {} versions", versions.len());
}
