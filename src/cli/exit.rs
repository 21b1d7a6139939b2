//! The exit codes of the client commands.

/// For `--help`: what scripts may rely on.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 the server cannot be \
    reached; 4 the key is missing or may not do this";

/// What the shell gets to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// It was done.
    Done = 0,
    /// It was refused, or what was watched failed.
    Failed = 1,
    /// What was typed makes no sense.
    Usage = 2,
    /// There is no answer at the server's address.
    Unreachable = 3,
    /// The key is missing, unknown, or may not do this.
    NotAllowed = 4,
    /// A call was accepted, and not all that came of it was done.
    AcceptedNotDone = 5,
    /// A call was accepted, or may have been, and what came of it was not seen.
    AcceptedUnseen = 6,
}
