//! Typed facts from the output of programs: one file for each program and output.
//!
//! Everything here is pure: no file, no clock, no environment. The bytes come from outside, so no input may
//! panic. A parser returns [`Unreadable`], `None`, or the facts that it found. Text that is not UTF-8 is
//! parsed with the replacement character. Facts are recorded in the journal, so each can be serialized and
//! parsed back.
//!
//! | file | input |
//! | --- | --- |
//! | [`versions`] | `kubectl version -o json`, `curl --version`, `jq --version` |
//! | [`context`], [`whoami`] | the kubeconfig's context, and the user by the server |
//! | [`can_i`] | `kubectl auth can-i` |
//! | [`manifest_text`] | a manifest, before any program parses it |
//! | [`dry_run`] | a server-side dry run: the namespace of each object |
//! | [`apply`] | `kubectl apply`: the result of each object |
//! | [`rollout`] | the end of `kubectl rollout status` |
//! | [`pod_table`] | rows of `kubectl get pods`, watched or listed |
//! | [`pods`], [`deployments`], [`endpoints`] | the same objects as JSON |
//! | [`stderr`] | warnings and errors in kubectl's standard error |
//! | [`curl`], [`http`] | the figures of a transfer, and the response |
//! | [`body`] | the bodies of `/health` and `/readyz` |
//! | [`latency`] | percentiles of the figures |
//! | [`words`] | the words of the output by which something is decided |

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
pub mod words;

pub use json::Unreadable;

/// The highest exit code that a program chooses itself; higher ones are the shell's, of a program that could not be
/// started or was killed (bash(1), "EXIT STATUS").
pub const LAST_OF_ITS_OWN: i32 = 125;

#[cfg(test)]
mod hostile {
    //! Bytes that no program would print, for every parser.

    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    /// Runs `parser` on arbitrary bytes, and on `sample` with a random part replaced by arbitrary bytes.
    ///
    /// The second input reaches far deeper into a parser than the first. Only a panic fails.
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
