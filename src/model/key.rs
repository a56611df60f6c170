//! What happens to a KMS key, as far as a repository that is encrypted with it can tell.

use std::borrow::Cow;

/// One call of KMS.
#[derive(Debug, Clone)]
pub struct KeyEvent<'r> {
    /// ARN of the key; of an alias where the call names no more.
    pub key: Cow<'r, str>,
    pub change: KeyChange,
    /// `grantId`, or the ARN of the alias that points to the key from now on.
    pub about: Option<Cow<'r, str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChange {
    Disabled,
    /// Unusable at once, and gone after 7 to 30 days.
    DeletionScheduled,
    /// The key stays, and stays disabled until it is enabled.
    DeletionCancelled,
    Enabled,
    /// The key, or its imported material, is gone.
    Deleted,
    /// Imported material is back.
    Imported,
    /// `PutKeyPolicy`: who may use it has changed.
    PolicyChanged,
    /// ECR was granted the use of it for one repository.
    Granted,
    /// `RevokeGrant`, `RetireGrant`.
    GrantEnded,
    /// An alias points to it.
    Aliased,
}

impl KeyChange {
    /// Whether nothing that is encrypted with the key can be read from then on, whoever asks.
    pub fn locks(self) -> bool {
        matches!(self, Self::Disabled | Self::DeletionScheduled | Self::Deleted)
    }
}
