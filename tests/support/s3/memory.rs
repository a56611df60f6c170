//! A bucket in memory, behind `s3s` (which checks SigV4). It behaves like real S3: pages of at most 1,000
//! keys, `start-after`, delimiters, `encoding-type=url`, ETags, `If-Match`, `Range`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Mutex, RwLock};
use std::time::SystemTime;

use hyper::body::{Body as _, Bytes};
use s3s::dto::{self, *};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

/// Why a GET request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 403 `AccessDenied`.
    Denied,
    /// 400 `KMS.DisabledException`.
    KmsDisabled,
    /// 403 `InvalidObjectState`.
    Frozen,
    /// 404 `NoSuchKey`, although it is listed.
    Gone,
}

/// One bucket, and the requests to it.
pub struct Memory {
    bucket: String,
    objects: RwLock<BTreeMap<String, Object>>,
    refusals: RwLock<HashMap<String, Refusal>>,
    refuses_all: Mutex<Option<Refusal>>,
    refuses_lists: Mutex<bool>,
    ignores_ranges: Mutex<bool>,
    lists: Mutex<Vec<String>>,
    gets: Mutex<Vec<String>>,
    /// Every request except LIST: `GET key 0-99`, `PUT key if-match`, `DELETE key`.
    log: Mutex<Vec<String>>,
    ignores_conditions: Mutex<bool>,
    refuses_writes: Mutex<bool>,
}

impl Memory {
    pub fn new(bucket: &str, objects: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self {
            bucket: bucket.to_owned(),
            objects: RwLock::new(objects.into_iter().map(|(key, bytes)| (key, Object::new(bytes))).collect()),
            refusals: RwLock::default(),
            refuses_all: Mutex::default(),
            refuses_lists: Mutex::default(),
            ignores_ranges: Mutex::default(),
            lists: Mutex::default(),
            gets: Mutex::default(),
            log: Mutex::default(),
            ignores_conditions: Mutex::default(),
            refuses_writes: Mutex::default(),
        }
    }

    pub fn refuse(&self, key: &str, refusal: Refusal) {
        self.refusals.write().unwrap().insert(key.to_owned(), refusal);
    }

    pub fn refuse_all(&self, refusal: Refusal) {
        *self.refuses_all.lock().unwrap() = Some(refusal);
    }

    pub fn refuse_lists(&self) {
        *self.refuses_lists.lock().unwrap() = true;
    }

    /// Behaves like servers that ignore `Range` and always return the whole object.
    pub fn ignore_ranges(&self) {
        *self.ignores_ranges.lock().unwrap() = true;
    }

    /// Behaves like old servers that ignore conditions of PUT requests.
    pub fn ignore_conditions(&self) {
        *self.ignores_conditions.lock().unwrap() = true;
    }

    /// `s3:PutObject` and `s3:DeleteObject` are missing.
    pub fn refuse_writes(&self, refuse: bool) {
        *self.refuses_writes.lock().unwrap() = refuse;
    }

    /// Returns and clears all requests so far, except LIST.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    pub fn keys(&self) -> Vec<String> {
        self.objects.read().unwrap().keys().cloned().collect()
    }

    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.objects.read().unwrap().get(key).map(|object| object.bytes.to_vec())
    }

    pub fn remove(&self, key: &str) {
        self.objects.write().unwrap().remove(key);
    }

    pub fn put(&self, key: &str, bytes: Vec<u8>) {
        self.objects.write().unwrap().insert(key.to_owned(), Object::new(bytes));
    }

    /// Sets the user metadata of an existing object.
    pub fn describe(&self, key: &str, metadata: impl IntoIterator<Item = (String, String)>) {
        self.objects.write().unwrap().get_mut(key).unwrap().metadata = metadata.into_iter().collect();
    }

    /// Prefixes of all LIST requests so far, in order of arrival.
    pub fn lists(&self) -> Vec<String> {
        self.lists.lock().unwrap().clone()
    }

    /// Keys of all GET requests so far.
    pub fn gets(&self) -> Vec<String> {
        self.gets.lock().unwrap().clone()
    }

    fn check_bucket(&self, bucket: &str) -> S3Result<()> {
        if bucket == self.bucket {
            Ok(())
        } else {
            Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"))
        }
    }
}

/// Bytes of an object, and its ETag.
#[derive(Clone)]
struct Object {
    bytes: Bytes,
    e_tag: String,
    /// `x-amz-meta-…`, without the prefix.
    metadata: HashMap<String, String>,
    written: SystemTime,
}

impl Object {
    fn new(bytes: Vec<u8>) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self {
            bytes: Bytes::from(bytes),
            e_tag: format!("{:032x}", hasher.finish()),
            metadata: HashMap::new(),
            written: SystemTime::now(),
        }
    }
}

fn refused(refusal: Refusal) -> S3Error {
    match refusal {
        Refusal::Denied => s3_error!(AccessDenied, "Access Denied"),
        Refusal::Gone => s3_error!(NoSuchKey, "The specified key does not exist."),
        Refusal::Frozen => {
            s3_error!(InvalidObjectState, "The operation is not valid for the object's storage class")
        }
        Refusal::KmsDisabled => {
            let mut error = S3Error::with_message(
                S3ErrorCode::from_bytes(b"KMS.DisabledException").unwrap(),
                "the key is disabled",
            );
            error.set_status_code(hyper::StatusCode::BAD_REQUEST);
            error
        }
    }
}

fn percent_encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/*".contains(&byte);
    key.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[async_trait::async_trait]
impl S3 for Memory {
    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.check_bucket(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        self.check_bucket(&input.bucket)?;
        let object = self.objects.read().unwrap().get(&input.key).cloned();
        // Without the permission to list, S3 does not reveal which keys are missing.
        let missing = if *self.refuses_lists.lock().unwrap() { Refusal::Denied } else { Refusal::Gone };
        let Object { bytes, e_tag, .. } = object.ok_or_else(|| refused(missing))?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(bytes.len() as i64),
            e_tag: Some(ETag::Strong(e_tag)),
            ..Default::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        self.check_bucket(&input.bucket)?;
        self.gets.lock().unwrap().push(input.key.clone());
        let range = input.range.as_ref().map(|range| format!(" {}", range.to_header_string()));
        self.log.lock().unwrap().push(format!("GET {}{}", input.key, range.unwrap_or_default()));
        let refusal = self
            .refuses_all
            .lock()
            .unwrap()
            .or_else(|| self.refusals.read().unwrap().get(&input.key).copied());
        if let Some(refusal) = refusal {
            return Err(refused(refusal));
        }
        let Object { bytes, e_tag, metadata, .. } =
            self.objects.read().unwrap().get(&input.key).cloned().ok_or_else(|| refused(Refusal::Gone))?;
        if let Some(ETagCondition::ETag(wanted)) = &input.if_match
            && wanted.value() != e_tag
        {
            return Err(s3_error!(
                PreconditionFailed,
                "At least one of the pre-conditions you specified did not hold"
            ));
        }
        let whole = bytes.len();
        let part = match input.range.filter(|_| !*self.ignores_ranges.lock().unwrap()) {
            Some(range) => Some(range.check(whole as u64)?),
            None => None,
        };
        let content_range =
            part.as_ref().map(|part| format!("bytes {}-{}/{whole}", part.start, part.end - 1));
        let bytes = part.map_or(bytes.clone(), |part| bytes.slice(part.start as usize..part.end as usize));
        Ok(S3Response::new(GetObjectOutput {
            content_length: Some(bytes.len() as i64),
            content_range,
            e_tag: Some(ETag::Strong(e_tag)),
            body: Some(StreamingBlob::from(s3s::Body::from(bytes))),
            metadata: Some(metadata.into_iter().collect()).filter(|metadata: &Metadata| !metadata.is_empty()),
            ..Default::default()
        }))
    }

    /// Like AWS: 412 if the condition is not met, 404 for `If-Match` without an object.
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        self.check_bucket(&input.bucket)?;
        if *self.refuses_writes.lock().unwrap() {
            return Err(s3_error!(AccessDenied, "is not authorized to perform: s3:PutObject"));
        }
        let mut bytes = Vec::new();
        if let Some(body) = input.body {
            let mut body = s3s::Body::from(body);
            while let Some(frame) =
                std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
            {
                let frame = frame.map_err(|_| s3_error!(IncompleteBody, "the body broke off"))?;
                bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            }
        }
        if input.content_length.is_some_and(|length| length as usize != bytes.len()) {
            return Err(s3_error!(IncompleteBody, "not as many bytes as announced"));
        }
        let conditional = [
            input.if_match.is_some().then_some(" if-match"),
            input.if_none_match.is_some().then_some(" if-none-match"),
        ];
        let conditional: String = conditional.into_iter().flatten().collect();
        self.log.lock().unwrap().push(format!("PUT {}{conditional}", input.key));
        // Locked from the check to the write, so that only one of two simultaneous requests succeeds.
        let mut objects = self.objects.write().unwrap();
        let there = objects.get(&input.key).map(|object| object.e_tag.clone());
        if !*self.ignores_conditions.lock().unwrap() {
            let failed = || {
                s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
            };
            match &input.if_match {
                Some(ETagCondition::ETag(wanted)) if there.as_deref() != Some(wanted.value()) => {
                    return Err(if there.is_none() { refused(Refusal::Gone) } else { failed() });
                }
                _ => {}
            }
            if input.if_none_match.is_some() && there.is_some() {
                return Err(failed());
            }
        }
        let object = Object::new(bytes);
        let e_tag = object.e_tag.clone();
        objects.insert(input.key, object);
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(ETag::Strong(e_tag)), ..Default::default() }))
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = request.input;
        self.check_bucket(&input.bucket)?;
        let CopySource::Bucket { key, .. } = &input.copy_source else {
            return Err(s3_error!(NotImplemented, "copies from a bucket alone"));
        };
        self.log.lock().unwrap().push(format!("COPY {key} {}", input.key));
        let mut objects = self.objects.write().unwrap();
        let object = objects.get(&**key).cloned().ok_or_else(|| refused(Refusal::Gone))?;
        objects.insert(input.key, object);
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult::default()),
            ..Default::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        self.check_bucket(&input.bucket)?;
        if *self.refuses_writes.lock().unwrap() {
            return Err(s3_error!(AccessDenied, "is not authorized to perform: s3:DeleteObject"));
        }
        self.log.lock().unwrap().push(format!("DELETE {}", input.key));
        self.objects.write().unwrap().remove(&input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        self.check_bucket(&input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        self.lists.lock().unwrap().push(prefix.clone());
        if *self.refuses_lists.lock().unwrap() {
            return Err(s3_error!(AccessDenied, "is not authorized to perform: s3:ListBucket"));
        }
        let after = input.continuation_token.clone().or(input.start_after.clone()).unwrap_or_default();
        let keys_max = input.max_keys.unwrap_or(1000).clamp(0, 1000) as usize;
        let page = self.page(&prefix, input.delimiter.as_deref(), &after, keys_max);
        let url = input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == EncodingType::URL);
        let text = |key: &str| if url { percent_encoded(key) } else { key.to_owned() };
        let objects = page.objects.iter().map(|(key, object)| dto::Object {
            key: Some(text(key)),
            size: Some(object.bytes.len() as i64),
            e_tag: Some(ETag::Strong(object.e_tag.clone())),
            last_modified: Some(object.written.into()),
            ..Default::default()
        });
        Ok(S3Response::new(ListObjectsV2Output {
            contents: Some(objects.collect()),
            common_prefixes: Some(
                page.folders.iter().map(|folder| CommonPrefix { prefix: Some(text(folder)) }).collect(),
            ),
            encoding_type: url.then(|| EncodingType::from_static(EncodingType::URL)),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next,
            name: Some(input.bucket),
            prefix: Some(prefix),
            max_keys: Some(keys_max as i32),
            ..Default::default()
        }))
    }
}

#[derive(Default)]
struct Page {
    objects: Vec<(String, Object)>,
    folders: BTreeSet<String>,
    next: Option<String>,
}

impl Memory {
    fn page(&self, prefix: &str, delimiter: Option<&str>, after: &str, keys_max: usize) -> Page {
        let objects = self.objects.read().unwrap();
        let mut page = Page::default();
        let mut last = String::new();
        let mut from = std::cmp::max(prefix, after).to_owned();
        loop {
            let next =
                objects.range(from.clone()..).find(|(key, _)| key.as_str() > after || after.is_empty());
            let Some((key, object)) = next.filter(|(key, _)| key.starts_with(prefix)) else { return page };
            let folder = delimiter.and_then(|delimiter| {
                let end = key[prefix.len()..].find(delimiter)? + prefix.len() + delimiter.len();
                Some(key[..end].to_owned())
            });
            let counted = folder
                .as_ref()
                .is_none_or(|folder| folder.as_str() > after && !page.folders.contains(folder));
            if counted && page.objects.len() + page.folders.len() == keys_max {
                page.next = Some(last);
                return page;
            }
            match folder {
                Some(folder) => {
                    // After all keys in the folder: no key contains U+10FFFF.
                    from = format!("{folder}\u{10FFFF}");
                    last = from.clone();
                    if folder.as_str() > after {
                        page.folders.insert(folder);
                    }
                }
                None => {
                    page.objects.push((key.clone(), object.clone()));
                    last = key.clone();
                    from = format!("{key}\0");
                }
            }
        }
    }
}
