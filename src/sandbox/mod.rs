//! Providers to test against: an SMTP server and a Twilio-shaped HTTP API that keep what they receive.
//!
//! Invariant: what is received is on disk before it is answered, so that a checker can trust the record.
