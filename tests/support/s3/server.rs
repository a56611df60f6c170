//! Serves an `s3s` implementation on loopback, in a runtime of its own, with SigV4 and TCP_NODELAY.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::memory::Memory;

pub const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// Closes all connections when dropped.
pub struct Server {
    pub address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    /// Serves a bucket in memory on a free port.
    pub fn memory(bucket: &Arc<Memory>) -> Self {
        Self::memory_at(bucket, "127.0.0.1:0".parse().unwrap())
    }

    /// The same on a port that was used before, like a server that was restarted.
    pub fn memory_at(bucket: &Arc<Memory>, address: SocketAddr) -> Self {
        Self::start(S3ServiceBuilder::new(Shared(Arc::clone(bucket))), address)
    }

    /// Serves folders with `s3s-fs`: every folder in `root` is a bucket.
    pub fn folder(root: &Path) -> Self {
        Self::start(
            S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap()),
            "127.0.0.1:0".parse().unwrap(),
        )
    }

    fn start(mut builder: S3ServiceBuilder, address: SocketAddr) -> Self {
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        let service = builder.build();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(address)).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, service));
        Self { address, runtime: Some(runtime) }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits until the listener is closed, so that its port is free again.
            runtime.shutdown_timeout(std::time::Duration::from_secs(2));
        }
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let _ = socket.set_nodelay(true);
        let service = service.clone();
        tokio::spawn(async move {
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

/// Allows the test to access the implementation that `s3s` takes ownership of.
struct Shared(Arc<Memory>);

#[async_trait::async_trait]
impl s3s::S3 for Shared {
    async fn head_bucket(
        &self,
        request: s3s::S3Request<s3s::dto::HeadBucketInput>,
    ) -> s3s::S3Result<s3s::S3Response<s3s::dto::HeadBucketOutput>> {
        self.0.head_bucket(request).await
    }

    async fn head_object(
        &self,
        request: s3s::S3Request<s3s::dto::HeadObjectInput>,
    ) -> s3s::S3Result<s3s::S3Response<s3s::dto::HeadObjectOutput>> {
        self.0.head_object(request).await
    }

    async fn get_object(
        &self,
        request: s3s::S3Request<s3s::dto::GetObjectInput>,
    ) -> s3s::S3Result<s3s::S3Response<s3s::dto::GetObjectOutput>> {
        self.0.get_object(request).await
    }

    async fn put_object(
        &self,
        request: s3s::S3Request<s3s::dto::PutObjectInput>,
    ) -> s3s::S3Result<s3s::S3Response<s3s::dto::PutObjectOutput>> {
        self.0.put_object(request).await
    }

    async fn copy_object(
        &self,
        request: s3s::S3Request<s3s::dto::CopyObjectInput>,
    ) -> s3s::S3Result<s3s::S3Response<s3s::dto::CopyObjectOutput>> {
        self.0.copy_object(request).await
    }

    async fn delete_object(
        &self,
        request: s3s::S3Request<s3s::dto::DeleteObjectInput>,
    ) -> s3s::S3Result<s3s::S3Response<s3s::dto::DeleteObjectOutput>> {
        self.0.delete_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: s3s::S3Request<s3s::dto::ListObjectsV2Input>,
    ) -> s3s::S3Result<s3s::S3Response<s3s::dto::ListObjectsV2Output>> {
        self.0.list_objects_v2(request).await
    }
}
