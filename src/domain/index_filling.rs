//! How far the filling of an index is, and about how long it still takes.

use std::time::Duration;

/// Less than this share says nothing of how fast it goes.
const SHARE_MIN: f64 = 0.005;

/// An index that is being filled, from when it was first seen so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IndexFilling {
    first_share: f64,
    share: f64,
    watched: Duration,
}

impl IndexFilling {
    /// It is first seen, and holds this share of what was there, from 0 to 1.
    pub fn seen(share: f64) -> Self {
        let share = share.clamp(0.0, 1.0);
        IndexFilling { first_share: share, share, watched: Duration::ZERO }
    }

    /// It is seen again, so long after it was first seen.
    pub fn note(&mut self, share: f64, watched: Duration) {
        self.share = share.clamp(self.share, 1.0);
        self.watched = watched;
    }

    /// The share of what was there that it holds, from 0 to 1.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// How long it takes until it holds everything, if it goes on as since it was first seen; `None` while that cannot be told.
    pub fn left(&self) -> Option<Duration> {
        let gained = self.share - self.first_share;
        if gained < SHARE_MIN {
            return None;
        }
        let seconds = self.watched.as_secs_f64() * (1.0 - self.share) / gained;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// Both in words, so coarsely that they do not change with every look: `about 40 %, about 2 min left`.
    pub fn in_words(&self) -> String {
        let tens = (self.share * 10.0).floor() * 10.0;
        match self.left() {
            None => format!("about {tens} %"),
            Some(left) => format!("about {tens} %, {} left", coarsely(left)),
        }
    }
}

fn coarsely(left: Duration) -> String {
    let seconds = left.as_secs_f64();
    let (count, unit) = match seconds {
        ..10.0 => return "less than 10 s".into(),
        10.0..60.0 => ((seconds / 10.0).ceil() * 10.0, "s"),
        60.0..3600.0 => ((seconds / 60.0).ceil(), "min"),
        _ => ((seconds / 3600.0).ceil(), "h"),
    };
    format!("about {count} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_follows_how_fast_it_went() {
        let mut filling = IndexFilling::seen(0.1);
        assert_eq!((filling.left(), filling.in_words().as_str()), (None, "about 10 %"));
        filling.note(0.3, Duration::from_secs(20));
        assert_eq!(filling.left(), Some(Duration::from_secs(70)));
        assert_eq!(filling.in_words(), "about 30 %, about 2 min left");
        filling.note(0.9, Duration::from_secs(160));
        assert_eq!(filling.in_words(), "about 90 %, about 20 s left");
        filling.note(0.2, Duration::from_secs(170));
        assert_eq!(filling.share(), 0.9, "customers who come meanwhile do not take it back");
        filling.note(1.0, Duration::from_secs(171));
        assert_eq!(filling.in_words(), "about 100 %, less than 10 s left");
    }

    #[test]
    fn a_share_that_is_no_share_is_none() {
        let mut filling = IndexFilling::seen(f64::from(u32::MAX));
        filling.note(7.0, Duration::MAX);
        assert_eq!((filling.share(), filling.left()), (1.0, None));
        let mut slow = IndexFilling::seen(0.0);
        slow.note(0.006, Duration::MAX);
        assert_eq!(slow.left(), None, "longer than a duration can be");
        slow.note(0.006, Duration::from_secs(36_000));
        assert_eq!(slow.in_words(), "about 0 %, about 1657 h left");
    }
}
