//! Parses `kubectl auth whoami -o json`: the user that the server authenticated.
//!
//! The document is a `SelfSubjectReview` (stable from Kubernetes 1.28 on).

use serde::Deserialize;

use super::Unreadable;
use super::json::{document, non_empty};

/// Returns the user name that the server authenticated; `None` if it reported none.
///
/// # Errors
/// When the bytes are not a `SelfSubjectReview`.
pub fn username(stdout: &[u8]) -> Result<Option<String>, Unreadable> {
    #[derive(Deserialize)]
    struct Review {
        status: ReviewStatus,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ReviewStatus {
        user_info: UserInfo,
    }
    #[derive(Deserialize)]
    struct UserInfo {
        #[serde(default)]
        username: String,
    }

    let review: Review = document("kubectl auth whoami -o json", stdout)?;
    Ok(non_empty(review.status.user_info.username))
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    const REVIEW: &str = r#"{
    "kind": "SelfSubjectReview",
    "apiVersion": "authentication.k8s.io/v1",
    "metadata": {
        "creationTimestamp": "2026-11-23T16:19:52Z"
    },
    "status": {
        "userInfo": {
            "username": "ci-deployer",
            "groups": [
                "system:authenticated"
            ]
        }
    }
}
"#;

    #[test]
    fn the_server_names_us() {
        assert_eq!(username(REVIEW.as_bytes()), Ok(Some("ci-deployer".to_owned())));
        assert_eq!(username(br#"{"status":{"userInfo":{}}}"#), Ok(None));
        assert!(username(b"").is_err());
    }

    #[test]
    fn no_bytes_panic() {
        hostile::survives(REVIEW, |bytes| {
            let _ = username(bytes);
        });
    }
}
