//! What was asked of both servers.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A request to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, …
    pub method: String,
    /// As it stood in the request line.
    pub path_and_query: String,
    /// `kubectl/v1.32.4 …`
    pub user_agent: String,
    /// The HTTP status of the answer; 0 until there is one.
    pub status: u16,
}

impl Request {
    /// Whether it changes something: no read, no server-side dry run, no review.
    pub fn is_write(&self) -> bool {
        let path = self.path_and_query.split('?').next().unwrap_or_default();
        let reads = matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let review = ["/apis/authorization.k8s.io/", "/apis/authentication.k8s.io/"];
        !reads
            && !self.path_and_query.contains("dryRun=All")
            && !review.iter().any(|group| path.starts_with(group))
    }
}

/// A request to the stand-in API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// `GET`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Whether it carried an Authorization header.
    pub authorization: bool,
    /// The Accept header.
    pub accept: String,
    /// The User-Agent header.
    pub user_agent: String,
    /// Whether it came to the listener for metrics.
    pub on_metrics_port: bool,
}

/// Both logs.
#[derive(Debug, Default)]
pub(crate) struct Log {
    requests: Mutex<(usize, Vec<Request>)>,
    api: Mutex<Vec<ApiRequest>>,
    api_asked: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Notes a request; gives its number.
    pub(crate) fn begin(&self, request: Request) -> usize {
        let mut log = lock(&self.requests);
        log.1.push(request);
        log.0 + log.1.len() - 1
    }

    /// Notes its answer.
    pub(crate) fn end(&self, number: usize, status: u16) {
        let mut log = lock(&self.requests);
        let index = number.checked_sub(log.0);
        if let Some(request) = index.and_then(|index| log.1.get_mut(index)) {
            request.status = status;
        }
    }

    pub(crate) fn api(&self, request: ApiRequest) {
        lock(&self.api).push(request);
        self.api_asked.notify_all();
    }

    /// Waits for a request to the stand-in API; whether it came.
    pub(crate) fn await_api(&self, path: &str, patience: Duration) -> bool {
        let asked = |log: &Vec<ApiRequest>| log.iter().any(|request| request.path == path);
        let waited = self.api_asked.wait_timeout_while(lock(&self.api), patience, |log| !asked(log));
        asked(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.requests).1.clone()
    }

    pub(crate) fn api_requests(&self) -> Vec<ApiRequest> {
        lock(&self.api).clone()
    }

    pub(crate) fn forget(&self) {
        let mut log = lock(&self.requests);
        log.0 += log.1.len();
        log.1.clear();
        lock(&self.api).clear();
    }
}
