//! What happens to a KMS key, as far as it matters to repositories that it encrypts.

use std::borrow::Cow;

/// One call of KMS.
#[derive(Debug, Clone)]
pub struct KeyEvent<'r> {
    /// ARN of the key, or of an alias if the call names only that.
    pub key: Cow<'r, str>,
    pub change: KeyChange,
    /// `grantId`, or the ARN of the alias that points to the key from now on.
    pub about: Option<Cow<'r, str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChange {
    Disabled,
    /// Unusable at once, and deleted after 7 to 30 days.
    DeletionScheduled,
    /// The key stays, but disabled until it is enabled.
    DeletionCancelled,
    Enabled,
    /// The key, or its imported material, is gone.
    Deleted,
    /// Imported material is back.
    Imported,
    /// `PutKeyPolicy`: the permissions of the key were changed.
    PolicyChanged,
    /// A grant lets ECR use it for one repository.
    Granted,
    /// `RevokeGrant`, `RetireGrant`.
    GrantEnded,
    /// An alias points to it.
    Aliased,
}

impl KeyChange {
    /// Whether from then on nothing that the key encrypts can be read by anybody.
    pub fn locks(self) -> bool {
        matches!(self, Self::Disabled | Self::DeletionScheduled | Self::Deleted)
    }
}
