//! An earlier run's `manifest.json`, of which the next run quotes the id.
#![no_main]

use libfuzzer_sys::fuzz_target;
use staging_dry_run::evidence::ManifestHeader;
use staging_dry_run::manifest::Manifest;

/// The run that a manifest names.
fn run_id(manifest: &[u8]) -> Option<String> {
    serde_json::from_slice::<ManifestHeader>(manifest).ok()?.run_id
}

fuzz_target!(|bytes: &[u8]| {
    let id = run_id(bytes);
    // Whoever reads the whole manifest finds the same.
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes) {
        assert_eq!(manifest.run_id, id);
        let json = serde_json::to_vec(&manifest).expect("a manifest can be written");
        assert_eq!(run_id(&json), id);
    }
});
