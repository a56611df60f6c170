"""Hive's own code makes the tables that `tagfall lake ddl` describes, and reads the one that needs no list of files.

    python hive.py FOLDER        FOLDER has listed.sql and copied.sql; prints one line of JSON: what stands in the table logs.copied

PySpark brings Hive and an embedded metastore. What it has not: partition projection, which is Athena's (partitions are added by
their folders), and a reader of Parquet behind lists of files, which Athena and Trino have (Hive's takes what is listed for text).
"""

import json
import sys

from pyspark.sql import SparkSession

folder = sys.argv[1]
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.log.level", "ERROR")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.sql.warehouse.dir", folder + "/warehouse")
    .config("spark.hadoop.javax.jdo.option.ConnectionURL", "jdbc:derby:memory:metastore;create=true")
    .config("spark.driver.extraJavaOptions", "-Dderby.system.home=" + folder)
    # The classes that the statement names, and not Spark's own reader in their place.
    .config("spark.sql.hive.convertMetastoreParquet", "false")
    .enableHiveSupport()
    .getOrCreate()
)
spark.sql("CREATE DATABASE logs")
for name in ["listed", "copied"]:
    spark.sql(open("%s/%s.sql" % (folder, name)).read().strip().rstrip(";"))
    spark.sql("MSCK REPAIR TABLE logs." + name)
listed, copied = (spark.sql("SHOW PARTITIONS logs." + name).collect() for name in ["listed", "copied"])
assert copied and listed == copied, (listed, copied)
rows = spark.sql(
    "SELECT account, region, `date`, eventid, eventname, useridentity.type, useridentity.sessioncontext.sessionissuer.username,"
    " CASE WHEN resources IS NULL THEN -1 ELSE size(resources) END, object, record FROM logs.copied"
)
text = lambda value: "" if value is None else str(value)
print(json.dumps(sorted([text(value) for value in row] for row in rows.collect())))
spark.stop()
