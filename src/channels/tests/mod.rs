//! What the tests of all channels share. Each channel's own are beside it.

pub(in crate::channels) mod certificate;
pub(in crate::channels) mod scripted;
