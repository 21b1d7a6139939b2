//! A channel's rate over all replicas: starts are given out from one row, in the order they are asked for.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::PostgresLedger;
use super::rows::get;
use crate::domain::name::ChannelName;
use crate::store::StoreError;
use crate::store::channel_rates::{ChannelRates, Starts};

/// Gives out the next `$3` starts, each `$2` nanoseconds behind the one before. A replica that asks late does not get what was
/// not asked for earlier, but for a burst of `$4` nanoseconds.
const RESERVE: &str = "
    INSERT INTO channel_rate AS c (channel, given_to)
    VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint - $4::bigint + $2::bigint * $3::bigint)
    ON CONFLICT (channel) DO UPDATE SET given_to =
        greatest(c.given_to, (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint - $4::bigint)
        + $2::bigint * $3::bigint
    RETURNING given_to - $2::bigint * $3::bigint - (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint";

/// How far one who asks late may catch up: a hundredth of a second's starts at most come at once.
const CATCH_UP_NS: i64 = 10_000_000;

#[async_trait]
impl ChannelRates for PostgresLedger {
    async fn reserve(
        &self,
        channel: &ChannelName,
        every: Duration,
        count: u32,
    ) -> Result<Starts, StoreError> {
        let every_ns = i64::try_from(every.as_nanos()).unwrap_or(i64::MAX);
        let mut session = self.database.ledger().await?;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&channel.as_str(), &every_ns, &i64::from(count), &CATCH_UP_NS];
        let row = session.one(RESERVE, &values).await?;
        let wait_ns: i64 = get(&row, 0)?;
        let wait = Duration::from_nanos(u64::try_from(wait_ns).unwrap_or(0));
        Ok(Starts { first: Instant::now() + wait, every, count })
    }
}
