//! What a failed listing means: for one branch, or for everything.

use std::sync::atomic::Ordering;

use super::list::{Found, Lister};
use super::session::Defeat;
use super::trouble::{Trouble, TroubleKind};
use crate::source::local::lock;
use crate::source::{FatalError, FatalKind};

impl Lister {
    /// A branch failed. If others were listed, and the failure may pass or is about permissions of this
    /// branch, it is noted in the coverage; otherwise the listing as a whole cannot be trusted.
    pub(super) async fn unlistable(&self, prefix: String, defeat: Defeat) -> Result<(), FatalError> {
        let alone = matches!(defeat.trouble.kind, TroubleKind::Passing(_) | TroubleKind::Denied);
        if !alone || defeat.nobody_answers || self.pages.load(Ordering::Relaxed) == 0 {
            return Err(self.fatal(defeat));
        }
        let reason = match &defeat.trouble {
            Trouble { kind: TroubleKind::Denied, detail } => {
                format!("access denied: s3:ListBucket is missing for it ({detail})")
            }
            _ => format!("not all of it could be listed: {}", defeat.reason()),
        };
        let shared = &self.session.shared;
        let prefix =
            if prefix.is_empty() && shared.label.is_empty() { shared.origin.clone() } else { prefix };
        let _ = self.send(vec![Found::Unlistable { prefix, reason }]).await;
        if defeat.trouble.kind == TroubleKind::Denied {
            lock(&self.denied).get_or_insert(defeat);
        }
        Ok(())
    }

    /// Called at the end: if listing was refused and nothing was found, a permission is missing, and it is
    /// not known that there is no evidence.
    pub(super) fn verdict(&self) -> Result<(), FatalError> {
        let denied = lock(&self.denied).take().filter(|_| self.found.load(Ordering::Relaxed) == 0);
        denied.map_or(Ok(()), |defeat| Err(self.fatal(defeat)))
    }

    pub(super) fn fatal(&self, defeat: Defeat) -> FatalError {
        let kind = match &defeat.trouble.kind {
            TroubleKind::Passing(cause) if cause.is_answer() => FatalKind::Unavailable,
            TroubleKind::Passing(_) => FatalKind::Unreachable,
            TroubleKind::Elsewhere(_) => FatalKind::OtherRegion,
            TroubleKind::Expired => FatalKind::ExpiredCredentials,
            TroubleKind::Denied => FatalKind::ListDenied,
            TroubleKind::KmsDenied => FatalKind::KmsDenied,
            TroubleKind::Gone => FatalKind::NoSuchBucket,
            TroubleKind::Fatal(kind) => *kind,
            TroubleKind::Frozen | TroubleKind::Refused => FatalKind::Refused,
        };
        let options = &self.session.shared.options;
        let profile = options
            .profile
            .as_ref()
            .or(options.profile_of_environment.as_ref())
            .filter(|_| kind == FatalKind::NoCredentials);
        let profile = profile.map_or_else(String::new, |profile| format!("profile {profile}: "));
        self.session.fatal(kind, profile + &defeat.trouble.detail)
    }
}
