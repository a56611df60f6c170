//! Where listing begins, and whether folders outside of the layout lead to a trail.

use std::sync::atomic::Ordering;

use super::list::{Branch, Found, How, Lister, Stop, VAIN_LOOKS_MAX};
use super::page::{Page, Version};
use super::trouble::TroubleKind;
use crate::source::layout::{KeyPosition, Level};

/// With more folders than this, none of them in the layout, only some are searched.
const STRANGERS_MAX: usize = VAIN_LOOKS_MAX;
/// How deep a trail may be below one of many folders: `team/AWSLogs/`,
/// `team/environment/cloudtrail/AWSLogs/`.
const DEPTH_MAX: usize = 3;

impl Lister {
    /// What the user's prefix means: the folder of that name if there is one; else the object with exactly
    /// that name, which is read whatever it is called; else the beginning of names.
    pub(super) async fn roots(&self) -> Result<Vec<Branch>, Stop> {
        let prefix = self.session.shared.address.prefix.clone();
        if prefix.is_empty() || prefix.ends_with('/') {
            return Ok(vec![self.branch(prefix)]);
        }
        match self.listed_roots(&prefix).await {
            // Naming a single object requires no permission to list.
            Err(Stop::Defeat(defeat)) if defeat.trouble.kind == TroubleKind::Denied => {
                match self.unlisted(&prefix).await {
                    Some(object) => self.send(vec![object]).await.map(|()| Vec::new()),
                    None => Err(Stop::Defeat(defeat)),
                }
            }
            roots => roots,
        }
    }

    async fn listed_roots(&self, prefix: &str) -> Result<Vec<Branch>, Stop> {
        let folder = format!("{prefix}/");
        if !self.page(&folder, &How::Level, Some(1)).await?.is_empty() {
            return Ok(vec![self.branch(folder)]);
        }
        let mut first = self.page(prefix, &How::Keys { after: None, splits: false }, Some(1)).await?;
        match first.objects.pop() {
            None => Ok(Vec::new()),
            Some((key, Version { size, etag, .. })) if key == prefix => {
                self.send(vec![Found::Object { key, size, etag }]).await?;
                Ok(Vec::new())
            }
            Some(_) => Ok(vec![Branch { prefix: prefix.to_owned(), how: How::Level }]),
        }
    }

    async fn unlisted(&self, key: &str) -> Option<Found> {
        let (client, _) = self.session.client();
        let head = client
            .head_object()
            .bucket(self.session.bucket())
            .key(key)
            .set_request_payer(self.session.payer())
            .send()
            .await
            .ok()?;
        let size = head.content_length().and_then(|length| u64::try_from(length).ok())?;
        Some(Found::Object {
            key: key.to_owned(),
            size,
            etag: head.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
        })
    }

    /// Whether a folder outside of the layout is better listed plainly, judged by the first page of it.
    pub(super) async fn is_no_way(&self, page: &Page) -> Result<bool, Stop> {
        let leads =
            |folders: &[String]| folders.iter().any(|folder| KeyPosition::of(folder).level != Level::Outside);
        if leads(&page.folders) {
            // The search succeeded, so searching goes on.
            self.vain_looks.store(0, Ordering::Relaxed);
            return Ok(false);
        }
        if page.folders.is_empty() {
            self.vain_looks.fetch_add(1, Ordering::Relaxed);
        }
        if page.folders.len() <= STRANGERS_MAX {
            return Ok(false);
        }
        // Two of them, a few levels down, distinguish a folder for each team from a folder for each day.
        for folder in [page.folders.first(), page.folders.last()].into_iter().flatten() {
            let mut next = Some(folder.clone());
            for _ in 0..DEPTH_MAX {
                let Some(folder) = next else { break };
                let below = self.page(&folder, &How::Level, None).await?;
                if leads(&below.folders) {
                    return Ok(false);
                }
                next = below.folders.into_iter().next();
            }
        }
        Ok(true)
    }
}
