//! A day in an organisation, from a seed, with the truth about which call began each session. There are few
//! names, so that sessions with one name begin in the same second; some calls that begin sessions are not
//! logged.

use std::collections::BTreeMap;

use serde_json::Value;

use super::record::{Org, assumed, console, github, key, saml, service, user};

const ACCOUNTS: [&str; 3] = ["111122223333", "444455556666", "777788889999"];
const ROLES: [&str; 3] = ["deployer", "release", "codebuild-shop"];
const NAMES: [&str; 3] = ["GitHubActions", "ci", "i-0a1b2c3d4e5f60718"];

/// Pseudo-random numbers from a seed.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % limit as u64).expect("a small number")
    }

    pub fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }

    pub fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

/// A session that makes calls.
struct Living {
    /// `eventID` of the call that began it; `None` for a user's own key.
    began: Option<String>,
    caller: Value,
    account: String,
}

/// A world and its truth.
pub struct World {
    pub org: Org,
    /// `eventID` of a call → that of the call that began its session.
    pub truth: BTreeMap<String, Option<String>>,
    /// `eventID`s of calls that are not in the logs.
    pub hidden: Vec<String>,
}

impl World {
    pub fn new(seed: u64, steps: usize) -> Self {
        let mut chance = Chance::new(seed);
        let mut world = Self { org: Org::default(), truth: BTreeMap::new(), hidden: Vec::new() };
        let mut living: Vec<Living> = Vec::new();
        for account in ACCOUNTS {
            for name in ["alice", "bob"] {
                living.push(Living { began: None, caller: user(account, name), account: account.to_owned() });
            }
        }
        let (mut clock, mut keys) = (6 * 3600, 0);
        for _ in 0..steps {
            clock += [0, 0, 1, 7, 31][chance.below(5)];
            let time = format!("{:02}:{:02}:{:02}", clock / 3600, clock / 60 % 60, clock % 60);
            keys += 1;
            let first = world.org.records.len();
            match chance.below(10) {
                0 => {
                    let account = *chance.of(&ACCOUNTS);
                    let caller = match chance.below(4) {
                        0 => service("ec2.amazonaws.com"),
                        1 => service("codebuild.amazonaws.com"),
                        2 => saml("alice@example.com"),
                        _ => github("repo:acme/shop:ref:refs/heads/main"),
                    };
                    let begun = world.assume(&mut chance, &time, &caller, account, keys);
                    living.push(begun);
                }
                1 => {
                    let account = *chance.of(&ACCOUNTS);
                    let name = *chance.of(&["alice", "bob"]);
                    world.org.sign_in(&time, account, name);
                    let began = Some(id(&world.org, first));
                    living.push(Living {
                        began,
                        caller: console(account, name, &time)(&key(keys)),
                        account: account.to_owned(),
                    });
                }
                2 | 3 => {
                    let by = chance.below(living.len());
                    let account = *chance.of(&ACCOUNTS);
                    let caller = living[by].caller.clone();
                    let begun = world.assume(&mut chance, &time, &caller, account, keys);
                    for at in first..world.org.records.len() {
                        world.truth.insert(id(&world.org, at), living[by].began.clone());
                    }
                    living.push(begun);
                }
                other => {
                    let by = &living[chance.below(living.len())];
                    let mut caller = by.caller.clone();
                    // Keys that no logged call returned, or no key, where the session can be identified
                    // without it.
                    if by.began.is_some() && other > 7 {
                        match chance.below(2) {
                            0 => caller["accessKeyId"] = Value::from(key(50_000 + keys)),
                            _ => _ = caller.as_object_mut().expect("an object").remove("accessKeyId"),
                        }
                    }
                    world.org.push(&time, &caller, &by.account, "shop/api");
                    world.truth.insert(id(&world.org, first), by.began.clone());
                }
            }
        }
        world.hide(&mut chance);
        world
    }

    fn assume(
        &mut self,
        chance: &mut Chance,
        time: &str,
        caller: &Value,
        account: &str,
        number: usize,
    ) -> Living {
        let (role, name) = (*chance.of(&ROLES), *chance.of(&NAMES));
        let first = self.org.records.len();
        self.org.assume(time, caller, account, role, name, &key(number));
        Living {
            began: Some(id(&self.org, first)),
            caller: assumed(account, role, name, time, &key(number)),
            account: account.to_owned(),
        }
    }

    /// Removes some of the calls that began sessions, including their copies in other trails.
    fn hide(&mut self, chance: &mut Chance) {
        let mut gone: Vec<Value> = Vec::new();
        for record in &self.org.records {
            if !record["responseElements"]["credentials"].is_null() && chance.one_in(6) {
                gone.push(record["sharedEventID"].clone());
                self.hidden.push(record["eventID"].as_str().expect("an id").to_owned());
            }
        }
        let hidden = &mut self.hidden;
        self.org.records.retain(|record| {
            let id = record["eventID"].as_str().expect("an id").to_owned();
            let is_copy = !record["sharedEventID"].is_null() && gone.contains(&record["sharedEventID"]);
            if is_copy && !hidden.contains(&id) {
                hidden.push(id.clone());
            }
            !hidden.contains(&id)
        });
    }
}

fn id(org: &Org, at: usize) -> String {
    org.records[at]["eventID"].as_str().expect("an id").to_owned()
}
