#!/usr/bin/env python3
"""Fills a lake of tagfall on a Spark cluster: one task for each shard of a plan, one for each part of the merges, one commit.

    spark-submit tagfall_spark.py --lake s3://my-lakes/trail --plan s3://my-lakes/plan --shards 64 s3://my-trail/AWSLogs/

Spark only hands out the work: every byte is read and written by the program `tagfall`, which each task starts as a child. Steps
may be tried again, and run twice at once (spark.speculation): what they leave is the same. Nothing counts in the lake before
the commit, which this driver makes at the end; a driver that was killed is started again with the same arguments.

Python 3.9 to 3.13 and PySpark 3.5 or 4.x; nothing else.
"""

import argparse
import collections
import json
import os
import shutil
import stat
import subprocess
import sys
import threading

# Lines of a child's stderr that an error repeats.
SAID_LINES = 20
# The child has done its work, and some evidence is damaged.
INCOMPLETE = 3


class Failed(RuntimeError):
    """A child that could not do its work."""


def run(command, environment=None):
    """Runs a child; its line of JSON, and whether some evidence was damaged. Its stderr goes on to ours."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    said = collections.deque(maxlen=SAID_LINES)

    def pass_on():
        for line in child.stderr:
            text = line.decode("utf-8", "replace")
            said.append(text)
            sys.stderr.write(text)
            sys.stderr.flush()

    listening = threading.Thread(target=pass_on, daemon=True)
    listening.start()
    try:
        told = child.stdout.read().decode("utf-8", "replace")
        code = child.wait()
    finally:
        # A task that is cancelled takes its child with it.
        if child.poll() is None:
            child.kill()
            child.wait()
    listening.join()
    if code not in (0, INCOMPLETE):
        raise Failed("%s ended with %d:\n%s" % (" ".join(command), code, "".join(said)))
    lines = told.splitlines()
    if len(lines) != 1:
        raise Failed("%s told %d lines, and not one:\n%s" % (" ".join(command), len(lines), told[:2000]))
    return json.loads(lines[0]), code == INCOMPLETE


def allowed(path):
    """The same file, with the right to be executed: what comes out of S3, or was shipped, has lost it."""
    if os.path.isfile(path) and not os.access(path, os.X_OK):
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def executable(path, shipped):
    """Where the program is on this machine."""
    if not shipped:
        return path
    from pyspark import SparkFiles

    return allowed(SparkFiles.get(os.path.basename(path)))


def step(settings, arguments):
    """A function for a task: it runs one step on whatever machine the task is. `arguments` makes those of the step with a number."""

    def work(number):
        command = [executable(settings["binary"], settings["shipped"]), "ingest", "--quiet"]
        command += arguments(number)
        command += ["--lake", settings["lake"]] + settings["more"]
        return run(command, settings["environment"])

    return work


def spread(context, count, work):
    """Runs a step for each number from 1, each as a task of its own; what they told."""
    return context.parallelize(range(1, count + 1), count).map(work).collect()


def total(results):
    """The sums of what the steps told."""
    sums = collections.Counter()
    for told, _ in results:
        sums.update({name: value for name, value in told.items() if type(value) is int and name not in ("shard", "of")})
    return dict(sums)


def parser_for(glue):
    parser = argparse.ArgumentParser(description="Fills a lake of tagfall on a Spark cluster.", allow_abbrev=False)
    where = "the logs: s3://bucket/prefix, or a folder that every machine sees"
    if not glue:
        parser.add_argument("sources", nargs="*", metavar="SOURCE", help=where)
    parser.add_argument("--source", action="append", default=[], metavar="SOURCE", help="the same, where every argument has to have a name (Glue)")
    parser.add_argument("--lake", required=True, help="s3://bucket/prefix, or a folder that every machine sees")
    parser.add_argument("--plan", required=True, metavar="DIR", help="where the shards are written to: as --lake")
    parser.add_argument("--shards", type=int, default=64, metavar="N", help="tasks that read (default: 64)")
    parser.add_argument("--merges", type=int, metavar="M", help="tasks that merge (default: as many as shards)")
    parser.add_argument("--select", metavar="SERVICES", help="keep these services alone: ecr,ecs")
    parser.add_argument("--binary", default="tagfall", metavar="PATH", help="the program, on every machine (default: tagfall, in PATH)")
    parser.add_argument("--ship", metavar="PATH", help="the program on the driver, which Spark ships to every machine")
    parser.add_argument("--env", action="append", default=[], metavar="NAME", help="hand this variable of the driver on to every child")
    parser.add_argument("--more", action="append", default=[], metavar="ARGUMENT", help="another argument for every ingest: --more=--jobs --more=1")
    return parser


def parsed(arguments):
    """What was asked for. A job of Glue has its arguments in pairs of name and value, and Glue's own stand among them."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    glue = any(name in arguments for name in ("--JOB_NAME", "--JOB_ID", "--JOB_RUN_ID"))
    parser = parser_for(glue)
    if glue:
        names = {name for name in arguments if name.startswith("--")}
        asked, _ = parser.parse_known_args(list(paired(arguments, names)))
        asked.sources = []
    else:
        asked = parser.parse_args(arguments)
    asked.sources = asked.sources + asked.source
    if not asked.sources:
        parser.error("name a SOURCE: s3://bucket/prefix")
    return asked


def paired(arguments, names):
    """Pairs as one word each, so that a value may begin with a hyphen."""
    rest = iter(arguments)
    for word in rest:
        value = next(rest, None) if word in names and "=" not in word else None
        yield word if value is None else "%s=%s" % (word, value)


def main(arguments=None):
    asked = parsed(arguments)
    from pyspark.sql import SparkSession

    context = SparkSession.builder.appName("tagfall").getOrCreate().sparkContext
    here = allowed(os.path.abspath(asked.ship)) if asked.ship else asked.binary
    if shutil.which(here) is None:
        sys.exit("tagfall_spark: there is no program %s on the driver: name it with --binary or --ship" % here)
    if asked.ship:
        context.addFile(here)
    settings = {
        "binary": here,
        "shipped": bool(asked.ship),
        "lake": asked.lake,
        "more": asked.more,
        "environment": {name: os.environ[name] for name in asked.env if name in os.environ},
    }
    plan = [here, "plan", "--quiet", "--shards", str(asked.shards), "-o", asked.plan] + asked.sources
    if asked.select:
        plan += ["--select", asked.select]
    planned, _ = run(plan)
    folder = asked.plan.rstrip("/")
    read = spread(context, asked.shards, step(settings, lambda number: ["--shard", "%s/shard-%05d.ndjson" % (folder, number)]))
    merges = asked.merges or asked.shards
    plan = planned["plan"]
    merged = spread(context, merges, step(settings, lambda number: ["--merge", "%d/%d" % (number, merges), "--plan", plan]))
    commit = [here, "ingest", "--quiet", "--commit", "--plan", plan, "--lake", asked.lake] + asked.more
    committed, incomplete = run(commit)
    print(json.dumps({"plan": planned, "shards": total(read), "merges": total(merged), "commit": committed}))
    context.stop()
    return INCOMPLETE if incomplete or any(damaged for _, damaged in read) else 0


if __name__ == "__main__":
    ended = main()
    # A job of Glue takes any exit for a failure.
    if ended:
        sys.exit(ended)
