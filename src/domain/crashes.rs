//! What becomes of a run in which writing for a customer ends processes, or makes them stand still.
//!
//! Rendering has budgets, so this is about what no budget sees. What counts is whom a process was writing for when it
//! ended: one that was killed at any other moment, however often, says nothing about a run.

/// So many processes end while they write for one customer of a run, and it is failed. Two that are killed from outside, while
/// texts take long, meet the same customer now and then: each begins where the last commit left off.
pub const CRASHES_MAX: u32 = 3;

/// How many looks in a row, a second apart, may find a process writing for the same customer. What a budget ends takes
/// a tenth of a second of a core.
pub const LOOKS_MAX: u32 = 10;

/// Why the run is failed, after so many processes ended while they wrote for the customer; `None` while it goes on.
pub fn failed(crashes: u32, customer: &str) -> Option<String> {
    (crashes >= CRASHES_MAX).then(|| {
        format!(
            "{crashes} processes ended while they wrote for customer {customer}; {REMEDY}, then call again for those who \
             have no message yet"
        )
    })
}

/// Why the run is failed whose process does not come to an end with the customer.
pub fn stands_still(customer: &str) -> String {
    format!(
        "writing for customer {customer} does not come to an end; {REMEDY}, then call again for those who have no message \
         yet"
    )
}

const REMEDY: &str =
    "this is a defect of Fanfare: report it; change the scenario's texts or conditions, or that customer";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_endings_are_no_reason_and_three_are() {
        assert_eq!(failed(0, "c1"), None);
        assert_eq!(failed(2, "c1"), None);
        assert!(
            failed(3, "c1").is_some_and(|reason| reason.contains("3 processes") && reason.contains("c1"))
        );
    }
}
