"""Writes the files of this folder: the six records of an incident as other programs write Parquet.

    python3 -m venv venv && venv/bin/pip install pyarrow==26.0.1 duckdb==2.0.1 fastparquet
    venv/bin/python make.py
"""
import datetime, decimal, json, pathlib
import duckdb, fastparquet, pandas
import pyarrow as pa, pyarrow.parquet as pq

here = pathlib.Path(__file__).parent
lines = (here / "../aws-cli-text-output/input-syslog.log").read_text().splitlines()
records = [json.loads(line[line.index("{"):]) for line in lines]
NAMES = ["eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode",
         "errorMessage", "requestParameters", "responseElements", "requestID", "eventID", "readOnly", "resources", "eventType",
         "recipientAccountId", "serviceEventDetails", "managementEvent", "eventCategory"]
time = lambda record: datetime.datetime.fromisoformat(record["eventTime"].replace("Z", "+00:00"))
text = lambda value: None if value is None else value if isinstance(value, str) else json.dumps(value)

identity = pa.struct([("type", pa.string()), ("principalid", pa.string()), ("arn", pa.string()), ("accountid", pa.string()),
                      ("invokedby", pa.string()), ("accesskeyid", pa.string()), ("username", pa.string()),
                      ("sessioncontext", pa.struct([("attributes", pa.map_(pa.string(), pa.string())),
                                                    ("sessionissuer", pa.struct([("type", pa.string()), ("arn", pa.string()), ("username", pa.string())]))]))])
resources = pa.list_(pa.struct([("arn", pa.string()), ("accountid", pa.string()), ("type", pa.string())]))


def caller(record):
    who = {key.lower(): value for key, value in (record.get("userIdentity") or {}).items() if isinstance(value, str)}
    context = (record.get("userIdentity") or {}).get("sessionContext")
    if context:
        issuer = {key.lower(): value for key, value in (context.get("sessionIssuer") or {}).items()}
        who["sessioncontext"] = {"attributes": [(key, str(value)) for key, value in (context.get("attributes") or {}).items()], "sessionissuer": issuer}
    return who


def column(name, times=None):
    if name == "userIdentity":
        return pa.array([caller(record) for record in records], identity)
    if name == "resources":
        return pa.array([[{key.lower(): value for key, value in one.items()} for one in record.get(name) or []] for record in records], resources)
    if name in ("readOnly", "managementEvent"):
        return pa.array([record.get(name) for record in records], pa.bool_())
    if name == "eventTime" and times:
        return pa.array([time(record) for record in records], times)
    return pa.array([text(record.get(name)) for record in records], pa.string())


def table(times=None, leave_out=()):
    names = [name for name in NAMES if name not in leave_out]
    return pa.table({name.lower(): column(name, times) for name in names})


plain = table()
for name, how in {
    "pyarrow-v1-snappy": dict(compression="snappy", data_page_version="1.0", version="1.0"),
    "pyarrow-v2-zstd": dict(compression="zstd", data_page_version="2.0"),
    "pyarrow-v2-gzip-plain": dict(compression="gzip", data_page_version="2.0", use_dictionary=False),
    "pyarrow-lz4-raw": dict(compression="lz4"),
    "pyarrow-brotli": dict(compression="brotli"),
    "pyarrow-uncompressed": dict(compression="none"),
    "pyarrow-groups-of-two": dict(compression="snappy", row_group_size=2),
    "pyarrow-page-of-one": dict(compression="snappy", data_page_size=1, write_batch_size=1, write_page_index=True),
}.items():
    pq.write_table(plain, here / f"{name}.parquet", **how)
flat = plain.drop_columns(["useridentity", "resources"])
for encoding in ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", "PLAIN"]:
    encodings = {name: encoding for name in flat.column_names if name not in ("readonly", "managementevent")}
    pq.write_table(flat, here / f"pyarrow-{encoding.lower()}.parquet", use_dictionary=False, column_encoding=encodings, data_page_version="2.0")
pq.write_table(flat, here / "pyarrow-rle-flags.parquet", use_dictionary=False, data_page_version="2.0",
               column_encoding={"readonly": "RLE", "managementevent": "RLE"})
pq.write_table(table(pa.timestamp("ns", "UTC")), here / "spark-int96.parquet", use_deprecated_int96_timestamps=True, compression="snappy")
for unit in ["ms", "us", "ns"]:
    pq.write_table(table(pa.timestamp(unit, "UTC")), here / f"pyarrow-timestamp-{unit}.parquet")
pq.write_table(table(pa.timestamp("us")), here / "pyarrow-timestamp-no-zone.parquet")
pq.write_table(table(leave_out=("errorCode", "errorMessage", "responseElements", "managementEvent", "eventCategory", "resources")), here / "pyarrow-missing-columns.parquet")
large = pa.schema([field.with_type(pa.large_string()) if field.type == pa.string() else field for field in plain.schema])
pq.write_table(plain.cast(large), here / "pyarrow-large-string.parquet")
dictionary = pa.table({name: plain[name].dictionary_encode() if plain[name].type == pa.string() else plain[name] for name in plain.column_names})
pq.write_table(dictionary, here / "pyarrow-categories.parquet")
required = pa.schema([field.with_nullable(plain[field.name].null_count > 0) for field in plain.schema])
pq.write_table(plain.cast(required), here / "pyarrow-required.parquet")
beside = plain.append_column("cost", pa.array([decimal.Decimal("1.25")] * 6, pa.decimal128(9, 2))).append_column(
    "day", pa.array([time(record).date() for record in records], pa.date32())).append_column(
    "hash", pa.array([b"0123456789abcdef"] * 6, pa.binary(16))).append_column(
    "half", pa.array([None] * 6, pa.null())).append_column("big", pa.array([2**63] * 6, pa.uint64()))
pq.write_table(beside, here / "pyarrow-other-types-beside.parquet")
pq.write_table(pa.table({"line": pa.array([json.dumps(record) for record in records])}), here / "pyarrow-whole-records.parquet")
pq.write_table(pa.table({"line": pa.array([json.dumps(record).encode() for record in records], pa.binary())}), here / "pyarrow-whole-records-as-bytes.parquet")
numbers = plain.set_column(plain.column_names.index("recipientaccountid"), "recipientaccountid", pa.array([int(record["recipientAccountId"]) for record in records]))
pq.write_table(numbers, here / "pyarrow-account-as-number.parquet")

# Amazon Security Lake's form: OCSF 1.1, lists of structs, maps, times in milliseconds, `unmapped` as a map of texts.
def flattened(value, prefix):
    if isinstance(value, dict) and value:
        return [pair for key, inner in value.items() for pair in flattened(inner, f"{prefix}.{key}")]
    return [(prefix, value if isinstance(value, str) else json.dumps(value))]


def ocsf(record):
    who = record.get("userIdentity") or {}
    rest = [("recipientAccountId", record["recipientAccountId"]), ("readOnly", json.dumps(record.get("readOnly")))]
    for key in ("serviceEventDetails", "sharedEventID"):
        if record.get(key):
            rest += flattened(record[key], key) if key == "sharedEventID" else [(key, json.dumps(record[key]))]
    return {
        "metadata": {"product": {"version": record.get("eventVersion"), "name": "CloudTrail", "vendor_name": "AWS", "feature": {"name": "Management, Data, and Insights"}},
                     "event_code": record.get("eventType"), "uid": record["eventID"], "profiles": ["cloud", "datetime"], "version": "1.1.0"},
        "time": int(time(record).timestamp() * 1000), "time_dt": time(record),
        "cloud": {"region": record["awsRegion"], "provider": "AWS"},
        "api": {"response": {"error": record.get("errorCode"), "message": record.get("errorMessage"), "data": text(record.get("responseElements"))},
                "operation": record["eventName"], "version": None, "service": {"name": record["eventSource"]},
                "request": {"data": text(record.get("requestParameters")), "uid": record.get("requestID") or ""}},
        "actor": {"user": {"type": who.get("type"), "name": who.get("userName"), "uid_alt": who.get("principalId"), "uid": who.get("arn"),
                           "account": {"uid": who.get("accountId")}, "credential_uid": who.get("accessKeyId")}, "invoked_by": who.get("invokedBy"),
                  "session": {"issuer": ((who.get("sessionContext") or {}).get("sessionIssuer") or {}).get("arn"), "is_mfa": False}},
        "http_request": {"user_agent": record.get("userAgent")},
        "src_endpoint": {"uid": None, "ip": record.get("sourceIPAddress"), "domain": None},
        "resources": [{"uid": one.get("ARN"), "owner": {"account": {"uid": one.get("accountId")}}, "type": one.get("type")} for one in record.get("resources") or []],
        "class_name": "API Activity", "class_uid": 6003, "category_uid": 6, "severity_id": 1, "severity": "Informational", "activity_id": 1,
        "type_uid": 600301, "status": "Success", "observables": [{"name": "actor.user.uid", "type": "User", "type_id": 21, "value": who.get("arn")}],
        "accountid": record["recipientAccountId"], "region": record["awsRegion"], "unmapped": rest,
    }


schema = pa.Table.from_pylist([{key: value for key, value in ocsf(record).items() if key not in ("unmapped", "time_dt")} for record in records]).schema
schema = schema.append(pa.field("unmapped", pa.map_(pa.string(), pa.string()))).append(pa.field("time_dt", pa.timestamp("ms", "UTC")))
events = pa.Table.from_pylist([ocsf(record) for record in records], schema)
pq.write_table(events, here / "security-lake-ocsf.gz.parquet", compression="gzip")
pq.write_table(events, here / "security-lake-ocsf.zstd.parquet", compression="zstd", data_page_version="2.0", row_group_size=4)

base = duckdb.connect()
base.register("plain", plain)
base.execute(f"COPY plain TO '{here}/duckdb.parquet' (FORMAT parquet)")
base.execute(f"COPY plain TO '{here}/duckdb-v2-zstd.parquet' (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd)")
base.execute(f"COPY (SELECT * REPLACE (eventtime::TIMESTAMPTZ AS eventtime) FROM plain) TO '{here}/duckdb-timestamp.parquet' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
names = ", ".join(sorted({f"'{record['eventName']}'" for record in records}))
base.execute(f"COPY (SELECT * REPLACE (CAST(requestparameters AS JSON) AS requestparameters, eventname::ENUM({names}) AS eventname) FROM plain) TO '{here}/duckdb-json-and-enum.parquet' (FORMAT parquet)")

frame = pandas.DataFrame([{name: text(record.get(name)) for name in NAMES} for record in records])
fastparquet.write(str(here / "fastparquet.parquet"), frame, compression="GZIP")

# Bombs: a few KB that come to gigabytes.
def bomb(name, columns, **how):
    table = pa.table({**{name: pa.array([plain[name][1].as_py()] * len(next(iter(columns.values()))))
                         for name in ("eventtime", "eventsource", "eventname", "eventid")}, **columns})
    pq.write_table(table, here / f"bomb-{name}.parquet", compression="brotli", row_group_size=10**9, data_page_size=2**31 - 1, write_statistics=False, **how)


zeros = pa.array(["0" * 2**30], pa.string())
bomb("dictionary", {"requestparameters": zeros}, use_dictionary=True, dictionary_pagesize_limit=2**31 - 1)
bomb("page", {"requestparameters": zeros}, use_dictionary=False)
bomb("text-again-and-again", {"requestparameters": pa.DictionaryArray.from_arrays(pa.array([0] * 30_000, pa.int32()), pa.array(["0" * 2**20]))})
bomb("list", {"requestparameters": pa.array(["{}"]), "resources": pa.array([[None] * 20_000_000], pa.list_(pa.string()))})
