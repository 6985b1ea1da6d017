//! curl's own figures, and the percentiles of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use staging_dry_run::facts::curl::{Transfer, transfers};
use staging_dry_run::facts::latency::p95;

fuzz_target!(|bytes: &[u8]| {
    let transfers = transfers(bytes);
    for transfer in &transfers {
        let status = &transfer.http_status;
        assert!(status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit()), "{transfer:?}");
        let json = serde_json::to_string(transfer).expect("a fact can be written");
        assert_eq!(&serde_json::from_str::<Transfer>(&json).expect("and read again"), transfer);
    }
    let samples: Vec<u64> = transfers.iter().map(|transfer| transfer.latency_ms).collect();
    match p95(&samples) {
        None => assert!(samples.is_empty()),
        Some(p95) => {
            assert!(samples.contains(&p95));
            assert!(samples.iter().filter(|sample| **sample <= p95).count() * 100 >= samples.len() * 95);
        }
    }
});
