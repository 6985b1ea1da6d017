//! The words in the output of kubectl, curl and jq by which something is decided.
//!
//! A value to redact that is one of them, or a part of one, would remove a deciding word. Such a value is
//! refused before anything runs.

/// Every such word of at least eight letters, and shorter ones that are a part of a longer text.
pub const DECIDING: [&str; 7] = [
    // STATUS of a pod, its phases, and the events of a watch.
    "CrashLoopBackOff Init:CrashLoopBackOff Error Init:Error Terminating Running Succeeded Completed Pending Failed \
     Unknown Unschedulable Evicted ADDED MODIFIED DELETED ERROR EVENT",
    // Kinds and groups.
    "Deployment Service Secret ReplicaSet EndpointSlice Pod List Namespace apps/v1 discovery.k8s.io/v1 \
     kubernetes.io/service-name",
    // Results.
    "(NotFound) (Forbidden) Error from server error: successfully rolled out timed out waiting for the condition \
     exceeded its progress deadline created configured unchanged serverside-applied (server dry run) Warning: \
     ReplicaFailure FailedCreate Progressing Available ExternalName",
    // Keys of objects.
    "apiVersion metadata namespace generation observedGeneration deletionTimestamp ownerReferences controller labels \
     initContainers containers restartPolicy conditions initContainerStatuses containerStatuses restartCount \
     lastState terminated waiting exitCode replicas readyReplicas updatedReplicas availableReplicas selector \
     matchLabels endpoints addresses targetRef addressType publishNotReadyAddresses podScheduled message reason",
    // Versions, users and contexts.
    "clientVersion serverVersion gitVersion userInfo username cluster extensions kube-system",
    // curl's figures and the runbook's bodies.
    "http_code response_code exitcode errormsg content_type redirect_url remote_ip time_total ssl_verify_result scheme \
     healthy version services status ready",
    // The headers of responses.
    "HTTP/1.1 HTTP/2 HTTP/1.0 Authorization Proxy-Authorization Cookie Set-Cookie",
];

/// The shortest word that counts in a value with blanks; a shorter one occurs in any phrase.
const SHORTEST: usize = 5;

/// Returns whether a value could remove more than one word from a row or a line, one of them deciding: it
/// contains a tab, or a blank or a line end and one of the words.
///
/// A value of several lines, such as a key in PEM, contains none of them.
pub fn spans_columns(value: &str) -> bool {
    let is_deciding = |word: &str| {
        let all = DECIDING.iter().flat_map(|words| words.split_whitespace());
        word.len() >= SHORTEST && all.into_iter().any(|deciding| deciding == word)
    };
    value.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r'))
        || value.contains(char::is_whitespace) && value.split_whitespace().any(is_deciding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_spans_columns_is_known() {
        for value in ["0/1     Error", "Error 0", "a CrashLoopBackOff", "one\ttwo", "one\nRunning", "Error\r"]
        {
            assert!(spans_columns(value), "{value:?}");
        }
        for value in
            ["correct horse", "one\ntwo\n", "Errors 0", "pass for the pod", "Error", "correct-horse-battery"]
        {
            assert!(!spans_columns(value), "{value:?}");
        }
    }
}
