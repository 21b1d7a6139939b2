//! Which customers of a chunk are decided, and how far without a gap.

/// A set of places with the length of its unbroken beginning.
#[derive(Debug)]
pub(super) struct ContiguousProgress {
    words: Vec<u64>,
    size: usize,
    position: usize,
}

impl ContiguousProgress {
    /// The first `position` of `size` places are in it.
    pub(super) fn new(size: usize, position: usize) -> Self {
        ContiguousProgress { words: vec![0; size.div_ceil(64)], size, position: position.min(size) }
    }

    /// Adds a place; what is beyond the end is ignored.
    pub(super) fn mark(&mut self, place: u32) {
        let place = place as usize;
        if place >= self.size {
            return;
        }
        self.words[place / 64] |= 1 << (place % 64);
        while self.position < self.size && self.words[self.position / 64] >> (self.position % 64) & 1 == 1 {
            self.position += 1;
        }
    }

    /// Every place before this one is in it.
    pub(super) fn position(&self) -> usize {
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_stops_at_the_first_gap() {
        let mut settled = ContiguousProgress::new(130, 2);
        settled.mark(3);
        assert_eq!(settled.position(), 2);
        settled.mark(2);
        assert_eq!(settled.position(), 4);
        (4..130).rev().for_each(|place| settled.mark(place));
        assert_eq!(settled.position(), 130);
        settled.mark(500);
        assert_eq!(settled.position(), 130);
    }
}
