"""The other programs of `cargo bench --bench lake`: python3 with the modules chdb and duckdb.

    peers.py chdb ARCHIVE OUT.parquet    every record of the archive into one Parquet file, with the lake's columns
    peers.py duckdb LAKE SQL             a query over the lake; LAKE stands for its files in the SQL

The last line says what the work itself took, Python's start and imports left out: `# cpu 1.25 wall 0.71`, in seconds.
"""

import sys
import time

# What ClickHouse needs to be told to read CloudTrail: JSON as it stands where a column is text.
SETTINGS = ", ".join(
    [
        "input_format_json_read_objects_as_strings = 1",
        "input_format_json_read_bools_as_strings = 1",
        "input_format_json_read_numbers_as_strings = 1",
        "input_format_json_defaults_for_missing_elements_in_named_tuple = 1",
        "input_format_json_ignore_unknown_keys_in_named_tuple = 1",
        "input_format_skip_unknown_fields = 1",
        "output_format_parquet_compression_method = 'zstd'",
    ]
)

TEXTS = """eventVersion eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode errorMessage requestParameters
responseElements additionalEventData requestID eventID eventType apiVersion readOnly managementEvent recipientAccountId serviceEventDetails
sharedEventID vpcEndpointId vpcEndpointAccountId eventCategory sessionCredentialFromConsole edgeDeviceDetails""".split()


def texts(names, more=""):
    fields = [f"{name} Nullable(String)" for name in names.split()]
    return f"Tuple({', '.join(fields + ([more] if more else []))})"


def identity():
    federation = texts("federatedProvider", "attributes Map(String, Nullable(String))")
    context = "attributes " + texts("mfaAuthenticated creationDate")
    context += ", sessionIssuer " + texts("type principalId arn accountId userName")
    context += ", ec2RoleDelivery Nullable(String), sourceIdentity Nullable(String), assumedRoot Nullable(String)"
    context += f", webIdFederationData {federation}"
    more = f"onBehalfOf {texts('userId identityStoreArn')}, sessionContext Tuple({context})"
    return texts("type principalId arn accountId invokedBy accessKeyId userName identityProvider credentialId", more)


ROWS = {
    "userIdentity": identity(),
    "resources": f"Array({texts('ARN accountId type')})",
    "addendum": texts("reason updatedFields originalRequestID originalEventID"),
    "tlsDetails": texts("tlsVersion cipherSuite clientProvidedHostHeader"),
}


def chdb_ingest(archive, out):
    import chdb

    fields = [f"{name} Nullable(String)" for name in TEXTS] + [f"{name} {kind}" for name, kind in ROWS.items()]
    record = f"Records Array(Tuple({', '.join(fields)}))"
    columns = ", ".join(f"r.{name} AS {name.lower()}" for name in [*TEXTS, *ROWS])
    chdb.query(f"""
        INSERT INTO FUNCTION file('{out}', Parquet)
        SELECT {columns}, _path AS object, i - 1 AS record
        FROM file('{archive}/**/*.json.gz', JSONEachRow, '{record}') ARRAY JOIN Records AS r, arrayEnumerate(Records) AS i
        SETTINGS {SETTINGS}""")


def duckdb_query(lake, sql):
    import duckdb

    files = f"read_parquet('{lake}/**/*.parquet', hive_partitioning = true)"
    for row in duckdb.sql(sql.replace("LAKE", files)).fetchall():
        # NULL is an empty field, as in the other program's CSV.
        print(*("" if cell is None else cell for cell in row), sep=",")


if __name__ == "__main__":
    __import__(sys.argv[1])
    cpu, wall = time.process_time(), time.perf_counter()
    {"chdb": chdb_ingest, "duckdb": duckdb_query}[sys.argv[1]](*sys.argv[2:])
    print(f"# cpu {time.process_time() - cpu:.4f} wall {time.perf_counter() - wall:.4f}")
