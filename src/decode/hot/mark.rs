//! The keys that the hot path reads, recognised by two of their letters.

/// A key that the hot path reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    Time,
    Source,
    Name,
    Id,
    Category,
    Type,
    /// Recognised only to be skipped as quickly as the others.
    Version,
}

impl Mark {
    pub(super) const COUNT: usize = Self::Version as usize + 1;

    /// Which key `text` begins with, after its opening quote, and the length up to the end of its closing
    /// quote. `text` must be as long as the longest key.
    ///
    /// Found by a table lookup with two of its letters: a branch on which key it is would be mispredicted,
    /// a branch on whether it is one hardly ever is.
    #[inline(always)]
    pub(super) fn of(text: &[u8; 16]) -> Option<(Self, usize)> {
        let (key, mask, mark, length) = KEYS[usize::from((text[6] ^ text[7]) & 15)];
        ((u128::from_le_bytes(*text) ^ key) & mask == 0).then_some((mark, length))
    }
}

/// The keys with their closing quotes, each at the index made from two of its letters; in empty entries,
/// `mask` makes sure that nothing matches.
static KEYS: [(u128, u128, Mark, usize); 16] = {
    const NAMES: [(&[u8], Mark); Mark::COUNT] = [
        (b"eventTime\"", Mark::Time),
        (b"eventSource\"", Mark::Source),
        (b"eventName\"", Mark::Name),
        (b"eventID\"", Mark::Id),
        (b"eventCategory\"", Mark::Category),
        (b"eventType\"", Mark::Type),
        (b"eventVersion\"", Mark::Version),
    ];
    let mut keys = [(1 << 127, u128::MAX, Mark::Version, 0); 16];
    let mut n = 0;
    while n < NAMES.len() {
        let (name, mark) = NAMES[n];
        let (mut key, mut at) = (0, 0);
        while at < name.len() {
            key |= (name[at] as u128) << (8 * at);
            at += 1;
        }
        let place = ((name[6] ^ name[7]) & 15) as usize;
        assert!(keys[place].3 == 0, "two keys at one place");
        keys[place] = (key, (1 << (8 * name.len())) - 1, mark, name.len());
        n += 1;
    }
    keys
};
