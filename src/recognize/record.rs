//! The fields that all CloudTrail records share.
//!
//! `eventID` is missing from hand-made and some re-exported records, and is a placeholder (`"..."`) in
//! redacted ones. Then `sha256:` and the SHA-256 of the record's text is shown instead. Which records are
//! copies of one event is decided by [`Identity`].

use std::borrow::Cow;

use crate::decode::excerpt;
use crate::decode::identity::{EventKey, is_word};
use crate::decode::spelling::{can_be_a_call, is_undecided_code, says_why};
use crate::model::{Addendum, Digest, Event, Identity, Timestamp};

use super::SOURCES;
use super::json::Json;

/// One record; its fields are found in a single pass over its top level.
pub(super) struct Record<'r> {
    pub source: &'r str,
    pub name: &'r str,
    pub time: Timestamp,
    id: Cow<'r, str>,
    event: Identity,
    shared_id: Option<&'r str>,
    pub region: Option<&'r str>,
    pub recipient_account: Option<&'r str>,
    pub identity: Json<'r>,
    pub source_ip: Option<&'r str>,
    user_agent: Option<&'r str>,
    pub error_code: Option<&'r str>,
    pub error_message: Option<&'r str>,
    read_only: Option<bool>,
    pub resources: Json<'r>,
    addendum: Json<'r>,
    /// CloudTrail left out `requestParameters` because of their size.
    pub request_left_out: bool,
    /// CloudTrail left out any of the three.
    left_out: bool,
    /// `requestParameters`, `responseElements`, `serviceEventDetails`; empty where CloudTrail left them
    /// out.
    pub request: Json<'r>,
    pub response: Json<'r>,
    pub details: Json<'r>,
}

impl<'r> Record<'r> {
    /// Reads the top level of a record; `text` is used only if it has no `eventID`.
    pub fn read(root: Json<'r>, text: &str) -> Result<Self, String> {
        if !root.is_object() {
            return Err("not a JSON object".to_owned());
        }
        let fields = Fields::of(root);
        let time = fields.time.ok_or("no eventTime that can be read")?;
        let name = fields.name.ok_or("no eventName")?;
        let source = fields.source.ok_or("no eventSource")?;
        fields.has_objects()?;
        Ok(Self {
            source,
            name,
            time,
            id: event_id(fields.id, text),
            event: told(fields.id, time, source, name, fields.region, fields.recipient_account)
                .identity(text.as_bytes()),
            shared_id: fields.shared_id,
            region: fields.region,
            recipient_account: fields.recipient_account,
            identity: fields.identity,
            source_ip: fields.source_ip,
            user_agent: fields.user_agent,
            error_code: fields.error_code,
            error_message: fields.error_message,
            read_only: fields.read_only,
            resources: fields.resources,
            addendum: fields.addendum,
            request_left_out: is_omitted(fields.request),
            left_out: [fields.request, fields.response, fields.details].into_iter().any(is_omitted),
            request: unless_omitted(fields.request),
            response: unless_omitted(fields.response),
            details: unless_omitted(fields.details),
        })
    }

    /// A call without an answer that has a message of an error has failed, even if a tool has left out the code.
    pub fn failed(&self) -> bool {
        let unanswered = !self.response.is_something() && !self.details.is_something();
        self.error_code.is_some() || unanswered && self.error_message.is_some_and(says_why)
    }

    /// Whether the call and its outcome are told: somebody may have made them illegible.
    pub fn tells_what_was_done(&self) -> Result<(), String> {
        if !can_be_a_call(self.name) && SOURCES.contains(&self.source) {
            return Err(format!(
                "eventName says no call ({}): what was done in {} is not known",
                excerpt(self.name.as_bytes()),
                self.source
            ));
        }
        match self.error_code.filter(|code| is_undecided_code(code)) {
            Some(code) if self.error_message.is_none_or(|message| !says_why(message)) => Err(format!(
                "errorCode does not say whether the call failed ({}): export it empty where there is none",
                excerpt(code.as_bytes())
            )),
            _ => Ok(()),
        }
    }

    /// The event in the form that the rest of the program uses.
    pub fn event(&self) -> Event<'r> {
        Event {
            id: self.id.clone(),
            identity: self.event,
            shared_id: self.shared_id.map(Cow::Borrowed),
            time: self.time,
            name: Cow::Borrowed(self.name),
            recipient_account: Cow::Borrowed(self.recipient_account.unwrap_or_default()),
            region: Cow::Borrowed(self.region.unwrap_or_default()),
            actor: actor(self.identity),
            source_ip: self.source_ip.map(Cow::Borrowed),
            user_agent: self.user_agent.map(Cow::Borrowed),
            invoked_by: self.identity.text("invokedBy").map(Cow::Borrowed),
            error_code: self.error_code.map(Cow::Borrowed),
            read_only: self.read_only,
            left_out: self.left_out,
            snapshot: false,
            addendum: self.correction(),
        }
    }

    /// Only `UPDATED_DATA` corrects another record; with `DELIVERY_DELAY` and `SERVICE_OUTAGE` the record
    /// is merely late.
    fn correction(&self) -> Option<Addendum<'r>> {
        self.addendum.text("reason").filter(|reason| *reason == "UPDATED_DATA")?;
        let corrected = self.addendum.get("updatedFields");
        let names_time = |text: &str| text.contains("eventTime");
        let corrects_time = corrected.as_text().is_some_and(names_time)
            || corrected.items().filter_map(Json::as_text).any(names_time);
        self.addendum
            .text("originalEventID")
            .map(|id| Addendum { original_event_id: Cow::Borrowed(id), corrects_time })
    }
}

/// The fields of the top level, not yet interpreted.
struct Fields<'r> {
    source: Option<&'r str>,
    name: Option<&'r str>,
    time: Option<Timestamp>,
    id: Option<&'r str>,
    shared_id: Option<&'r str>,
    region: Option<&'r str>,
    recipient_account: Option<&'r str>,
    identity: Json<'r>,
    source_ip: Option<&'r str>,
    user_agent: Option<&'r str>,
    error_code: Option<&'r str>,
    error_message: Option<&'r str>,
    read_only: Option<bool>,
    resources: Json<'r>,
    addendum: Json<'r>,
    request: Json<'r>,
    response: Json<'r>,
    details: Json<'r>,
}

impl<'r> Fields<'r> {
    fn of(root: Json<'r>) -> Self {
        let mut fields = Self {
            source: None,
            name: None,
            time: None,
            id: None,
            shared_id: None,
            region: None,
            recipient_account: None,
            identity: Json::NOTHING,
            source_ip: None,
            user_agent: None,
            error_code: None,
            error_message: None,
            read_only: None,
            resources: Json::NOTHING,
            addendum: Json::NOTHING,
            request: Json::NOTHING,
            response: Json::NOTHING,
            details: Json::NOTHING,
        };
        for (key, value) in root.entries() {
            fields.take(key, value);
        }
        fields
    }

    /// An error if a payload is a list of several objects. Lists of one object, as other tools write them, have
    /// been converted before.
    fn has_objects(&self) -> Result<(), String> {
        let payloads = [
            ("userIdentity", self.identity),
            ("requestParameters", self.request),
            ("responseElements", self.response),
            ("serviceEventDetails", self.details),
        ];
        match payloads.iter().find(|(_, payload)| payload.is_array()) {
            Some((name, _)) => {
                Err(format!("{name} is a list that does not tell which one object it stands for"))
            }
            None => Ok(()),
        }
    }

    fn take(&mut self, key: &str, value: Json<'r>) {
        match key {
            "eventSource" => self.source = value.as_text(),
            "eventName" => self.name = value.as_text(),
            "eventTime" => self.time = time(value),
            "eventID" => self.id = value.as_text(),
            "sharedEventID" => self.shared_id = value.as_text(),
            "awsRegion" => self.region = value.as_text(),
            "recipientAccountId" => self.recipient_account = value.as_text(),
            "userIdentity" => self.identity = value,
            "sourceIPAddress" => self.source_ip = value.as_text(),
            "userAgent" => self.user_agent = value.as_text(),
            "errorCode" => self.error_code = value.as_text(),
            "errorMessage" => self.error_message = value.as_text(),
            "readOnly" => self.read_only = value.as_bool(),
            "resources" => self.resources = value,
            "addendum" => self.addendum = value,
            "requestParameters" => self.request = value,
            "responseElements" => self.response = value,
            "serviceEventDetails" => self.details = value,
            _ => {}
        }
    }
}

/// A time as text, or as a number since 1970, as some tools export it.
pub(super) fn time(value: Json<'_>) -> Option<Timestamp> {
    value.as_text().and_then(Timestamp::parse).or_else(|| value.as_integer().and_then(Timestamp::from_epoch))
}

/// The fields that make up an event's identity.
pub(super) fn told<'r>(
    id: Option<&'r str>,
    time: Timestamp,
    source: &'r str,
    name: &'r str,
    region: Option<&'r str>,
    account: Option<&'r str>,
) -> EventKey<'r> {
    let bytes = |text: Option<&'r str>| text.unwrap_or_default().as_bytes();
    EventKey {
        id: bytes(id),
        time: Some(time),
        source: source.as_bytes(),
        name: name.as_bytes(),
        region: bytes(region),
        account: bytes(account),
    }
}

/// The `eventID`, or one made from the text: see the module's documentation.
pub(super) fn event_id<'r>(given: Option<&'r str>, text: &str) -> Cow<'r, str> {
    match given {
        Some(id) if is_word(id.as_bytes()) => Cow::Borrowed(id),
        _ => Cow::Owned(Digest::of_manifest(text).to_string()),
    }
}

/// Who called, in the clearest form that the record has. The owner's copy of a cross-account call has no
/// ARN; its account matters most to the owner.
fn actor(identity: Json<'_>) -> Option<Cow<'_, str>> {
    let plain = |key: &str| identity.text(key).map(Cow::Borrowed);
    let of_account = || {
        Some(Cow::Owned(format!(
            "{} (account {})",
            identity.text("principalId")?,
            identity.text("accountId")?
        )))
    };
    plain("arn")
        .or_else(of_account)
        .or_else(|| ["principalId", "invokedBy", "accountId"].iter().find_map(|key| plain(key)))
}

/// CloudTrail replaces an object above 100 KB by `{"reason": "… too large", "omitted": true,
/// "originalSize": …}`; the values occur as JSON values and as strings.
fn unless_omitted(payload: Json<'_>) -> Json<'_> {
    if is_omitted(payload) { Json::NOTHING } else { payload }
}

fn is_omitted(payload: Json<'_>) -> bool {
    payload.get("omitted").as_bool() == Some(true)
}
