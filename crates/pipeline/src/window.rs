//! Windows: the blocks that are published together.
//!
//! An item that several events change is written once a window and not once a block, and entries that
//! lie side by side share an item ([`crate::runs`]): that is what makes publishing cheap. Until its
//! window closes a block is the *tail*'s, which readers have in memory ([`crate::read_side`]).
//!
//! Where a window ends follows from the chain alone, so that whoever publishes it writes the same items.

/// When a window closes: with the block that reaches one of the counts, or before the one that would be
/// too late for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowRule {
    /// Blocks in it.
    pub blocks: u64,
    /// Events in it.
    pub events: u64,
    /// From its first block's time to its last one's, at most, ms.
    pub span_ms: u64,
}

impl WindowRule {
    /// As every deployment has it. A reader that knows nothing reads at most one open window of each
    /// kennel, some 2 MB.
    pub const DEFAULT: Self = Self { blocks: 512, events: 4_096, span_ms: crate::items::DAY_MS };

    /// How many of these blocks the first window takes; none if it is still open. A block is given as
    /// its count of events and its time, ms.
    pub fn first(&self, blocks: impl IntoIterator<Item = (u64, u64)>) -> Option<usize> {
        let (mut events, mut began_ms) = (0, None);
        for (index, (more, time_ms)) in blocks.into_iter().enumerate() {
            let began_ms = *began_ms.get_or_insert(time_ms);
            if index > 0 && time_ms.saturating_sub(began_ms) > self.span_ms {
                return Some(index);
            }
            events += more;
            let count = index + 1;
            if count as u64 >= self.blocks || events >= self.events {
                return Some(count);
            }
        }
        None
    }
}

/// Which window of a kennel, as its items' keys say it: that of its first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowStart {
    /// Height.
    pub height: u64,
    /// Time, ms since the Unix epoch.
    pub time_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: WindowRule = WindowRule { blocks: 3, events: 10, span_ms: 1_000 };

    #[test]
    fn a_window_closes_by_blocks_events_or_time() {
        assert_eq!(RULE.first([]), None);
        assert_eq!(RULE.first([(1, 0), (1, 1)]), None);
        assert_eq!(RULE.first([(1, 0), (1, 1), (1, 2), (1, 3)]), Some(3));
        assert_eq!(RULE.first([(4, 0), (6, 1), (1, 2)]), Some(2));
        assert_eq!(RULE.first([(0, 5), (0, 1_005)]), None);
        assert_eq!(RULE.first([(0, 5), (0, 1_006)]), Some(1));
        assert_eq!(RULE.first([(0, 5), (0, 1_005), (0, 9_999)]), Some(2));
        assert_eq!(RULE.first([(0, 5), (10, 9_999)]), Some(1));
        assert_eq!(RULE.first([(250, 5)]), Some(1));
    }
}
