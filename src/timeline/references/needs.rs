//! What other services than ECS need: what keeps an image, what resolves a tag each time, and what ends
//! either.
//!
//! Lambda functions and App Runner services run from their own copies; CodeBuild, EventBridge and Batch
//! pull whenever they run. Either way the image is needed until something newer replaces it or the resource
//! is deleted.

use super::{MentionKind, Naming, Reader, Runner, direct};
use crate::model::NeedKind;
use crate::timeline::fact::{Need, Reference};
use crate::timeline::names::{EventNo, Sym};

impl Reader<'_> {
    pub(super) fn need(&mut self, event: EventNo, need: &Need) {
        match need.kind {
            NeedKind::Asks
                if need.through.contains(&need.who) && !self.definitions.contains_key(&need.who) =>
            {
                self.resume(event, need.who)
            }
            NeedKind::Keeps => self.take_up(event, need, MentionKind::Kept),
            NeedKind::Asks => self.take_up(event, need, MentionKind::Asked),
            NeedKind::Defines => self.offer(event, need),
            NeedKind::Once => self.once(event, need),
            NeedKind::Copies => self.copy(event, need),
            NeedKind::Ends => self.end(event, need.who),
            NeedKind::Fails => self.fail(event, need),
        }
    }

    /// All images of a need, those of its definitions included.
    fn images_of(&self, need: &Need) -> Vec<(Reference, Sym)> {
        let defined = need.through.iter().flat_map(|definition| self.defined(self.newest(*definition)));
        direct(&need.images).chain(defined).collect()
    }

    /// Something runs these images from now on, and no longer those that it ran before.
    fn take_up(&mut self, event: EventNo, need: &Need, kind: MentionKind) {
        let images = self.images_of(need);
        if !need.through.contains(&need.who) {
            let images = images.iter().map(|(image, through)| (*image, *through)).collect();
            self.definitions.insert(need.who, super::Definition { images, open: Vec::new() });
        }
        self.stop(need.who, event);
        // An image named by its digest is fixed: there is nothing to resolve again.
        let (fixed, asked): (Vec<_>, Vec<_>) = images
            .into_iter()
            .partition(|(image, _)| image.image.digest.is_some() || kind == MentionKind::Kept);
        let mut open = self.mention_all(fixed, Naming { event, by: need.who, kind: MentionKind::Kept });
        open.extend(self.mention_all(asked, Naming { event, by: need.who, kind }));
        self.runners.insert(need.who, Runner { definition: None, open });
    }

    /// A definition that jobs may use; new jobs do not use its older revisions.
    fn offer(&mut self, event: EventNo, need: &Need) {
        let before =
            self.text(need.who).rsplit_once(':').and_then(|(family, _)| self.families.get(family).copied());
        for older in before.into_iter().chain([need.who]) {
            let open = self
                .definitions
                .get_mut(&older)
                .map(|older| std::mem::take(&mut older.open))
                .unwrap_or_default();
            self.close(&open, event);
            self.stop(older, event);
        }
        let images = self.images_of(need);
        self.define(need.who, images.clone());
        let open = self.mention_all(images, Naming { event, by: need.who, kind: MentionKind::Offered });
        if let Some(defined) = self.definitions.get_mut(&need.who) {
            defined.open = open;
        }
    }

    /// A job or a build that ran once. It also shows that its definition is in use.
    fn once(&mut self, event: EventNo, need: &Need) {
        let images = self.images_of(need);
        self.mention_all(images, Naming { event, by: need.who, kind: MentionKind::Started });
        for definition in need.through.iter().map(|definition| self.newest(*definition)).collect::<Vec<_>>() {
            if !self.runners.contains_key(&definition) && self.definitions.contains_key(&definition) {
                let through = Box::new([definition]);
                self.take_up(
                    event,
                    &Need {
                        who: definition,
                        kind: NeedKind::Asks,
                        images: Box::default(),
                        through,
                        source: Sym::NONE,
                    },
                    MentionKind::Asked,
                );
            }
        }
    }

    /// A published version keeps what its function has at that moment.
    fn copy(&mut self, event: EventNo, need: &Need) {
        let Some(&of) = need.through.first() else { return };
        let kept: Vec<usize> =
            self.runners.get(&of).map(|function| function.open.clone()).unwrap_or_default();
        let open = self.mention_again(&kept, of, Naming { event, by: need.who, kind: MentionKind::Kept });
        self.stop(need.who, event);
        self.runners.insert(need.who, Runner { definition: None, open });
        self.versions.entry(of).or_default().push(need.who);
    }

    /// Repeats the mentions of the images that `of` holds at that time.
    fn mention_again(&mut self, kept: &[usize], of: Sym, naming: Naming) -> Vec<usize> {
        let Naming { event, by, kind } = naming;
        let again = kept.iter().map(|at| super::Mention {
            event,
            by,
            kind,
            of,
            until: i64::MAX,
            ..self.mentions[*at].clone()
        });
        let again: Vec<_> = again.collect();
        let first = self.mentions.len();
        self.mentions.extend(again);
        (first..self.mentions.len()).collect()
    }

    /// The targets of an EventBridge rule.
    fn targets(&self, rule: Sym) -> Vec<Sym> {
        let rule = self.text(rule);
        if !rule.contains(":rule/") || rule.ends_with(')') {
            return Vec::new();
        }
        let rule = format!("{rule} (target ");
        let mut targets: Vec<Sym> =
            self.definitions.keys().copied().filter(|target| self.text(*target).starts_with(&rule)).collect();
        targets.sort_by_key(|target| self.text(*target));
        targets
    }

    /// A disabled rule is enabled again: its targets run what they ran before.
    fn resume(&mut self, event: EventNo, rule: Sym) {
        for target in self.targets(rule) {
            let need = Need {
                who: target,
                kind: NeedKind::Asks,
                images: Box::default(),
                through: Box::new([target]),
                source: Sym::NONE,
            };
            self.take_up(event, &need, MentionKind::Asked);
        }
    }

    fn end(&mut self, event: EventNo, who: Sym) {
        self.stop(who, event);
        for target in self.targets(who) {
            self.stop(target, event);
        }
        if let Some(defined) = self.definitions.remove(&who) {
            self.close(&defined.open, event);
        }
        for version in self.versions.remove(&who).unwrap_or_default() {
            self.stop(version, event);
        }
    }

    /// A call failed because an image was missing: the one that its message names, else the one that the
    /// caller holds.
    fn fail(&mut self, event: EventNo, need: &Need) {
        let naming = Naming { event, by: need.who, kind: MentionKind::Missing };
        if !need.images.is_empty() {
            self.mention_all(direct(&need.images), naming);
            return;
        }
        let kept: Vec<usize> =
            self.runners.get(&need.who).map(|runner| runner.open.clone()).unwrap_or_default();
        self.mention_again(&kept, need.who, naming);
    }
}
