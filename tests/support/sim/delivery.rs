//! CloudTrail's delivery: objects by account, region and day; late, duplicated, out of order, small and
//! large.

use serde_json::Value;

use super::clock;
use super::rng::Rng;
use super::world::{Logged, World};

/// A log file to be delivered, before it is encoded.
#[derive(Debug, Clone)]
pub struct Parcel {
    pub key: String,
    pub records: Vec<Value>,
}

/// How records are divided into objects.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The prefix before `AWSLogs/` in the bucket.
    pub prefix: String,
    /// Chance in percent that a record is delivered twice.
    pub twice: u64,
    pub records_max: u64,
}

impl Delivery {
    pub fn any(rng: &mut Rng) -> Self {
        let prefix = (*rng.pick(&["", "", "trail/", "org/audit/"])).to_owned();
        let twice = *rng.pick(&[0, 5, 25]);
        let records_max = *rng.pick(&[3, 12, 60]);
        Self { prefix, twice, records_max }
    }

    /// Divides all logged records into objects.
    pub fn pack(&self, world: &World, rng: &mut Rng) -> Vec<Parcel> {
        let mut trails: Vec<(String, String)> =
            world.logged.iter().map(|logged| (logged.account.clone(), logged.region.clone())).collect();
        trails.sort();
        trails.dedup();
        let mut parcels = Vec::new();
        for (account, region) in trails {
            let logged: Vec<&Logged> = world
                .logged
                .iter()
                .filter(|logged| logged.account == account && logged.region == region)
                .collect();
            self.pack_trail(&account, &region, &logged, rng, &mut parcels);
        }
        rng.shuffle(&mut parcels);
        parcels
    }

    fn pack_trail(
        &self,
        account: &str,
        region: &str,
        logged: &[&Logged],
        rng: &mut Rng,
        parcels: &mut Vec<Parcel>,
    ) {
        let mut due: Vec<(u64, &Value)> = Vec::new();
        for logged in logged {
            due.push((logged.second + delay(rng), &logged.record));
            if rng.chance(self.twice) {
                due.push((logged.second + delay(rng), &logged.record));
            }
        }
        due.sort_by_key(|(second, _)| *second);
        let mut rest = due.as_slice();
        while !rest.is_empty() {
            let size = rng.range(1, self.records_max + 1).min(rest.len() as u64) as usize;
            let (now, later) = rest.split_at(size);
            rest = later;
            let mut records: Vec<Value> = now.iter().map(|(_, record)| (*record).clone()).collect();
            rng.shuffle(&mut records);
            let delivered = now.last().map_or(clock::BEGIN, |(second, _)| *second);
            parcels.push(Parcel { key: self.key(account, region, delivered, rng), records });
        }
    }

    fn key(&self, account: &str, region: &str, delivered: u64, rng: &mut Rng) -> String {
        let (day, stamp, word) = (clock::day_folder(delivered), clock::name_stamp(delivered), rng.word(16));
        format!(
            "{}AWSLogs/{account}/CloudTrail/{region}/{day}/{account}_CloudTrail_{region}_{stamp}_{word}.json.gz",
            self.prefix
        )
    }
}

/// Mostly minutes, sometimes hours or days.
fn delay(rng: &mut Rng) -> u64 {
    match rng.range(0, 100) {
        0..93 => rng.range(0, 610),
        93..98 => rng.range(610, 6 * clock::HOUR),
        _ => rng.range(6 * clock::HOUR, 3 * clock::DAY),
    }
}

/// A record as text, with its members in random order: nothing may depend on their order. The objects in some
/// records are written as lists of one element, as some tools do.
pub fn to_text(record: &Value, rng: &mut Rng) -> String {
    let Some(members) = record.as_object() else { return record.to_string() };
    let with_lists = record["eventID"].as_str().is_some_and(|id| id.ends_with("3f"));
    let payloads = ["requestParameters", "responseElements", "serviceEventDetails", "userIdentity"];
    let written = |(name, value): (&String, &Value)| {
        let is_list = with_lists && value.is_object() && payloads.contains(&name.as_str());
        format!(
            "{}:{}",
            Value::from(name.as_str()),
            if is_list { format!("[{value}]") } else { value.to_string() }
        )
    };
    let mut members: Vec<String> = members.iter().map(written).collect();
    rng.shuffle(&mut members);
    format!("{{{}}}", members.join(","))
}
