//! Formats for other tools: each has what its readers require, and text from logs cannot become markup in it.

use serde_json::Value;

use super::world::World;

/// A world with the incident, and one in which every name is hostile.
fn world() -> World {
    let world = World::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    world.copy(&root.join("fixtures/incident"), "logs");
    world
}

fn stdout(world: &World, args: &[&str]) -> String {
    let output = world.run(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn sarif_has_a_rule_for_each_kind_and_a_fingerprint_for_each_finding() {
    let log: Value =
        serde_json::from_str(&stdout(&world(), &["detect", "logs", "--format", "sarif"])).unwrap();
    assert_eq!((&log["version"], log["runs"].as_array().unwrap().len()), (&"2.1.0".into(), 1));
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: Vec<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert!(ids.len() > 10 && rules.iter().all(|rule| rule["shortDescription"]["text"].is_string()));
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    let result = &results[0];
    assert_eq!(
        (&result["level"], &result["fingerprints"]["tagfall/finding/v1"]),
        (&"error".into(), &"556a69b2d0e360ba".into())
    );
    assert_eq!(result["ruleId"], ids[result["ruleIndex"].as_u64().unwrap() as usize]);
    let places =
        result["relatedLocations"].as_array().unwrap().iter().chain(result["locations"].as_array().unwrap());
    for place in places {
        assert!(
            place["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap().ends_with(['z', 'n']),
            "{place}"
        );
        assert!(place["message"]["text"].is_string());
    }
}

#[test]
fn ocsf_has_what_a_detection_finding_requires() {
    let findings = lines(&stdout(&world(), &["detect", "logs", "--format", "ocsf"]));
    assert_eq!(findings.len(), 1);
    for finding in &findings {
        for (name, value) in [
            ("class_uid", 2004),
            ("category_uid", 2),
            ("activity_id", 1),
            ("type_uid", 200_401),
            ("severity_id", 5),
        ] {
            assert_eq!(finding[name], value, "{name}");
        }
        assert_eq!(finding["time"], 1_773_109_600_000_u64, "when it was gone, in milliseconds");
        let texts = [
            &finding["metadata"]["version"],
            &finding["metadata"]["product"]["vendor_name"],
            &finding["finding_info"]["title"],
        ];
        let more = [
            &finding["finding_info"]["uid"],
            &finding["cloud"]["provider"],
            &finding["remediation"]["desc"],
            &finding["message"],
        ];
        assert!(
            texts.iter().chain(&more).all(|text| text.as_str().is_some_and(|text| !text.is_empty())),
            "{finding}"
        );
        for evidence in finding["evidences"].as_array().unwrap() {
            assert!(evidence["api"]["operation"].is_string());
            let address = evidence["src_endpoint"]["ip"].as_str();
            assert!(address.is_none_or(|address| address.parse::<std::net::IpAddr>().is_ok()), "{evidence}");
        }
        assert!(
            finding["finding_info"]["related_events"]
                .as_array()
                .unwrap()
                .iter()
                .all(|event| event["uid"].is_string())
        );
    }
}

#[test]
fn timesketch_has_its_three_fields_in_every_line() {
    let world = world();
    for verb in ["detect", "timeline"] {
        let lines = lines(&stdout(&world, &[verb, "logs", "--format", "timesketch"]));
        assert!(lines.len() > 10, "{verb}");
        for line in &lines {
            let (datetime, micros) =
                (line["datetime"].as_str().unwrap(), line["timestamp"].as_i64().unwrap());
            let parsed = chrono::DateTime::parse_from_rfc3339(datetime).unwrap();
            assert!(datetime.ends_with("+00:00") && parsed.timestamp_micros() == micros, "{line}");
            assert!(
                ["message", "timestamp_desc"]
                    .iter()
                    .all(|name| line[name].as_str().is_some_and(|text| !text.is_empty())),
                "{line}"
            );
        }
    }
}

#[test]
fn markdown_has_a_heading_a_table_and_what_was_read() {
    let world = world();
    let asked: [&[&str]; 5] = [
        &["detect", "logs"],
        &["timeline", "logs"],
        &["forecast", "logs"],
        &["whatif", "logs"],
        &["explain", "shop/checkout:release-2026.03.02", "logs"],
    ];
    for args in asked {
        let page = stdout(&world, &[args, &["--format", "markdown"]].concat());
        assert!(page.starts_with("## ") && page.contains("What was read"), "{args:?}: {page}");
        assert_eq!(page.matches("<details>").count(), page.matches("</details>").count(), "{args:?}");
        for table in page.split("\n\n").filter(|block| block.starts_with('|')) {
            let widths: Vec<usize> = table.lines().map(|line| line.matches('|').count()).collect();
            assert!(widths.len() > 2 && widths.iter().all(|width| *width == widths[0]), "{args:?}: {table}");
        }
    }
    assert!(
        stdout(&world, &["detect", "logs", "--format", "markdown"])
            .contains("| critical | same-tag-race | `shop/checkout:release-2026.03.02` |")
    );
}

/// A format that a verb does not support is an error that lists those that it does.
#[test]
fn a_verb_names_the_formats_that_it_has() {
    let world = world();
    for (args, has) in [
        (&["timeline", "logs", "--format", "sarif"], "timesketch"),
        (&["explain", "a:b", "--format", "ocsf"], "markdown"),
    ] {
        let output = world.run(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(2)
                && said.contains("possible values: table, json")
                && said.contains(has),
            "{said}"
        );
    }
    let plan = world.run(&["detect", "logs", "--dry-run", "--format", "sarif"]);
    assert_eq!((plan.status.code(), plan.stdout.len()), (Some(2), 0));
}
