//! What programs printed, as typed facts: bytes in, facts out, one file for each program and output.
//!
//! Everything here is pure: no file, no clock, no environment. The bytes come from outside, so no input may
//! panic: a parser answers with [`Unreadable`], with `None`, or with the facts it could find. Texts that are
//! not UTF-8 are read with the replacement character. The facts are written into the journal, which is why
//! each of them can be serialized and read back.
//!
//! | file | what it reads |
//! | --- | --- |
//! | [`versions`] | `kubectl version -o json`, `curl --version`, `jq --version` |
//! | [`context`], [`whoami`] | whom the kubeconfig's context means, and who the server says we are |
//! | [`can_i`] | `kubectl auth can-i` |
//! | [`manifest_text`] | a manifest, before any program has read it |
//! | [`dry_run`] | where a server-side dry run says each object would land |
//! | [`apply`] | what `kubectl apply` did to each object |
//! | [`rollout`] | how `kubectl rollout status` ended |
//! | [`pod_table`] | rows of `kubectl get pods`, watched or listed |
//! | [`pods`], [`deployments`], [`endpoints`] | the same objects as JSON |
//! | [`stderr`] | warnings and errors in kubectl's standard error |
//! | [`curl`], [`http`] | a transfer's figures, and the answer itself |
//! | [`body`] | what the bodies of `/health` and `/readyz` say |
//! | [`latency`] | percentiles of the figures |

pub mod apply;
pub mod body;
pub mod can_i;
pub mod context;
pub mod curl;
pub mod deployments;
pub mod dry_run;
pub mod endpoints;
pub mod http;
mod json;
pub mod latency;
pub mod manifest_text;
pub mod pod_table;
pub mod pods;
pub mod rollout;
pub mod stderr;
pub mod versions;
pub mod whoami;

pub use json::Unreadable;

#[cfg(test)]
mod hostile {
    //! Bytes that no program would print, for every parser.

    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    /// Feeds `parser` with arbitrary bytes, and with `sample` after a random part of it was replaced by
    /// arbitrary bytes: the second reaches far deeper into a parser than the first. Only a panic fails.
    pub(super) fn survives(sample: &str, parser: impl Fn(&[u8])) {
        let config = Config { cases: 512, failure_persistence: None, ..Config::default() };
        let piece = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..48),
            "[-{}\\[\\]\":,a-zA-Z0-9/ \t\r\n]{0,24}".prop_map(String::into_bytes),
        ];
        let hostile = (piece, any::<prop::sample::Index>(), any::<prop::sample::Index>());
        TestRunner::new(config)
            .run(&hostile, |(piece, a, b)| {
                parser(&piece);
                let (a, b) = (a.index(sample.len() + 1), b.index(sample.len() + 1));
                let (head, tail) = (&sample.as_bytes()[..a.min(b)], &sample.as_bytes()[a.max(b)..]);
                parser(&[head, &piece, tail].concat());
                Ok(())
            })
            .expect("no input makes the parser panic");
    }
}
