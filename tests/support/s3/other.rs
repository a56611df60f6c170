//! Prepares another S3 server, to run the same tests against it.

use std::collections::BTreeMap;

/// Creates `bucket` at `endpoint` and puts `objects` into it; keys and region come from the environment.
pub fn fill(endpoint: &str, bucket: &str, objects: &BTreeMap<String, Vec<u8>>) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let shared = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
            .http_client(http)
            .endpoint_url(endpoint)
            .load()
            .await;
        let client = aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::config::Builder::from(&shared).force_path_style(true).build(),
        );
        client.create_bucket().bucket(bucket).send().await.unwrap();
        for (key, bytes) in objects {
            client.put_object().bucket(bucket).key(key).body(bytes.clone().into()).send().await.unwrap();
        }
    });
}
