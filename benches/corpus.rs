//! Archives from a seed, for benchmarks: CloudTrail's compact JSON, its order of keys, and the sizes of real
//! records. The same seed gives the same bytes.

#![allow(dead_code)]

use std::fmt::Write as _;

/// The composition of an archive.
#[derive(Debug, Clone, Copy)]
pub struct Corpus {
    pub name: &'static str,
    pub objects: u64,
    /// Records in each object.
    pub records: u64,
    /// How many of 1000 records are of ECR or ECS.
    pub images_per_mille: u64,
    /// Layers in each pushed manifest: about 150 bytes each, written three times.
    pub layers: u64,
}

/// Large objects of a busy account.
pub const BUSY: Corpus =
    Corpus { name: "600 × 900, 1.5 % ECR/ECS", objects: 600, records: 900, images_per_mille: 15, layers: 8 };
/// Many small objects of quiet regions.
pub const QUIET: Corpus = Corpus {
    name: "40,000 × 5, 1.5 % ECR/ECS",
    objects: 40_000,
    records: 5,
    images_per_mille: 15,
    layers: 8,
};
/// A build account that mostly pushes.
pub const PUSHES: Corpus = Corpus {
    name: "100 × 900, 30 % ECR/ECS, large manifests",
    objects: 100,
    records: 900,
    images_per_mille: 300,
    layers: 40,
};

/// SplitMix64: small, seeded, the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            b >> 48 & 0xfff,
            b & 0xffff_ffff_ffff
        )
    }

    fn hex(&mut self, digits: usize) -> String {
        let mut out = String::new();
        while out.len() < digits {
            let _ = write!(out, "{:016x}", self.next());
        }
        out.truncate(digits);
        out
    }

    fn key(&mut self, prefix: &str) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let letters = (0..16).map(|_| char::from(LETTERS[self.below(32) as usize]));
        prefix.chars().chain(letters).collect()
    }
}

impl Corpus {
    /// The text of object `number`.
    pub fn text(&self, seed: u64, number: u64) -> Vec<u8> {
        let mut random = Random(seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut out = String::from("{\"Records\":[");
        for record in 0..self.records {
            if record > 0 {
                out.push(',');
            }
            let second = number * 300 + record * 300 / self.records;
            if random.below(1000) < self.images_per_mille {
                self.image_call(&mut out, &mut random, second)
            } else {
                other_call(&mut out, &mut random, second)
            }
        }
        out.push_str("]}");
        out.into_bytes()
    }

    /// As many objects as the archive has, repeating those in `held`.
    pub fn all<'o>(&self, held: &'o [Vec<u8>]) -> impl Iterator<Item = &'o Vec<u8>> + use<'o> {
        held.iter().cycle().take(self.objects as usize)
    }

    /// The object as CloudTrail stores it.
    pub fn gzip(&self, seed: u64, number: u64) -> Vec<u8> {
        gzip(&self.text(seed, number))
    }

    fn image_call(&self, out: &mut String, random: &mut Random, second: u64) {
        let repository = random.pick(&["team/api", "team/web", "batch/worker", "edge/proxy"]);
        let resources = format!(
            "\"resources\":[{{\"accountId\":\"111122223333\",\"ARN\":\"arn:aws:ecr:eu-west-1:111122223333:repository/{repository}\"}}],"
        );
        match random.below(4) {
            0 => {
                let manifest = self.manifest(random);
                let digest =
                    tagfall::model::Digest::of_manifest(&manifest.replace("\\n", "\n").replace("\\\"", "\""));
                let request = format!(
                    "{{\"registryId\":\"111122223333\",\"repositoryName\":\"{repository}\",\"imageTag\":\"build-{}\",\"imageManifest\":\"{manifest}\",\"imageManifestMediaType\":\"application/vnd.oci.image.manifest.v1+json\"}}",
                    second / 60
                );
                let response = format!(
                    "{{\"image\":{{\"registryId\":\"111122223333\",\"repositoryName\":\"{repository}\",\"imageId\":{{\"imageDigest\":\"{digest}\",\"imageTag\":\"build-{}\"}},\"imageManifest\":\"{manifest}\",\"imageManifestMediaType\":\"application/vnd.oci.image.manifest.v1+json\"}}}}",
                    second / 60
                );
                call(
                    out,
                    random,
                    second,
                    ["ecr.amazonaws.com", "PutImage", "ecr.amazonaws.com"],
                    &request,
                    &response,
                    &resources,
                    false,
                );
            }
            1 => {
                let request = format!(
                    "{{\"cluster\":\"main\",\"service\":\"api\",\"taskDefinition\":\"api:{}\",\"forceNewDeployment\":false}}",
                    random.below(900)
                );
                call(
                    out,
                    random,
                    second,
                    ["ecs.amazonaws.com", "UpdateService", "console.amazonaws.com"],
                    &request,
                    "null",
                    "",
                    false,
                );
            }
            _ => {
                let request = format!(
                    "{{\"registryId\":\"111122223333\",\"repositoryName\":\"{repository}\",\"imageIds\":[{{\"imageDigest\":\"sha256:{}\"}}],\"acceptedMediaTypes\":[\"application/vnd.oci.image.manifest.v1+json\",\"application/vnd.oci.image.index.v1+json\"]}}",
                    random.hex(64)
                );
                call(
                    out,
                    random,
                    second,
                    ["ecr.amazonaws.com", "BatchGetImage", "ecr.amazonaws.com"],
                    &request,
                    "null",
                    &resources,
                    true,
                );
            }
        }
    }

    /// A manifest, escaped for a JSON string.
    fn manifest(&self, random: &mut Random) -> String {
        let config = random.hex(64);
        let mut out = format!(
            "{{\\n   \\\"schemaVersion\\\": 2,\\n   \\\"mediaType\\\": \\\"application/vnd.oci.image.manifest.v1+json\\\",\\n   \\\"config\\\": {{\\n      \\\"size\\\": 6537,\\n      \\\"digest\\\": \\\"sha256:{config}\\\"\\n   }},\\n   \\\"layers\\\": ["
        );
        for layer in 0..self.layers {
            let _ = write!(
                out,
                "{}\\n      {{\\n         \\\"mediaType\\\": \\\"application/vnd.oci.image.layer.v1.tar+gzip\\\",\\n         \\\"size\\\": {},\\n         \\\"digest\\\": \\\"sha256:{}\\\"\\n      }}",
                if layer > 0 { "," } else { "" },
                random.below(90_000_000),
                random.hex(64)
            );
        }
        out.push_str("\\n   ]\\n}");
        out
    }
}

fn other_call(out: &mut String, random: &mut Random, second: u64) {
    match random.below(8) {
        0 | 1 => {
            let role = random.pick(&["deploy", "metrics-reader", "backup", "node-group", "audit"]);
            let request = format!(
                "{{\"roleArn\":\"arn:aws:iam::111122223333:role/{role}\",\"roleSessionName\":\"{}\",\"durationSeconds\":3600}}",
                random.hex(20)
            );
            let response = format!(
                "{{\"credentials\":{{\"accessKeyId\":\"{}\",\"sessionToken\":\"{}\",\"expiration\":\"Mar 2, 2026, 11:00:00 AM\"}},\"assumedRoleUser\":{{\"assumedRoleId\":\"{}:{}\",\"arn\":\"arn:aws:sts::111122223333:assumed-role/{role}/{}\"}}}}",
                random.key("ASIA"),
                random.hex(300),
                random.key("AROA"),
                random.hex(8),
                random.hex(8)
            );
            let resources = format!(
                "\"resources\":[{{\"accountId\":\"111122223333\",\"type\":\"AWS::IAM::Role\",\"ARN\":\"arn:aws:iam::111122223333:role/{role}\"}}],"
            );
            call(
                out,
                random,
                second,
                [
                    "sts.amazonaws.com",
                    "AssumeRole",
                    "aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#amd64 api/sts#1.30.3",
                ],
                &request,
                &response,
                &resources,
                true,
            );
        }
        2 | 3 => {
            let mut instances = String::new();
            for n in 0..1 + random.below(4) {
                let _ = write!(
                    instances,
                    "{}{{\"instanceId\":\"i-0{}\"}}",
                    if n > 0 { "," } else { "" },
                    random.hex(16)
                );
            }
            let request = format!(
                "{{\"maxResults\":1000,\"instancesSet\":{{\"items\":[{instances}]}},\"filterSet\":{{\"items\":[{{\"name\":\"instance-state-name\",\"valueSet\":{{\"items\":[{{\"value\":\"running\"}},{{\"value\":\"pending\"}}]}}}}]}}}}"
            );
            call(
                out,
                random,
                second,
                [
                    "ec2.amazonaws.com",
                    "DescribeInstances",
                    "Boto3/1.34.131 md/Botocore#1.34.131 ua/2.0 os/linux#5.10.219 md/arch#x86_64 lang/python#3.12.4",
                ],
                &request,
                "null",
                "",
                true,
            );
        }
        4 => {
            let request = format!(
                "{{\"encryptionAlgorithm\":\"SYMMETRIC_DEFAULT\",\"encryptionContext\":{{\"aws:s3:arn\":\"arn:aws:s3:::logs-{}/{}\"}}}}",
                random.hex(6),
                random.hex(40)
            );
            let resources = format!(
                "\"resources\":[{{\"accountId\":\"111122223333\",\"type\":\"AWS::KMS::Key\",\"ARN\":\"arn:aws:kms:eu-west-1:111122223333:key/{}\"}}],",
                random.uuid()
            );
            call(
                out,
                random,
                second,
                ["kms.amazonaws.com", "Decrypt", "AWS Internal"],
                &request,
                "null",
                &resources,
                true,
            );
        }
        5 => {
            let request = format!(
                "{{\"logGroupName\":\"/aws/lambda/{}\",\"logStreamName\":\"2026/03/02/[$LATEST]{}\"}}",
                random.hex(10),
                random.hex(32)
            );
            call(
                out,
                random,
                second,
                [
                    "logs.amazonaws.com",
                    "CreateLogStream",
                    "awslambda-worker/1.0 rusoto/0.48.0 rust/1.75.0 linux",
                ],
                &request,
                "null",
                "",
                false,
            );
        }
        6 => {
            let request = format!(
                "{{\"bucketName\":\"logs-{}\",\"Host\":\"s3.eu-west-1.amazonaws.com\",\"acl\":\"\"}}",
                random.hex(6)
            );
            call(
                out,
                random,
                second,
                [
                    "s3.amazonaws.com",
                    "GetBucketAcl",
                    "[aws-sdk-java/1.12.746 Linux/5.10 OpenJDK_64-Bit_Server_VM]",
                ],
                &request,
                "null",
                "",
                true,
            );
        }
        _ => {
            let policy = format!(
                "{{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":[\\\"s3:GetObject\\\"],\\\"Resource\\\":\\\"arn:aws:s3:::data-{}/*\\\"}}]}}",
                random.hex(8)
            );
            let request = format!(
                "{{\"roleName\":\"app-{}\",\"policyName\":\"inline\",\"policyDocument\":\"{policy}\"}}",
                random.hex(4)
            );
            call(
                out,
                random,
                second,
                [
                    "iam.amazonaws.com",
                    "GetRolePolicy",
                    "APN/1.0 HashiCorp/1.0 Terraform/1.8.5 terraform-provider-aws/5.55.0",
                ],
                &request,
                "null",
                "",
                false,
            );
        }
    }
}

/// One record with its request and response. `what` is source, name, user agent.
#[allow(clippy::too_many_arguments)]
fn call(
    out: &mut String,
    random: &mut Random,
    second: u64,
    what: [&str; 3],
    request: &str,
    response: &str,
    resources: &str,
    read_only: bool,
) {
    let [source, name, agent] = what;
    let role = random.pick(&["ci-push", "node-group", "deploy", "metrics-reader", "terraform"]);
    let (principal, session, time) = (random.key("AROA"), random.hex(17), time(second));
    let _ = write!(
        out,
        "{{\"eventVersion\":\"1.11\",\"userIdentity\":{{\"type\":\"AssumedRole\",\"principalId\":\"{principal}:{session}\",\"arn\":\"arn:aws:sts::111122223333:assumed-role/{role}/{session}\",\"accountId\":\"111122223333\",\"accessKeyId\":\"{}\",\"sessionContext\":{{\"sessionIssuer\":{{\"type\":\"Role\",\"principalId\":\"{principal}\",\"arn\":\"arn:aws:iam::111122223333:role/{role}\",\"accountId\":\"111122223333\",\"userName\":\"{role}\"}},\"attributes\":{{\"creationDate\":\"{time}\",\"mfaAuthenticated\":\"false\"}}}}}}",
        random.key("ASIA")
    );
    let _ = write!(
        out,
        ",\"eventTime\":\"{time}\",\"eventSource\":\"{source}\",\"eventName\":\"{name}\",\"awsRegion\":\"eu-west-1\",\"sourceIPAddress\":\"10.{}.{}.{}\",\"userAgent\":\"{agent}\"",
        random.below(256),
        random.below(256),
        random.below(256)
    );
    let _ = write!(
        out,
        ",\"requestParameters\":{request},\"responseElements\":{response},\"requestID\":\"{}\",\"eventID\":\"{}\",\"readOnly\":{read_only},{resources}\"eventType\":\"AwsApiCall\",\"managementEvent\":true,\"recipientAccountId\":\"111122223333\",\"eventCategory\":\"Management\",\"tlsDetails\":{{\"tlsVersion\":\"TLSv1.3\",\"cipherSuite\":\"TLS_AES_128_GCM_SHA256\",\"clientProvidedHostHeader\":\"{}\"}}}}",
        random.uuid(),
        random.uuid(),
        source.replace(".amazonaws", ".eu-west-1.amazonaws")
    );
}

/// Seconds since the beginning of March 2026.
fn time(second: u64) -> String {
    format!(
        "2026-03-{:02}T{:02}:{:02}:{:02}Z",
        1 + second / 86_400 % 28,
        second / 3600 % 24,
        second / 60 % 60,
        second % 60
    )
}

/// One gzip member at zlib's usual level.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
    let mut out = vec![0; compressor.gzip_compress_bound(text.len())];
    let length = compressor.gzip_compress(text, &mut out).expect("the bound is enough");
    out.truncate(length);
    out
}

/// One object with pushes only, each of a new image with its own tag, in a repository of their own.
pub fn pushes(seed: u64, number: u64, images: u64) -> Vec<u8> {
    let mut random = Random(seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut out = String::from("{\"Records\":[");
    for image in 0..images {
        let (repository, digest) = (format!("team-{number}/api"), random.hex(64));
        let request = format!(
            "{{\"registryId\":\"111122223333\",\"repositoryName\":\"{repository}\",\"imageTag\":\"build-{image}\"}}"
        );
        let response = format!(
            "{{\"image\":{{\"registryId\":\"111122223333\",\"repositoryName\":\"{repository}\",\"imageId\":{{\"imageDigest\":\"sha256:{digest}\",\"imageTag\":\"build-{image}\"}}}}}}"
        );
        if image > 0 {
            out.push(',');
        }
        call(
            &mut out,
            &mut random,
            number * images + image,
            ["ecr.amazonaws.com", "PutImage", "ecr.amazonaws.com"],
            &request,
            &response,
            "",
            false,
        );
    }
    out.push_str("]}");
    out.into_bytes()
}
