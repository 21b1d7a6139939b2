//! How many chunks are decided for one channel at once, so that broad runs leave room for narrow ones.

/// How many chunks of broad runs are decided for one channel at once.
const BROAD_A_CHANNEL: usize = 6;
/// How many chunks of narrow runs, those of one chunk, are decided for one channel at once.
const NARROW_A_CHANNEL: usize = 48;

/// Places of one channel that are taken.
#[derive(Default)]
pub(super) struct ChunkLimits {
    broad: usize,
    narrow: usize,
}

impl ChunkLimits {
    pub(super) fn of(&mut self, narrow: bool) -> &mut usize {
        if narrow { &mut self.narrow } else { &mut self.broad }
    }

    pub(super) fn are_free(&self, narrow: bool) -> bool {
        if narrow { self.narrow < NARROW_A_CHANNEL } else { self.broad < BROAD_A_CHANNEL }
    }
}
