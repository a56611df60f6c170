//! What kind of text each text in the history is: redaction has to know which of them are names.

use super::history::History;
use super::names::{Names, Sym};
use crate::policy::Policy;

/// The kind of a text. If a text is of several kinds, the last in this order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Anything that no field below covers: definitions, keys, prefixes, shared ids.
    Other,
    /// Words of CloudTrail and ECR: names of events, regions, media types, settings.
    Word,
    /// The text of a lifecycle policy.
    Policy,
    Object,
    Agent,
    Address,
    Tag,
    /// What refers to images: services, functions, task definitions.
    Runner,
    Principal,
    Repository,
    Account,
}

impl History {
    /// Every text once, with its kind.
    pub fn texts(&self) -> impl Iterator<Item = (Role, &str)> {
        let names = self.names();
        let roles = self.roles(names);
        roles.into_iter().enumerate().map(|(at, role)| (role, names.text(Sym::from_index(at))))
    }

    /// Every lifecycle policy in the logs.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.names().policies()
    }

    fn roles(&self, names: &Names) -> Vec<Role> {
        let mut roles = vec![Role::Other; names.strings()];
        let mut is = |sym: Sym, role: Role| {
            if let Some(known) = roles.get_mut(sym.index()) {
                *known = role.max(*known);
            }
        };
        names.policy_texts().for_each(|text| is(text, Role::Policy));
        for event in self.events() {
            for (sym, role) in [
                (event.name, Role::Word),
                (event.region, Role::Word),
                (event.object, Role::Object),
                (event.user_agent, Role::Agent),
                (event.source_ip, Role::Address),
                (event.actor, Role::Principal),
                (event.recipient, Role::Account),
            ] {
                is(sym, role);
            }
        }
        for key in names.repository_keys() {
            is(key.registry_id, Role::Account);
            is(key.region, Role::Word);
            is(key.name, Role::Repository);
        }
        for repository in self.repositories().iter().chain(self.simulated()) {
            is(repository.mutability.setting, Role::Word);
            repository.tags.keys().chain(repository.tag_lives.keys()).for_each(|tag| is(*tag, Role::Tag));
            for image in &repository.images {
                is(image.media_type, Role::Word);
                image.platforms.iter().for_each(|platform| is(*platform, Role::Word));
                image.tags.iter().for_each(|(tag, _)| is(*tag, Role::Tag));
                image.steps.iter().for_each(|step| is(step.tag, Role::Tag));
                for found in &image.uses {
                    is(found.by, Role::Runner);
                    is(found.through, Role::Runner);
                    is(found.tag, Role::Tag);
                }
                for run in image.losses.iter().filter_map(|loss| loss.run.as_ref()) {
                    is(run.tag_status, Role::Word);
                    run.tags.iter().for_each(|tag| is(*tag, Role::Tag));
                }
            }
        }
        roles
    }
}
