//! The providers a message can leave by, one a file.
//!
//! Invariant: a channel sends one attempt and says what came of it; whether to try again is dispatch's decision.
