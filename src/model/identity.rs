//! What makes two records copies of one event.

/// Equal for two records that are copies of one event: with the same `eventID`, `eventTime`, `eventSource`,
/// `eventName`, region and account. Only `decode::identity` makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// A hash of the `eventID`, or of the whole record if it has none.
    pub id: u64,
    /// A hash of everything else that tells events apart.
    pub rest: u64,
}

impl Identity {
    /// Both parts as bytes that sort like the identity itself.
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.id) << 64) | u128::from(self.rest)).to_be_bytes()
    }

    /// Both parts combined in one number, for lists of millions of identities.
    pub const fn number(self) -> i64 {
        (self.id ^ self.rest.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)).cast_signed()
    }
}
