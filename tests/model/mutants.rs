//! Mistakes the store could make, made on purpose on the model's side: each must be seen as a difference.

/// One rule that is expected wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Whoever lost a chunk may go on deciding and opening.
    FenceIgnored,
    /// A chunk may be taken from an owner whose lease runs.
    LeaseIgnored,
    /// What was decided later replaces what had come to its end.
    FinalOverwritten,
    /// An outcome counts whatever attempt it is of.
    OutcomeOfAnyAttempt,
    /// An outcome that comes after the chunk was lost does not count.
    LateOutcomeIgnored,
    /// A run that was told to stop goes on opening.
    StopIgnored,
    /// A chunk may be done while a delivery of it is open.
    DoneWithOpenOnes,
}

impl Mistake {
    pub const ALL: [Mistake; 7] = [
        Mistake::FenceIgnored,
        Mistake::LeaseIgnored,
        Mistake::FinalOverwritten,
        Mistake::OutcomeOfAnyAttempt,
        Mistake::LateOutcomeIgnored,
        Mistake::StopIgnored,
        Mistake::DoneWithOpenOnes,
    ];

    /// Whether it can be made where there is only one holder.
    pub fn is_seen_on_a_file(self) -> bool {
        self != Mistake::LeaseIgnored
    }
}
