//! What the tests of all channels share. Each channel's own are beside it.

pub(in crate::channels) mod scripted;
