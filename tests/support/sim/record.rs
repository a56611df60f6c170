//! CloudTrail records in AWS's shapes.

use serde_json::{Value, json};

use super::clock;
use super::rng::Rng;

/// A repository's identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoId {
    pub registry: String,
    pub region: String,
    pub name: String,
}

impl RepoId {
    pub fn arn(&self) -> String {
        format!("arn:aws:ecr:{}:{}:repository/{}", self.region, self.registry, self.name)
    }

    /// `111122223333.dkr.ecr.us-east-1.amazonaws.com/team/api`.
    pub fn uri(&self) -> String {
        format!("{}.dkr.ecr.{}.amazonaws.com/{}", self.registry, self.region, self.name)
    }
}

/// A caller, and the endpoint that it uses.
#[derive(Debug, Clone)]
pub struct Caller {
    pub account: String,
    pub role: String,
    pub session: String,
    /// Whether it calls through the registry's proxy, as Docker and OCI clients do, which hides address and
    /// agent.
    pub through_proxy: bool,
}

impl Caller {
    pub fn new(account: &str, role: &str, session: &str, through_proxy: bool) -> Self {
        Self { account: account.into(), role: role.into(), session: session.into(), through_proxy }
    }

    pub fn arn(&self) -> String {
        format!("arn:aws:sts::{}:assumed-role/{}/{}", self.account, self.role, self.session)
    }

    fn identity(&self, second: u64) -> Value {
        let id = format!(
            "AROA{:0>16}",
            self.role.to_uppercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "")
        );
        let mut identity = json!({
            "type": "AssumedRole",
            "principalId": format!("{id}:{}", self.session),
            "arn": self.arn(),
            "accountId": self.account,
            "accessKeyId": "ASIAEXAMPLE000000001",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": id, "arn": format!("arn:aws:iam::{}:role/{}", self.account, self.role),
                                  "accountId": self.account, "userName": self.role},
                "webIdFederationData": {},
                "attributes": {"creationDate": clock::rfc3339(second.saturating_sub(300)), "mfaAuthenticated": "false"},
            },
        });
        if self.through_proxy {
            identity["invokedBy"] = json!("ecr.amazonaws.com");
        }
        identity
    }
}

/// An API call to be logged.
pub struct Call<'a> {
    pub source: &'a str,
    pub name: &'a str,
    pub caller: &'a Caller,
    pub region: &'a str,
    pub second: u64,
    pub request: Value,
    pub response: Value,
    pub repo: Option<&'a RepoId>,
    pub read_only: bool,
    pub error: Option<(&'a str, String)>,
}

impl Call<'_> {
    pub fn to_record(&self, rng: &mut Rng) -> Value {
        let agents = [
            "aws-cli/2.32.3 md/command#ecr",
            "Boto3/1.44 \"quoted\" {brace",
            "curl/8 [\"Records\":[",
            "terraform \u{e9}\u{202e}\u{1f600}",
        ];
        let (address, agent) = if self.caller.through_proxy {
            ("ecr.amazonaws.com", "ecr.amazonaws.com")
        } else {
            ("203.0.113.12", *rng.pick(&agents))
        };
        let mut record = json!({
            "eventVersion": "1.11",
            "userIdentity": self.caller.identity(self.second),
            "eventTime": clock::rfc3339(self.second),
            "eventSource": self.source,
            "eventName": self.name,
            "awsRegion": self.region,
            "sourceIPAddress": address,
            "userAgent": agent,
            "requestParameters": self.request,
            "responseElements": self.response,
            "requestID": rng.uuid(),
            "eventID": rng.uuid(),
            "readOnly": self.read_only,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": self.caller.account,
            "eventCategory": "Management",
        });
        if let Some(repo) = self.repo {
            record["resources"] = json!([{"accountId": repo.registry, "ARN": repo.arn()}]);
        }
        if let Some((code, message)) = &self.error {
            record["errorCode"] = json!(code);
            record["errorMessage"] = json!(message);
        }
        if !self.caller.through_proxy {
            record["tlsDetails"] = json!({"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": format!("api.ecr.{}.amazonaws.com", self.region)});
        }
        record
    }
}

/// An event of ECR itself: a lifecycle run, a preview, a finished restore.
pub fn service_event(rng: &mut Rng, name: &str, repo: &RepoId, second: u64, details: Value) -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {"accountId": repo.registry, "invokedBy": "AWS Internal"},
        "eventTime": clock::rfc3339(second),
        "eventSource": "ecr.amazonaws.com",
        "eventName": name,
        "awsRegion": repo.region,
        "sourceIPAddress": "AWS Internal",
        "userAgent": "AWS Internal",
        "requestParameters": null,
        "responseElements": null,
        "eventID": rng.uuid(),
        "readOnly": true,
        "resources": [{"accountId": repo.registry, "type": "AWS::ECR::Repository", "ARN": repo.arn()}],
        "eventType": "AwsServiceEvent",
        "managementEvent": true,
        "recipientAccountId": repo.registry,
        "serviceEventDetails": details,
        "eventCategory": "Management",
    })
}

/// The owner's copy of a call from another account: another eventID, the same sharedEventID, and only the
/// caller's account as identity.
pub fn owner_twin(rng: &mut Rng, record: &mut Value, owner: &str) -> Value {
    let shared = rng.uuid();
    record["sharedEventID"] = json!(shared);
    let mut twin = record.clone();
    let caller = record["userIdentity"]["accountId"].clone();
    let principal = record["userIdentity"]["principalId"].clone();
    twin["userIdentity"] = json!({"type": "AWSAccount", "principalId": principal, "accountId": caller});
    twin["eventID"] = json!(rng.uuid());
    twin["recipientAccountId"] = json!(owner);
    twin
}

/// Replaces a member by CloudTrail's marker for payloads above 100 KB.
pub fn omit(rng: &mut Rng, record: &mut Value, member: &str) {
    let size = rng.range(102_401, 900_000);
    let strings = rng.chance(30);
    let (omitted, size) =
        if strings { (json!("true"), json!(size.to_string())) } else { (json!(true), json!(size)) };
    record[member] =
        json!({"reason": format!("{member} too large"), "omitted": omitted, "originalSize": size});
}

/// A late correction of `original`, which is not another action.
pub fn updated_data(rng: &mut Rng, original: &Value) -> Value {
    let mut record = original.clone();
    record["eventID"] = json!(rng.uuid());
    record["addendum"] = json!({
        "reason": "UPDATED_DATA",
        "updatedFields": "userAgent",
        "originalRequestID": original["requestID"],
        "originalEventID": original["eventID"],
    });
    record["userAgent"] = json!("corrected-agent/1.0");
    record
}
