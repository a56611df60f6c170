//! Records of sessions, as CloudTrail writes them.
#![allow(dead_code)]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

const DAY: &str = "2026-03-02";

/// The `number`th temporary access key.
pub fn key(number: usize) -> String {
    format!("ASIAQ{number:0>15}")
}

pub fn role(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:role/{name}")
}

/// The id of a role, always the same for the same role.
pub fn role_id(account: &str, name: &str) -> String {
    let sum = format!("{account}{name}")
        .bytes()
        .fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("AROA{:017}", sum % 100_000_000_000_000_000)
}

/// A user with a key of its own.
pub fn user(account: &str, name: &str) -> Value {
    json!({
        "type": "IAMUser", "principalId": format!("AIDA{name}"), "arn": format!("arn:aws:iam::{account}:user/{name}"), "accountId": account,
        "accessKeyId": format!("AKIA{:0>16}", name.to_ascii_uppercase()), "userName": name,
    })
}

/// A session of a role. `began` is a time of the day.
pub fn assumed(account: &str, role: &str, session: &str, began: &str, key: &str) -> Value {
    let name = role.rsplit('/').next().unwrap_or(role);
    json!({
        "type": "AssumedRole", "principalId": format!("{}:{session}", role_id(account, role)),
        "arn": format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"), "accountId": account, "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": role_id(account, role), "arn": self::role(account, role), "accountId": account, "userName": name},
            "attributes": {"creationDate": at(began), "mfaAuthenticated": "false"},
        },
    })
}

/// A user in the console; returns a function that gives the identity with one of the many keys there.
pub fn console(account: &str, name: &str, began: &str) -> impl Fn(&str) -> Value {
    let user = user(account, name);
    let began = at(began);
    move |key: &str| {
        let mut user = user.clone();
        user["accessKeyId"] = json!(key);
        user["sessionContext"] = json!({"attributes": {"creationDate": began, "mfaAuthenticated": "true"}});
        user
    }
}

pub fn service(name: &str) -> Value {
    json!({"type": "AWSService", "invokedBy": name})
}

pub fn web_identity(provider: &str, subject: &str) -> Value {
    json!({"type": "WebIdentityUser", "principalId": format!("{provider}:sts.amazonaws.com:{subject}"), "userName": subject, "identityProvider": provider})
}

pub fn github(subject: &str) -> Value {
    web_identity("arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com", subject)
}

pub fn saml(subject: &str) -> Value {
    json!({"type": "SAMLUser", "principalId": format!("AbCd:{subject}"), "userName": subject, "identityProvider": "AbCd"})
}

pub fn at(time: &str) -> String {
    if time.contains('T') { time.to_owned() } else { format!("{DAY}T{time}Z") }
}

/// `Mar 2, 2026, 11:00:00 AM`: one hour after `time`.
fn expiration(time: &str) -> String {
    let (hour, rest) = time.split_once(':').expect("a time of the day");
    let hour: u32 = hour.parse::<u32>().expect("an hour") + 1;
    let (shown, half) =
        (if hour.is_multiple_of(12) { 12 } else { hour % 12 }, if hour % 24 < 12 { "AM" } else { "PM" });
    let day = 2 + hour / 24;
    format!("Mar {day}, 2026, {shown}:{rest}\u{202f}{half}")
}

/// The trails of an organisation.
#[derive(Default)]
pub struct Org {
    pub records: Vec<Value>,
}

impl Org {
    pub fn write(&self, folder: &Path) {
        fs::create_dir_all(folder.join("logs")).expect("made");
        fs::write(folder.join("logs/all.json"), json!({"Records": self.records}).to_string())
            .expect("written");
    }

    pub fn record(
        &mut self,
        time: &str,
        caller: &Value,
        account: &str,
        source: &str,
        name: &str,
    ) -> &mut Value {
        let number = self.records.len();
        let address = caller["invokedBy"].as_str().unwrap_or("198.51.100.7");
        self.records.push(json!({
            "eventVersion": "1.11", "userIdentity": caller, "eventTime": at(time), "eventSource": source, "eventName": name,
            "awsRegion": "eu-central-1", "sourceIPAddress": address, "userAgent": "aws-cli/2", "requestParameters": null, "responseElements": null,
            "requestID": "r", "eventID": format!("7a7a7a7a-0000-4000-8000-{number:012}"), "readOnly": true, "eventType": "AwsApiCall",
            "managementEvent": true, "recipientAccountId": account, "eventCategory": "Management",
        }));
        self.records.last_mut().expect("the record")
    }

    pub fn call(&mut self, time: &str, caller: &Value, account: &str, source: &str, name: &str) {
        self.record(time, caller, account, source, name);
    }

    pub fn push(&mut self, time: &str, caller: &Value, account: &str, repository: &str) {
        let digest = format!("sha256:{:064x}", self.records.len());
        let record = self.record(time, caller, account, "ecr.amazonaws.com", "PutImage");
        record["readOnly"] = json!(false);
        record["requestParameters"] =
            json!({"registryId": account, "repositoryName": repository, "imageTag": "latest"});
        let id = json!({"imageDigest": digest, "imageTag": "latest"});
        record["responseElements"] =
            json!({"image": {"registryId": account, "repositoryName": repository, "imageId": id}});
    }

    /// A role of `account` is assumed. If the caller is in another account, that account's trail has the call
    /// as well.
    pub fn assume(
        &mut self,
        time: &str,
        caller: &Value,
        account: &str,
        role: &str,
        session: &str,
        key: &str,
    ) {
        let name = match caller["type"].as_str() {
            Some("WebIdentityUser") => "AssumeRoleWithWebIdentity",
            Some("SAMLUser") => "AssumeRoleWithSAML",
            _ => "AssumeRole",
        };
        let plain = role.rsplit('/').next().unwrap_or(role);
        let request = json!({"roleArn": self::role(account, role), "roleSessionName": session, "durationSeconds": 3600});
        let mut response = json!({
            "credentials": {"accessKeyId": key, "sessionToken": "", "expiration": expiration(time)},
            "assumedRoleUser": {
                "assumedRoleId": format!("{}:{session}", role_id(account, role)),
                "arn": format!("arn:aws:sts::{account}:assumed-role/{plain}/{session}"),
            },
        });
        if name == "AssumeRoleWithWebIdentity" {
            response["provider"] = caller["identityProvider"].clone();
            response["subjectFromWebIdentityToken"] = caller["userName"].clone();
            response["audience"] = json!("sts.amazonaws.com");
        }
        let own = caller["accountId"].as_str().unwrap_or(account).to_owned();
        let shared = format!("9b9b9b9b-0000-4000-8000-{:012}", self.records.len());
        let trails =
            if own == account { vec![account.to_owned()] } else { vec![own.clone(), account.to_owned()] };
        for trail in trails {
            let seen = match trail == own || caller["principalId"].is_null() {
                true => caller.clone(),
                false => {
                    json!({"type": "AWSAccount", "principalId": caller["principalId"], "accountId": own})
                }
            };
            let record = self.record(time, &seen, &trail, "sts.amazonaws.com", name);
            record["requestParameters"] = request.clone();
            record["responseElements"] = response.clone();
            if own != account {
                record["sharedEventID"] = json!(shared);
            }
        }
    }

    pub fn start_build(&mut self, time: &str, caller: &Value, account: &str, project: &str, id: &str) {
        let record = self.record(time, caller, account, "codebuild.amazonaws.com", "StartBuild");
        record["readOnly"] = json!(false);
        record["requestParameters"] = json!({"projectName": project});
        record["responseElements"] = json!({"build": {
            "id": format!("{project}:{id}"), "arn": format!("arn:aws:codebuild:eu-central-1:{account}:build/{project}:{id}"),
            "projectName": project, "initiator": "alice", "serviceRole": role(account, "codebuild-shop"),
        }});
    }

    pub fn sign_in(&mut self, time: &str, account: &str, name: &str) {
        let mut caller = user(account, name);
        caller.as_object_mut().expect("an object").remove("accessKeyId");
        let record = self.record(time, &caller, account, "signin.amazonaws.com", "ConsoleLogin");
        record["readOnly"] = json!(false);
        record["responseElements"] = json!({"ConsoleLogin": "Success"});
        record["eventType"] = json!("AwsConsoleSignIn");
    }

    pub fn switch_role(&mut self, time: &str, from: &str, name: &str, account: &str, role: &str) {
        let mut caller = assumed(account, role, name, time, "");
        let fields = caller.as_object_mut().expect("an object");
        fields.remove("accessKeyId");
        fields.remove("sessionContext");
        let record = self.record(time, &caller, account, "signin.amazonaws.com", "SwitchRole");
        record["readOnly"] = json!(false);
        record["responseElements"] = json!({"SwitchRole": "Success"});
        record["additionalEventData"] = json!({"SwitchFrom": format!("arn:aws:iam::{from}:user/{name}"), "RedirectTo": "https://console.aws.amazon.com"});
        record["eventType"] = json!("AwsConsoleSignIn");
    }
}
