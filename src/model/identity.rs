//! What makes two records one event.

/// The same for two records if they are one event, delivered twice: the same `eventID`, and the same `eventTime`, `eventSource`,
/// `eventName`, region and account. `decode::identity` makes it, and nothing else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Stands for the `eventID`; for what the record says where it has none.
    pub id: u64,
    /// Stands for everything else that tells events apart.
    pub rest: u64,
}

impl Identity {
    /// Both parts, as bytes that sort and compare as the identity does.
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.id) << 64) | u128::from(self.rest)).to_be_bytes()
    }

    /// Both parts in one number, for where much room is taken by millions of them.
    pub const fn number(self) -> i64 {
        (self.id ^ self.rest.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)).cast_signed()
    }
}
