//! `cloudtrail_logs`: the columns of the table that the CloudTrail console creates in Athena, in its order.
//! After them come the partition columns, under the names that AWS's own table definitions use, and the
//! columns that say where the record is.
//!
//! Names and types are from the Athena User Guide, "Query AWS CloudTrail logs" (console, manual
//! partitioning, partition projection, organisation trail).

use super::kind::Kind;
use super::{Column, Table, column};

pub const TABLE: Table = Table { name: "cloudtrail_logs", about: "One CloudTrail event.", columns };

/// Columns that are equal in all copies of an event.
pub const OF_IDENTITY: &[&str] = &[
    "eventid",
    "eventtime",
    "eventsource",
    "eventname",
    "awsregion",
    "recipientaccountid",
    "account",
    "region",
    "year",
    "month",
    "day",
    "timestamp",
];

/// Where the value of a column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A field of the record, by its name in JSON.
    Field(&'static str),
    /// From the event itself, what a partition of that name would say: `account`, `region`, `year` …
    Partition,
    /// The object that the record is in, and its index there.
    Place,
}

/// `(column, origin)` for every column; the types are in [`columns`].
pub const ORIGINS: &[(&str, Origin)] = &[
    ("eventversion", Origin::Field("eventVersion")),
    ("useridentity", Origin::Field("userIdentity")),
    ("eventtime", Origin::Field("eventTime")),
    ("eventsource", Origin::Field("eventSource")),
    ("eventname", Origin::Field("eventName")),
    ("awsregion", Origin::Field("awsRegion")),
    ("sourceipaddress", Origin::Field("sourceIPAddress")),
    ("useragent", Origin::Field("userAgent")),
    ("errorcode", Origin::Field("errorCode")),
    ("errormessage", Origin::Field("errorMessage")),
    ("requestparameters", Origin::Field("requestParameters")),
    ("responseelements", Origin::Field("responseElements")),
    ("additionaleventdata", Origin::Field("additionalEventData")),
    ("requestid", Origin::Field("requestID")),
    ("eventid", Origin::Field("eventID")),
    ("resources", Origin::Field("resources")),
    ("eventtype", Origin::Field("eventType")),
    ("apiversion", Origin::Field("apiVersion")),
    ("readonly", Origin::Field("readOnly")),
    ("managementevent", Origin::Field("managementEvent")),
    ("recipientaccountid", Origin::Field("recipientAccountId")),
    ("serviceeventdetails", Origin::Field("serviceEventDetails")),
    ("sharedeventid", Origin::Field("sharedEventID")),
    ("vpcendpointid", Origin::Field("vpcEndpointId")),
    ("vpcendpointaccountid", Origin::Field("vpcEndpointAccountId")),
    ("eventcategory", Origin::Field("eventCategory")),
    ("addendum", Origin::Field("addendum")),
    ("sessioncredentialfromconsole", Origin::Field("sessionCredentialFromConsole")),
    ("edgedevicedetails", Origin::Field("edgeDeviceDetails")),
    ("tlsdetails", Origin::Field("tlsDetails")),
    ("account", Origin::Partition),
    ("region", Origin::Partition),
    ("year", Origin::Partition),
    ("month", Origin::Partition),
    ("day", Origin::Partition),
    ("timestamp", Origin::Partition),
    ("date", Origin::Partition),
    ("object", Origin::Place),
    ("record", Origin::Place),
];

/// Other names of columns: Athena's own `"$path"`, and the names of partition columns in other widely used
/// table definitions. Queries can use them; `SELECT *` leaves them out.
pub const OTHER_NAMES: &[(&str, &str)] = &[
    ("$path", "object"),
    ("dt", "timestamp"),
    ("date_partition", "timestamp"),
    ("partition_date", "timestamp"),
    ("event_date", "timestamp"),
    ("log_date", "timestamp"),
    ("ingest_date", "timestamp"),
    ("p_date", "timestamp"),
    ("account_id", "account"),
    ("accountid", "account"),
    ("account_partition", "account"),
    ("p_account", "account"),
    ("region_partition", "region"),
    ("p_region", "region"),
];

/// Text columns that contain JSON: their members can be reached with a dot, as in tables that declare them
/// as rows or maps.
pub const JSON_COLUMNS: &[&str] =
    &["requestparameters", "responseelements", "additionaleventdata", "serviceeventdetails"];

/// The column that `name` means, if any.
pub fn column_named(name: &str) -> Option<&'static str> {
    let own = ORIGINS.iter().map(|(column, _)| *column).find(|column| *column == name);
    own.or_else(|| OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|(_, column)| *column))
}

/// Whether a column is none of the event's own fields, so that other definitions of the table may lack it.
pub fn is_added(name: &str) -> bool {
    !ORIGINS.iter().any(|(column, origin)| *column == name && matches!(origin, Origin::Field(_)))
}

/// All columns in order. Columns whose type is not listed in `kind` are text, as in Athena.
pub fn columns() -> Vec<Column> {
    ORIGINS.iter().map(|(name, _)| column(name, kind(name))).collect()
}

fn kind(name: &str) -> Kind {
    match name {
        "useridentity" => user_identity(),
        "resources" => Kind::array(Kind::text_row(&["arn", "accountid", "type"])),
        "addendum" => Kind::text_row(&["reason", "updatedfields", "originalrequestid", "originaleventid"]),
        "tlsdetails" => Kind::text_row(&["tlsversion", "ciphersuite", "clientprovidedhostheader"]),
        "record" => Kind::Bigint,
        _ => Kind::Varchar,
    }
}

fn row(fields: Vec<(&str, Kind)>) -> Kind {
    Kind::Row(fields.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect())
}

fn user_identity() -> Kind {
    let text = |name| (name, Kind::Varchar);
    let federation = row(vec![
        text("federatedprovider"),
        ("attributes", Kind::Map(Box::new(Kind::Varchar), Box::new(Kind::Varchar))),
    ]);
    let context = row(vec![
        ("attributes", Kind::text_row(&["mfaauthenticated", "creationdate"])),
        ("sessionissuer", Kind::text_row(&["type", "principalid", "arn", "accountid", "username"])),
        text("ec2roledelivery"),
        text("sourceidentity"),
        text("assumedroot"),
        ("webidfederationdata", federation),
    ]);
    row(vec![
        text("type"),
        text("principalid"),
        text("arn"),
        text("accountid"),
        text("invokedby"),
        text("accesskeyid"),
        text("username"),
        text("identityprovider"),
        text("credentialid"),
        ("onbehalfof", Kind::text_row(&["userid", "identitystorearn"])),
        ("sessioncontext", context),
    ])
}
